#ifndef ROSTER_AUTH_TOTP_H
#define ROSTER_AUTH_TOTP_H

#include "base/text.h"

/**
 * Checks a TOTP code (RFC 6238: HMAC-SHA-1, 30 s, 6 digits, which may have white space between
 * them) against a base32 secret (RFC 4648 section 6, padding optional, any case) at `now_ms`, with
 * one step of drift either way. A code works once: only steps after `last_step` count. On success
 * `*used_step` is the step of the code, which the caller stores. False if the code is wrong, used
 * or malformed, or the secret is malformed. All well-formed wrong codes take the same time. Any
 * thread.
 */
bool totp_check(struct text secret, struct text code, int64_t now_ms, int64_t last_step,
                int64_t *used_step) __attribute__((warn_unused_result));

#endif

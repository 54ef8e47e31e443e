#ifndef ROSTER_AUTH_TOTP_H
#define ROSTER_AUTH_TOTP_H

#include "base/text.h"

/**
 * Checks a TOTP code (RFC 6238: HMAC-SHA-1, 6 digits, which may have white space between them, 30
 * s) against a base32 secret (RFC 4648 section 6, padding optional, any case) at `now_ms`, one step
 * of drift either way. A code works once: only steps after `last_step` count. On success
 * `*used_step` is the step it belongs to, to be stored. False when the code is wrong, spent or
 * malformed, or the secret is. Takes the same time for all well-formed wrong codes.
 */
bool totp_check(struct text secret, struct text code, int64_t now_ms, int64_t last_step,
                int64_t *used_step) __attribute__((warn_unused_result));

#endif

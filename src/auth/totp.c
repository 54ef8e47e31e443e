/* One-time codes (TOTP, RFC 6238). liboath computes them. This file makes sure that a code works
 * only once and that all wrong codes take the same time, which liboath's own validation does
 * not. */
#include "auth/totp.h"

#include "crypto/secret.h"
#include "rules/base32.h"
#include "rules/precis.h"

#include <liboath/oath.h>

enum { DIGITS = 6, STEP_MS = 30000, DRIFT = 1 };

/* Reads a code, which may have blanks as apps show it ("123 456"). False if it is not six
 * digits. */
static bool read_code(struct text text, char code[DIGITS]) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        size_t blank = precis_blank_size((struct text){ text.at + i, text.len - i });
        if (blank) {
            i += blank - 1;
            continue;
        }
        char c = text.at[i];
        if (c < '0' || c > '9' || len == DIGITS)
            return false;
        code[len++] = c;
    }
    return len == DIGITS;
}

/* True if `code` is the code of the step: the HOTP of the step's number (RFC 6238 section 4.2). */
static bool matches(const unsigned char *secret, size_t len, int64_t step, struct text code) {
    char expected[DIGITS + 1] = { 0 };
    int failed = oath_hotp_generate((const char *)secret, len, (uint64_t)step, DIGITS, false,
                                    OATH_HOTP_DYNAMIC_TRUNCATION, expected);
    bool same = secret_equal((struct text){ expected, DIGITS }, code);
    secret_wipe(expected, sizeof(expected));
    return same && failed == OATH_OK;
}

bool totp_check(struct text secret, struct text code, int64_t now_ms, int64_t last_step,
                int64_t *used_step) {
    unsigned char bytes[TOTP_SECRET_MAX];
    char given[DIGITS];
    size_t len = base32_decode(secret, NULL);
    if (!read_code(code, given) || now_ms < 0 || !len || len > sizeof bytes)
        return false;
    (void)base32_decode(secret, bytes);
    bool right = false;
    int64_t now = now_ms / STEP_MS;
    /* Always compares with all three steps, so that the time does not depend on a match. If two
     * steps share a code, the later one counts as used. */
    for (int64_t step = now - DRIFT; step <= now + DRIFT; step++)
        if (matches(bytes, len, step, (struct text){ given, DIGITS }) && step >= 0 &&
            step > last_step) {
            *used_step = step;
            right = true;
        }
    secret_wipe(bytes, sizeof(bytes));
    return right;
}

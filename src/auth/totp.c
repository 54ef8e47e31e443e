/* One-time codes. liboath computes them; that a code works once, and that a wrong one tells nothing
   by its time, is ours: its own validation knows of neither. */
#include "auth/totp.h"

#include "crypto/secret.h"
#include "rules/base32.h"

#include <liboath/oath.h>

enum { DIGITS = 6, STEP_MS = 30000, DRIFT = 1 };

/* Of base32 text, blanks and padding included: 512 bits, what a secret may have, with room. */
enum { SECRET_TEXT_MAX = 160, SECRET_MAX = SECRET_TEXT_MAX * 5 / 8 };

static bool is_code(struct text code) {
    if (code.len != DIGITS)
        return false;
    for (size_t i = 0; i < code.len; i++)
        if (code.at[i] < '0' || code.at[i] > '9')
            return false;
    return true;
}

/* Is `code` that of the step? RFC 6238 section 4.2: HOTP of the number of the step. */
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
    unsigned char bytes[SECRET_MAX];
    if (!is_code(code) || now_ms < 0 || secret.len > SECRET_TEXT_MAX)
        return false;
    size_t len = base32_decode(secret, bytes);
    bool right = false;
    int64_t now = now_ms / STEP_MS;
    /* All three, whatever is found: a code that two steps share spends the later one. */
    for (int64_t step = now - DRIFT; len && step <= now + DRIFT; step++)
        if (matches(bytes, len, step, code) && step >= 0 && step > last_step) {
            *used_step = step;
            right = true;
        }
    secret_wipe(bytes, sizeof(bytes));
    return right;
}

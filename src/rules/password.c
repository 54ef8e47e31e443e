/* Judging new passwords by how guessable they are, not by what characters they are made of. */
#include "rules/password.h"

#include <unicase.h>
#include <uninorm.h>
#include <zxcvbn.h>

enum { LEAST = 8, MOST = 256, GUESSABLE_MOST = 64 };

/* A password that turns up within the first 10,000 guesses is a common one: 2^13.3. By this
 * measure `Passw0rd` has 2.0 bits, `qwertyuiop` 10.6 and `admin123` 12.7, but `demo-password`
 * 20.3, eight random letters 37 and four random words 55. The library carries its word lists. */
static const double common_bits = 13.3;

static bool is_common(struct text password) {
    char copy[GUESSABLE_MOST * 4 + 1];
    if (text_characters(password) > GUESSABLE_MOST || password.len >= sizeof copy)
        return false; /* the estimate's cost grows with the length, and length suffices */
    memcpy(copy, password.at, password.len);
    copy[password.len] = '\0';
    bool common = ZxcvbnMatch(copy, NULL, NULL) < common_bits;
    explicit_bzero(copy, sizeof copy);
    return common;
}

static bool is_same(struct text password, struct text datum) {
    int order = 1;
    if (text_equal_nocase(password, datum))
        return true;
    return u8_casecmp((const uint8_t *)password.at, password.len, (const uint8_t *)datum.at,
                      datum.len, NULL, UNINORM_NFC, &order) == 0 &&
           order == 0;
}

static bool is_personal(struct text password, struct text email, struct text name) {
    struct text domain = email;
    struct text local = text_cut(&domain, '@');
    return is_same(password, email) || is_same(password, local) ||
           is_same(password, text_trim(name));
}

enum password_verdict password_judge(struct text password, struct text email, struct text name) {
    size_t characters = text_characters(password);
    if (characters < LEAST)
        return PASSWORD_TOO_SHORT;
    if (characters > MOST)
        return PASSWORD_TOO_LONG;
    if (is_personal(password, email, name))
        return PASSWORD_PERSONAL;
    return is_common(password) ? PASSWORD_COMMON : PASSWORD_FINE;
}

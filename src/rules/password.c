/* Checks of new passwords, by how easily they are guessed and not by the kinds of characters in
 * them.
 *
 * zxcvbn estimates how many tries an attacker needs. Its own lists are English, so common_words.def
 * adds words of other languages, and a password is estimated a second time without its accents.
 * Copies of a password on the stack are wiped. */
#include "rules/password.h"

#include "rules/fold.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>
#include <zxcvbn.h>

enum { LEAST = 8, MOST = 256, NORMALISED_MOST = 4096 };

/* The estimate takes longer with each character. Of a longer password only the beginning and the
 * end are estimated, with this many characters each. */
enum { GUESSABLE_MOST = 64, GUESSABLE_BYTES = GUESSABLE_MOST * 4 };

_Static_assert(PASSWORD_NORMAL_MAX >= 3 * NORMALISED_MOST,
               "NFC makes UTF-8 at most three times as long");

/* A password is common if it is among the first million guesses: 2^19.93. In this measure
 * `qwertyuiop` has 10.6 bits, `admin123!` 16.4 and `Summer2026!` 19.0; `demo-password` has 20.3,
 * eight random digits 21.4, and four random words 55. */
static const double common_bits = 19.93;

/* Words that the library's English lists do not have. */
static const char *common_words[] = {
#define WORD(text) text,
#include "rules/common_words.def"
#undef WORD
    NULL,
};

struct text password_normal(struct text password, char room[PASSWORD_NORMAL_MAX]) {
    size_t size = PASSWORD_NORMAL_MAX;
    if (!password.len)
        return TEXT("");
    if (password.len > NORMALISED_MOST || fold_is_ascii(password) ||
        u8_check((const uint8_t *)password.at, password.len))
        return password;
    uint8_t *normal = u8_normalize(UNINORM_NFC, (const uint8_t *)password.at, password.len,
                                   (uint8_t *)room, &size);
    if ((char *)normal == room)
        return (struct text){ room, size };
    free(normal); /* NULL: it would have fitted into `room` */
    return (struct text){ 0 };
}

/* The bytes of the first `count` characters of UTF-8, or of all. */
static size_t bytes_of(struct text text, size_t count) {
    size_t at = 0;
    for (; at < text.len && (count || ((unsigned char)text.at[at] & 0xC0) == 0x80); at++)
        count -= ((unsigned char)text.at[at] & 0xC0) != 0x80 && count;
    return at;
}

static bool is_guessed(struct text password) {
    char copy[GUESSABLE_BYTES + 1];
    if (password.len > GUESSABLE_BYTES)
        return false; /* it is not UTF-8 */
    memcpy(copy, password.at, password.len);
    copy[password.len] = '\0';
    bool guessed = ZxcvbnMatch(copy, common_words, NULL) < common_bits;
    explicit_bzero(copy, sizeof copy);
    return guessed;
}

/* Both ends of a long password must be common: "aaaa..." is, at any length. */
static bool is_common(struct text password) {
    size_t characters = text_characters(password);
    if (characters <= GUESSABLE_MOST)
        return is_guessed(password);
    size_t front = bytes_of(password, GUESSABLE_MOST);
    size_t back = bytes_of(password, characters - GUESSABLE_MOST);
    return is_guessed((struct text){ password.at, front }) &&
           is_guessed((struct text){ password.at + back, password.len - back });
}

/* Removes accents, and replaces full-width and other forms of letters by plain ones: the lists have
 * `contrasena`, people may write it with a tilde. False if it is too long or there is no memory. */
static bool plain_letters(struct text password, char room[PASSWORD_NORMAL_MAX], struct text *out) {
    size_t size = PASSWORD_NORMAL_MAX, len = 0;
    const uint8_t *from = (const uint8_t *)password.at;
    if (password.len > (size_t)MOST * 4 || u8_check(from, password.len))
        return false;
    uint8_t *plain = u8_normalize(UNINORM_NFKD, from, password.len, (uint8_t *)room, &size);
    if ((char *)plain != room) {
        free(plain); /* it did not fit: one character may become eighteen */
        return false;
    }
    for (size_t at = 0; at < size;) {
        ucs4_t character;
        int step = u8_mbtouc(&character, plain + at, size - at);
        if (!uc_combining_class(character)) {
            memmove(room + len, room + at, (size_t)step);
            len += (size_t)step;
        }
        at += (size_t)step;
    }
    *out = (struct text){ room, len };
    return true;
}

static bool is_common_in_plain_letters(struct text password) {
    char room[PASSWORD_NORMAL_MAX];
    struct text plain = password;
    bool common =
        !fold_is_ascii(password) && plain_letters(password, room, &plain) && is_common(plain);
    explicit_bzero(room, sizeof room);
    return common;
}

/* `text` case-folded, in NFC, in `room`. (The library's own comparison leaves copies of the
 * password on the heap.) Empty if it is not UTF-8, longer than any password, or if there is no
 * memory. */
static struct text folded(struct text text, char room[PASSWORD_NORMAL_MAX]) {
    char small[PASSWORD_NORMAL_MAX];
    size_t len = sizeof small;
    struct text result = { 0 };
    const uint8_t *from = (const uint8_t *)text.at;
    if (!text.len || text.len > NORMALISED_MOST || u8_check(from, text.len))
        return result;
    uint8_t *made = u8_casefold(from, text.len, NULL, NULL, (uint8_t *)small, &len);
    if ((char *)made == small)
        result = password_normal((struct text){ small, len }, room);
    else
        free(made); /* it did not fit, which no known text causes */
    if (result.at == small) {
        memcpy(room, small, len);
        result.at = room;
    }
    explicit_bzero(small, sizeof small);
    return result;
}

static bool is_same(struct text password, struct text datum) {
    char one[PASSWORD_NORMAL_MAX], other[PASSWORD_NORMAL_MAX];
    if (text_equal_nocase(password, datum))
        return true;
    if (fold_is_ascii(password) && fold_is_ascii(datum))
        return false;
    struct text a = folded(password, one), b = folded(datum, other);
    bool same = a.len && text_equal(a, b);
    explicit_bzero(one, sizeof one);
    return same;
}

bool password_is_personal(struct text password, struct text email, struct text name) {
    struct text domain = email;
    struct text local = text_cut(&domain, '@');
    return is_same(password, email) || is_same(password, local) ||
           is_same(password, text_trim(name));
}

static enum password_verdict check_normal(struct text password, struct text email,
                                          struct text name) {
    size_t characters = text_characters(password);
    if (characters < LEAST)
        return PASSWORD_TOO_SHORT;
    if (characters > MOST)
        return PASSWORD_TOO_LONG;
    if (password_is_personal(password, email, name))
        return PASSWORD_PERSONAL;
    bool common = is_common(password) || is_common_in_plain_letters(password);
    return common ? PASSWORD_COMMON : PASSWORD_FINE;
}

enum password_verdict password_check(struct text password, struct text email, struct text name) {
    char room[PASSWORD_NORMAL_MAX];
    if (password.len > NORMALISED_MOST)
        return PASSWORD_TOO_LONG;
    struct text normal = password_normal(password, room);
    enum password_verdict verdict = check_normal(normal.at ? normal : password, email, name);
    explicit_bzero(room, sizeof room);
    return verdict;
}

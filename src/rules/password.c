/* Judging new passwords by how guessable they are, not by what characters they are made of. */
#include "rules/password.h"

#include "rules/fold.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>
#include <zxcvbn.h>

enum { LEAST = 8, MOST = 256, NORMALISED_MOST = 4096 };

/* The estimate's cost grows with the length: of longer passwords the beginning and the end are
 * weighed, this many characters of each. */
enum { GUESSABLE_MOST = 64, GUESSABLE_BYTES = GUESSABLE_MOST * 4 };

_Static_assert(PASSWORD_NORMAL_MAX >= 3 * NORMALISED_MOST, "no UTF-8 grows more by NFC");

/* A password that turns up within the first million guesses is a common one: 2^19.93. By this
 * measure `qwertyuiop` has 10.6 bits, `admin123!` 16.4 and `Summer2026!` 19.0, but `demo-password`
 * 20.3, eight random digits 21.4 and four random words 55. */
static const double common_bits = 19.93;

/* What the library's own lists, which are of English, do not have. */
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
    free(normal); /* there was room: it is NULL */
    return (struct text){ 0 };
}

/* The first `count` characters of UTF-8, or all. */
static size_t bytes_of(struct text text, size_t count) {
    size_t at = 0;
    for (; at < text.len && (count || ((unsigned char)text.at[at] & 0xC0) == 0x80); at++)
        count -= ((unsigned char)text.at[at] & 0xC0) != 0x80 && count;
    return at;
}

static bool is_guessed(struct text password) {
    char copy[GUESSABLE_BYTES + 1];
    if (password.len > GUESSABLE_BYTES)
        return false; /* it is no UTF-8 */
    memcpy(copy, password.at, password.len);
    copy[password.len] = '\0';
    bool guessed = ZxcvbnMatch(copy, common_words, NULL) < common_bits;
    explicit_bzero(copy, sizeof copy);
    return guessed;
}

/* Of a long one both ends: "aaaa..." is common however long it is. */
static bool is_common(struct text password) {
    size_t characters = text_characters(password);
    if (characters <= GUESSABLE_MOST)
        return is_guessed(password);
    size_t front = bytes_of(password, GUESSABLE_MOST);
    size_t back = bytes_of(password, characters - GUESSABLE_MOST);
    return is_guessed((struct text){ password.at, front }) &&
           is_guessed((struct text){ password.at + back, password.len - back });
}

/* Accents off, and wide and other forms of letters made plain: `contrasena` is what people mean by
 * the word with its tilde. False: it is too long for that, or memory is short. */
static bool plain_letters(struct text password, char room[PASSWORD_NORMAL_MAX], struct text *out) {
    size_t size = PASSWORD_NORMAL_MAX, len = 0;
    const uint8_t *from = (const uint8_t *)password.at;
    if (password.len > (size_t)MOST * 4 || u8_check(from, password.len))
        return false;
    uint8_t *plain = u8_normalize(UNINORM_NFKD, from, password.len, (uint8_t *)room, &size);
    if ((char *)plain != room) {
        free(plain); /* one character may become eighteen */
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

/* Case-folded and in NFC, in `room`: the library's own comparison leaves copies of a password on
 * the heap. Empty: it is longer than any password, no UTF-8, or memory is short. */
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
        free(made); /* it was not foreseen that folding takes more than three times the room */
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

static enum password_verdict judge(struct text password, struct text email, struct text name) {
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

enum password_verdict password_judge(struct text password, struct text email, struct text name) {
    char room[PASSWORD_NORMAL_MAX];
    if (password.len > NORMALISED_MOST)
        return PASSWORD_TOO_LONG;
    struct text normal = password_normal(password, room);
    enum password_verdict verdict = judge(normal.at ? normal : password, email, name);
    explicit_bzero(room, sizeof room);
    return verdict;
}

/* E-mail addresses: which are valid, how they are stored, and which are the same.
 *
 * An address has up to three forms. The client's is brought to the normal form, which is stored and
 * shown. From that follows the key, in which all spellings of an address are equal; the database
 * has a unique index on it, and sign-ins look users up by it.
 *
 * ASCII addresses, which nearly all are, take a fast path without libraries. The others go through
 * libunistring and libidn2. */
#include "rules/email.h"

#include "rules/fold.h"
#include "rules/idna.h"
#include "rules/precis.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <uninorm.h>
#include <unistr.h>

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, LABEL_MAX = 63 };

static bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* atext of RFC 5322, and any byte beyond ASCII (RFC 6531 section 3.3). */
static bool is_atom_character(char c) {
    return is_letter_or_digit(c) || (unsigned char)c >= 0x80 ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atom(struct text local) {
    while (local.at) {
        struct text atom = text_cut(&local, '.');
        if (!atom.len)
            return false;
        for (size_t i = 0; i < atom.len; i++)
            if (!is_atom_character(atom.at[i]))
                return false;
    }
    return true;
}

static bool is_printable_ascii(char c) {
    return c >= ' ' && c <= '~';
}

/* A backslash escapes the next character, which must be ASCII even in RFC 6531. */
static bool is_quoted(struct text local) {
    if (local.len < 2 || local.at[0] != '"' || local.at[local.len - 1] != '"')
        return false;
    for (size_t i = 1, last = local.len - 1; i < last; i++) {
        char c = local.at[i];
        if (c == '"' || (!is_printable_ascii(c) && (unsigned char)c < 0x80))
            return false;
        if (c == '\\' && (++i == last || !is_printable_ascii(local.at[i])))
            return false;
    }
    return true;
}

/* Reads an address literal. Returns its family, or AF_UNSPEC if it is none. */
static int read_literal(struct text domain, unsigned char bytes[16]) {
    char address[INET6_ADDRSTRLEN];
    if (domain.len < 3 || domain.at[0] != '[' || domain.at[domain.len - 1] != ']')
        return AF_UNSPEC;
    struct text inside = { domain.at + 1, domain.len - 2 };
    int family = AF_INET;
    if (text_starts_nocase(inside, TEXT("IPv6:"))) {
        inside = (struct text){ inside.at + 5, inside.len - 5 };
        family = AF_INET6;
    }
    if (inside.len >= sizeof address || memchr(inside.at, '\0', inside.len))
        return AF_UNSPEC;
    memcpy(address, inside.at, inside.len);
    address[inside.len] = '\0';
    return inet_pton(family, address, bytes) == 1 ? family : AF_UNSPEC;
}

static bool is_ascii_domain(struct text domain) {
    while (domain.at) {
        struct text label = text_cut(&domain, '.');
        if (!label.len || label.len > LABEL_MAX || label.at[0] == '-' ||
            label.at[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-')
                return false;
    }
    return true;
}

/* A-labels are ASCII too, but only IDNA can tell whether they encode something valid. */
static bool has_a_label(struct text domain) {
    while (domain.at)
        if (text_starts_nocase(text_cut(&domain, '.'), TEXT("xn--")))
            return true;
    return false;
}

static bool is_domain(struct text domain) {
    unsigned char address[16];
    if (fold_is_ascii(domain) && !has_a_label(domain) && domain.len <= DOMAIN_MAX &&
        is_ascii_domain(domain))
        return true;
    if (domain.len == 0 || domain.len > (size_t)DOMAIN_MAX * 4) /* keeps IDNA from long texts */
        return false;
    if (read_literal(domain, address) != AF_UNSPEC)
        return true;
    char *ascii = idna_to_ascii(domain);
    bool is_right = ascii && strlen(ascii) <= DOMAIN_MAX && is_ascii_domain(text_of(ascii));
    idna_free(ascii);
    return is_right;
}

/* Splits at the last @: a quoted local part may hold others. */
static bool split(struct text email, struct text *local, struct text *domain) {
    const char *at = email.len ? memrchr(email.at, '@', email.len) : NULL;
    if (!at)
        return false;
    *local = (struct text){ email.at, (size_t)(at - email.at) };
    *domain = (struct text){ at + 1, email.len - local->len - 1 };
    return true;
}

/* A quoted local part without quotes and backslashes (RFC 5321 section 4.1.2). NULL: no memory. */
static struct text unquote(struct text quoted, struct arena *arena) {
    char *out = arena_alloc(arena, quoted.len);
    size_t len = 0;
    for (size_t i = 1; out && i + 1 < quoted.len; i++) {
        if (quoted.at[i] == '\\')
            i++;
        out[len++] = quoted.at[i];
    }
    return (struct text){ out, len };
}

/* A local part in quotes, with backslashes only where they are needed. */
static struct text quote(struct text plain, struct arena *arena) {
    char *out = arena_alloc(arena, 2 * plain.len + 2);
    size_t len = 0;
    if (!out)
        return (struct text){ 0 };
    out[len++] = '"';
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.at[i] == '"' || plain.at[i] == '\\')
            out[len++] = '\\';
        out[len++] = plain.at[i];
    }
    out[len++] = '"';
    return (struct text){ out, len };
}

/* Quotes stay only around a local part that is not valid without them. */
static struct text normal_local(struct text local, struct arena *arena) {
    if (!is_quoted(local))
        return local;
    struct text plain = unquote(local, arena);
    return !plain.at || is_dot_atom(plain) ? plain : quote(plain, arena);
}

/* Leaves out the characters that UTS 46 ignores, except joiners: where these are allowed they make
 * a different name. */
static struct text normal_domain(struct text domain, struct arena *arena) {
    enum { NON_JOINER = 0x200C, JOINER = 0x200D };
    if (fold_is_ascii(domain))
        return domain;
    char *out = arena_alloc(arena, domain.len);
    size_t len = 0;
    for (size_t i = 0; out && i < domain.len;) {
        ucs4_t character;
        size_t size = (size_t)u8_mbtouc(&character, (const uint8_t *)domain.at + i, domain.len - i);
        if (!precis_is_ignorable(character) || character == NON_JOINER || character == JOINER) {
            memcpy(out + len, domain.at + i, size);
            len += size;
        }
        i += size;
    }
    return (struct text){ out, len };
}

static struct text to_nfc(struct text text, struct arena *arena) {
    size_t len = 0;
    if (fold_is_ascii(text) || u8_check((const uint8_t *)text.at, text.len))
        return text;
    uint8_t *normal = u8_normalize(UNINORM_NFC, (const uint8_t *)text.at, text.len, NULL, &len);
    struct text copy = { 0 };
    if (normal)
        copy = arena_text(arena, (struct text){ (char *)normal, len });
    else
        arena->failed = true;
    free(normal);
    return copy;
}

/* Without printf: an invalid address may contain a NUL, and cut there it could be another's key. */
static struct text join(struct text local, struct text domain, struct arena *arena) {
    size_t len = local.len + 1 + domain.len;
    char *key = arena_alloc(arena, len);
    if (!key)
        return (struct text){ 0 };
    memcpy(key, local.at, local.len);
    key[local.len] = '@';
    memcpy(key + local.len + 1, domain.at, domain.len);
    return (struct text){ key, len };
}

struct text email_normal(struct text email, struct arena *arena) {
    struct text local, domain;
    if (fold_is_ascii(email) && !(email.len && memchr(email.at, '"', email.len)))
        return email; /* the fast path */
    email = to_nfc(email, arena);
    if (!email.at || !split(email, &local, &domain) ||
        u8_check((const uint8_t *)email.at, email.len))
        return email;
    local = normal_local(local, arena);
    domain = normal_domain(domain, arena);
    return local.at && domain.at ? join(local, domain, arena) : (struct text){ 0 };
}

bool email_is_valid(struct text email) {
    struct text local, domain;
    if (!split(email, &local, &domain) || memchr(email.at, '\0', email.len))
        return false;
    if (u8_check((const uint8_t *)email.at, email.len))
        return false;
    return local.len <= LOCAL_MAX && (is_dot_atom(local) || is_quoted(local)) &&
           (fold_is_ascii(local) || precis_is_identifier(local)) && is_domain(domain);
}

/* The domain case-folded in NFC. If it is not UTF-8, only its ASCII letters are folded. */
static struct text fold_domain(struct text domain, struct arena *arena) {
    unsigned char address[16];
    char shortest[INET6_ADDRSTRLEN];
    if (read_literal(domain, address) == AF_INET6 &&
        inet_ntop(AF_INET6, address, shortest, sizeof shortest))
        return arena_printf(arena, "[ipv6:%s]", shortest);
    if (fold_is_ascii(domain) || memchr(domain.at, '\0', domain.len))
        return fold_case(domain, arena);
    char *ascii = idna_to_ascii(domain);
    struct text copy = ascii ? fold_ascii(text_of(ascii), arena) : fold_case(domain, arena);
    idna_free(ascii);
    return copy;
}

struct text email_key(struct text email, struct arena *arena) {
    struct text local, domain;
    if (!email.len || email.len > (size_t)EMAIL_MAX * 4 || text_characters(email) > EMAIL_MAX)
        return TEXT("");
    email = email_normal(email, arena);
    if (!email.at)
        return email;
    /* The fast path: lower case is all there is to do, unless a literal has to be shortened. */
    bool is_plain = fold_is_ascii(email) && !memchr(email.at, '[', email.len);
    if (is_plain || !split(email, &local, &domain))
        return fold_case(email, arena);
    local = fold_case(local, arena);
    domain = fold_domain(domain, arena);
    if (!local.at || !domain.at)
        return (struct text){ 0 };
    return join(local, domain, arena);
}

struct text email_with_plus(struct text email, struct arena *arena) {
    if (!email.len || !memchr(email.at, ' ', email.len) || memchr(email.at, '"', email.len))
        return email;
    char *copy = arena_alloc(arena, email.len);
    for (size_t i = 0; copy && i < email.len; i++)
        copy[i] = email.at[i] == ' ' ? '+' : email.at[i];
    return (struct text){ copy, email.len };
}

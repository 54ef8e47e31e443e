/* Recognises password hashes by their form.
 *
 * A client that migrates users may send a hash where Roster expects a password. If Roster took it
 * for a password, whoever has the old table could sign in with the hash, and the user could not
 * sign in with the password. So a text that might be a hash is refused: a password that looks like
 * one is rare, and its owner can choose another. */
#include "crypto/hash_kind.h"

struct kind {
    const char *start; /* of the text, without regard to case */
    const char *name;
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";
static const char hex_digits[] = "0123456789abcdefABCDEF";

static bool is_one_of(char c, const char *set) {
    return c && strchr(set, c);
}

static bool is_word_character(char c) {
    return is_one_of(c, letters) || is_one_of(c, digits);
}

static const char *name_of(struct text text, const struct kind *kinds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_starts_nocase(text, text_of(kinds[i].start)))
            return kinds[i].name;
    return NULL;
}

/* How often `c` occurs in the text. */
static size_t count_of(struct text text, char c) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == c;
    return count;
}

/* The length of the beginning that consists of letters, digits and characters of `more`. */
static size_t span(struct text text, const char *more) {
    size_t len = 0;
    while (len < text.len && (is_word_character(text.at[len]) || is_one_of(text.at[len], more)))
        len++;
    return len;
}

static struct text after(struct text text, size_t len) {
    return (struct text){ text.at + len, text.len - len };
}

/* ---- $id$... ---- */

static const struct kind modular[] = {
    { "$argon2id$", "argon2id" },
    { "$argon2i$", "argon2i" },
    { "$argon2d$", "argon2d" },
    { "$2a$", "bcrypt" },
    { "$2b$", "bcrypt" },
    { "$2y$", "bcrypt" },
    { "$2x$", "bcrypt with the fault of 2x" },
    { "$2$", "bcrypt of the first kind" },
    { "$bcrypt-sha256$", "bcrypt over SHA-256" },
    { "$wp$", "bcrypt as WordPress writes it" },
    { "$y$", "yescrypt" },
    { "$gy$", "gost-yescrypt" },
    { "$7$", "scrypt" },
    { "$scrypt$", "scrypt" },
    { "$s0$", "scrypt" },
    { "$s1$", "scrypt" },
    { "$9$", "scrypt as Cisco writes it" },
    { "$6$", "SHA-512 crypt" },
    { "$5$", "SHA-256 crypt" },
    { "$sha1$", "SHA-1 crypt" },
    { "$1$", "MD5 crypt" },
    { "$apr1$", "MD5 crypt of Apache" },
    { "$md5", "MD5 crypt of Solaris" },
    { "$3$", "NT hash" },
    { "$NT$", "NT hash" },
    { "$LM$", "LAN Manager hash" },
    { "$P$", "phpass" },
    { "$H$", "phpass" },
    { "$S$", "SHA-512 as Drupal writes it" },
    { "$pbkdf2", "PBKDF2" },
    { "$8$", "PBKDF2 as Cisco writes it" },
    { "$ml$", "PBKDF2 as macOS writes it" },
    { "$A$", "SHA-256 crypt as MySQL writes it" },
    { "$B$", "MD5 as MediaWiki writes it" },
    { "$SHA$", "SHA-256 as AuthMe writes it" },
    { "$krb5", "Kerberos key" },
    { "$", "$id$..." },
};

static const char *modular_kind(struct text text) {
    if (!text.len || text.at[0] != '$')
        return NULL;
    size_t len = span(after(text, 1), "_.,=+-:@");
    if (!len || len + 1 >= text.len || text.at[len + 1] != '$')
        return NULL;
    return name_of(text, modular, LENGTH(modular));
}

/* ---- {SCHEME}... ---- */

static const struct kind schemes[] = {
    { "{SSHA}", "LDAP's {SSHA}" },
    { "{SHA}", "LDAP's {SHA}" },
    { "{SMD5}", "LDAP's {SMD5}" },
    { "{MD5}", "LDAP's {MD5}" },
    { "{CRYPT}", "LDAP's {CRYPT}" },
    { "{BLF-CRYPT}", "Dovecot's {BLF-CRYPT}" },
    { "{bcrypt}", "Spring's {bcrypt}" },
    { "{ARGON2", "{ARGON2}" },
    { "{PKCS5S2}", "PBKDF2 {PKCS5S2}" },
    { "{PBKDF2", "{PBKDF2}" },
    { "{SSHA256}", "LDAP's {SSHA256}" },
    { "{SSHA512}", "LDAP's {SSHA512}" },
    { "{SHA256}", "LDAP's {SHA256}" },
    { "{SHA512}", "LDAP's {SHA512}" },
    { "{noop}", "Spring's {noop}" },
    { "{x-i", "SAP's {x-issha}" },
    { "{", "{SCHEME}..." },
};

static const char *scheme_kind(struct text text) {
    if (!text.len || text.at[0] != '{')
        return NULL;
    size_t len = span(after(text, 1), "_.,=+-:@/ ");
    if (!len || len + 2 >= text.len || text.at[len + 1] != '}')
        return NULL;
    return name_of(text, schemes, LENGTH(schemes));
}

/* ---- name$...$... and name:...:... ---- */

static const struct kind frameworks[] = {
    { "pbkdf2", "PBKDF2" },
    { "bcrypt", "bcrypt as a framework writes it" },
    { "argon2", "argon2 as a framework writes it" },
    { "scrypt", "scrypt" },
    { "scram", "SCRAM" },
    { "hmac", "HMAC" },
    { "blake2", "BLAKE2" },
    { "sha1", "salted SHA-1" },
    { "sha2", "salted SHA-2" },
    { "sha3", "salted SHA-2" },
    { "sha5", "salted SHA-2" },
    { "ssha", "salted SHA-1" },
    { "salted_", "salted digest" },
    { "unsalted_", "unsalted digest" },
    { "md5", "salted MD5" },
    { "crypt$", "crypt as a framework writes it" },
    { "U$", "hash that Drupal hashed again" },
};

/* True for what only a program writes: 22 characters or more, letters and digits, no blanks. */
static bool is_digest(struct text text) {
    bool has_letter = false, has_digit = false;
    for (size_t i = 0; i < text.len; i++) {
        has_letter |= is_one_of(text.at[i], letters);
        has_digit |= is_one_of(text.at[i], digits);
    }
    return text.len >= 22 && has_letter && has_digit && span(text, "+/=._-") == text.len;
}

static const char *framework_kind(struct text text) {
    const char *named = name_of(text, frameworks, LENGTH(frameworks));
    size_t dollars = count_of(text, '$');
    /* Django, Werkzeug, web2py; `name:` as PHP programs and Firebase write it */
    if (named && (dollars >= 2 || count_of(text, ':') >= 2))
        return named;
    struct text rest = text, last = { 0 };
    while (rest.at)
        last = text_cut(&rest, '$');
    size_t name = span(text, "_.,-:()@");
    bool begins = name > 0 && name < text.len && text.at[name] == '$';
    if (!begins || !is_digest(last))
        return NULL;
    return dollars >= 2 || named ? "name$...$..." : NULL;
}

/* ---- Digests in hex, and hashes as databases write them ---- */

static const char *hex_kind(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if (!is_one_of(text.at[i], hex_digits))
            return NULL;
    switch (text.len) {
    case 32: return "MD5 or NT hash";
    case 40: return "SHA-1";
    case 56: return "SHA-224";
    case 64: return "SHA-256";
    case 96: return "SHA-384";
    case 128: return "SHA-512";
    default: return NULL;
    }
}

/* A digest with its salt before or after it, as forum and shop software writes it. */
static const char *salted_hex_kind(struct text text) {
    while (text.at)
        if (hex_kind(text_cut(&text, ':')))
            return "digest in hex with its salt";
    return NULL;
}

static bool is_hex_after(struct text text, const char *start, size_t least) {
    struct text begin = text_of(start);
    if (!text_starts_nocase(text, begin))
        return false;
    text = after(text, begin.len);
    for (size_t i = 0; i < text.len; i++)
        if (!is_one_of(text.at[i], hex_digits))
            return false;
    return text.len >= least;
}

static const char *database_kind(struct text text) {
    if (text.len == 41 && is_hex_after(text, "*", 40))
        return "SHA-1 as MySQL writes it";
    if (text.len == 35 && is_hex_after(text, "md5", 32))
        return "MD5 as PostgreSQL writes it";
    if (is_hex_after(text, "0x0100", 48) || is_hex_after(text, "0x0200", 48))
        return "SHA as SQL Server writes it";
    bool is_binary = text_starts_nocase(text, TEXT("0x")) || text_starts_nocase(text, TEXT("\\x"));
    if (is_binary && hex_kind(after(text, 2)))
        return "digest in hex as a database writes it";
    if (text.len >= 68 && text_starts_nocase(text, TEXT("AQAAAA")) && span(text, "+/=") == text.len)
        return "PBKDF2 as ASP.NET Identity writes it";
    if (text.len == 41 && text.at[0] == '!' && span(after(text, 1), "") == 40)
        return "unusable password of Django";
    return NULL;
}

/* `_`, four characters of rounds, four of salt and eleven of digest (crypt(5)). */
static const char *extended_des_kind(struct text text) {
    if (text.len != 20 || text.at[0] != '_' || span(after(text, 1), "./") != 19)
        return NULL;
    return "extended DES crypt";
}

static const char *plain_kind(struct text text) {
    static const char *(*const kinds[])(
        struct text) = { modular_kind,    scheme_kind,   framework_kind,   hex_kind,
                         salted_hex_kind, database_kind, extended_des_kind };
    const char *kind = NULL;
    for (size_t i = 0; !kind && i < LENGTH(kinds); i++)
        kind = kinds[i](text);
    return kind;
}

/* ---- Lines of password files ---- */

/* `!$6$...`, `*LK*$5$...`: the hash of an account that is locked. */
static const char *locked_kind(struct text text) {
    size_t len = 0;
    while (len < text.len && (text.at[len] == '!' || text.at[len] == '*'))
        len++;
    if (!len)
        return NULL;
    text = after(text, len);
    if (text_starts_nocase(text, TEXT("LK*")))
        text = after(text, 3);
    return plain_kind(text) ? "locked entry of a shadow file" : NULL;
}

/* `name:$6$...:19000:0:99999:7:::` */
static const char *line_kind(struct text text) {
    size_t len = span(text, "_.-@");
    if (!len || len >= text.len || text.at[len] != ':')
        return NULL;
    text = after(text, len + 1);
    struct text field = text_cut(&text, ':');
    bool is_hash = modular_kind(field) || scheme_kind(field) || locked_kind(field);
    return is_hash ? "line of a password file" : NULL;
}

/* ---- Hashes inside something else: quotes, a version, escapes, JSON ---- */

static const char *wrapped_kind(struct text text) {
    struct text last = { 0 };
    if (count_of(text, '$') < 2)
        return NULL;
    for (struct text rest = text; rest.at;)
        last = text_cut(&rest, '$');
    while (last.len && is_one_of(last.at[last.len - 1], "'\"]}),;"))
        last.len--;
    return is_digest(last) ? "hash with something around it" : NULL;
}

const char *hash_kind(struct text text) {
    text = text_trim(text);
    if (!text.len || memchr(text.at, '\0', text.len))
        return NULL;
    const char *kind = line_kind(text);
    if (!kind)
        kind = plain_kind(text);
    if (!kind)
        kind = locked_kind(text);
    return kind ? kind : wrapped_kind(text);
}

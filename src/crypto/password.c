/* Password hashes. Roster makes argon2id hashes; imported hashes of other schemes are checked with
 * the scheme that made them, and replaced at the next sign-in.
 *
 * `schemes` has a row for each scheme: the prefix of its strings, a function that parses one and
 * estimates the time of a check, and a function that checks a password.
 *
 * A client that may set a hash could choose parameters that keep a core busy for minutes at each
 * sign-in. So every hash is estimated before it is stored, and again before each check, and one
 * that exceeds COST_MAX_US is refused. Where a check cannot be made (no such user, no valid hash),
 * the same work is done in vain, so that the time of a reply does not show whether a user
 * exists. */
#include "crypto/password.h"

#include "crypto/hash_kind.h"
#include "crypto/secret.h"

#include <crypt.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The parameters of new hashes: OWASP's recommendation for argon2id. libsodium's lanes are
 * always 1. */
enum { MEMORY_KIB = 19 * 1024, PASSES = 2, LANES = 1 };

/* The most time that a check may take, and the costs from which it is estimated, as measured on a
 * core of a current server: 0.6 us for a pass of argon2id over 1 KiB, 46 us for bcrypt at cost 0
 * (each cost doubles it), 0.17 us for a block of yescrypt, 2 ns for a byte that SHA-crypt digests.
 */
enum {
    COST_MAX_US = 500000,
    ARGON2_TENTHS_US = 6,
    BCRYPT_US = 46,
    YESCRYPT_HUNDREDTHS_US = 17,
    SHA_NS = 2,
};

/* The most memory of a check, and the most lanes into which it may be divided: each costs a little
 * time of its own. */
enum { MEMORY_KIB_MAX = 256 * 1024, LANES_MAX = 64, PASSES_MAX = 1 << 20 };

/* SHA-crypt digests the password again in each round, so the time depends on its length. A hash
 * that is to be stored is estimated for passwords of this length, in bytes. A longer password for a
 * hash with many rounds is refused at its check. */
enum { PASSWORD_USUAL = 64 };

enum { BCRYPT_PASSWORD_MAX = 72 };

static atomic_uint_fast64_t work_us; /* for password_work_us; any thread adds */

#define DAMAGED INT64_C(-1)
#define TOO_DEAR INT64_MAX

enum { BCRYPT_SALT = 22, BCRYPT_DIGEST = 31, SHA_SALT_MAX = 16 };
enum { SHA256_DIGEST = 43, SHA512_DIGEST = 86, YESCRYPT_SALT_MAX = 86, YESCRYPT_DIGEST = 43 };
enum { YESCRYPT_BLOCKS_LOG2 = 21 }; /* N x r at $y$jDT: 2^16 x 32 of 128 bytes, 256 MiB */
enum {
    ARGON2_SALT_MIN = 8,
    ARGON2_DIGEST_MIN = 16,
    ARGON2_DIGEST = 32
}; /* bytes, as libsodium has them */

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "there is room for our own hashes");
_Static_assert(PASSWORD_HASH_MAX <= CRYPT_OUTPUT_SIZE, "crypt(3) has room for all that we accept");

/* A variant of base64: six bits for each character. The last character of a text may have bits that
 * belong to no byte; they must be 0. */
struct code {
    const char *alphabet;
    unsigned unused[4]; /* these bits, by the number of characters modulo 4; 1 cannot occur */
};

static const struct code argon2_code = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    { 0, 0, 0x0F, 0x03 },
};
static const struct code bcrypt_code = {
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    { 0, 0, 0x0F, 0x03 },
};
static const struct code crypt_code = {
    /* low bits first */
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    { 0, 0, 0x3C, 0x30 },
};

/* The value of a character, or -1. */
static int code_value(const struct code *code, char c) {
    const char *found = memchr(code->alphabet, c, 64);
    return found ? (int)(found - code->alphabet) : -1;
}

static bool is_of_code(struct text text, const struct code *code) {
    for (size_t i = 0; i < text.len; i++)
        if (code_value(code, text.at[i]) < 0)
            return false;
    return true;
}

/* True if the text encodes bytes in the only valid way. A hash that is written in another way would
 * never equal the computed one. */
static bool is_bytes(struct text text, const struct code *code) {
    if (!is_of_code(text, code) || text.len % 4 == 1)
        return false;
    return text.len == 0 ||
           ((unsigned)code_value(code, text.at[text.len - 1]) & code->unused[text.len % 4]) == 0;
}

static bool starts(struct text whole, struct text start) {
    return whole.len >= start.len && memcmp(whole.at, start.at, start.len) == 0;
}

static struct text after(struct text whole, size_t len) {
    return (struct text){ whole.at + len, whole.len - len };
}

struct argon2_cost {
    int64_t memory_kib;
    int64_t passes;
    int64_t lanes;
};

static const struct argon2_cost own_cost = { MEMORY_KIB, PASSES, LANES };

/* Reads `m=19456,`: the name, a positive number and the character after it. */
static bool cut_number(struct text *rest, struct text name, char end, int64_t *out) {
    if (!starts(*rest, name))
        return false;
    *rest = after(*rest, name.len);
    return text_to_int64(text_cut(rest, end), out) && *out > 0;
}

/* `rest` follows $argon2id$ in $argon2id$v=19$m=19456,t=2,p=1$SALT$DIGEST, the only form that
 * libsodium accepts. */
static bool argon2_parse(struct text rest, struct argon2_cost *cost) {
    int64_t version;
    if (!cut_number(&rest, TEXT("v="), '$', &version) || version != 19 ||
        !cut_number(&rest, TEXT("m="), ',', &cost->memory_kib) ||
        !cut_number(&rest, TEXT("t="), ',', &cost->passes) ||
        !cut_number(&rest, TEXT("p="), '$', &cost->lanes))
        return false;
    struct text salt = text_cut(&rest, '$');
    return cost->memory_kib / 8 >= cost->lanes && is_bytes(salt, &argon2_code) &&
           salt.len * 6 / 8 >= ARGON2_SALT_MIN && is_bytes(rest, &argon2_code) &&
           rest.len * 6 / 8 >= ARGON2_DIGEST_MIN;
}

static int64_t argon2_us(const struct argon2_cost *cost) {
    return cost->memory_kib * cost->passes * ARGON2_TENTHS_US / 10;
}

static int64_t argon2_cost(struct text rest, size_t password_len) {
    struct argon2_cost cost;
    (void)password_len;
    if (!argon2_parse(rest, &cost))
        return DAMAGED;
    if (cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX || cost.lanes > LANES_MAX)
        return TOO_DEAR;
    return argon2_us(&cost);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* `rest` follows $2b$ in $2b$12$SALTDIGEST. */
static int64_t bcrypt_cost(struct text rest, size_t password_len) {
    (void)password_len;
    if (rest.len != 3 + BCRYPT_SALT + BCRYPT_DIGEST || !is_digit(rest.at[0]) ||
        !is_digit(rest.at[1]) || rest.at[2] != '$')
        return DAMAGED;
    int cost = (rest.at[0] - '0') * 10 + (rest.at[1] - '0');
    /* Some programs set the unused bits of the salt, and crypt(3) accepts that. */
    struct text salt = { rest.at + 3, BCRYPT_SALT };
    struct text digest = { salt.at + BCRYPT_SALT, BCRYPT_DIGEST };
    if (cost < 4 || cost > 31 || !is_of_code(salt, &bcrypt_code) || !is_bytes(digest, &bcrypt_code))
        return DAMAGED;
    return INT64_C(1) * BCRYPT_US << cost;
}

/* `rest` follows $6$ in $6$SALT$DIGEST or $6$rounds=656000$SALT$DIGEST (Drepper, SHA-crypt.txt). */
static int64_t sha_cost(struct text rest, size_t digest_len, size_t password_len) {
    int64_t rounds = 5000;
    if (starts(rest, TEXT("rounds=")) && !cut_number(&rest, TEXT("rounds="), '$', &rounds))
        return DAMAGED;
    struct text salt = text_cut(&rest, '$');
    if (rounds < 1000 || rounds > 999999999 || salt.len > SHA_SALT_MAX ||
        !is_of_code(salt, &crypt_code) || rest.len != digest_len || !is_bytes(rest, &crypt_code))
        return DAMAGED;
    /* Each round digests the previous digest, the password up to twice, the salt and padding. */
    int64_t bytes = (int64_t)(digest_len * 3 / 4 + 2 * password_len) + 28;
    return rounds * bytes * SHA_NS / 1000;
}

static int64_t sha256_cost(struct text rest, size_t password_len) {
    return sha_cost(rest, SHA256_DIGEST, password_len);
}

static int64_t sha512_cost(struct text rest, size_t password_len) {
    return sha_cost(rest, SHA512_DIGEST, password_len);
}

/* Estimates the parameters of yescrypt, as `j9T`: the flavour (j is the default), log2 N - 1, r
 * - 1. Parameters that crypt(3) never writes (other flavours, parallelism, more passes, r above 48)
 * count as too expensive without an estimate. */
static int64_t yescrypt_work(struct text parameters) {
    if (parameters.len < 3 || !is_of_code(parameters, &crypt_code))
        return DAMAGED;
    int n_log2 = code_value(&crypt_code, parameters.at[1]) + 1;
    int64_t r = code_value(&crypt_code, parameters.at[2]) + 1;
    if (parameters.len > 3 || parameters.at[0] != 'j' || r > 48 || n_log2 > YESCRYPT_BLOCKS_LOG2)
        return TOO_DEAR;
    if (n_log2 < 2) /* below the algorithm's minimum */
        return DAMAGED;
    return r << n_log2 > 1 << YESCRYPT_BLOCKS_LOG2 ? TOO_DEAR
                                                   : (r << n_log2) * YESCRYPT_HUNDREDTHS_US / 100;
}

/* `rest` follows $y$ in $y$j9T$SALT$DIGEST. */
static int64_t yescrypt_cost(struct text rest, size_t password_len) {
    struct text parameters = text_cut(&rest, '$');
    struct text salt = text_cut(&rest, '$');
    (void)password_len;
    if (salt.len > YESCRYPT_SALT_MAX || !is_bytes(salt, &crypt_code) ||
        rest.len != YESCRYPT_DIGEST || !is_bytes(rest, &crypt_code))
        return DAMAGED;
    return yescrypt_work(parameters);
}

static enum password_match match_of(bool right) {
    return right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static bool decode(struct text code, unsigned char *out, size_t size) {
    size_t len;
    return sodium_base642bin(out, size, code.at, code.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           len == size;
}

/* Called next to each computation of a hash, and nowhere else. */
static void reckon(int64_t us) {
    atomic_fetch_add_explicit(&work_us, (uint64_t)us, memory_order_relaxed);
}

uint64_t password_work_us(void) {
    return atomic_load_explicit(&work_us, memory_order_relaxed);
}

/* False if there is no memory. */
static bool argon2_compute(struct text password, const unsigned char salt[crypto_pwhash_SALTBYTES],
                           const struct argon2_cost *cost, unsigned char out[ARGON2_DIGEST]) {
    reckon(argon2_us(cost));
    return crypto_pwhash(out, ARGON2_DIGEST, password.at, password.len, salt,
                         (unsigned long long)cost->passes, (size_t)cost->memory_kib * 1024,
                         crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* Computes the digest and compares it, because libsodium's own check does not distinguish a wrong
 * password from a lack of memory. Hashes with other lanes or lengths than password_hash makes can
 * only be checked by libsodium. */
static enum password_match argon2_match(struct text password, struct text hash,
                                        const struct argon2_cost *cost) {
    unsigned char salt[crypto_pwhash_SALTBYTES], digest[ARGON2_DIGEST], made[ARGON2_DIGEST];
    char string[PASSWORD_HASH_MAX] = { 0 };
    struct text rest = hash, encoded_salt = { 0 };
    for (int i = 0; i < 5;
         i++) /* the parts that $ ends: an empty one, name, version, costs, salt */
        encoded_salt = text_cut(&rest, '$');
    if (cost->lanes == LANES && decode(encoded_salt, salt, sizeof(salt)) &&
        decode(rest, digest, sizeof(digest))) {
        if (!argon2_compute(password, salt, cost, made))
            return PASSWORD_UNCHECKED;
        return match_of(sodium_memcmp(made, digest, sizeof(made)) == 0);
    }
    memcpy(string, hash.at, hash.len);
    reckon(argon2_us(cost));
    bool right = crypto_pwhash_str_verify(string, password.at, password.len) == 0;
    secret_wipe(string, sizeof(string));
    return match_of(right);
}

static enum password_match sodium_match(struct text password, struct text hash, size_t digest_len) {
    struct argon2_cost cost;
    (void)digest_len; /* it varies, and libsodium finds it in the string */
    if (!argon2_parse(after(hash, sizeof("$argon2id$") - 1), &cost))
        return PASSWORD_WRONG;
    return argon2_match(password, hash, &cost);
}

/* Takes the time of a real check where there is nothing to check against. */
static void work_in_vain(struct text password) {
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = "any salt will do";
    unsigned char digest[ARGON2_DIGEST];
    bool computed = argon2_compute(password, salt, &own_cost, digest);
    (void)computed; /* the reply is the same if there was no memory for it */
    secret_wipe(digest, sizeof(digest));
}

static void reckon_crypt(struct text password, struct text hash);

static enum password_match crypt_match(struct text password, struct text hash, size_t digest_len) {
    struct crypt_data *data = NULL;
    /* crypt(3) ends a password at a NUL: "right\0anything" would pass for "right". */
    if (password.len >= sizeof(data->input) || memchr(password.at, '\0', password.len)) {
        work_in_vain(password);
        return PASSWORD_WRONG;
    }
    data = calloc(1, sizeof(*data));
    if (!data)
        return PASSWORD_UNCHECKED;
    memcpy(data->input, password.at, password.len);
    memcpy(data->setting, hash.at, hash.len);
    reckon_crypt(password, hash);
    struct text made = text_of(crypt_rn(data->input, data->setting, data, sizeof(*data)));
    bool right = made.len >= digest_len && secret_equal(after(made, made.len - digest_len),
                                                        after(hash, hash.len - digest_len));
    secret_wipe(data, sizeof(*data));
    free(data);
    return made.at ? match_of(right) : PASSWORD_UNCHECKED;
}

struct scheme {
    struct text prefix;
    /* The time, in us, to check a password of that many bytes; DAMAGED; TOO_DEAR. */
    int64_t (*cost_us)(struct text rest, size_t password_len);
    enum password_match (*match)(struct text password, struct text hash, size_t digest_len);
    size_t digest_len; /* of the digest at the end of the string, in characters; 0: it varies */
    size_t seen;       /* how many bytes of a password count; 0: all */
};

static const struct scheme schemes[] = {
    { { "$argon2id$", 10 }, argon2_cost, sodium_match, 0, 0 },
    { { "$2b$", 4 }, bcrypt_cost, crypt_match, BCRYPT_DIGEST, BCRYPT_PASSWORD_MAX },
    { { "$2a$", 4 }, bcrypt_cost, crypt_match, BCRYPT_DIGEST, BCRYPT_PASSWORD_MAX },
    { { "$2y$", 4 }, bcrypt_cost, crypt_match, BCRYPT_DIGEST, BCRYPT_PASSWORD_MAX },
    { { "$y$", 3 }, yescrypt_cost, crypt_match, YESCRYPT_DIGEST, 0 },
    { { "$6$", 3 }, sha512_cost, crypt_match, SHA512_DIGEST, 0 },
    { { "$5$", 3 }, sha256_cost, crypt_match, SHA256_DIGEST, 0 },
};

static const struct scheme *scheme_of(struct text hash) {
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (starts(hash, schemes[i].prefix))
            return &schemes[i];
    return NULL;
}

static int64_t cost_us(const struct scheme *scheme, struct text hash, size_t password_len) {
    if (hash.len >= PASSWORD_HASH_MAX)
        return DAMAGED;
    return scheme->cost_us(after(hash, scheme->prefix.len), password_len);
}

static void reckon_crypt(struct text password, struct text hash) {
    reckon(cost_us(scheme_of(hash), hash, password.len));
}

enum password_form password_form(struct text text) {
    const struct scheme *scheme = scheme_of(text);
    if (!scheme)
        return hash_kind(text) ? PASSWORD_HASH_FOREIGN : PASSWORD_PLAIN;
    int64_t cost = cost_us(scheme, text, PASSWORD_USUAL);
    if (cost == DAMAGED)
        return PASSWORD_HASH_DAMAGED;
    return cost > COST_MAX_US ? PASSWORD_HASH_TOO_DEAR : PASSWORD_HASH;
}

/* .NET and others pad argon2's salt and digest with "=", which the PHC format does not allow. */
static void drop_padding(char *hash) {
    char *end = hash;
    for (const char *from = hash; *from; from++) {
        size_t padding = strspn(from, "=");
        if (padding && padding <= 2 && (from[padding] == '$' || !from[padding]))
            from += padding;
        if (!*from)
            break;
        *end++ = *from;
    }
    *end = '\0';
}

bool password_import(struct text text, char out[PASSWORD_HASH_MAX]) {
    struct text hash = text_trim(text);
    if (!hash.len || hash.len >= PASSWORD_HASH_MAX || memchr(hash.at, '\0', hash.len))
        return false;
    memcpy(out, hash.at, hash.len);
    out[hash.len] = '\0';
    if (starts(hash, schemes[0].prefix))
        drop_padding(out);
    return password_form(text_of(out)) == PASSWORD_HASH;
}

bool password_hash(struct text password, char out[PASSWORD_HASH_MAX]) {
    const char *at = password.len ? password.at : "";
    out[0] = '\0';
    reckon(argon2_us(&own_cost));
    return crypto_pwhash_str_alg(out, at, password.len, PASSES, (size_t)MEMORY_KIB * 1024,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* True if password_hash would make this well-formed hash with the same parameters. */
static bool is_of_today(struct text hash) {
    const struct scheme *own = &schemes[0];
    struct argon2_cost cost;
    return starts(hash, own->prefix) && argon2_parse(after(hash, own->prefix.len), &cost) &&
           cost.memory_kib == MEMORY_KIB && cost.passes == PASSES && cost.lanes == LANES;
}

/* True if the hash is valid and this password can be checked within COST_MAX_US. */
static bool can_be_checked(const struct scheme *scheme, struct text password, struct text hash) {
    if (!scheme || password_form(hash) != PASSWORD_HASH)
        return false;
    return cost_us(scheme, hash, password.len) <= COST_MAX_US;
}

bool password_is_dear(struct text password, struct text hash) {
    const struct scheme *scheme = scheme_of(hash);
    return can_be_checked(scheme, password, hash) &&
           cost_us(scheme, hash, password.len) > argon2_us(&own_cost);
}

bool password_is_cut(struct text password, struct text hash) {
    const struct scheme *scheme = scheme_of(hash);
    return scheme && scheme->seen && password.len > scheme->seen;
}

enum password_match password_verify(struct text password, struct text hash) {
    const struct scheme *scheme = scheme_of(hash);
    if (!password.len)
        password = TEXT(""); /* the libraries do not accept NULL */
    if (!can_be_checked(scheme, password, hash)) {
        work_in_vain(password);
        return PASSWORD_WRONG;
    }
    enum password_match match = scheme->match(password, hash, scheme->digest_len);
    bool is_old = !is_of_today(hash) && !password_is_cut(password, hash);
    return match == PASSWORD_RIGHT && is_old ? PASSWORD_RIGHT_BUT_OLD : match;
}

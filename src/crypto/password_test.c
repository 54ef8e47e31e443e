/* The promises of password.h. Every hash here was made by something else: phc-winner-argon2 and
   crypt_blowfish (their published vectors), noble-hashes, bcryptjs, openssl passwd, crypt(3). */
#include "crypto/password.h"

#include "crypto/secret.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define ARGON2_SALT "MDEyMzQ1Njc4OWFiY2RlZg"
#define ARGON2_REST "$" ARGON2_SALT "$0qsHs573+LgGInzYb7sRqlOTBmqY4X6srNEm6ybpJ20"
#define BCRYPT_REST "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define SHA256_DIGEST "6va2Z4O.keO7R84v9g0B9d2NkB7NOyTy0sMeQ5Z3LLA"
#define SHA512_DIGEST                                                                              \
    "rvqzMBuMVukmply9mZJpW0wJMdDfgUKLDrSNxf9l66h/ytQiKNAdqHSj5YPJpxWJpVjRXibQXRddCl9xYHQnd0"
#define YESCRYPT_REST "$abcd$ttr/LP4KKhXYh190ghOXd4Cy8xiNWqZdPta8T51M7xD"

static const struct {
    const char *password;
    const char *hash;
    enum password_match match;
} good[] = {
    /* today's parameters */
    { "password", "$argon2id$v=19$m=19456,t=2,p=1" ARGON2_REST, PASSWORD_RIGHT },
    /* others */
    { "password",
      "$argon2id$v=19$m=19456,t=2,p=2$" ARGON2_SALT "$TSUhYyWInOPtreZTlF4v50jLYuZcnLGvakwPEiI07xs",
      PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$argon2id$v=19$m=19456,t=3,p=1$" ARGON2_SALT "$TqCXsScmJJc1dgEgtINwYG6xQPRBg9grmbmvCfHrVRI",
      PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
      PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
      PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$argon2id$v=19$m=256,t=1,p=4$c29tZXNhbHQ$RFiX8Re7TFod0U9lZY5cUmErGrfRutzY/WSSGR20GKE",
      PASSWORD_RIGHT_BUT_OLD },
    { "password", "$argon2id$v=19$m=1023,t=3,p=3$" ARGON2_SALT "$bO5uiZbGxR824CVys98h8w",
      PASSWORD_RIGHT_BUT_OLD },
    { "password", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$WjD3IZs6fdr175wps5zMIAo",
      PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY$kuqbOR1FIBfVXt9S+"
      "Fr+71/U+kbBT4jUTzD/YhdWnII6CkjmbreI676w0YBn7ZelrAshzvQ4/wxdybchFiAOvw",
      PASSWORD_RIGHT_BUT_OLD },
    { "U*U", "$2a$05$" BCRYPT_REST, PASSWORD_RIGHT_BUT_OLD },
    { "U*U", "$2b$05$" BCRYPT_REST, PASSWORD_RIGHT_BUT_OLD },
    { "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", PASSWORD_RIGHT_BUT_OLD },
    { "\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq",
      PASSWORD_RIGHT_BUT_OLD },
    { "password", "$2b$04$aUmyyA482Mfsippc3W8VE.cPlz6KEhTEY.P.Udoq2ltmxFZ9jJHX2",
      PASSWORD_RIGHT_BUT_OLD },
    /* the last character of the salt has unused bits */
    { "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
      PASSWORD_RIGHT_BUT_OLD },
    { "password", "$6$abc$" SHA512_DIGEST, PASSWORD_RIGHT_BUT_OLD },
    { "password", "$6$rounds=5000$abc$" SHA512_DIGEST, PASSWORD_RIGHT_BUT_OLD },
    { "password",
      "$6$$bLTg4cpho8PIUrjfsE7qlU08Qx2UEfw..xOc6I1wpGVtyVYToGrr7BzRdAAnEr5lYFr1Z9WcCf1xNZ1HG9qFW1",
      PASSWORD_RIGHT_BUT_OLD },
    { "password", "$5$abc$" SHA256_DIGEST, PASSWORD_RIGHT_BUT_OLD },
    { "password", "$y$jDT" YESCRYPT_REST, PASSWORD_RIGHT_BUT_OLD },
    { "password", "$y$j9T$/0/$X5ln/ZKO.J6FSMdt69KtyBONb2zEM0LbnWaEu5GziRB",
      PASSWORD_RIGHT_BUT_OLD },
};

static void hashes_of_other_programs_are_verified(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct text hash = text_of(good[i].hash);
        assert_int_equal(password_form(hash), PASSWORD_HASH);
        assert_int_equal(password_verify(text_of(good[i].password), hash), good[i].match);
        assert_int_equal(password_verify(TEXT("Password"), hash), PASSWORD_WRONG);
    }
}

static const struct {
    const char *text;
    enum password_form form;
} forms[] = {
    /* costs at and above the limits, which are limits on the product of all parameters */
    { "$argon2id$v=19$m=262144,t=3,p=1" ARGON2_REST, PASSWORD_HASH },
    { "$argon2id$v=19$m=262144,t=4,p=1" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=262145,t=1,p=1" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=4294967295,t=2,p=1" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=102400,t=8,p=8" ARGON2_REST, PASSWORD_HASH },
    { "$argon2id$v=19$m=102400,t=9,p=8" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=8,t=104166,p=1" ARGON2_REST, PASSWORD_HASH },
    { "$argon2id$v=19$m=8,t=104170,p=1" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=8,t=9223372036854775807,p=1" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$argon2id$v=19$m=65536,t=4,p=64" ARGON2_REST, PASSWORD_HASH },
    { "$argon2id$v=19$m=65536,t=4,p=65" ARGON2_REST, PASSWORD_HASH_TOO_DEAR },
    { "$2b$13$" BCRYPT_REST, PASSWORD_HASH },
    { "$2b$14$" BCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    { "$2b$31$" BCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    { "$6$rounds=1136363$abc$" SHA512_DIGEST, PASSWORD_HASH },
    { "$6$rounds=1136369$abc$" SHA512_DIGEST, PASSWORD_HASH_TOO_DEAR },
    { "$5$rounds=1329787$abc$" SHA256_DIGEST, PASSWORD_HASH },
    { "$5$rounds=999999999$abc$" SHA256_DIGEST, PASSWORD_HASH_TOO_DEAR },
    { "$y$jDT" YESCRYPT_REST, PASSWORD_HASH },
    { "$y$jET" YESCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    { "$y$jDU" YESCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    { "$y$jIz" YESCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    { "$y$jzz" YESCRYPT_REST, PASSWORD_HASH_TOO_DEAR },
    /* parameters of yescrypt that crypt(3) never writes: parallelism, more passes, another flavour
     */
    { "$y$jD5.7$LdJMENpBABJJ3hIHjB1Bi.$HboGM6qPrsK.StKYGt6KErmUYtioHreJd98oIugoNB6",
      PASSWORD_HASH_TOO_DEAR },
    { "$y$/A2$LdJMENpBABJJ3hIHj/$5IEld1eWdmh5lylrqHLF5dvA3ISpimEM9J1Dd05n/.3",
      PASSWORD_HASH_TOO_DEAR },

    { "", PASSWORD_PLAIN },
    { "correct horse battery staple", PASSWORD_PLAIN },
    { "$", PASSWORD_PLAIN },
    { "$6$", PASSWORD_HASH_DAMAGED },
    { "$y$", PASSWORD_HASH_DAMAGED },
    { "$2b$", PASSWORD_HASH_DAMAGED },
    { "$argon2id$", PASSWORD_HASH_DAMAGED },
    { "$6$my secret", PASSWORD_HASH_DAMAGED },
    /* schemes that are not supported */
    { "$argon2i$v=19$m=256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_FOREIGN },
    { "$argon2d$v=19$m=256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_FOREIGN },
    { "$2x$05$" BCRYPT_REST, PASSWORD_HASH_FOREIGN },
    { "$2$05$" BCRYPT_REST, PASSWORD_HASH_FOREIGN },
    { "$1$abcdefgh$7Nn2WgTYNzpZ.ZYwVZ7gE1", PASSWORD_HASH_FOREIGN },
    { "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
      PASSWORD_HASH_FOREIGN },
    { " $6$abc$" SHA512_DIGEST, PASSWORD_HASH_FOREIGN },
    /* argon2id: version, parameters, salt, digest */
    { "$argon2id$m=256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=16$m=256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$t=2,m=256,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1,data=AAAA" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=0256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=+256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=-256,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=99999999999999999999,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=0,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=0" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=7,t=2,p=1" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=31,t=2,p=4" ARGON2_REST, PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1$c29tZXM$bO5uiZbGxR824CVys98h8w", PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$bO5uiZbGxR824CVys98h", PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$bO5uiZbGxR824CVys98h8x", PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ=$bO5uiZbGxR824CVys98h8w==", PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=256,t=2,p=1" ARGON2_REST "$", PASSWORD_HASH_DAMAGED },
    /* bcrypt */
    { "$2b$03$" BCRYPT_REST, PASSWORD_HASH_DAMAGED },
    { "$2b$32$" BCRYPT_REST, PASSWORD_HASH_DAMAGED },
    { "$2b$5$" BCRYPT_REST "a", PASSWORD_HASH_DAMAGED },
    { "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX", PASSWORD_HASH_DAMAGED },
    /* sha-crypt */
    { "$6$rounds=999$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$rounds=1000000000$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$rounds=05000$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$rounds=$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$rounds=99999999999999999999$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$rounds=5000$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$abcdefghijklmnopq$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$a=c$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$6$abc$" SHA256_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$5$abc$" SHA512_DIGEST, PASSWORD_HASH_DAMAGED },
    { "$5$abc$6va2Z4O.keO7R84v9g0B9d2NkB7NOyTy0sMeQ5Z3LLz", PASSWORD_HASH_DAMAGED },
    /* yescrypt */
    { "$y$j9" YESCRYPT_REST, PASSWORD_HASH_DAMAGED },
    { "$y$j.T" YESCRYPT_REST, PASSWORD_HASH_DAMAGED },
    { "$y$j9T$abcd", PASSWORD_HASH_DAMAGED },
    { "$y$j9T$abcd$ttr/LP4KKhXYh190ghOXd4Cy8xiNWqZdPta8T51M7xz", PASSWORD_HASH_DAMAGED },
};

static void the_form_of_a_text_is_told(void **state) {
    (void)state;
    assert_int_equal(password_form((struct text){ 0 }), PASSWORD_PLAIN);
    for (size_t i = 0; i < LENGTH(forms); i++)
        if (password_form(text_of(forms[i].text)) != forms[i].form)
            fail_msg("%s is not of form %d", forms[i].text, (int)forms[i].form);
}

static void a_hash_with_one_foreign_character_is_none(void **state) {
    (void)state;
    static const char foreign[] = { '\0', '\n', ' ', '!', ':', '*', '-', '_', '\x7f', '\xc3' };
    for (size_t i = 0; i < LENGTH(good); i++) {
        char hash[PASSWORD_HASH_MAX];
        size_t len = strlen(good[i].hash);
        memcpy(hash, good[i].hash, len);
        for (size_t at = 0; at < len; at++)
            for (size_t k = 0; k < sizeof(foreign); k++) {
                hash[at] = foreign[k];
                assert_int_not_equal(password_form((struct text){ hash, len }), PASSWORD_HASH);
                hash[at] = good[i].hash[at];
            }
    }
}

/* Argon2's digest has no fixed length, so a shortened one is well-formed and matches no password.
 */
static void a_hash_with_more_or_less_at_its_end_never_passes(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        bool is_argon2 = good[i].hash[1] == 'a';
        char hash[PASSWORD_HASH_MAX];
        size_t len = strlen(good[i].hash);
        memcpy(hash, good[i].hash, len);
        hash[len] = '.';
        assert_int_equal(password_form((struct text){ hash, len + 1 }), PASSWORD_HASH_DAMAGED);
        for (size_t shorter = 5; shorter < len && !is_argon2; shorter++)
            assert_int_equal(password_form((struct text){ hash, shorter }), PASSWORD_HASH_DAMAGED);
    }
    struct text cut =
        TEXT("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY$"
             "kuqbOR1FIBfVXt9S+Fr+71/U+kbBT4jUTzD/YhdWnII6");
    assert_int_equal(password_verify(TEXT("password"), cut), PASSWORD_WRONG);
}

static void endless_texts_are_no_hashes(void **state) {
    (void)state;
    static char text[100000];
    for (size_t i = 0; i < LENGTH(good); i++) {
        size_t len = strlen(good[i].hash);
        memset(text, 'A', sizeof(text));
        memcpy(text, good[i].hash, len);
        assert_int_equal(password_form((struct text){ text, sizeof(text) }), PASSWORD_HASH_DAMAGED);
        assert_int_equal(password_form((struct text){ text, PASSWORD_HASH_MAX }),
                         PASSWORD_HASH_DAMAGED);
    }
}

/* Compares with crypt(3): exactly the settings from which it computes a hash must be valid here. */
static void agree_with_crypt(const char *setting, const char *digest_when_refused) {
    struct crypt_data *data = calloc(1, sizeof(*data));
    assert_non_null(data);
    char hash[PASSWORD_HASH_MAX];
    const char *made = crypt_rn("secret", setting, data, sizeof(*data));
    int len = made ? snprintf(hash, sizeof(hash), "%s", made)
                   : snprintf(hash, sizeof(hash), "%s$%s", setting, digest_when_refused);
    assert_in_range(len, 1, sizeof(hash) - 1);
    free(data);
    struct text text = text_of(hash);
    enum password_form form = password_form(text);
    if (form == PASSWORD_HASH_TOO_DEAR)
        return;
    if (form != (made ? PASSWORD_HASH : PASSWORD_HASH_DAMAGED))
        fail_msg("crypt(3) thinks otherwise of %s", hash);
    if (made)
        assert_int_equal(password_verify(TEXT("secret"), text), PASSWORD_RIGHT_BUT_OLD);
}

static const char crypt_alphabet[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char yescrypt_digest[] = "ttr/LP4KKhXYh190ghOXd4Cy8xiNWqZdPta8T51M7xD";

static void yescrypt_salts_are_judged_as_crypt_does(void **state) {
    (void)state;
    for (size_t len = 0; len < 100; len++) {
        /* the last character decides whether the salt is a whole number of bytes */
        for (size_t last = 0; last < (len ? 64 : 1); last += len < 8 ? 1 : 7) {
            char setting[128];
            (void)snprintf(setting, sizeof(setting), "$y$j/5$%.*s", (int)len,
                           "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
                           "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
            if (len)
                setting[7 + len - 1] = crypt_alphabet[last];
            agree_with_crypt(setting, yescrypt_digest);
        }
    }
}

static void yescrypt_costs_are_judged_as_crypt_does(void **state) {
    (void)state;
    for (size_t n = 0; n < 12; n++)
        for (size_t r = 0; r < 64; r += r < 4 ? 1 : 9) {
            char setting[] = "$y$j..$abcd";
            setting[4] = crypt_alphabet[n];
            setting[5] = crypt_alphabet[r];
            agree_with_crypt(setting, yescrypt_digest);
        }
}

static void sha_crypt_salts_and_rounds_are_judged_as_crypt_does(void **state) {
    (void)state;
    static const char *const settings[] = {
        "$6$",
        "$5$",
        "$6$a$",
        "$5$abcdefghijklmnop$",
        "$6$./09AZaz$",
        "$6$rounds=1000$$",
        "$5$rounds=1000$abcdefghijklmnop$",
        "$6$rounds=10000$x$",
    };
    for (size_t i = 0; i < LENGTH(settings); i++)
        agree_with_crypt(settings[i], "");
    assert_int_equal(password_form(TEXT("$6$rounds=999$a$" SHA512_DIGEST)), PASSWORD_HASH_DAMAGED);
}

static void own_hashes_are_of_today_and_salted(void **state) {
    (void)state;
    static const struct text passwords[] = {
        { NULL, 0 },   { "", 0 },
        { "x", 1 },    { "correct horse battery staple", 28 },
        { "a\0b", 3 }, { "\xf0\x9f\x90\xb4\xff", 5 },
    };
    for (size_t i = 0; i < LENGTH(passwords); i++) {
        char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
        assert_true(password_hash(passwords[i], hash));
        assert_true(password_hash(passwords[i], again));
        assert_string_not_equal(hash, again);
        assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
        assert_int_equal(password_form(text_of(hash)), PASSWORD_HASH);
        assert_int_equal(password_verify(passwords[i], text_of(hash)), PASSWORD_RIGHT);
        assert_int_equal(password_verify(TEXT("a"), text_of(hash)), PASSWORD_WRONG);
    }
}

static void what_follows_a_nul_in_a_password_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        char longer[64] = { 0 };
        size_t len = strlen(good[i].password);
        memcpy(longer, good[i].password, len);
        longer[len + 1] = 'x';
        struct text password = { longer, len + 2 };
        assert_int_equal(password_verify(password, text_of(good[i].hash)), PASSWORD_WRONG);
    }
}

static void passwords_too_long_for_crypt_are_wrong(void **state) {
    (void)state;
    static char password[1 << 20];
    memset(password, 'x', sizeof(password));
    struct text hash = TEXT("$6$abc$" SHA512_DIGEST);
    for (size_t len = 510; len <= sizeof(password); len = len < 514 ? len + 1 : len * 9)
        assert_int_equal(password_verify((struct text){ password, len }, hash), PASSWORD_WRONG);
}

static void nothing_matches_what_is_no_hash(void **state) {
    (void)state;
    static const struct text hashes[] = {
        { NULL, 0 }, { "", 0 },        { "password", 8 },
        { "*0", 2 }, { "$6$abc$", 7 }, { "$2b$15$" BCRYPT_REST, 60 }, /* too expensive */
    };
    for (size_t i = 0; i < LENGTH(hashes); i++) {
        assert_int_equal(password_verify(TEXT("password"), hashes[i]), PASSWORD_WRONG);
        assert_int_equal(password_verify((struct text){ 0 }, hashes[i]), PASSWORD_WRONG);
        assert_int_equal(password_verify(TEXT("U*U"), hashes[i]), PASSWORD_WRONG);
    }
}

/* The vector of crypt_blowfish: 72 times x, and more. bcrypt accepts both passwords, so the one
 * that was typed must not become the only valid one. */
static void what_bcrypt_does_not_see_is_never_put_in_place_of_the_password(void **state) {
    (void)state;
    struct text hash = TEXT("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui");
    static const char password[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "chars after 72 are ignored";
    for (size_t len = 72; len < sizeof(password); len++) {
        struct text given = { password, len };
        assert_int_equal(password_verify(given, hash),
                         len == 72 ? PASSWORD_RIGHT_BUT_OLD : PASSWORD_RIGHT);
        assert_true(password_is_cut(given, hash) == (len > 72));
    }
    assert_int_equal(password_verify((struct text){ password, 71 }, hash), PASSWORD_WRONG);
    assert_false(password_is_cut((struct text){ password, 98 }, TEXT("$6$abc$" SHA512_DIGEST)));
    assert_false(password_is_cut((struct text){ password, 98 }, TEXT("")));
}

/* White space and padding around a hash are removed. */
static void white_space_and_padding_around_a_hash_are_taken_off(void **state) {
    (void)state;
    char out[PASSWORD_HASH_MAX], padded[PASSWORD_HASH_MAX * 2];
    for (size_t i = 0; i < LENGTH(good); i++) {
        (void)snprintf(padded, sizeof(padded), " \t%s\r\n", good[i].hash);
        assert_true(password_import(text_of(padded), out));
        assert_string_equal(out, good[i].hash);
    }
    assert_true(
        password_import(TEXT("$argon2id$v=19$m=256,t=1,p=4$c29tZXNhbHQ=$RFiX8Re7TFod0U9lZY5c"
                             "UmErGrfRutzY/WSSGR20GKE=\n"),
                        out));
    assert_string_equal(out, good[5].hash);
    assert_true(password_import(
        TEXT("$argon2id$v=19$m=1023,t=3,p=3$" ARGON2_SALT "==$bO5uiZbGxR824CVys98h8w=="), out));
    assert_string_equal(out, good[6].hash);
}

#define OF(literal)                                                                                \
    { literal, sizeof(literal) - 1 }

static void what_is_no_hash_within_its_white_space_is_not_imported(void **state) {
    (void)state;
    static const struct text texts[] = {
        { NULL, 0 },
        OF(""),
        OF(" \n"),
        OF("correct horse"),
        OF("$6$ abc"),
        OF("$6$abc$" SHA512_DIGEST "="), /* crypt(3) has no padding */
        OF("$6$abc$" SHA512_DIGEST "\0"),
        OF("$2b$14$" BCRYPT_REST), /* too expensive */
        OF("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFi=ZGVm$bO5uiZbGxR824CVys98h8w"),
        OF("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFi===$bO5uiZbGxR824CVys98h8w"),
    };
    char out[PASSWORD_HASH_MAX], endless[3 * PASSWORD_HASH_MAX];
    for (size_t i = 0; i < LENGTH(texts); i++)
        if (password_import(texts[i], out))
            fail_msg("%.*s is imported", (int)texts[i].len, texts[i].at);
    memset(endless, '=', sizeof(endless));
    memcpy(endless, good[0].hash, strlen(good[0].hash));
    assert_false(password_import((struct text){ endless, sizeof(endless) }, out));
}

/* By the product of its parameters, and for SHA-crypt also the length of the password. */
static void what_costs_more_than_our_own_is_told(void **state) {
    (void)state;
    static const struct {
        const char *hash;
        bool is_dear;
    } costs[] = {
        { "$argon2id$v=19$m=19456,t=2,p=1" ARGON2_REST, false },
        { "$argon2id$v=19$m=19456,t=3,p=1" ARGON2_REST, true },
        { "$argon2id$v=19$m=38912,t=1,p=1" ARGON2_REST, false },
        { "$argon2id$v=19$m=65536,t=3,p=4" ARGON2_REST, true },
        { "$2b$08$" BCRYPT_REST, false },
        { "$2b$09$" BCRYPT_REST, true },
        { "$6$abc$" SHA512_DIGEST, false },
        { "$6$rounds=656000$abc$" SHA512_DIGEST, true },
        { "$y$j9T" YESCRYPT_REST, false },
        { "$y$jAT" YESCRYPT_REST, true },
        { "", false },
        { "$2b$31$" BCRYPT_REST, false }, /* never computed */
        { "correct horse", false },
    };
    for (size_t i = 0; i < LENGTH(costs); i++)
        if (password_is_dear(TEXT("password"), text_of(costs[i].hash)) != costs[i].is_dear)
            fail_msg("%s", costs[i].hash);
    static char password[500];
    memset(password, 'x', sizeof(password));
    struct text rounds = TEXT("$6$rounds=50000$abc$" SHA512_DIGEST);
    assert_false(password_is_dear(TEXT("password"), rounds));
    assert_true(password_is_dear((struct text){ password, sizeof(password) }, rounds));
}

/* Shows that the hash was not computed: the password is right by crypt(3), and WRONG here. */
static void a_password_that_makes_a_hash_too_dear_is_not_tried(void **state) {
    (void)state;
    static char password[501];
    memset(password, 'x', sizeof(password) - 1);
    struct crypt_data *data = calloc(1, sizeof(*data));
    assert_non_null(data);
    char hash[PASSWORD_HASH_MAX];
    const char *made = crypt_rn(password, "$6$rounds=300000$abc", data, sizeof(*data));
    assert_non_null(made);
    (void)snprintf(hash, sizeof(hash), "%s", made);
    free(data);
    assert_int_equal(password_form(text_of(hash)), PASSWORD_HASH);
    assert_int_equal(password_verify(text_of(password), text_of(hash)), PASSWORD_WRONG);
}

static uint64_t work_of_verify(struct text hash) {
    uint64_t before = password_work_us();
    assert_int_equal(password_verify(TEXT("wrong"), hash), PASSWORD_WRONG);
    return password_work_us() - before;
}

static void no_hash_takes_as_much_work_as_a_wrong_password(void **state) {
    char own[PASSWORD_HASH_MAX];
    (void)state;
    assert_true(password_hash(TEXT("right"), own));
    uint64_t real = work_of_verify(text_of(own));
    assert_true(real > 0);
    assert_int_equal(work_of_verify((struct text){ 0 }), real);
    assert_int_equal(work_of_verify(TEXT("")), real);
    assert_int_equal(work_of_verify(TEXT("not a hash")), real);
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_other_programs_are_verified),
        cmocka_unit_test(the_form_of_a_text_is_told),
        cmocka_unit_test(a_hash_with_one_foreign_character_is_none),
        cmocka_unit_test(a_hash_with_more_or_less_at_its_end_never_passes),
        cmocka_unit_test(endless_texts_are_no_hashes),
        cmocka_unit_test(yescrypt_salts_are_judged_as_crypt_does),
        cmocka_unit_test(yescrypt_costs_are_judged_as_crypt_does),
        cmocka_unit_test(sha_crypt_salts_and_rounds_are_judged_as_crypt_does),
        cmocka_unit_test(own_hashes_are_of_today_and_salted),
        cmocka_unit_test(what_follows_a_nul_in_a_password_counts),
        cmocka_unit_test(passwords_too_long_for_crypt_are_wrong),
        cmocka_unit_test(nothing_matches_what_is_no_hash),
        cmocka_unit_test(what_bcrypt_does_not_see_is_never_put_in_place_of_the_password),
        cmocka_unit_test(white_space_and_padding_around_a_hash_are_taken_off),
        cmocka_unit_test(what_is_no_hash_within_its_white_space_is_not_imported),
        cmocka_unit_test(what_costs_more_than_our_own_is_told),
        cmocka_unit_test(a_password_that_makes_a_hash_too_dear_is_not_tried),
        cmocka_unit_test(no_hash_takes_as_much_work_as_a_wrong_password),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}

/* The promises of token.h. */
#include "crypto/token.h"

#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void tokens_are_43_characters_of_base64url_and_differ(void **state) {
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char previous[TOKEN_TEXT_SIZE] = { 0 };
    for (int round = 0; round < 1000; round++) {
        char token[TOKEN_TEXT_SIZE + 1];
        token[TOKEN_TEXT_SIZE] = '#';
        token_generate(token);
        assert_int_equal(token[TOKEN_TEXT_SIZE], '#');
        for (size_t i = 0; i < TOKEN_TEXT_SIZE; i++)
            assert_non_null(memchr(alphabet, token[i], 64));
        /* 43 characters hold 258 bits; the last two are unused */
        assert_int_equal(((const char *)memchr(alphabet, token[42], 64) - alphabet) % 4, 0);
        assert_memory_not_equal(token, previous, TOKEN_TEXT_SIZE);
        memcpy(previous, token, TOKEN_TEXT_SIZE);
    }
}

/* The examples of FIPS 180-4. */
static void the_hash_of_a_token_is_its_sha_256(void **state) {
    (void)state;
    static const struct {
        struct text token;
        const char *hash;
    } cases[] = {
        { { NULL, 0 },
          "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
          "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55" },
        { { "abc", 3 },
          "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
          "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad" },
        { { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56 },
          "\x24\x8d\x6a\x61\xd2\x06\x38\xb8\xe5\xc0\x26\x93\x0c\x3e\x60\x39"
          "\xa3\x3c\xe4\x59\x64\xff\x21\x67\xf6\xec\xed\xd4\x19\xdb\x06\xc1" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token_hash hash = token_hash(cases[i].token);
        assert_memory_equal(hash.bytes, cases[i].hash, TOKEN_HASH_SIZE);
    }
}

static struct keyed_hash basic_hash(struct text text) {
    return keyed_hash(KEYED_BASIC, text);
}

static void a_keyed_hash_is_the_same_for_the_same_text_and_purpose_only(void **state) {
    (void)state;
    struct keyed_hash hash = basic_hash(TEXT("maria:secret"));
    struct keyed_hash again = basic_hash(TEXT("maria:secret"));
    struct keyed_hash other = basic_hash(TEXT("maria:secreT"));
    struct keyed_hash empty = basic_hash((struct text){ 0 });
    struct keyed_hash bearer = keyed_hash(KEYED_BEARER, TEXT("maria:secret"));
    assert_memory_equal(hash.bytes, again.bytes, sizeof hash.bytes);
    assert_memory_not_equal(hash.bytes, other.bytes, sizeof hash.bytes);
    assert_memory_not_equal(hash.bytes, empty.bytes, sizeof hash.bytes);
    assert_memory_not_equal(hash.bytes, bearer.bytes, sizeof hash.bytes);
}

/* The reference vector of SipHash-2-4-128 for no bytes, under the key 00 01 ... 0f. */
static void a_keyed_hash_cannot_be_computed_without_the_key(void **state) {
    (void)state;
    static const char known[] = "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93";
    struct keyed_hash hash = basic_hash((struct text){ "", 0 });
    assert_memory_not_equal(hash.bytes, known, sizeof hash.bytes);
}

static void starting_again_keeps_the_key(void **state) {
    (void)state;
    struct keyed_hash before = basic_hash(TEXT("x"));
    assert_true(crypto_start());
    struct keyed_hash after = basic_hash(TEXT("x"));
    assert_memory_equal(before.bytes, after.bytes, sizeof before.bytes);
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

static void families_are_positive_and_differ(void **state) {
    (void)state;
    int64_t previous = 0, all = 0;
    for (int round = 0; round < 1000; round++) {
        int64_t family = token_family();
        assert_true(family > 0);
        assert_true(family != previous);
        all |= family;
        previous = family;
    }
    assert_true(all >> 52); /* the high bits are random too */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_positive_and_differ),
        cmocka_unit_test(tokens_are_43_characters_of_base64url_and_differ),
        cmocka_unit_test(the_hash_of_a_token_is_its_sha_256),
        cmocka_unit_test(a_keyed_hash_is_the_same_for_the_same_text_and_purpose_only),
        cmocka_unit_test(a_keyed_hash_cannot_be_computed_without_the_key),
        cmocka_unit_test(starting_again_keeps_the_key),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}

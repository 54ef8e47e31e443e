/* The promises of secret.h. */
#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void wiping_leaves_zeros_and_nothing_else_changed(void **state) {
    (void)state;
    char memory[] = "..secret..";
    secret_wipe(memory + 2, 6);
    assert_memory_equal(memory, "..\0\0\0\0\0\0..", sizeof(memory));
    secret_wipe(memory, 0);
    assert_int_equal(memory[0], '.');
    secret_wipe(NULL, 0);
}

static void texts_are_equal_when_all_bytes_are(void **state) {
    (void)state;
    static const struct {
        struct text a, b;
        bool equal;
    } cases[] = {
        { { NULL, 0 }, { NULL, 0 }, true },     { { NULL, 0 }, { "", 0 }, true },
        { { "abc", 3 }, { "abc", 3 }, true },   { { "abc", 3 }, { "abd", 3 }, false },
        { { "abc", 3 }, { "Abc", 3 }, false },  { { "abc", 3 }, { "ab", 2 }, false },
        { { "abc", 3 }, { "", 0 }, false },     { { "a\0c", 3 }, { "a\0d", 3 }, false },
        { { "a\0c", 3 }, { "a\0c", 3 }, true }, { { "abcX", 3 }, { "abcY", 3 }, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(secret_equal(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(secret_equal(cases[i].b, cases[i].a), cases[i].equal);
    }
}

static void random_bytes_fill_exactly_what_was_asked(void **state) {
    (void)state;
    unsigned char bytes[66] = { 0 }, others[64], zeros[64] = { 0 };
    random_bytes(bytes + 1, 64);
    random_bytes(others, sizeof(others));
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[65], 0);
    assert_memory_not_equal(bytes + 1, zeros, 64);
    assert_memory_not_equal(bytes + 1, others, 64);
}

static void guids_are_version_4_in_lower_case_and_differ(void **state) {
    (void)state;
    char previous[36] = { 0 };
    for (int round = 0; round < 1000; round++) {
        char guid[37];
        guid[36] = '#';
        random_guid(guid);
        assert_int_equal(guid[36], '#');
        for (size_t i = 0; i < 36; i++) {
            bool dash = i == 8 || i == 13 || i == 18 || i == 23;
            assert_non_null(memchr(dash ? "-" : "0123456789abcdef", guid[i], dash ? 1 : 16));
        }
        assert_int_equal(guid[14], '4');
        assert_non_null(memchr("89ab", guid[19], 4));
        assert_memory_not_equal(guid, previous, 36);
        memcpy(previous, guid, 36);
    }
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiping_leaves_zeros_and_nothing_else_changed),
        cmocka_unit_test(texts_are_equal_when_all_bytes_are),
        cmocka_unit_test(random_bytes_fill_exactly_what_was_asked),
        cmocka_unit_test(guids_are_version_4_in_lower_case_and_differ),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}

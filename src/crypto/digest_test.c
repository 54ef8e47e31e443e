/* Compared with what b2sum -l 256 of GNU coreutils prints. */
#include "crypto/digest.h"

#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(const char *bytes, size_t size) {
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
    return fileno(file); /* closed at the end of the process */
}

static void it_is_what_b2sum_prints(void **state) {
    (void)state;
    static char many[200000];
    memset(many, 'r', sizeof many);
    const struct {
        const char *bytes;
        size_t size;
        const char *hex;
    } cases[] = {
        { "", 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
        { "abc", 3, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
        { many, sizeof many, "3f9ae2a89133021e65b0f014f985b9e68115a0d0ee8c857afb661bfa032faa5c" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[DIGEST_HEX_SIZE + 1];
        int file = file_of(cases[i].bytes, cases[i].size);
        assert_true(digest_file(file, (int64_t)cases[i].size, hex));
        assert_string_equal(hex, cases[i].hex);
    }
}

static void only_the_first_bytes_count_and_a_shorter_file_is_an_error(void **state) {
    (void)state;
    char abc[DIGEST_HEX_SIZE + 1], begin[DIGEST_HEX_SIZE + 1];
    int file = file_of("abcdef", 6);
    assert_true(digest_file(file_of("abc", 3), 3, abc));
    assert_true(digest_file(file, 3, begin));
    assert_string_equal(begin, abc);
    assert_false(digest_file(file, 7, begin));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_b2sum_prints),
        cmocka_unit_test(only_the_first_bytes_count_and_a_shorter_file_is_an_error),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

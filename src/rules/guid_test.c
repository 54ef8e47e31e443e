/* The promises of guid.h. */
#include "rules/guid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }

static const struct text good[] = {
    SPELLING("01234567-89ab-cdef-0123-456789abcdef"),
    SPELLING("01234567-89AB-CDEF-0123-456789ABCDEF"),
    SPELLING("01234567-89aB-CdEf-0123-456789AbcDEF"),
    SPELLING("0123456789abcdef0123456789abcdef"),
    SPELLING("0123456789ABCDEF0123456789ABCDEF"),
    SPELLING("{01234567-89ab-cdef-0123-456789abcdef}"),
    SPELLING("(01234567-89ab-cdef-0123-456789abcdef)"),
    SPELLING("{0123456789abcdef0123456789abcdef}"),
};

static const struct text bad[] = {
    SPELLING(""),
    SPELLING("{}"),
    SPELLING("{"),
    SPELLING("guid"),
    SPELLING("01234567-89ab-cdef-0123-456789abcde"),
    SPELLING("01234567-89ab-cdef-0123-456789abcdef0"),
    SPELLING("01234567-89ab-cdef-0123-456789abcdeg"),
    SPELLING("01234567-89ab-cdef-0123-456789abcde\0"),
    SPELLING("01234567-89ab-cdef-0123-456789abcde\xC3"),
    SPELLING(" 1234567-89ab-cdef-0123-456789abcdef"),
    SPELLING("01234567-89ab-cdef-0123-456789abcdef "),
    SPELLING("0123456789abcdef0123456789abcde"),
    SPELLING("0123456789abcdef0123456789abcdef0"),
    SPELLING("0123456789abcdef0123456789abcdef0000"),
    SPELLING("01234567-89abcdef0123456789abcdef"),
    SPELLING("0123456-789ab-cdef-0123-456789abcdef"),
    SPELLING("01234567_89ab_cdef_0123_456789abcdef"),
    SPELLING("--------------------------------"),
    SPELLING("------------------------------------"),
    SPELLING("{01234567-89ab-cdef-0123-456789abcdef)"),
    SPELLING("{01234567-89ab-cdef-0123-456789abcdef"),
    SPELLING("01234567-89ab-cdef-0123-456789abcdef}"),
    SPELLING("[01234567-89ab-cdef-0123-456789abcdef]"),
    SPELLING("({01234567-89ab-cdef-0123-456789abcdef})"),
    SPELLING("{01234567-89ab-cdef-0123-456789abcd}"),
    SPELLING("0x0123456789abcdef0123456789abcdef"),
    SPELLING("urn:uuid:01234567-89ab-cdef-0123-456789abcdef"),
};

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static bool parse_exactly(struct text text, char out[GUID_TEXT_SIZE]) {
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.at, text.len);
    bool taken = guid_parse((struct text){ copy, text.len }, out);
    free(copy);
    return taken;
}

static void every_spelling_becomes_lower_case_with_hyphens(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        char out[GUID_TEXT_SIZE + 1] = { 0 };
        out[GUID_TEXT_SIZE] = '!';
        assert_true(parse_exactly(good[i], out));
        assert_int_equal(out[GUID_TEXT_SIZE], '!');
        assert_memory_equal(out, "01234567-89ab-cdef-0123-456789abcdef", GUID_TEXT_SIZE);
    }
}

static void all_else_is_refused(void **state) {
    (void)state;
    char out[GUID_TEXT_SIZE];
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (parse_exactly(bad[i], out))
            fail_msg("[%zu] %.*s was taken", i, (int)bad[i].len, bad[i].at);
    assert_false(guid_parse((struct text){ 0 }, out));
}

static void each_digit_counts_and_each_byte_that_is_none_spoils_it(void **state) {
    (void)state;
    char guid[] = "01234567-89ab-cdef-0123-456789abcdef", out[GUID_TEXT_SIZE];
    for (size_t i = 0; i < GUID_TEXT_SIZE; i++) {
        char was = guid[i];
        for (int byte = 0; byte < 256; byte++) {
            guid[i] = (char)byte;
            bool is_digit = byte && strchr("0123456789abcdefABCDEF", byte);
            bool taken = guid_parse((struct text){ guid, GUID_TEXT_SIZE }, out);
            assert_true(taken == (was == '-' ? byte == '-' : is_digit));
        }
        guid[i] = was;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_becomes_lower_case_with_hyphens),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(each_digit_counts_and_each_byte_that_is_none_spoils_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

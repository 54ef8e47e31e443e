/* The promises of text.h. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }

static void a_literal_keeps_its_nul_bytes_and_a_string_ends_at_the_first(void **state) {
    (void)state;
    assert_int_equal(TEXT("a\0b").len, 3);
    assert_int_equal(TEXT("").len, 0);
    assert_int_equal(text_of("a\0b").len, 1);
    assert_int_equal(text_of("").len, 0);
    assert_non_null(text_of("").at);
    assert_int_equal(text_of(NULL).len, 0);
    assert_null(text_of(NULL).at);
}

static const struct {
    struct text a, b;
    bool equal, equal_nocase, starts; /* does a begin with b? */
} pairs[] = {
    { SPELLING(""), SPELLING(""), true, true, true },
    { SPELLING(""), { NULL, 0 }, true, true, true },
    { { NULL, 0 }, SPELLING("a"), false, false, false },
    { SPELLING("a"), { NULL, 0 }, false, false, true },
    { SPELLING("abc"), SPELLING("abc"), true, true, true },
    { SPELLING("abc"), SPELLING("aBC"), false, true, true },
    { SPELLING("abc"), SPELLING("ab"), false, false, true },
    { SPELLING("ab"), SPELLING("abc"), false, false, false },
    { SPELLING("abc"), SPELLING("abd"), false, false, false },
    { SPELLING("Bearer x"), SPELLING("bearer "), false, false, true },
    { SPELLING("a\0b"), SPELLING("a\0c"), false, false, false },
    { SPELLING("a\0b"), SPELLING("A\0B"), false, true, true },
    { SPELLING("[]^_`"), SPELLING("{}~\x7F@"), false, false, false },
    { SPELLING("@"), SPELLING("`"), false, false, false },
    { SPELLING("["), SPELLING("{"), false, false, false },
    { SPELLING("\xC3\xBC"), SPELLING("\xC3\x9C"), false, false,
      false }, /* only ASCII letters have a case here */
};

static void texts_are_compared_byte_by_byte_or_without_case(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(pairs); i++) {
        struct text a = pairs[i].a, b = pairs[i].b;
        assert_true(text_equal(a, b) == pairs[i].equal);
        assert_true(text_equal(b, a) == pairs[i].equal);
        assert_true(text_equal_nocase(a, b) == pairs[i].equal_nocase);
        assert_true(text_equal_nocase(b, a) == pairs[i].equal_nocase);
        assert_true(text_starts_nocase(a, b) == pairs[i].starts);
    }
}

static void trimming_takes_ascii_white_space_from_both_ends(void **state) {
    (void)state;
    static const struct {
        struct text text, trimmed;
    } cases[] = {
        { SPELLING(""), SPELLING("") },
        { { NULL, 0 }, SPELLING("") },
        { SPELLING(" \t\r\n\v\f"), SPELLING("") },
        { SPELLING("a"), SPELLING("a") },
        { SPELLING("  a"), SPELLING("a") },
        { SPELLING("a\n"), SPELLING("a") },
        { SPELLING("\t a b \r\n"), SPELLING("a b") },
        { SPELLING(" \0 "), SPELLING("\0") },
        { SPELLING("\xC2\xA0"
                   "a"),
          SPELLING("\xC2\xA0"
                   "a") },
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_true(text_equal(text_trim(cases[i].text), cases[i].trimmed));
}

static void cutting_gives_every_part_once_even_empty_ones(void **state) {
    (void)state;
    static const struct {
        struct text text;
        const char *parts[4];
    } cases[] = {
        { SPELLING(""), { "" } },
        { SPELLING("a"), { "a" } },
        { SPELLING("a,b"), { "a", "b" } },
        { SPELLING(","), { "", "" } },
        { SPELLING("a,"), { "a", "" } },
        { SPELLING(",a"), { "", "a" } },
        { SPELLING("a,,b"), { "a", "", "b" } },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct text rest = cases[i].text;
        size_t part = 0;
        for (; rest.at; part++) {
            assert_non_null(cases[i].parts[part]);
            assert_true(text_equal(text_cut(&rest, ','), text_of(cases[i].parts[part])));
        }
        assert_null(cases[i].parts[part]);
        assert_int_equal(rest.len, 0);
    }
}

static void cutting_nothing_gives_nothing(void **state) {
    (void)state;
    struct text rest = { 0 };
    struct text part = text_cut(&rest, ',');
    assert_null(part.at);
    assert_null(rest.at);
    rest = TEXT("a\0b,c");
    assert_true(text_equal(text_cut(&rest, ','), TEXT("a\0b")));
    rest = TEXT("a\0b");
    assert_true(text_equal(text_cut(&rest, '\0'), TEXT("a")));
    assert_true(text_equal(rest, TEXT("b")));
}

static void a_list_gives_its_texts_without_blanks_and_passes_over_empty_ones(void **state) {
    static const struct {
        const char *list, *items[4];
    } cases[] = {
        { "a", { "a" } },
        { "a,b", { "a", "b" } },
        { " a b ,\tc ", { "a b", "c" } },
        { ",a,, ,b,", { "a", "b" } },
        { "", { NULL } },
        { " ", { NULL } },
        { ",,", { NULL } },
        { NULL, { NULL } },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct text list = text_of(cases[i].list), item;
        for (const char *const *expected = cases[i].items; *expected; expected++) {
            assert_true(text_next(&list, &item));
            assert_true(text_equal(item, text_of(*expected)));
        }
        assert_false(text_next(&list, &item));
        assert_false(text_next(&list, &item));
    }
}

static const struct {
    struct text text;
    int64_t number;
} numbers[] = {
    { SPELLING("0"), 0 },
    { SPELLING("7"), 7 },
    { SPELLING("-1"), -1 },
    { SPELLING("-12"), -12 },
    { SPELLING("10"), 10 },
    { SPELLING("9007199254740991"), INT64_C(9007199254740991) },
    { SPELLING("999999999999999999"), INT64_C(999999999999999999) },
    { SPELLING("9223372036854775807"), INT64_MAX },
    { SPELLING("-9223372036854775807"), -INT64_MAX },
    { SPELLING("-9223372036854775808"), INT64_MIN },
};

static void numbers_are_read_and_written(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        int64_t number = 42;
        char out[INT64_TEXT_MAX + 1];
        out[INT64_TEXT_MAX] = '!';
        assert_true(text_to_int64(numbers[i].text, &number));
        assert_true(number == numbers[i].number);
        struct text written = { out, text_from_int64(number, out) };
        assert_true(text_equal(written, numbers[i].text));
        assert_int_equal(out[INT64_TEXT_MAX], '!');
    }
}

static void what_is_no_number_or_does_not_fit_is_refused(void **state) {
    (void)state;
    static const struct text bad[] = {
        { NULL, 0 },
        SPELLING(""),
        SPELLING("-"),
        SPELLING("--1"),
        SPELLING("+1"),
        SPELLING("-0"),
        SPELLING("00"),
        SPELLING("01"),
        SPELLING("-01"),
        SPELLING(" 1"),
        SPELLING("1 "),
        SPELLING("1\n"),
        SPELLING("1\0"),
        SPELLING("1.0"),
        SPELLING("1e3"),
        SPELLING("0x10"),
        SPELLING("1,000"),
        SPELLING("one"),
        SPELLING("1-"),
        SPELLING("\xD9\xA1"),
        SPELLING("9223372036854775808"),
        SPELLING("-9223372036854775809"),
        SPELLING("18446744073709551616"),
        SPELLING("99999999999999999999999999999999999999999"),
        SPELLING("-99999999999999999999999999999999999999999"),
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        int64_t number = 42;
        if (text_to_int64(bad[i], &number))
            fail_msg("%.*s was taken", (int)bad[i].len, bad[i].at);
        assert_true(number == 42);
    }
}

static void every_power_of_two_is_written_as_printf_does(void **state) {
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        char wanted[32], out[INT64_TEXT_MAX];
        int64_t number = (int64_t)(UINT64_C(1) << bit);
        int len = snprintf(wanted, sizeof wanted, "%lld", (long long)number);
        assert_true(len > 0);
        assert_int_equal(text_from_int64(number, out), len);
        assert_memory_equal(out, wanted, (size_t)len);
    }
}

static void characters_are_code_points(void **state) {
    (void)state;
    assert_int_equal(text_characters((struct text){ 0 }), 0);
    assert_int_equal(text_characters(TEXT("abc")), 3);
    assert_int_equal(text_characters(TEXT("a\0b")), 3);
    assert_int_equal(text_characters(TEXT("j\xC3\xBCrgen")), 6);
    assert_int_equal(text_characters(TEXT("\xE4\xBE\x8B\xF0\x9F\x98\x80")), 2);
    assert_int_equal(text_characters(TEXT("u\xCC\x88")), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_keeps_its_nul_bytes_and_a_string_ends_at_the_first),
        cmocka_unit_test(texts_are_compared_byte_by_byte_or_without_case),
        cmocka_unit_test(trimming_takes_ascii_white_space_from_both_ends),
        cmocka_unit_test(cutting_gives_every_part_once_even_empty_ones),
        cmocka_unit_test(cutting_nothing_gives_nothing),
        cmocka_unit_test(a_list_gives_its_texts_without_blanks_and_passes_over_empty_ones),
        cmocka_unit_test(numbers_are_read_and_written),
        cmocka_unit_test(what_is_no_number_or_does_not_fit_is_refused),
        cmocka_unit_test(every_power_of_two_is_written_as_printf_does),
        cmocka_unit_test(characters_are_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

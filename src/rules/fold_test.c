/* The promises of fold.h: texts that are equal without regard to case, texts that are not, and
 * texts that contain others. */
#include "rules/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool is_same(const char *one, const char *other) {
    struct arena arena = { 0 };
    struct text a = fold(text_of(one), &arena), b = fold(text_of(other), &arena);
    assert_non_null(a.at);
    assert_non_null(b.at);
    bool is_equal = text_equal(a, b);
    arena_close(&arena);
    return is_equal;
}

static void spellings_of_one_text_are_the_same(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        { "", "" },
        { "Maria Lopez", "mARIA lOPEZ" },
        { "Stra\u00DFe", "STRASSE" },
        { "\u1E9E", "\u00DF" }, /* capital sharp s */
        { "\u03A3\u038A\u03A3\u03A5\u03A6\u039F\u03A3",
          "\u03C3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2" }, /* final sigma */
        { "\u03C2", "\u03C3" },
        { "Zo\u00EB", "ZOE\u0308" }, /* decomposed */
        { "\u212Bngstr\u00F6m", "A\u030ANGSTRO\u0308M" },
        { "\uFB01sch", "FISCH" }, /* a ligature */
        { "\u212Aelvin", "kelvin" },
        { "\u017Fenf", "SENF" }, /* long s */
        { "\u0130zmir", "izmir" },
        { "\u0130ZM\u0130R", "\u0130zmir" },
        { "ISPARTA", "\u0131sparta" },
        { "Jos\u00E9", "JOSE" },
        { "Zo\u00EB", "Zoe" },
        { "\u0141ukasz \u00D8rsted \u0110or\u0111e", "lukasz orsted dorde" },
        { "\u1EC6\u0301", "e" }, /* several marks on one letter */
        { "\u03AC\u03BB\u03C6\u03B1", "\u03B1\u03BB\u03C6\u03B1" }, /* Greek tonos */
        { "\u0623\u062D\u0645\u064E\u062F",
          "\u0627\u062D\u0645\u062F" },     /* Arabic, with a vowel sign */
        { "\u05E9\u05C1\u05B8", "\u05E9" }, /* Hebrew, with points */
        { "\U00010400", "\U00010428" },     /* Deseret, past U+FFFF */
        { "\u1100\u1161", "\uAC00" },       /* Hangul */
    };
    for (size_t i = 0; i < LENGTH(pairs); i++)
        if (!is_same(pairs[i][0], pairs[i][1]))
            fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void different_texts_stay_different(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        { "\u304B", "\u304C" },       /* ka and ga */
        { "\u0915", "\u0915\u093F" }, /* ka and ki, whose vowel is a mark */
        { "\u0915", "\u0958" },       /* ka and qa, by a nukta */
        { "\u0301", "" },             /* only a mark */
        { "\u0301", "\u0300" },
        { "a", "a " },
        { "\u00F6", "oe" },
        { "\u0430", "a" },
        { "\U0001F600", "\u2603" },
        { "1", "\u00B9" }, /* NFC, not NFKC */
    };
    for (size_t i = 0; i < LENGTH(pairs); i++)
        if (is_same(pairs[i][0], pairs[i][1]))
            fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void marks_in_another_order_are_the_same(void **state) {
    (void)state;
    assert_true(is_same("a\u0327\u0301", "A\u0301\u0327"));
}

static void case_alone_keeps_accents(void **state) {
    struct arena arena = { 0 };
    (void)state;
    assert_true(text_equal(fold_case(TEXT("ZOE\u0308"), &arena), TEXT("zo\u00EB")));
    assert_true(text_equal(fold_case(TEXT("\u0131\u00D8"), &arena), TEXT("\u0131\u00F8")));
    arena_close(&arena);
}

static void folded_twice_is_folded_once(void **state) {
    (void)state;
    static const char *const texts[] = {
        "Stra\u00DFe", "\u0130",       "ZOE\u0308", "\u03A3",
        "\uFB03",      "\u01FC\u0345", "\u0301",    "\u304C\u0301"
    };
    for (size_t i = 0; i < LENGTH(texts); i++) {
        struct arena arena = { 0 };
        struct text once = fold(text_of(texts[i]), &arena);
        assert_true(text_equal(fold(once, &arena), once));
        arena_close(&arena);
    }
}

static void what_is_no_utf8_keeps_its_bytes(void **state) {
    (void)state;
    struct arena arena = { 0 };
    static const char *const texts[][2] = { { "A\xFF", "a\xFF" },
                                            { "\xC3", "\xC3" },
                                            { "\xED\xA0\x80", "\xED\xA0\x80" } };
    for (size_t i = 0; i < LENGTH(texts); i++)
        assert_true(text_equal(fold(text_of(texts[i][0]), &arena), text_of(texts[i][1])));
    assert_false(is_same("\xFF", "\xFE"));
    arena_close(&arena);
}

static void a_text_contains_its_parts_whatever_their_case(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        int found;
    } cases[] = {
        { "Stra\u00DFe", "SS", 1 },
        { "Stra\u00DFe", "ASSE", 1 },
        { "STRASSE", "\u00DFe", 1 },
        { "Zoe\u0308 \u00D6konom", "\u00EB \u00F6", 1 },
        { "Zoe\u0308", "zoe", 1 },
        { "jose", "JOS\u00C9", 1 },
        { "\u00C9", "\u0301", 0 },
        { "\u039F\u0394\u039F\u03A3 x", "\u03C2", 1 },
        { "abc", "", 1 },
        { "", "a", 0 },
        { "ab", "abc", 0 },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct arena arena = { 0 };
        struct text folded = fold(text_of(cases[i].part), &arena);
        assert_int_equal(fold_contains(text_of(cases[i].text), folded), cases[i].found);
        arena_close(&arena);
    }
}

/* Short and long texts, ASCII and others take different paths through fold_contains. */
static void a_text_of_any_length_contains_its_end(void **state) {
    (void)state;
    static char text[2000];
    for (size_t len = 1; len < sizeof text - 8; len += len < 250 || len > 260 ? 7 : 1) {
        memset(text, 'x', len);
        memcpy(text + len, "EnD", 3);
        assert_int_equal(fold_contains((struct text){ text, len + 3 }, TEXT("xend")), 1);
        assert_int_equal(fold_contains((struct text){ text, len + 2 }, TEXT("end")), 0);
        memcpy(text + len, "\u00C9", 2);
        assert_int_equal(fold_contains((struct text){ text, len + 2 }, TEXT("xe")), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_text_are_the_same),
        cmocka_unit_test(different_texts_stay_different),
        cmocka_unit_test(marks_in_another_order_are_the_same),
        cmocka_unit_test(case_alone_keeps_accents),
        cmocka_unit_test(folded_twice_is_folded_once),
        cmocka_unit_test(what_is_no_utf8_keeps_its_bytes),
        cmocka_unit_test(a_text_contains_its_parts_whatever_their_case),
        cmocka_unit_test(a_text_of_any_length_contains_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

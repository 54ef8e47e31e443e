/* What password.h promises. The tables stand on both sides of the line between common and fine. */
#include "rules/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct text email = { "jane.bachelor@example.com", 25 };
static const struct text name = { "Jane Bachelor", 13 };

/* A copy that ends where the text does, so that the sanitizer sees each byte read past it. */
static enum password_verdict judge(struct text password) {
    char *copy = malloc(password.len ? password.len : 1);
    assert_non_null(copy);
    if (password.len)
        memcpy(copy, password.at, password.len);
    enum password_verdict verdict =
        password_judge((struct text){ copy, password.len }, email, name);
    free(copy);
    return verdict;
}

static void assert_all(const char *const passwords[], size_t count, enum password_verdict wanted) {
    for (size_t i = 0; i < count; i++)
        if (judge(text_of(passwords[i])) != wanted)
            fail_msg("%s", passwords[i]);
}

static void common_passwords_are_refused(void **state) {
    (void)state;
    static const char *const common[] = {
        /* as they are, and dressed up */
        "password",
        "iloveyou",
        "sunshine",
        "football",
        "superman",
        "trustno1",
        "internet",
        "administrator",
        "changeme",
        "PASSWORD",
        "PassWord",
        "Passw0rd",
        "P@ssw0rd",
        "p455w0rd",
        "drowssap",
        "password1",
        "Password1",
        "password123",
        "Password123!",
        "iloveyou1",
        "letmein1",
        "welcome1",
        "Welcome123",
        "admin123",
        "dragon123",
        "changeme1",
        "starwars1",
        /* sequences, repeats, walks over the keyboard */
        "12345678",
        "123456789",
        "1234567890",
        "87654321",
        "abcdefgh",
        "abcd1234",
        "aaaaaaaa",
        "11111111",
        "00000000000000000000",
        "abcabcabc",
        "passwordpassword",
        "qwertyui",
        "qwertyuiop",
        "asdfghjkl",
        "1q2w3e4r",
        "1qaz2wsx",
        "qwerty123",
        "qwerty12345",
    };
    assert_all(common, LENGTH(common), PASSWORD_COMMON);
}

static void passwords_that_take_long_to_guess_are_fine(void **state) {
    (void)state;
    static const char *const fine[] = {
        "demo-password",
        "correct horse battery staple",
        "river tiger maple chair",
        "orbitlanternmossyquilt",
        "k7#xQ2vM",
        "x8Kq2mZp",
        "tgkzmwqb",
        "83910472",
        "blue-tree",
        "mycatlikesfish",
        "        8 blanks",
        "j\xC3\xBCrgens\xC3\xBC\xC3\x9F",
        "\xD0\xBF\xD0\xB0\xD1\x80\xD0\xBE\xD0\xBB\xD1\x8C\xD0\xBA\xD0\xB0",
    };
    assert_all(fine, LENGTH(fine), PASSWORD_FINE);
}

/* `count` times the character `utf8`, judged. */
static enum password_verdict judge_repeated(const char *utf8, size_t count) {
    struct text one = text_of(utf8);
    char bytes[4 * 300];
    assert_true(count * one.len <= sizeof bytes);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * one.len, one.at, one.len);
    return judge((struct text){ bytes, count * one.len });
}

static void length_is_counted_in_characters(void **state) {
    (void)state;
    assert_int_equal(judge((struct text){ 0 }), PASSWORD_TOO_SHORT);
    assert_int_equal(judge(TEXT("x8Kq2mZ")), PASSWORD_TOO_SHORT);
    assert_int_equal(judge(TEXT("assword")), PASSWORD_TOO_SHORT);
    assert_int_equal(judge_repeated("\xC3\xBC", 7), PASSWORD_TOO_SHORT);
    assert_int_equal(judge_repeated("\xF0\x9F\x98\x80", 7), PASSWORD_TOO_SHORT);
    assert_int_equal(judge_repeated("\xF0\x9F\x98\x80", 8), PASSWORD_FINE);
    static const char *const characters[] = { "a", "\xC3\xBC", "\xF0\x9F\x98\x80" };
    for (size_t i = 0; i < LENGTH(characters); i++) {
        assert_int_equal(judge_repeated(characters[i], 256), PASSWORD_FINE);
        assert_int_equal(judge_repeated(characters[i], 257), PASSWORD_TOO_LONG);
    }
}

static void what_is_long_is_not_weighed(void **state) {
    (void)state;
    assert_int_equal(judge_repeated("a", 64), PASSWORD_COMMON);
    assert_int_equal(judge_repeated("a", 65), PASSWORD_FINE);
}

static void ones_own_data_are_refused(void **state) {
    (void)state;
    static const char *const own[] = {
        "jane.bachelor@example.com",
        "JANE.BACHELOR@EXAMPLE.COM",
        "jane.bachelor",
        "Jane.Bachelor",
        "Jane Bachelor",
        "jane bachelor",
    };
    assert_all(own, LENGTH(own), PASSWORD_PERSONAL);
    static const char *const not_own[] = {
        "jane.bachelor@example.org",
        "jane.bachelor!7",
        "bachelor.jane",
        "@example.com",
    };
    assert_all(not_own, LENGTH(not_own), PASSWORD_FINE);
}

static void case_and_form_of_ones_own_data_do_not_matter_beyond_ascii(void **state) {
    (void)state;
    struct text own_email = TEXT("j\xC3\xBCrgen.m@example.com");
    struct text own_name = TEXT(" J\xC3\xBCrgen M\xC3\xBCller\n");
    assert_int_equal(password_judge(TEXT("J\xC3\x9CRGEN M\xC3\x9CLLER"), own_email, own_name),
                     PASSWORD_PERSONAL);
    assert_int_equal(password_judge(TEXT("Ju\xCC\x88rgen.M"), own_email, own_name),
                     PASSWORD_PERSONAL);
    assert_int_equal(password_judge(TEXT("J\xC3\xBCrgen M\xC3\xBCllex"), own_email, own_name),
                     PASSWORD_FINE);
}

static void a_user_without_data_can_have_a_password(void **state) {
    (void)state;
    struct text none = { 0 };
    assert_int_equal(password_judge(TEXT("x8Kq2mZp"), none, none), PASSWORD_FINE);
    assert_int_equal(password_judge(TEXT("x8Kq2mZp"), TEXT(""), TEXT("  ")), PASSWORD_FINE);
    assert_int_equal(password_judge(TEXT("password"), none, none), PASSWORD_COMMON);
}

/* Eight characters by count, but far more bytes than any eight characters have. */
static void what_is_no_utf8_is_judged_without_harm(void **state) {
    (void)state;
    enum { SIZE = 5000 };
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 0x80, SIZE);
    memcpy(bytes, "x8Kq2mZp", 8);
    for (size_t len = 8; len <= SIZE; len += 31)
        assert_int_equal(judge((struct text){ bytes, len }), PASSWORD_FINE);
    free(bytes);
    assert_int_equal(judge(TEXT("\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xF7")), PASSWORD_FINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_passwords_are_refused),
        cmocka_unit_test(passwords_that_take_long_to_guess_are_fine),
        cmocka_unit_test(length_is_counted_in_characters),
        cmocka_unit_test(what_is_long_is_not_weighed),
        cmocka_unit_test(ones_own_data_are_refused),
        cmocka_unit_test(case_and_form_of_ones_own_data_do_not_matter_beyond_ascii),
        cmocka_unit_test(a_user_without_data_can_have_a_password),
        cmocka_unit_test(what_is_no_utf8_is_judged_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The promises of password.h. The tables have passwords on both sides of the limit of common ones.
 */
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

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static enum password_verdict judge(struct text password) {
    char *copy = malloc(password.len ? password.len : 1);
    assert_non_null(copy);
    if (password.len)
        memcpy(copy, password.at, password.len);
    enum password_verdict verdict =
        password_check((struct text){ copy, password.len }, email, name);
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
        /* plain, and with usual additions */
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
        /* sequences, repetitions, patterns of keys */
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

/* Checks `start` followed by the character `utf8` up to `count` characters in all. */
static enum password_verdict judge_from(const char *start, const char *utf8, size_t count) {
    struct text one = text_of(utf8);
    char bytes[4 * 300];
    size_t len = strlen(start);
    assert_true(count * one.len <= sizeof bytes && len <= count);
    memcpy(bytes, start, len);
    for (size_t i = strlen(start); i < count; i++, len += one.len)
        memcpy(bytes + len, one.at, one.len);
    return judge((struct text){ bytes, len });
}

static enum password_verdict judge_repeated(const char *utf8, size_t count) {
    return judge_from("", utf8, count);
}

static void length_is_counted_in_characters(void **state) {
    (void)state;
    assert_int_equal(judge((struct text){ 0 }), PASSWORD_TOO_SHORT);
    assert_int_equal(judge(TEXT("x8Kq2mZ")), PASSWORD_TOO_SHORT);
    assert_int_equal(judge(TEXT("assword")), PASSWORD_TOO_SHORT);
    assert_int_equal(judge_repeated("\xC3\xBC", 7), PASSWORD_TOO_SHORT);
    assert_int_equal(judge_repeated("\xF0\x9F\x98\x80", 7), PASSWORD_TOO_SHORT);
    static const char *const characters[] = { "a", "\xC3\xBC", "\xF0\x9F\x98\x80" };
    for (size_t i = 0; i < LENGTH(characters); i++) {
        assert_int_equal(judge_from("x8Kq2mZp", characters[i], 256), PASSWORD_FINE);
        assert_int_equal(judge_from("x8Kq2mZp", characters[i], 257), PASSWORD_TOO_LONG);
    }
}

static void of_what_is_long_both_ends_are_weighed(void **state) {
    (void)state;
    char password[] = "passwordpasswordpasswordpasswordpasswordpasswordpasswordpasswordpassword";
    for (size_t count = 64; count <= 256; count += 8) {
        assert_int_equal(judge_repeated("a", count), PASSWORD_COMMON);
        assert_int_equal(judge_repeated("\xC3\xBC", count), PASSWORD_COMMON);
        assert_int_equal(judge_from("x8Kq2mZp", "a", count), PASSWORD_FINE);
    }
    assert_int_equal(judge(text_of(password)), PASSWORD_COMMON);
    memcpy(password + sizeof password - 9, "x8Kq2mZp", 8);
    assert_int_equal(judge(text_of(password)), PASSWORD_FINE);
}

/* Words of five languages that common passwords consist of, and such passwords. */
static void common_passwords_of_other_languages_are_refused(void **state) {
    (void)state;
    static const char *const common[] = {
        "motdepasse",
        "Motdepasse1!",
        "azertyuiop",
        "Bonjour123",
        "Jetaime1",
        "contrasena",
        ("contrase\xC3\xB1"
         "a"),
        ("CONTRASE\xC3\x91"
         "A1"),
        ("contrasen\xCC\x83"
         "a"),
        "teamo123",
        "Princesa1",
        "Bienvenido1",
        "hallo123",
        "schatz123",
        "Passwort1",
        "Willkommen1!",
        ("fr\xC3\xBC"
         "hling"),
        ("Fr\xC3\xBC"
         "hling2026"),
        "qwertzuiop",
        "amoremio",
        "juventus",
        "Benvenuto1",
        "ciaociao",
        "minhasenha",
        "flamengo1",
        "cora\xC3\xA7\xC3\xA3o1",
        "obrigado1",
        "q1w2e3r4t5",
        "\xEF\xBD\x90\xEF\xBD\x81\xEF\xBD\x93\xEF\xBD\x93word1", /* wide p, a, s, s */
    };
    assert_all(common, LENGTH(common), PASSWORD_COMMON);
}

/* Below a million guesses, but above the former limit of ten thousand. */
static void what_falls_within_a_million_guesses_is_common(void **state) {
    (void)state;
    static const char *const common[] = { "Welcome1!", "admin123!", "Summer2026!", "Changeme123",
                                          "147258369" };
    assert_all(common, LENGTH(common), PASSWORD_COMMON);
}

static void a_password_has_one_normal_form(void **state) {
    (void)state;
    static const struct {
        const char *given, *normal;
    } forms[] = {
        { "", "" },
        { "correct horse", "correct horse" },
        { "e\xCC\x81le\xCC\x80ve me\xCC\x81te\xCC\x81o",
          "\xC3\xA9l\xC3\xA8ve m\xC3\xA9t\xC3\xA9o" },
        { "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C" }, /* Hangul */
        { "\xEF\xBD\x90", "\xEF\xBD\x90" }, /* NFC, not NFKC: a full-width p stays full-width */
        { "\xFF\xFE", "\xFF\xFE" },
    };
    char room[PASSWORD_NORMAL_MAX];
    for (size_t i = 0; i < LENGTH(forms); i++) {
        struct text normal = password_normal(text_of(forms[i].given), room);
        assert_true(text_equal(normal, text_of(forms[i].normal)));
    }
    assert_non_null(password_normal((struct text){ 0 }, room).at);
    assert_int_equal(judge(TEXT("e\xCC\x81"
                                "aaaaaa")),
                     PASSWORD_TOO_SHORT);
}

/* The length is checked before the expensive step: a text longer than any password stays as it is.
 */
static void what_is_too_long_for_a_password_is_not_brought_into_normal_form(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE), room[PASSWORD_NORMAL_MAX];
    assert_non_null(text);
    for (size_t i = 0; i + 3 <= SIZE; i += 3)
        memcpy(text + i, "e\xCC\x81", 3);
    for (size_t len = 4098; len <= SIZE - 1; len *= 3) {
        struct text normal = password_normal((struct text){ text, len - len % 3 }, room);
        assert_ptr_equal(normal.at, text);
        assert_int_equal(judge((struct text){ text, len - len % 3 }), PASSWORD_TOO_LONG);
    }
    assert_ptr_equal(password_normal((struct text){ text, 4095 }, room).at, room);
    free(text);
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
    assert_int_equal(password_check(TEXT("J\xC3\x9CRGEN M\xC3\x9CLLER"), own_email, own_name),
                     PASSWORD_PERSONAL);
    assert_int_equal(password_check(TEXT("Ju\xCC\x88rgen.M"), own_email, own_name),
                     PASSWORD_PERSONAL);
    assert_int_equal(password_check(TEXT("J\xC3\xBCrgen M\xC3\xBCllex"), own_email, own_name),
                     PASSWORD_FINE);
}

static void a_user_without_data_can_have_a_password(void **state) {
    (void)state;
    struct text none = { 0 };
    assert_int_equal(password_check(TEXT("x8Kq2mZp"), none, none), PASSWORD_FINE);
    assert_int_equal(password_check(TEXT("x8Kq2mZp"), TEXT(""), TEXT("  ")), PASSWORD_FINE);
    assert_int_equal(password_check(TEXT("password"), none, none), PASSWORD_COMMON);
}

/* Eight characters by their count, with far more bytes than eight characters can have. */
static void what_is_no_utf8_is_judged_without_harm(void **state) {
    (void)state;
    enum { SIZE = 5000 };
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 0x80, SIZE);
    memcpy(bytes, "x8Kq2mZp", 8);
    for (size_t len = 8; len <= SIZE; len += 31)
        assert_int_equal(judge((struct text){ bytes, len }),
                         len <= 4096 ? PASSWORD_FINE : PASSWORD_TOO_LONG);
    free(bytes);
    assert_int_equal(judge(TEXT("\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xF7")), PASSWORD_FINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_passwords_are_refused),
        cmocka_unit_test(passwords_that_take_long_to_guess_are_fine),
        cmocka_unit_test(length_is_counted_in_characters),
        cmocka_unit_test(of_what_is_long_both_ends_are_weighed),
        cmocka_unit_test(common_passwords_of_other_languages_are_refused),
        cmocka_unit_test(what_falls_within_a_million_guesses_is_common),
        cmocka_unit_test(a_password_has_one_normal_form),
        cmocka_unit_test(what_is_too_long_for_a_password_is_not_brought_into_normal_form),
        cmocka_unit_test(ones_own_data_are_refused),
        cmocka_unit_test(case_and_form_of_ones_own_data_do_not_matter_beyond_ascii),
        cmocka_unit_test(a_user_without_data_can_have_a_password),
        cmocka_unit_test(what_is_no_utf8_is_judged_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The promises of totp.h. The expected codes are RFC 6238's (appendix B, SHA-1), of whose eight
   digits the last six are the code. */
#include "auth/totp.h"

#include "rules/base32.h"

#include <liboath/oath.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* 12345678901234567890 */
#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static const struct {
    int64_t seconds;
    const char *code;
} vectors[] = {
    { 59, "287082" },         { 1111111109, "081804" }, { 1111111111, "050471" },
    { 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" },
};

enum { NO_STEP = -7 };

/* The step that a code was accepted for, or NO_STEP; a refusal must leave the step alone. */
static int64_t step_of(struct text secret, struct text code, int64_t ms, int64_t last_step) {
    int64_t step = NO_STEP;
    bool right = totp_check(secret, code, ms, last_step, &step);
    assert_true(right == (step != NO_STEP));
    return step;
}

static void codes_are_those_of_the_rfc(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(vectors); i++) {
        int64_t ms = vectors[i].seconds * 1000;
        struct text code = text_of(vectors[i].code);
        assert_int_equal(step_of(TEXT(SECRET), code, ms, -1), vectors[i].seconds / 30);
    }
}

static void a_code_counts_one_step_earlier_and_later_and_no_more(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(vectors); i++) {
        struct text code = text_of(vectors[i].code);
        int64_t step = vectors[i].seconds / 30, first_ms = step * 30000;
        assert_int_equal(step_of(TEXT(SECRET), code, first_ms - 30000, -1), step);
        assert_int_equal(step_of(TEXT(SECRET), code, first_ms + 59999, -1), step);
        assert_int_equal(step_of(TEXT(SECRET), code, first_ms - 30001, -1), NO_STEP);
        assert_int_equal(step_of(TEXT(SECRET), code, first_ms + 60000, -1), NO_STEP);
    }
}

static void a_code_works_once(void **state) {
    (void)state;
    int64_t ms = 59000;
    assert_int_equal(step_of(TEXT(SECRET), TEXT("287082"), ms, 0), 1);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("287082"), ms, 1), NO_STEP);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("287082"), ms, 2), NO_STEP);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("287082"), ms, INT64_MAX), NO_STEP);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("287082"), ms, INT64_MIN), 1);
}

static void secrets_come_in_any_case_padded_or_not(void **state) {
    (void)state;
    static const struct {
        const char *secret;
        bool right;
    } cases[] = {
        { "gezdgnbvgy3tqojqgezdgnbvgy3tqojq", true },
        { "GEZDGNBVGY3TQOJQgezdgnbvgy3tqojq", true },
        { "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", true },
        { "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR", false }, /* another secret */
        { "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ", false },
        { "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", false },
        { "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ!", false },
        { "12345678901234567890", false },
        { "=", false },
        { "========", false },
        { " ", false },
        { "", false },
        { NULL, false },
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(step_of(text_of(cases[i].secret), TEXT("287082"), 59000, -1),
                         cases[i].right ? 1 : NO_STEP);
    /* 1234567890123456: 26 characters, and 6 of padding */
    assert_int_equal(step_of(TEXT("GEZDGNBVGY3TQOJQGEZDGNBVGY"), TEXT("970934"), 59000, -1), 1);
    assert_int_equal(step_of(TEXT("GEZDGNBVGY3TQOJQGEZDGNBVGY======"), TEXT("970934"), 59000, -1),
                     1);
}

static void malformed_codes_are_wrong(void **state) {
    (void)state;
    static const struct text codes[] = {
        { NULL, 0 },
        { "", 0 },
        { "28708", 5 },
        { "2870820", 7 },
        { "94287082", 8 },
        { "28708a", 6 },
        { " 28708", 6 },
        { "2 8 7 0 8", 9 },
        { "+87082", 6 },
        { "-87082", 6 },
        { "28708\0", 6 },
        { "287 0822", 8 },
        { "287083", 6 },
        { "\xd9\xa2!!!!", 6 },
        { "287082\xc2", 7 },
        { "287\xe2\x80\x8b"
          "082",
          9 },
    };
    for (size_t i = 0; i < LENGTH(codes); i++)
        assert_int_equal(step_of(TEXT(SECRET), codes[i], 59000, -1), NO_STEP);
}

static void a_code_may_have_blanks(void **state) {
    (void)state;
    static const struct text codes[] = {
        { "287 082", 7 },
        { " 287082", 7 },
        { "287082 ", 7 },
        { "28 70 82", 8 },
        { "287\t082\t", 8 },
        { "287082\r\n", 8 },
        { "287\xc2\xa0"
          "082",
          8 },
        { "287\xe2\x80\xaf"
          "082",
          9 },
    };
    for (size_t i = 0; i < LENGTH(codes); i++)
        assert_int_equal(step_of(TEXT(SECRET), codes[i], 59000, -1), 1);
}

/* Every length that may be set, padded, in groups and in small letters: no code that is made of it
 * is refused. The codes are liboath's, of the bytes. */
static void every_length_of_a_secret_works(void **state) {
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (size_t bytes = TOTP_SECRET_MIN; bytes <= TOTP_SECRET_MAX; bytes++) {
        char plain[128], grouped[256], code[7];
        unsigned char secret[TOTP_SECRET_MAX];
        size_t digits = (bytes * 8 + 4) / 5, at = 0;
        for (size_t i = 0; i < digits; i++) {
            plain[i] = alphabet[(i * 7 + bytes) % 32];
            if (i + 1 == digits) /* the bits that fill no byte are 0 */
                plain[i] = 'A';
            grouped[at++] = (char)(plain[i] | 0x20);
            if (i % 4 == 3)
                grouped[at++] = ' ';
        }
        while (at % 2 || at < digits + 8)
            grouped[at++] = '=';
        assert_int_equal(base32_decode((struct text){ plain, digits }, secret), bytes);
        assert_int_equal(oath_totp_generate((const char *)secret, bytes, 59, 30, 0, 6, code), 0);
        assert_int_equal(step_of((struct text){ plain, digits }, text_of(code), 59000, -1), 1);
        assert_true(at <= 255);
        for (size_t i = 0; i < at; i++)
            grouped[i] = grouped[i] == ('2' | 0x20) ? '2' : grouped[i];
        assert_int_equal(step_of((struct text){ grouped, at }, text_of(code), 59000, -1), 1);
    }
    assert_int_equal(step_of(TEXT("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                                  "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBV"),
                             TEXT("287082"), 59000, -1),
                     NO_STEP); /* 65 bytes */
}

static void strange_moments_and_endless_secrets_do_no_harm(void **state) {
    (void)state;
    static const int64_t moments[] = { INT64_MIN, -1, 0, INT64_MAX };
    static char large[100000];
    memset(large, 'A', sizeof(large));
    for (size_t i = 0; i < LENGTH(moments); i++) {
        assert_int_equal(step_of(TEXT(SECRET), TEXT("287083"), moments[i], -1), NO_STEP);
        for (size_t len = 0; len <= sizeof(large); len = len < 400 ? len + 1 : len * 2)
            assert_int_equal(step_of((struct text){ large, len }, TEXT("287083"), moments[i], -1),
                             NO_STEP);
    }
}

/* HOTP's published codes (RFC 4226, appendix D) are TOTP's of the first steps. */
static void there_is_no_step_before_the_first(void **state) {
    (void)state;
    assert_int_equal(step_of(TEXT(SECRET), TEXT("755224"), 0, INT64_MIN), 0);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("755224"), 59999, -1), 0);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("755224"), 59999, 0), NO_STEP);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("755224"), 60000, -1), NO_STEP);
    assert_int_equal(step_of(TEXT(SECRET), TEXT("359152"), 89999, -1), 2);
}

/* 512 bits, the most that a secret may have; also in groups, as an app may show it. */
static void the_longest_secret_has_room(void **state) {
    (void)state;
    static const char *const secrets[] = {
        SECRET SECRET SECRET "GEZDGNA=",
        SECRET SECRET SECRET "GEZDGNA",
        "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ "
        "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ GEZD GNA=",
    };
    for (size_t i = 0; i < LENGTH(secrets); i++)
        assert_int_equal(step_of(text_of(secrets[i]), TEXT("779409"), 59000, -1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(a_code_counts_one_step_earlier_and_later_and_no_more),
        cmocka_unit_test(a_code_works_once),
        cmocka_unit_test(secrets_come_in_any_case_padded_or_not),
        cmocka_unit_test(malformed_codes_are_wrong),
        cmocka_unit_test(a_code_may_have_blanks),
        cmocka_unit_test(every_length_of_a_secret_works),
        cmocka_unit_test(strange_moments_and_endless_secrets_do_no_harm),
        cmocka_unit_test(there_is_no_step_before_the_first),
        cmocka_unit_test(the_longest_secret_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

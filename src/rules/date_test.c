/* The promises of date.h: a table of spellings and the times they mean, a table of invalid texts,
 * and every day that can be stored. */
#include "rules/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }

enum { MS_PER_DAY = 86400000 };

static const struct {
    const char *text;
    const char *means; /* as time_format writes it */
} good[] = {
    { "2025-01-15T10:30:00Z", "2025-01-15T10:30:00Z" },
    { "2025-01-15t10:30:00z", "2025-01-15T10:30:00Z" },
    { "2025-01-15 10:30:00Z", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30:00", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30Z", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30+01:00", "2025-01-15T09:30:00Z" },
    { "2025-01-15", "2025-01-15T00:00:00Z" },
    { "2025-01-15T10:30:00+02:00", "2025-01-15T08:30:00Z" },
    { "2025-01-15T10:30:00+0200", "2025-01-15T08:30:00Z" },
    { "2025-01-15T10:30:00+02", "2025-01-15T08:30:00Z" },
    { "2025-01-15T10:30:00-02:00", "2025-01-15T12:30:00Z" },
    { "2025-01-15T10:30:00-0230", "2025-01-15T13:00:00Z" },
    { "2025-01-15T10:30:00-02", "2025-01-15T12:30:00Z" },
    { "2025-01-15T10:30:00-00:00", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30:00+23:59", "2025-01-14T10:31:00Z" },
    { "2025-01-15T10:30:00.1Z", "2025-01-15T10:30:00.100Z" },
    { "2025-01-15T10:30:00.12Z", "2025-01-15T10:30:00.120Z" },
    { "2025-01-15T10:30:00.123Z", "2025-01-15T10:30:00.123Z" },
    { "2025-01-15T10:30:00.1239Z", "2025-01-15T10:30:00.123Z" },
    { "2025-01-15T10:30:00.123456789Z", "2025-01-15T10:30:00.123Z" },
    { "2025-01-15T10:30:00.000999999Z", "2025-01-15T10:30:00Z" },
    { "2025-01-15T10:30:00.1234567", "2025-01-15T10:30:00.123Z" },
    { "2025-01-15T10:30:00.5+01:00", "2025-01-15T09:30:00.500Z" },
    { "2025-01-15T10:30:00,5Z", "2025-01-15T10:30:00.500Z" },
    { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
    { "2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z" },
    { "2024-02-29", "2024-02-29T00:00:00Z" },
    { "2000-02-29T23:59:59.999Z", "2000-02-29T23:59:59.999Z" },
    { "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z" },
    { "2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00Z" },
    { "2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z" },
    { "0001-01-01", "0001-01-01T00:00:00Z" },
    { "0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00Z" },
    { "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z" },
    { "9999-12-31T22:59:59-01:00", "9999-12-31T23:59:59Z" },
};

static const struct text bad[] = {
    /* no date at all, or with other text around it */
    SPELLING(""),
    SPELLING(" "),
    SPELLING("today"),
    SPELLING("1736937000"),
    SPELLING("/Date(1736937000000)/"),
    SPELLING(" 2025-01-15T10:30:00Z"),
    SPELLING("2025-01-15T10:30:00Z "),
    SPELLING("2025-01-15T10:30:00Z\n"),
    SPELLING("2025-01-15T10:30:00Z\0"),
    SPELLING("2025-01-15\0T10:30:00Z"),
    SPELLING("2025-01-15T10:30:00ZZ"),
    SPELLING("\"2025-01-15\""),
    /* other forms of ISO 8601, and of people */
    SPELLING("20250115T103000Z"),
    SPELLING("2025-W03-3"),
    SPELLING("2025-015"),
    SPELLING("2025-01"),
    SPELLING("2025"),
    SPELLING("15/01/2025"),
    SPELLING("15.01.2025"),
    SPELLING("2025-1-15"),
    SPELLING("2025-01-5"),
    SPELLING("25-01-15"),
    SPELLING("02025-01-15"),
    SPELLING("+2025-01-15"),
    SPELLING("-001-01-15"),
    SPELLING("2025-+1-15"),
    SPELLING("2025-01--5"),
    SPELLING("2025/01/15"),
    SPELLING("2025-01-15T"),
    SPELLING("2025-01-15Z"),
    SPELLING("2025-01-15+01:00"),
    SPELLING("2025-01-15_10:30:00Z"),
    SPELLING("2025-01-15  10:30:00Z"),
    SPELLING("2025-01-15T10"),
    SPELLING("2025-01-15T10Z"),
    SPELLING("2025-01-15T10:"),
    SPELLING("2025-01-15T10:30:"),
    SPELLING("2025-01-15T10:30:Z"),
    SPELLING("2025-01-15T1:30:00Z"),
    SPELLING("2025-01-15T10:3:00Z"),
    SPELLING("2025-01-15T10:30:0Z"),
    SPELLING("2025-01-15T10:30:000Z"),
    SPELLING("2025-01-15T1030Z"),
    SPELLING("2025-01-15T10.5Z"),
    SPELLING("2025-01-15T10:30.5Z"),
    SPELLING("2025-01-15T10:30:00 Z"),
    SPELLING("2025-01-15T10:30:00 PM"),
    SPELLING("2025-01-15T10:30:00[Europe/Paris]"),
    SPELLING("2025-01-15T10:30:00.Z"),
    SPELLING("2025-01-15T10:30:00."),
    SPELLING("2025-01-15T10:30:00.1234567890Z"),
    SPELLING("2025-01-15T10:30:00.12a"),
    /* times that do not exist */
    SPELLING("0000-01-01"),
    SPELLING("2025-00-15"),
    SPELLING("2025-13-15"),
    SPELLING("2025-01-00"),
    SPELLING("2025-01-32"),
    SPELLING("2025-04-31"),
    SPELLING("2025-02-29"),
    SPELLING("2024-02-30"),
    SPELLING("1900-02-29"),
    SPELLING("2100-02-29T00:00:00Z"),
    SPELLING("2025-01-15T24:00:00Z"),
    SPELLING("2025-01-15T25:00:00Z"),
    SPELLING("2025-01-15T10:60:00Z"),
    SPELLING("2025-01-15T10:30:61Z"),
    SPELLING("99999-01-01"),
    /* zones */
    SPELLING("2025-01-15T10:30:00+"),
    SPELLING("2025-01-15T10:30:00+1"),
    SPELLING("2025-01-15T10:30:00+01:"),
    SPELLING("2025-01-15T10:30:00+01:0"),
    SPELLING("2025-01-15T10:30:00+010"),
    SPELLING("2025-01-15T10:30:00+01:000"),
    SPELLING("2025-01-15T10:30:00+24:00"),
    SPELLING("2025-01-15T10:30:00+01:60"),
    SPELLING("2025-01-15T10:30:00Z+01:00"),
    SPELLING("2025-01-15T10:30:00GMT"),
    SPELLING("2025-01-15T10:30:00\xE2\x88\x92"
             "01:00"),
    /* outside the range that can be stored, after the zone is applied */
    SPELLING("0001-01-01T00:00:00+00:01"),
    SPELLING("9999-12-31T23:59:00-00:01"),
    SPELLING("9999-12-31T23:59:60Z"),
};

static void every_spelling_means_its_moment(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        int64_t ms = 0;
        char out[TIME_TEXT_MAX + 1] = { 0 };
        if (!date_parse(text_of(good[i].text), &ms))
            fail_msg("%s was refused", good[i].text);
        out[time_format(ms, out)] = '\0';
        assert_string_equal(out, good[i].means);
    }
}

static void a_number_is_milliseconds_since_1970(void **state) {
    (void)state;
    int64_t ms = -1;
    assert_true(date_parse(TEXT("1970-01-01"), &ms));
    assert_true(ms == 0);
    assert_true(date_parse(TEXT("2025-01-15T10:30:00.007Z"), &ms));
    assert_true(ms == INT64_C(1736937000007));
    assert_true(date_parse(TEXT("1969-12-31T23:59:59Z"), &ms));
    assert_true(ms == -1000);
    assert_true(date_parse(TEXT("0001-01-01T00:00:00Z"), &ms));
    assert_true(ms == TIME_MIN_MS);
    assert_true(date_parse(TEXT("9999-12-31T23:59:59.999Z"), &ms));
    assert_true(ms == TIME_MAX_MS);
}

static void all_else_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        int64_t ms;
        if (date_parse(bad[i], &ms))
            fail_msg("[%zu] %.*s was taken", i, (int)bad[i].len, bad[i].at);
    }
    int64_t ms;
    assert_false(date_parse((struct text){ 0 }, &ms));
}

static void what_is_written_is_read_on_every_day_that_can_be_stored(void **state) {
    (void)state;
    int64_t time_of_day = 0;
    for (int64_t day_ms = TIME_MIN_MS; day_ms < TIME_MAX_MS; day_ms += MS_PER_DAY) {
        time_of_day = (time_of_day + 7654321) % MS_PER_DAY;
        int64_t ms = 0, written = day_ms + time_of_day;
        char out[TIME_TEXT_MAX];
        struct text text = { out, time_format(written, out) };
        if (!date_parse(text, &ms) || ms != written)
            fail_msg("%.*s", (int)text.len, text.at);
    }
}

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static bool parse_exactly(struct text text, int64_t *ms) {
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.at, text.len);
    bool taken = date_parse((struct text){ copy, text.len }, ms);
    free(copy);
    return taken;
}

static void a_cut_off_date_is_not_read_past_its_end(void **state) {
    (void)state;
    struct text whole = TEXT("2025-01-15T10:30:00.123+01:30");
    for (size_t len = 0; len <= whole.len; len++) {
        int64_t ms;
        bool ends_well = len == 10 || len == 16 || len == 19 || (len >= 21 && len <= 23) ||
                         len == 26 || len == 29;
        assert_true(parse_exactly((struct text){ whole.at, len }, &ms) == ends_well);
    }
}

static void random_bytes_give_nothing_or_a_moment_that_can_be_stored(void **state) {
    (void)state;
    static const char letters[] = "00112235599--::TtZz+. ,\xFF";
    uint64_t random = 88172645463325252;
    char bytes[30] = { 0 };
    for (int round = 0; round < 300000; round++) {
        memcpy(bytes, "2024-02-29T23:59:59.5+01:00", 27);
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t len = random % 30;
        for (uint64_t rest = random >> 8; rest; rest >>= 12) /* up to five changes */
            bytes[rest % sizeof bytes] = letters[(rest >> 6) % sizeof letters];
        int64_t ms = 0;
        if (parse_exactly((struct text){ bytes, len }, &ms))
            assert_true(ms >= TIME_MIN_MS && ms <= TIME_MAX_MS);
    }
}

static void a_date_stands_for_the_finest_unit_that_is_written(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t unit_ms;
    } cases[] = {
        { "2025-01-15", MS_PER_DAY },          { "2025-01-15T10:30", 60000 },
        { "2025-01-15T10:30+02", 60000 },      { "2025-01-15T10:30:00", 1000 },
        { "2025-01-15T10:30:00-02:30", 1000 }, { "2025-01-15T10:30:00.5Z", 1 },
        { "2025-01-15T10:30:00.000Z", 1 },     { "2025-01-15T10:30:00.000999Z", 1 },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t ms, unit_ms = 0;
        assert_true(date_parse_unit(text_of(cases[i].text), &ms, &unit_ms));
        assert_int_equal(unit_ms, cases[i].unit_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_means_its_moment),
        cmocka_unit_test(a_number_is_milliseconds_since_1970),
        cmocka_unit_test(a_date_stands_for_the_finest_unit_that_is_written),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(what_is_written_is_read_on_every_day_that_can_be_stored),
        cmocka_unit_test(a_cut_off_date_is_not_read_past_its_end),
        cmocka_unit_test(random_bytes_give_nothing_or_a_moment_that_can_be_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

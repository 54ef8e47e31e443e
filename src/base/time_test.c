/* The promises of time.h, compared with the calendar of the C library. */
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { SECONDS_PER_DAY = 86400 };

static void moments_are_written_as_rfc_3339_does(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59Z" },
        { INT64_C(1736937000000), "2025-01-15T10:30:00Z" },
        { INT64_C(1736937000120), "2025-01-15T10:30:00.120Z" },
        { INT64_C(951782399999), "2000-02-28T23:59:59.999Z" },
        { INT64_C(951782400000), "2000-02-29T00:00:00Z" },
        { INT64_C(951868800000), "2000-03-01T00:00:00Z" },
        { INT64_C(-2203891200000), "1900-03-01T00:00:00Z" },
        { INT64_C(-2203977600000), "1900-02-28T00:00:00Z" },
        { TIME_MIN_MS, "0001-01-01T00:00:00Z" },
        { TIME_MAX_MS, "9999-12-31T23:59:59.999Z" },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char out[TIME_TEXT_MAX + 1];
        out[TIME_TEXT_MAX] = '!';
        struct text written = { out, time_format(cases[i].ms, out) };
        assert_int_equal(out[TIME_TEXT_MAX], '!');
        if (!text_equal(written, text_of(cases[i].text)))
            fail_msg("%.*s is not %s", (int)written.len, written.at, cases[i].text);
    }
}

/* Every fifth day. Leap years shift the series, so over the centuries every date has its turn. */
static void every_date_is_that_of_the_c_library(void **state) {
    (void)state;
    int64_t step = 5 * SECONDS_PER_DAY + 4321;
    for (int64_t second = TIME_MIN_MS / 1000; second <= TIME_MAX_MS / 1000; second += step) {
        time_t moment = (time_t)second;
        struct tm civil;
        char out[TIME_TEXT_MAX], wanted[100];
        assert_non_null(gmtime_r(&moment, &civil));
        assert_int_equal(snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                                  civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday,
                                  civil.tm_hour, civil.tm_min, civil.tm_sec),
                         20);
        assert_int_equal(time_format(second * 1000, out), 20);
        if (memcmp(out, wanted, 20) != 0)
            fail_msg("%.20s is not %s", out, wanted);
    }
}

static void days_are_counted_as_the_c_library_does(void **state) {
    (void)state;
    assert_true(time_days_from_civil(1970, 1, 1) == 0);
    assert_true(time_days_from_civil(1969, 12, 31) == -1);
    assert_true(time_days_from_civil(2000, 3, 1) - time_days_from_civil(2000, 2, 28) == 2);
    assert_true(time_days_from_civil(1900, 3, 1) - time_days_from_civil(1900, 2, 28) == 1);
    for (int year = -500; year <= 12000; year++)
        for (int month = 1; month <= 12; month++) {
            int day = 1 + (year * 12 + month + 6000) % 28;
            struct tm civil = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
            int64_t days = time_days_from_civil(year, (unsigned)month, (unsigned)day);
            if (days * SECONDS_PER_DAY != (int64_t)timegm(&civil))
                fail_msg("%d-%02d-%02d is not day %lld", year, month, day, (long long)days);
        }
}

static void the_clock_is_that_of_the_wall(void **state) {
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t now = time_now_ms();
    assert_true(now > before - 2000 && now < before + 60000);
}

static void the_other_clock_never_goes_back_and_counts_milliseconds(void **state) {
    (void)state;
    int64_t start = time_monotonic_ms(), last = start;
    for (int i = 0; i < 1000; i++) {
        int64_t now = time_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
    struct timespec pause = { .tv_nsec = 20000000 };
    while (nanosleep(&pause, &pause) != 0)
        ;
    int64_t slept = time_monotonic_ms() - last;
    assert_true(slept >= 19);
}

static void what_was_written_is_read_again(void **state) {
    static const char *const others[] = { "",
                                          "2025-01-15",
                                          "2025-01-15T10:30:00",
                                          "2025-01-15 10:30:00Z",
                                          "2025-01-15T10:30:00+",
                                          "2025-01-15T1o:30:00Z",
                                          "2025-01-15T10:30:00.12Z",
                                          "2025-01-15T10:30:00.1234Z",
                                          "2025-01-15T10:30:00,123Z" };
    char text[TIME_TEXT_MAX] = "";
    int64_t read = 0;
    (void)state;
    for (int64_t ms = TIME_MIN_MS; ms < TIME_MAX_MS; ms += INT64_C(7654321987)) {
        assert_true(time_read((struct text){ text, time_format(ms, text) }, &read));
        assert_true(read == ms);
    }
    assert_true(time_read((struct text){ text, time_format(TIME_MAX_MS, text) }, &read));
    assert_true(read == TIME_MAX_MS);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(time_read(text_of(others[i]), &read));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_as_rfc_3339_does),
        cmocka_unit_test(every_date_is_that_of_the_c_library),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(days_are_counted_as_the_c_library_does),
        cmocka_unit_test(the_clock_is_that_of_the_wall),
        cmocka_unit_test(the_other_clock_never_goes_back_and_counts_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The published figures (docs/contract.md section 8.1), each by a caller that keeps the others. */
#include "api/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SOMEBODY = 100000001, ELSE_BODY = 100000002 };
static const int64_t second_ms = 1000, minute_ms = INT64_C(60) * 1000,
                     hour_ms = INT64_C(60) * 60 * 1000, day_ms = INT64_C(24) * 60 * 60 * 1000;

/* A day begins here, and with it an hour and a minute. */
static const int64_t start_ms = INT64_C(20000) * 24 * 60 * 60 * 1000;

/* Asks every so many ms until it has to wait: how often it went well, when it did not, how long. */
struct asked {
    int64_t count, at_ms, wait_s;
};

static struct asked ask(struct rate_limit *rate_limit, int64_t from_ms, int64_t every_ms,
                        bool is_write) {
    struct asked asked = { .at_ms = from_ms };
    while (!(asked.wait_s = rate_limit_count(rate_limit, SOMEBODY, is_write, asked.at_ms))) {
        asked.count++;
        asked.at_ms += every_ms;
    }
    return asked;
}

static struct rate_limit *started(void) {
    struct rate_limit *rate_limit = rate_limit_new(RATE_LIMIT_all);
    assert_non_null(rate_limit);
    return rate_limit;
}

static void at_most_one_in_100_ms(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    for (int64_t at_ms = start_ms; at_ms < start_ms + second_ms; at_ms += 100) {
        assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, at_ms), 0);
        assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, at_ms + 99), 1);
    }
    rate_limit_free(rate_limit);
}

static void at_most_120_in_a_minute(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    struct asked asked = ask(rate_limit, start_ms, 100, false);
    assert_int_equal(asked.count, 120);
    assert_int_equal(asked.wait_s, 60 - 12);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, start_ms + minute_ms - 1), 1);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, start_ms + minute_ms), 0);
    rate_limit_free(rate_limit);
}

/* Which makes 120,000 a day: 200,000 cannot be reached. */
static void at_most_5000_in_each_hour_of_a_day(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    for (int64_t hour = 0; hour < 24; hour++) {
        struct asked asked = ask(rate_limit, start_ms + hour * hour_ms, 510, false);
        assert_int_equal(asked.count, 5000);
        assert_int_equal(asked.wait_s, (hour_ms - INT64_C(5000) * 510) / second_ms);
    }
    rate_limit_free(rate_limit);
}

static void at_most_60_writes_in_a_minute(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    struct asked asked = ask(rate_limit, start_ms, 200, true);
    assert_int_equal(asked.count, 60);
    assert_int_equal(asked.wait_s, 60 - 12);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, asked.at_ms), 0);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, true, start_ms + minute_ms), 0);
    rate_limit_free(rate_limit);
}

static void at_most_5000_writes_in_a_day(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    struct asked asked = ask(rate_limit, start_ms, 1100, true);
    assert_int_equal(asked.count, 5000);
    assert_int_equal(asked.wait_s, (day_ms - INT64_C(5000) * 1100) / second_ms);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, asked.at_ms), 0);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, true, start_ms + day_ms - 1), 1);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, true, start_ms + day_ms), 0);
    rate_limit_free(rate_limit);
}

static void reads_are_no_writes(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    for (int64_t i = 0; i < 100; i++)
        assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, false, start_ms + i * 100), 0);
    assert_int_equal(rate_limit_count(rate_limit, SOMEBODY, true, start_ms + INT64_C(10000)), 0);
    rate_limit_free(rate_limit);
}

static void without_bursts_the_rest_holds(void **state) {
    struct rate_limit *rate_limit = rate_limit_new(RATE_LIMIT_but_bursts);
    (void)state;
    assert_non_null(rate_limit);
    struct asked asked = ask(rate_limit, start_ms, 1, false);
    assert_int_equal(asked.count, 120);
    assert_int_equal(asked.wait_s, 60);
    rate_limit_free(rate_limit);
}

/* A caller who waits for the returned time is served, in whatever part of a second the time begins.
 */
static void waiting_for_the_returned_time_helps(void **state) {
    (void)state;
    for (int64_t into_ms = 0; into_ms < second_ms; into_ms += 37) {
        struct rate_limit *rate_limit = started();
        struct asked asked = ask(rate_limit, start_ms + into_ms, 101, true);
        assert_int_equal(asked.count, 60);
        assert_int_equal(
            rate_limit_count(rate_limit, SOMEBODY, true, asked.at_ms + asked.wait_s * second_ms),
            0);
        rate_limit_free(rate_limit);
    }
}

static void each_caller_is_counted_alone(void **state) {
    struct rate_limit *rate_limit = started();
    (void)state;
    struct asked asked = ask(rate_limit, start_ms, 100, false);
    assert_int_equal(rate_limit_count(rate_limit, ELSE_BODY, false, asked.at_ms), 0);
    assert_int_equal(rate_limit_count(NULL, SOMEBODY, true, asked.at_ms), 0);
    rate_limit_free(rate_limit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_one_in_100_ms),
        cmocka_unit_test(at_most_120_in_a_minute),
        cmocka_unit_test(at_most_5000_in_each_hour_of_a_day),
        cmocka_unit_test(at_most_60_writes_in_a_minute),
        cmocka_unit_test(at_most_5000_writes_in_a_day),
        cmocka_unit_test(reads_are_no_writes),
        cmocka_unit_test(without_bursts_the_rest_holds),
        cmocka_unit_test(waiting_for_the_returned_time_helps),
        cmocka_unit_test(each_caller_is_counted_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

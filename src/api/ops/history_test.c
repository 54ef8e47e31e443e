/* The promises of history.h. */
#include "api/ops/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { START_MS = 1000 };

static struct history_sample samples[HISTORY_SAMPLES + 1];

static struct history *begin(void) {
    struct history *history = history_new(START_MS);
    assert_non_null(history);
    return history;
}

static void a_new_history_has_the_present_sample_alone(void **state) {
    (void)state;
    struct history *history = begin();
    struct history_totals totals = { .values = { [HISTORY_Requests] = 3,
                                                 [HISTORY_DiskFreeBytes] = -1,
                                                 [HISTORY_StoreBytes] = 70 } };
    assert_int_equal(history_read(history, START_MS + 20, &totals, samples), 1);
    assert_int_equal(samples[0].length_ms, 20);
    assert_int_equal(samples[0].until_ms, START_MS + 20);
    assert_int_equal(samples[0].values[HISTORY_Requests], 3);
    assert_int_equal(samples[0].values[HISTORY_StoreBytes], 70);
    assert_int_equal(samples[0].values[HISTORY_DiskFreeBytes], -1);
    assert_int_equal(samples[0].values[HISTORY_P99Microseconds], -1);
    history_free(history);
}

static void a_sample_counts_what_came_in_its_time(void **state) {
    (void)state;
    struct history *history = begin();
    struct history_totals totals = { .values = {
                                         [HISTORY_Requests] = 3, [HISTORY_StoreBytes] = 70 } };
    int64_t then_ms = START_MS + HISTORY_PERIOD_MS;
    assert_false(history_is_due(history, then_ms - 1));
    assert_true(history_is_due(history, then_ms));
    history_add(history, then_ms, &totals);
    assert_false(history_is_due(history, then_ms));
    totals.values[HISTORY_Requests] = 10;
    totals.values[HISTORY_StoreBytes] = 60;
    assert_int_equal(history_read(history, then_ms + 5, &totals, samples), 2);
    assert_int_equal(samples[0].length_ms, HISTORY_PERIOD_MS);
    assert_int_equal(samples[0].values[HISTORY_Requests], 3);
    assert_int_equal(samples[1].values[HISTORY_Requests], 7);
    assert_int_equal(samples[1].values[HISTORY_StoreBytes], 60);
    history_free(history);
}

static void a_day_is_kept_and_no_more(void **state) {
    (void)state;
    struct history *history = begin();
    struct history_totals totals = { 0 };
    int64_t now_ms = START_MS;
    for (unsigned i = 1; i <= 3 * HISTORY_SAMPLES; i++) {
        totals.values[HISTORY_Requests] += i;
        now_ms += HISTORY_PERIOD_MS;
        history_add(history, now_ms, &totals);
    }
    unsigned count = history_read(history, now_ms, &totals, samples);
    assert_int_equal(count, HISTORY_SAMPLES + 1);
    assert_int_equal(samples[0].values[HISTORY_Requests], 2 * HISTORY_SAMPLES + 1);
    assert_int_equal(samples[count - 2].values[HISTORY_Requests], 3 * HISTORY_SAMPLES);
    for (unsigned i = 1; i < count - 1; i++)
        assert_int_equal(samples[i].until_ms - samples[i - 1].until_ms, HISTORY_PERIOD_MS);
    history_free(history);
}

static void what_is_older_than_a_day_is_not_read(void **state) {
    (void)state;
    struct history *history = begin();
    struct history_totals totals = { .values = { [HISTORY_Writes] = 5 } };
    history_add(history, START_MS + HISTORY_PERIOD_MS, &totals);
    int64_t late_ms = START_MS + HISTORY_PERIOD_MS + HISTORY_DAY_MS; /* the machine slept */
    assert_int_equal(history_read(history, late_ms, &totals, samples), 1);
    assert_int_equal(samples[0].length_ms, HISTORY_DAY_MS);
    assert_int_equal(samples[0].values[HISTORY_Writes], 0);
    history_free(history);
}

static int64_t p99_of(const uint64_t buckets[COUNTERS_BUCKETS + 1]) {
    struct history *history = begin();
    struct history_totals totals = { 0 };
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
        totals.buckets[i] = buckets[i];
    assert_int_equal(history_read(history, START_MS, &totals, samples), 1);
    history_free(history);
    return samples[0].values[HISTORY_P99Microseconds];
}

static void the_p99_lies_in_the_bucket_of_the_99th_of_100(void **state) {
    (void)state;
    assert_int_equal(p99_of((uint64_t[COUNTERS_BUCKETS + 1]){ 100 }), 247); /* 99 % of 250 us */
    assert_int_equal(p99_of((uint64_t[COUNTERS_BUCKETS + 1]){ 99, 0, 1 }), 250);
    assert_int_equal(p99_of((uint64_t[COUNTERS_BUCKETS + 1]){ 98, 0, 2 }), 750);
    assert_int_equal(p99_of((uint64_t[COUNTERS_BUCKETS + 1]){ [COUNTERS_BUCKETS] = 1 }), 5000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_history_has_the_present_sample_alone),
        cmocka_unit_test(a_sample_counts_what_came_in_its_time),
        cmocka_unit_test(a_day_is_kept_and_no_more),
        cmocka_unit_test(what_is_older_than_a_day_is_not_read),
        cmocka_unit_test(the_p99_lies_in_the_bucket_of_the_99th_of_100),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The promises of budget.h, and how counted arenas behave at the limit. */
#include "base/budget.h"

#include "base/arena.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define SLACK (128 * KIB) /* the most that a thread keeps in stock */

static void what_is_taken_is_counted_and_given_back(void **state) {
    (void)state;
    budget_set(16 * MIB);
    size_t before = budget_stats().used;
    assert_true(budget_take(8 * MIB));
    assert_in_range(budget_stats().used, before + 8 * MIB - SLACK, before + 8 * MIB + SLACK);
    budget_give(8 * MIB);
    assert_in_range(budget_stats().used, 0, before + SLACK);
}

static void the_bound_refuses_all_that_is_past_it(void **state) {
    (void)state;
    budget_set(16 * MIB);
    assert_false(budget_take(SIZE_MAX));
    assert_false(budget_take(17 * MIB));
    assert_true(budget_take(15 * MIB + 512 * KIB));
    assert_true(budget_is_full());
    assert_false(budget_take(MIB));
    budget_force(MIB);
    assert_false(budget_take(SLACK + 1));
    budget_give(MIB);
    budget_give(15 * MIB + 512 * KIB);
    assert_false(budget_is_full());
    assert_true(budget_take(15 * MIB));
    budget_give(15 * MIB);
}

static void a_fall_is_told_once(void **state) {
    (void)state;
    budget_set(0);
    assert_true(budget_has_fallen(0));
    assert_true(budget_take(8 * MIB));
    assert_false(budget_has_fallen(4 * MIB));
    budget_give(8 * MIB);
    assert_true(budget_has_fallen(4 * MIB));
    assert_false(budget_has_fallen(4 * MIB));
}

enum { THREADS = 512 };

struct idle {
    pthread_barrier_t have_given, end;
};

static void *take_and_give(void *argument) {
    struct idle *idle = argument;
    bool taken = budget_take(4 * KIB);
    if (taken)
        budget_give(4 * KIB);
    (void)pthread_barrier_wait(&idle->have_given);
    (void)pthread_barrier_wait(&idle->end);
    return taken ? idle : NULL;
}

/* With as many threads as --io-threads 256 and --password-threads 256 start. */
static void many_threads_that_hold_nothing_leave_room(void **state) {
    (void)state;
    struct idle idle;
    pthread_t threads[THREADS];
    pthread_attr_t small;
    budget_set(16 * MIB);
    size_t before = budget_stats().used;
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, 256 * KIB), 0);
    assert_int_equal(pthread_barrier_init(&idle.have_given, NULL, THREADS + 1), 0);
    assert_int_equal(pthread_barrier_init(&idle.end, NULL, THREADS + 1), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], &small, take_and_give, &idle), 0);
    (void)pthread_barrier_wait(&idle.have_given);
    bool is_full = budget_is_full();
    size_t used = budget_stats().used;
    (void)pthread_barrier_wait(&idle.end);
    for (int i = 0; i < THREADS; i++) {
        void *taken = NULL;
        assert_int_equal(pthread_join(threads[i], &taken), 0);
        assert_non_null(taken);
    }
    budget_give(used - before); /* gives back the stocks of threads that have ended */
    assert_false(is_full);
    assert_true(used <= 4 * MIB + SLACK);
}

static void an_arena_that_was_closed_counts_what_it_holds_next(void **state) {
    (void)state;
    struct arena arena;
    budget_set(16 * MIB);
    arena_init_counted(&arena, 0);
    for (int i = 0; i < 2; i++) {
        assert_non_null(arena_alloc(&arena, MIB));
        assert_in_range(arena.counted, MIB, MIB + 4 * KIB);
        arena_close(&arena);
    }
}

static void arenas_count_what_is_used_of_their_chunks(void **state) {
    (void)state;
    struct arena arena;
    budget_set(16 * MIB);
    arena_init_counted(&arena, 0);
    assert_non_null(arena_alloc(&arena, 100));
    assert_int_equal(arena.counted, 4 * KIB);
    for (int i = 0; i < 80; i++)
        assert_non_null(arena_alloc(&arena, 100));
    assert_int_equal(arena.counted, 12 * KIB);
    assert_non_null(arena_alloc(&arena, MIB));
    assert_in_range(arena.counted, MIB + 12 * KIB, MIB + 13 * KIB);
    arena_close(&arena);
    assert_in_range(budget_stats().used, 0, SLACK);
}

static void what_grows_holds_its_last_size_alone(void **state) {
    (void)state;
    struct arena arena;
    budget_set(16 * MIB);
    arena_init_counted(&arena, 0);
    size_t size = 8 * KIB;
    char *at = arena_alloc(&arena, size);
    assert_non_null(at);
    memset(at, 'x', size);
    for (; size < 4 * MIB; size *= 2) {
        at = arena_grow(&arena, at, size, size * 2);
        assert_non_null(at);
        assert_int_equal(at[0], 'x');
        assert_int_equal(at[size - 1], 'x');
        memset(at, 'x', size * 2);
    }
    assert_in_range(arena.counted, size, size + 64);
    assert_in_range(arena.used, size, size + 64);
    arena_close(&arena);
    assert_in_range(budget_stats().used, 0, SLACK);
}

static void what_is_refused_can_still_be_told(void **state) {
    (void)state;
    struct arena others, late;
    budget_set(16 * MIB);
    uint64_t refused = budget_stats().refused;
    arena_init_counted(&others, 0);
    while (arena_alloc(&others, 64 * KIB))
        ;
    assert_true(others.is_over_budget);
    while (arena_alloc(&others, 1000)) /* its overdraft */
        ;
    arena_init_counted(&late, 0);
    assert_non_null(arena_alloc(&late, 1000)); /* its first page */
    assert_null(arena_alloc(&late, 64 * KIB));
    assert_true(late.failed && late.is_over_budget);
    assert_non_null(arena_alloc(&late, 4000));
    assert_non_null(arena_alloc(&late, 4000));
    assert_int_equal(budget_stats().refused, refused + 2);
    arena_close(&late);
    arena_close(&others);
    assert_false(budget_is_full());
    assert_in_range(budget_stats().used, 0, SLACK);
}

static void who_is_vital_goes_past_the_bound_by_a_sixteenth(void **state) {
    (void)state;
    struct arena others, vital;
    budget_set(16 * MIB);
    arena_init_counted(&others, 0);
    while (arena_alloc(&others, 64 * KIB))
        ;
    arena_init_counted(&vital, 0);
    vital.is_vital = true;
    for (int i = 0; i < 12; i++)
        assert_non_null(arena_alloc(&vital, 64 * KIB));
    assert_false(vital.failed);
    for (int i = 0; i < 12; i++)
        (void)!arena_alloc(&vital, 64 * KIB);
    assert_true(vital.is_over_budget);
    assert_true(budget_stats().used <= 17 * MIB + SLACK);
    arena_close(&vital);
    arena_close(&others);
    assert_in_range(budget_stats().used, 0, SLACK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_counted_and_given_back),
        cmocka_unit_test(the_bound_refuses_all_that_is_past_it),
        cmocka_unit_test(a_fall_is_told_once),
        cmocka_unit_test(many_threads_that_hold_nothing_leave_room),
        cmocka_unit_test(an_arena_that_was_closed_counts_what_it_holds_next),
        cmocka_unit_test(arenas_count_what_is_used_of_their_chunks),
        cmocka_unit_test(what_grows_holds_its_last_size_alone),
        cmocka_unit_test(what_is_refused_can_still_be_told),
        cmocka_unit_test(who_is_vital_goes_past_the_bound_by_a_sixteenth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

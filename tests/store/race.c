/* Commands that start at once. Their order is made by barriers, and by holding the store. */
#include "suite.h"

#include "base/container_of.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum kind { COMES_FREELY, WAITS_TOGETHER, RUNS_TWICE, KINDS };

struct race {
    struct store *store;
    pthread_barrier_t start, all_wait; /* of the racers, and of who lets them */
};

/* A command before the racers, or behind them. */
struct marshal {
    struct store_command command;
    sem_t holds, opened, finished;
    bool was_opened;
};

static enum status hold_store(struct store_tx *tx, struct store_command *command) {
    struct marshal *marshal = container_of(command, struct marshal, command);
    (void)tx;
    if (!marshal->was_opened) { /* else it runs again with those behind it */
        suite_post(&marshal->holds);
        suite_wait(&marshal->opened);
    }
    marshal->was_opened = true;
    return STATUS_OK;
}

/* Fails after it wrote, so that all that was run with it is taken back. */
static enum status fail_after_writing(struct store_tx *tx, struct store_command *command) {
    (void)command;
    return store_count_unknown_login(tx) == STATUS_OK ? STATUS_INTERNAL : STATUS_OK;
}

static void finish_marshal(struct store_command *command) {
    suite_post(&container_of(command, struct marshal, command)->finished);
}

static void submit_marshal(struct suite *suite, struct marshal *marshal,
                           enum status (*run)(struct store_tx *, struct store_command *)) {
    *marshal = (struct marshal){
        .command = { .on_behalf_of = &store_nobody, .run = run, .done = finish_marshal }
    };
    assert_int_equal(sem_init(&marshal->holds, 0, 0), 0);
    assert_int_equal(sem_init(&marshal->opened, 0, 0), 0);
    assert_int_equal(sem_init(&marshal->finished, 0, 0), 0);
    assert_ok(store_submit(suite->store, &marshal->command));
}

static void await_marshal(struct marshal *marshal, enum status expected) {
    suite_wait(&marshal->finished);
    assert_int_equal(marshal->command.status, expected);
    (void)sem_destroy(&marshal->holds);
    (void)sem_destroy(&marshal->opened);
    (void)sem_destroy(&marshal->finished);
}

static void finish_racer(struct store_command *command) {
    suite_post(&container_of(command, struct racer, command)->finished);
}

static void *start_racer(void *argument) {
    struct racer *racer = argument;
    (void)pthread_barrier_wait(&racer->race->start);
    enum status status = store_submit(racer->race->store, &racer->command);
    (void)pthread_barrier_wait(&racer->race->all_wait);
    if (status == STATUS_OK)
        suite_wait(&racer->finished);
    else
        racer->command.status = status;
    return NULL;
}

void race_prepare(struct racer *racers, unsigned count,
                  enum status (*run)(struct store_tx *, struct store_command *), const void *of) {
    for (unsigned i = 0; i < count; i++)
        racers[i] = (struct racer){
            .command = { .on_behalf_of = &store_nobody, .run = run, .done = finish_racer },
            .number = i,
            .of = of,
        };
}

void race_run(struct suite *suite, unsigned round, struct racer *racers, unsigned count) {
    enum kind kind = round % KINDS;
    struct race race = { .store = suite->store };
    struct marshal first, last;
    pthread_t threads[RACERS];
    assert_true(count <= RACERS);
    assert_int_equal(pthread_barrier_init(&race.start, NULL, count + 1), 0);
    assert_int_equal(pthread_barrier_init(&race.all_wait, NULL, count + 1), 0);
    if (kind != COMES_FREELY) {
        submit_marshal(suite, &first, hold_store);
        suite_wait(&first.holds);
    }
    for (unsigned i = 0; i < count; i++) {
        racers[i].race = &race;
        racers[i].command.done = finish_racer;
        assert_int_equal(sem_init(&racers[i].finished, 0, 0), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, start_racer, &racers[i]), 0);
    }
    (void)pthread_barrier_wait(&race.start);
    (void)pthread_barrier_wait(&race.all_wait);
    if (kind == RUNS_TWICE)
        submit_marshal(suite, &last, fail_after_writing);
    if (kind != COMES_FREELY) {
        suite_post(&first.opened);
        await_marshal(&first, STATUS_OK);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (kind == RUNS_TWICE)
        await_marshal(&last, STATUS_INTERNAL);
    for (unsigned i = 0; i < count; i++)
        (void)sem_destroy(&racers[i].finished);
    (void)pthread_barrier_destroy(&race.start);
    (void)pthread_barrier_destroy(&race.all_wait);
}

void race_for_one(struct suite *suite, unsigned round, struct racer *racers, enum status lost) {
    race_run(suite, round, racers, RACERS);
    assert_int_equal(race_count(racers, RACERS, STATUS_OK), 1);
    assert_int_equal(race_count(racers, RACERS, lost), RACERS - 1);
}

const struct racer *race_winner(const struct racer *racers) {
    for (unsigned i = 0; i < RACERS; i++)
        if (racers[i].command.status == STATUS_OK)
            return &racers[i];
    fail_msg("nobody won");
    return NULL;
}

unsigned race_count(const struct racer *racers, unsigned count, enum status status) {
    unsigned ended = 0;
    for (unsigned i = 0; i < count; i++)
        ended += racers[i].command.status == status;
    return ended;
}

/* ---- what racers do ---- */

struct record race_next(const struct record *record, struct arena *arena) {
    struct record next = record_new(record->table, arena);
    if (next.values)
        memcpy(next.values, record->values, record->table->count * sizeof *next.values);
    next.version = record->version + 1;
    return next;
}

enum status race_rewrite(struct store_tx *tx, const struct table *table, int64_t id,
                         race_change *change, const struct racer *racer) {
    struct arena arena = { 0 };
    struct record before, after;
    enum status status = store_load(tx->session, table, id, &arena, &before);
    if (status == STATUS_OK) {
        after = race_next(&before, &arena);
        status = after.values ? STATUS_OK : STATUS_INTERNAL;
    }
    if (status == STATUS_OK) {
        change(&after, racer, &arena);
        status = store_update(tx, &before, &after, &suite_author);
    }
    arena_close(&arena);
    return status;
}

void race_set_next_number(struct record *user, const struct racer *racer, struct arena *arena) {
    (void)racer;
    (void)arena;
    user->values[USER_LastHelpVisited].integer++;
}

enum status race_count_up(struct store_tx *tx, struct store_command *command) {
    return race_rewrite(tx, &user_table, RACE_USER, race_set_next_number,
                        container_of(command, struct racer, command));
}

/* Commands: one after the other, each wholly or not at all, answered when they are kept; what reads
 * sees all that was answered before. And how a store opens and closes. */
#include "suite.h"

#include "base/container_of.h"
#include "crypto/secret.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <cmocka.h>

enum { FIRST_ID = 1000, SEVERAL = 6 };

/* ---- opening ---- */

static struct store *open_again(struct suite *suite, struct store_options options, int *exit_code) {
    char why[256] = "";
    struct store *store = suite_open(suite->directory, options, why, sizeof why, exit_code);
    if (!store) {
        assert_true(strlen(why) > 10);
        assert_null(strchr(why, '\n'));
    }
    return store;
}

static void a_new_store_is_empty(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        struct search all = suite_all(tables[i]);
        const struct suite_page *page = suite_search(suite, &all);
        assert_int_equal(page->found.total, 0);
        assert_int_equal(page->count, 0);
        assert_false(page->found.has_more);
    }
    assert_int_equal(store_stats(suite->store).commands, 0);
    assert_false(store_stats(suite->store).refuses);
    assert_false(store_is_broken(suite->store));
}

static void what_was_answered_is_there_after_closing_and_opening(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, FIRST_ID, SEVERAL);
    suite_reopen(suite, (struct store_options){ .must_exist = true });
    assert_int_equal(suite_count(suite, &user_table), SEVERAL);
    for (unsigned i = 0; i < SEVERAL; i++)
        assert_ok(store_exists(suite->session, &user_table, FIRST_ID + i));
}

static void a_store_that_must_exist_is_not_made(void **state) {
    struct suite empty = { .directory = "/tmp/roster-store-XXXXXX" };
    int exit_code = 0;
    (void)state;
    assert_non_null(mkdtemp(empty.directory));
    assert_null(open_again(&empty, (struct store_options){ .must_exist = true }, &exit_code));
    assert_int_equal(exit_code, EX_NOINPUT);
    assert_null(open_again(&empty, (struct store_options){ .must_exist = true }, &exit_code));
    assert_int_equal(exit_code, EX_NOINPUT); /* nothing was left there */
    assert_int_equal(suite_remove(&empty), 0);
}

static void a_folder_in_use_is_not_opened_a_second_time(void **state) {
    int exit_code = 0;
    if (suite_is_on_postgres())
        skip(); /* several stores may use one database */
    assert_null(open_again(*state, (struct store_options){ 0 }, &exit_code));
    assert_int_equal(exit_code, EX_TEMPFAIL);
}

static void a_folder_that_is_not_there_is_not_made(void **state) {
    struct suite missing = { .directory = "/tmp/roster-store-that-is-not-there" };
    int exit_code = 0;
    (void)state;
    if (suite_is_on_postgres())
        skip(); /* its data are in no folder */
    assert_null(open_again(&missing, (struct store_options){ 0 }, &exit_code));
    assert_int_equal(exit_code, EX_CANTCREAT);
}

static void a_url_of_no_engine_is_refused_and_not_repeated(void **state) {
    const struct store_options options = { .url = "other://user:secret@host/roster" };
    char why[256];
    int exit_code = 0;
    (void)state;
    assert_null(store_open(&options, why, sizeof why, &exit_code));
    assert_int_equal(exit_code, EX_CONFIG);
    assert_non_null(strstr(why, STORE_POSTGRESQL));
    assert_null(strstr(why, "secret"));
}

static void closing_takes_null(void **state) {
    (void)state;
    store_close(NULL);
    store_session_close(NULL);
}

/* ---- one after the other ---- */

struct noted {
    struct store_command command;
    struct suite *suite;
    int64_t id;
    enum status conduct; /* what it answers, once it wrote if that is OK or INTERNAL */
    unsigned runs, dones;
    bool overlaps; /* another one was running */
    bool is_seen;  /* in `done`, by a reader's session */
    sem_t finished;
};

static atomic_int inside;

static enum status run_noted(struct store_tx *tx, struct store_command *command) {
    struct noted *noted = container_of(command, struct noted, command);
    struct arena arena = { 0 };
    struct record role = record_new(&role_table, &arena);
    enum status status = role.values ? STATUS_OK : STATUS_INTERNAL;
    noted->runs++;
    noted->overlaps |= atomic_fetch_add(&inside, 1) != 0;
    if (status == STATUS_OK && (noted->conduct == STATUS_OK || noted->conduct == STATUS_INTERNAL)) {
        role.version = 1;
        role.values[ROLE_Id] = value_integer(noted->id);
        role.values[ROLE_Name] = value_text(TEXT("noted"));
        status = store_insert(tx, &role, &suite_author);
    }
    arena_close(&arena);
    (void)atomic_fetch_sub(&inside, 1);
    return status == STATUS_OK ? noted->conduct : STATUS_INTERNAL;
}

/* The session is nobody else's meanwhile: the test waits. */
static void finish_noted(struct store_command *command) {
    struct noted *noted = container_of(command, struct noted, command);
    noted->dones++;
    noted->is_seen = store_exists(noted->suite->session, &role_table, noted->id) == STATUS_OK;
    suite_post(&noted->finished);
}

static void prepare_noted(struct suite *suite, struct noted *noted, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        noted[i] = (struct noted){
            .command = { .on_behalf_of = &store_nobody, .run = run_noted, .done = finish_noted },
            .suite = suite,
            .id = 1 + i,
        };
        assert_int_equal(sem_init(&noted[i].finished, 0, 0), 0);
    }
}

/* All of them wait before the first one is run. */
static void run_together(struct suite *suite, struct noted *noted, unsigned count) {
    (void)suite_write(suite);
    for (unsigned i = 0; i < count; i++)
        assert_ok(store_submit(suite->store, &noted[i].command));
    assert_ok(suite_commit(suite));
    for (unsigned i = 0; i < count; i++) {
        suite_wait(&noted[i].finished);
        assert_int_equal(noted[i].dones, 1);
        (void)sem_destroy(&noted[i].finished);
    }
}

static void commands_run_one_after_the_other(void **state) {
    struct suite *suite = *state;
    struct noted noted[SEVERAL];
    prepare_noted(suite, noted, SEVERAL);
    run_together(suite, noted, SEVERAL);
    for (unsigned i = 0; i < SEVERAL; i++) {
        assert_ok(noted[i].command.status);
        assert_int_equal(noted[i].runs, 1);
        assert_false(noted[i].overlaps);
    }
}

static void what_a_command_wrote_is_seen_when_it_is_done(void **state) {
    struct suite *suite = *state;
    struct noted noted[SEVERAL];
    prepare_noted(suite, noted, SEVERAL);
    noted[1].conduct = STATUS_INTERNAL;
    noted[2].conduct = STATUS_CONFLICT;
    run_together(suite, noted, SEVERAL);
    for (unsigned i = 0; i < SEVERAL; i++)
        assert_int_equal(noted[i].is_seen, noted[i].conduct == STATUS_OK);
}

static void a_command_that_fails_leaves_nothing_and_takes_nobody_with_it(void **state) {
    struct suite *suite = *state;
    for (unsigned failing = 0; failing < SEVERAL; failing++) {
        struct noted noted[SEVERAL];
        prepare_noted(suite, noted, SEVERAL);
        for (unsigned i = 0; i < SEVERAL; i++)
            noted[i].id = 1 + failing * SEVERAL + i;
        noted[failing].conduct = STATUS_INTERNAL;
        run_together(suite, noted, SEVERAL);
        for (unsigned i = 0; i < SEVERAL; i++) {
            assert_int_equal(noted[i].command.status, i == failing ? STATUS_INTERNAL : STATUS_OK);
            assert_int_equal(store_exists(suite->session, &role_table, noted[i].id),
                             i == failing ? STATUS_NOT_FOUND : STATUS_OK);
        }
        assert_int_equal(suite_count(suite, &role_table), (failing + 1) * (SEVERAL - 1));
    }
}

static void a_command_that_refuses_is_told_so_and_the_others_are_kept(void **state) {
    static const enum status refusals[] = { STATUS_PRECONDITION_FAILED, STATUS_CONFLICT,
                                            STATUS_NOT_FOUND,           STATUS_FORBIDDEN,
                                            STATUS_BAD_INPUT,           STATUS_UNAUTHENTICATED };
    struct suite *suite = *state;
    struct noted noted[SEVERAL];
    prepare_noted(suite, noted, SEVERAL);
    for (unsigned i = 1; i < SEVERAL; i++)
        noted[i].conduct = refusals[i];
    run_together(suite, noted, SEVERAL);
    for (unsigned i = 0; i < SEVERAL; i++) {
        assert_int_equal(noted[i].command.status, noted[i].conduct);
        assert_int_equal(noted[i].runs, 1);
    }
    assert_int_equal(suite_count(suite, &role_table), 1);
}

static enum status answer_conduct(struct store_tx *tx, struct store_command *command) {
    (void)tx;
    return container_of(command, struct noted, command)->conduct;
}

static void who_submits_and_waits_gets_the_commands_status(void **state) {
    static const enum status all[] = { STATUS_OK, STATUS_PRECONDITION_FAILED, STATUS_INTERNAL,
                                       STATUS_UNAVAILABLE };
    struct suite *suite = *state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct noted noted = {
            .command = { .on_behalf_of = &store_nobody, .run = answer_conduct },
            .conduct = all[i],
        };
        assert_int_equal(store_run(suite->store, &noted.command), all[i]);
    }
}

static void commands_and_commits_are_counted(void **state) {
    struct suite *suite = *state;
    struct noted noted[SEVERAL];
    uint64_t groups = 0;
    prepare_noted(suite, noted, SEVERAL);
    (void)suite_write(suite);
    for (unsigned i = 0; i < SEVERAL; i++)
        assert_ok(store_submit(suite->store, &noted[i].command));
    assert_int_equal(store_stats(suite->store).waiting, SEVERAL);
    assert_ok(suite_commit(suite));
    for (unsigned i = 0; i < SEVERAL; i++)
        suite_wait(&noted[i].finished);
    suite_add_users(suite, FIRST_ID, 1); /* a command is counted before the next one begins */
    struct store_stats stats = store_stats(suite->store);
    for (unsigned i = 0; i < STORE_GROUP_SIZES; i++)
        groups += stats.groups[i];
    assert_int_equal(stats.waiting, 0);
    assert_in_range(stats.commands, SEVERAL + 1, SEVERAL + 2);
    assert_int_equal(stats.grouped, SEVERAL + 2);
    assert_int_equal(groups, stats.commits);
    assert_in_range(stats.commits, 2, SEVERAL + 2);
}

/* ---- on whose behalf ---- */

struct guard {
    struct authority authority;
    int64_t wants; /* the role that must be there */
    unsigned asked;
};

static enum status confirm_role(struct store_session *session, struct authority *authority) {
    struct guard *guard = container_of(authority, struct guard, authority);
    guard->asked++;
    enum status status = store_exists(session, &role_table, guard->wants);
    return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
}

static void who_may_not_any_more_is_refused_and_nothing_is_run(void **state) {
    struct suite *suite = *state;
    struct guard guard = { { confirm_role }, 77, 0 };
    struct noted noted[1];
    prepare_noted(suite, noted, 1);
    noted[0].command.on_behalf_of = &guard.authority;
    run_together(suite, noted, 1);
    assert_int_equal(noted[0].command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(noted[0].runs, 0);
    assert_int_equal(guard.asked, 1);
}

/* The first one makes the role that those behind it must find. */
static void who_may_is_judged_by_what_the_commands_before_did(void **state) {
    struct suite *suite = *state;
    struct guard guard = { { confirm_role }, 1, 0 };
    struct noted noted[3];
    prepare_noted(suite, noted, 3);
    noted[1].command.on_behalf_of = noted[2].command.on_behalf_of = &guard.authority;
    run_together(suite, noted, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_ok(noted[i].command.status);
    assert_int_equal(guard.asked, 2);
}

/* When the first one fails, what it made is not there for the second run either. */
static void who_may_is_asked_again_before_a_second_run(void **state) {
    struct suite *suite = *state;
    struct guard guard = { { confirm_role }, 1, 0 };
    struct noted noted[3];
    prepare_noted(suite, noted, 3);
    noted[0].conduct = STATUS_INTERNAL;
    noted[1].command.on_behalf_of = noted[2].command.on_behalf_of = &guard.authority;
    run_together(suite, noted, 3);
    assert_int_equal(noted[1].command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(noted[2].command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(suite_count(suite, &role_table), 0);
}

/* ---- what only reads ---- */

struct reading {
    struct store_command command;
    struct suite *suite;
    sem_t holds, opened, finished;
    enum status (*search)(struct reading *, struct store_session *);
    pthread_t ran_on;
};

static enum status run_reading(struct store_session *session, struct store_command *command) {
    struct reading *reading = container_of(command, struct reading, command);
    reading->ran_on = pthread_self();
    suite_post(&reading->holds);
    suite_wait(&reading->opened);
    return reading->search(reading, session);
}

static void finish_reading(struct store_command *command) {
    suite_post(&container_of(command, struct reading, command)->finished);
}

static void prepare_reading(struct suite *suite, struct reading *reading,
                            enum status (*search)(struct reading *, struct store_session *)) {
    *reading = (struct reading){
        .command = { .on_behalf_of = &store_nobody, .read = run_reading, .done = finish_reading },
        .suite = suite,
        .search = search,
    };
    assert_int_equal(sem_init(&reading->holds, 0, 0), 0);
    assert_int_equal(sem_init(&reading->opened, 0, 0), 0);
    assert_int_equal(sem_init(&reading->finished, 0, 0), 0);
}

static enum status find_first(struct reading *reading, struct store_session *session) {
    (void)reading;
    return store_exists(session, &user_table, FIRST_ID);
}

/* No index helps with the condition, and nobody fulfils it. */
static enum status search_all(struct store_session *session) {
    struct filter filter = { .table = &user_table,
                             .field = USER_SystemId,
                             .match = MATCH_equal,
                             .value = value_text(TEXT("nobody's")) };
    struct search search = suite_all(&user_table);
    struct arena arena = { 0 };
    struct buffer json;
    search.filters = &filter;
    buffer_init(&json, &arena, 0);
    enum status status = store_search(session, &search, &(struct search_result){ .json = &json });
    arena_close(&arena);
    return status;
}

static enum status search_once(struct reading *reading, struct store_session *session) {
    (void)reading;
    return search_all(session);
}

/* As often as takes far longer than the limit on any machine. */
static enum status search_on(struct reading *reading, struct store_session *session) {
    enum { MOST = 10000 };
    enum status status = STATUS_OK;
    (void)reading;
    for (int i = 0; status == STATUS_OK && i < MOST; i++)
        status = search_all(session);
    return status;
}

static void a_reading_runs_on_a_thread_of_the_store_and_sees_what_was_answered(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    suite_add_users(suite, FIRST_ID, 1);
    prepare_reading(suite, &reading, find_first);
    suite_post(&reading.opened);
    assert_ok(store_read(suite->store, &reading.command));
    suite_wait(&reading.finished);
    assert_ok(reading.command.status);
    assert_false(pthread_equal(reading.ran_on, pthread_self()));
}

static void a_reading_waits_for_nobody_who_writes(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    suite_add_users(suite, FIRST_ID, 1);
    prepare_reading(suite, &reading, search_once);
    suite_post(&reading.opened);
    (void)suite_write(suite);
    assert_ok(store_read(suite->store, &reading.command));
    suite_wait(&reading.finished);
    assert_ok(reading.command.status);
    assert_ok(suite_commit(suite));
}

static void who_may_not_read_any_more_is_refused(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    struct guard guard = { { confirm_role }, 77, 0 };
    prepare_reading(suite, &reading, find_first);
    reading.command.on_behalf_of = &guard.authority;
    suite_post(&reading.opened); /* should it run all the same */
    assert_ok(store_read(suite->store, &reading.command));
    suite_wait(&reading.finished);
    assert_int_equal(reading.command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(guard.asked, 1);
}

/* The outcome that the store returns at once, or later: then, and only then, it says so. */
static enum status ask(struct suite *suite, struct reading *reading) {
    int finished = 0;
    suite_post(&reading->opened);
    enum status status = store_ask(suite->session, &reading->command);
    if (status == STATUS_PENDING) {
        suite_wait(&reading->finished);
        status = reading->command.status;
    }
    assert_int_equal(sem_getvalue(&reading->finished, &finished), 0);
    assert_int_equal(finished, 0);
    return status;
}

static unsigned runs_of(struct reading *reading) {
    int runs = 0;
    assert_int_equal(sem_getvalue(&reading->holds, &runs), 0);
    return (unsigned)runs;
}

static void a_question_has_one_answer_of_what_was_committed(void **state) {
    struct suite *suite = *state;
    struct reading before, after;
    prepare_reading(suite, &before, find_first);
    assert_int_equal(ask(suite, &before), STATUS_NOT_FOUND);
    suite_add_users(suite, FIRST_ID, 1);
    prepare_reading(suite, &after, find_first);
    assert_ok(ask(suite, &after));
    assert_int_equal(runs_of(&before), 1);
    assert_int_equal(runs_of(&after), 1);
}

static void a_question_waits_for_nobody_who_writes(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    suite_add_users(suite, FIRST_ID, 1);
    prepare_reading(suite, &reading, find_first);
    (void)suite_write(suite);
    assert_ok(ask(suite, &reading));
    assert_ok(suite_commit(suite));
}

static void who_may_not_ask_any_more_is_refused_and_nothing_is_run(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    struct guard guard = { { confirm_role }, 77, 0 };
    suite_add_users(suite, FIRST_ID, 1);
    prepare_reading(suite, &reading, find_first);
    reading.command.on_behalf_of = &guard.authority;
    assert_int_equal(ask(suite, &reading), STATUS_UNAUTHENTICATED);
    assert_int_equal(guard.asked, 1);
    assert_int_equal(runs_of(&reading), 0);
}

/* Finds the first user, and deletes the role 77 before it returns. */
static enum status find_while_a_role_goes(struct reading *reading, struct store_session *session) {
    enum status status = find_first(reading, session);
    const struct record role = suite_load(reading->suite, &role_table, 77);
    assert_ok(suite_delete(reading->suite, &role));
    return status;
}

static void who_may_not_ask_any_more_once_it_was_read_is_refused(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    struct guard guard = { { confirm_role }, 77, 0 };
    const struct record role = suite_record(suite, &role_table, 77);
    suite_add_users(suite, FIRST_ID, 1);
    assert_ok(suite_insert(suite, &role));
    prepare_reading(suite, &reading, find_while_a_role_goes);
    reading.command.on_behalf_of = &guard.authority;
    assert_int_equal(ask(suite, &reading), STATUS_UNAUTHENTICATED);
    assert_int_equal(guard.asked, 2);
    assert_int_equal(runs_of(&reading), 1);
}

/* However many threads read: some searches are accepted, the rest is refused as TOO_MANY, and all
 * that were accepted are answered. */
static void when_too_many_readings_wait_the_next_one_is_told_so(void **state) {
    enum { MOST = 1000 };
    struct suite *suite = *state;
    struct reading *readings = calloc(MOST, sizeof *readings);
    enum status status = STATUS_OK;
    unsigned accepted = 0;
    assert_non_null(readings);
    suite_add_users(suite, FIRST_ID, 1);
    for (; status == STATUS_OK && accepted < MOST; accepted += status == STATUS_OK) {
        prepare_reading(suite, &readings[accepted], find_first);
        status = store_read(suite->store, &readings[accepted].command);
    }
    uint64_t waiting = store_stats(suite->store).reads_waiting;
    for (unsigned i = 0; i < accepted; i++)
        suite_post(&readings[i].opened);
    for (unsigned i = 0; i < accepted; i++) {
        suite_wait(&readings[i].finished);
        assert_ok(readings[i].command.status);
    }
    assert_int_equal(status, STATUS_TOO_MANY);
    assert_in_range(waiting, 1, accepted);
    free(readings);
}

static void a_reading_past_the_time_limit_ends_as_too_slow(void **state) {
    struct suite *suite = *state;
    struct reading reading;
    suite_reopen(suite, (struct store_options){ .search_limit_ms = 1 });
    suite_add_users(suite, FIRST_ID, 500);
    prepare_reading(suite, &reading, search_on);
    suite_post(&reading.opened);
    assert_ok(store_read(suite->store, &reading.command));
    suite_wait(&reading.finished);
    assert_int_equal(reading.command.status, STATUS_TOO_SLOW);
    assert_ok(search_all(suite->session)); /* a session of store_session_open has no limit */
}

static void once_reading_is_to_end_it_does_and_no_more_is_taken(void **state) {
    struct suite *suite = *state;
    struct reading running, late;
    suite_add_users(suite, FIRST_ID, 500);
    prepare_reading(suite, &running, search_once);
    prepare_reading(suite, &late, search_once);
    assert_ok(store_read(suite->store, &running.command));
    suite_wait(&running.holds);
    store_end_reading(suite->store);
    suite_post(&running.opened);
    suite_wait(&running.finished);
    assert_int_equal(running.command.status, STATUS_UNAVAILABLE);
    assert_int_equal(store_read(suite->store, &late.command), STATUS_UNAVAILABLE);
}

/* ---- sessions ---- */

static void a_view_sees_nothing_that_was_not_kept(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_insert(tx, &user, &suite_author));
    assert_ok(store_exists(tx->session, &user_table, FIRST_ID)); /* its own transaction does */
    assert_int_equal(store_exists(suite->session, &user_table, FIRST_ID), STATUS_NOT_FOUND);
    assert_int_equal(suite_count(suite, &user_table), 0);
    suite_roll_back(suite);
    assert_int_equal(store_exists(suite->session, &user_table, FIRST_ID), STATUS_NOT_FOUND);
}

static void every_view_sees_what_was_answered_before(void **state) {
    enum { SESSIONS = 4 };
    struct suite *suite = *state;
    struct store_session *sessions[SESSIONS];
    for (unsigned i = 0; i < SESSIONS; i++)
        assert_non_null(sessions[i] = store_session_open(suite->store));
    for (unsigned round = 0; round < SEVERAL; round++) {
        suite_add_users(suite, FIRST_ID + round, 1);
        for (unsigned i = 0; i < SESSIONS; i++) {
            int64_t count = 0;
            assert_ok(store_exists(sessions[i], &user_table, FIRST_ID + round));
            assert_ok(store_count(sessions[i], &user_table, &count));
            assert_int_equal(count, round + 1);
        }
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        store_session_close(sessions[i]);
}

static void readings_of_views_are_counted(void **state) {
    struct suite *suite = *state;
    struct store_session *other = store_session_open(suite->store);
    assert_non_null(other);
    uint64_t before = store_stats(suite->store).readings;
    assert_int_equal(store_exists(suite->session, &user_table, 1), STATUS_NOT_FOUND);
    assert_int_equal(store_exists(other, &user_table, 1), STATUS_NOT_FOUND);
    store_session_close(other);
    assert_int_equal(store_stats(suite->store).readings, before + 2);
}

/* Users come in pairs: a page and its total are of one snapshot, so both are even. */
struct pairs {
    struct suite *suite;
    pthread_barrier_t start;
    int64_t last; /* seen */
    char wrong[96];
};

enum { PAIRS = 60 };

static void *watch_pairs(void *argument) {
    struct pairs *pairs = argument;
    struct store_session *session = store_session_open(pairs->suite->store);
    (void)pthread_barrier_wait(&pairs->start);
    while (session && pairs->last < 2 * PAIRS && !*pairs->wrong) {
        struct search all = suite_all(&user_table);
        struct arena arena = { 0 };
        struct buffer json;
        buffer_init(&json, &arena, 0);
        struct search_result found = { .json = &json };
        if (store_search(session, &all, &found) != STATUS_OK ||
            found.total != (int64_t)found.count || found.total % 2 || found.total < pairs->last)
            (void)snprintf(pairs->wrong, sizeof pairs->wrong, "%lld after %lld, and %zu",
                           (long long)found.total, (long long)pairs->last, found.count);
        pairs->last = found.total;
        arena_close(&arena);
    }
    store_session_close(session);
    return NULL;
}

static void a_page_and_its_total_are_of_one_moment_while_others_write(void **state) {
    enum { WATCHERS = 2 };
    struct suite *suite = *state;
    struct pairs pairs[WATCHERS] = { 0 };
    pthread_t threads[WATCHERS];
    for (unsigned i = 0; i < WATCHERS; i++) {
        pairs[i].suite = suite;
        assert_int_equal(pthread_barrier_init(&pairs[i].start, NULL, 2), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, watch_pairs, &pairs[i]), 0);
    }
    for (unsigned i = 0; i < WATCHERS; i++)
        (void)pthread_barrier_wait(&pairs[i].start);
    for (unsigned i = 0; i < PAIRS; i++)
        suite_add_users(suite, FIRST_ID + i * 2, 2);
    for (unsigned i = 0; i < WATCHERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        (void)pthread_barrier_destroy(&pairs[i].start);
        assert_string_equal(pairs[i].wrong, "");
        assert_int_equal(pairs[i].last, 2 * PAIRS);
    }
}

/* ---- closing ---- */

struct closing {
    struct store *store;
    pthread_barrier_t begins;
};

static void *close_store(void *argument) {
    struct closing *closing = argument;
    (void)pthread_barrier_wait(&closing->begins);
    store_close(closing->store);
    return NULL;
}

/* A command that does nothing, and those that were accepted before it. */
struct numbered {
    struct store_command command;
    struct numbered *before;
    unsigned dones;
};

struct accepted {
    struct numbered *last;
    unsigned count;
};

static enum status do_nothing(struct store_tx *tx, struct store_command *command) {
    (void)tx;
    (void)command;
    return STATUS_OK;
}

static void count_done(struct store_command *command) {
    container_of(command, struct numbered, command)->dones++;
}

static enum status submit_another(struct suite *suite, struct accepted *all) {
    struct numbered *one = arena_calloc(&suite->arena, 1, sizeof *one);
    assert_non_null(one);
    one->command = (struct store_command){ .on_behalf_of = &store_nobody,
                                           .run = do_nothing,
                                           .done = count_done };
    enum status status = store_submit(suite->store, &one->command);
    if (status != STATUS_OK)
        return status;
    one->before = all->last;
    all->last = one;
    all->count++;
    return status;
}

/* An open transaction has the closing wait until new commands are refused. */
static void closing_finishes_what_waits_and_takes_no_more(void **state) {
    struct suite *suite = *state;
    struct closing closing = { .store = suite->store };
    struct accepted all = { 0 };
    pthread_t closer;
    enum status status = STATUS_OK;
    assert_int_equal(pthread_barrier_init(&closing.begins, NULL, 2), 0);
    store_session_close(suite->session);
    suite->session = NULL;
    (void)suite_write(suite);
    for (unsigned i = 0; i < SEVERAL; i++)
        assert_ok(submit_another(suite, &all));
    assert_int_equal(pthread_create(&closer, NULL, close_store, &closing), 0);
    (void)pthread_barrier_wait(&closing.begins);
    while ((status = submit_another(suite, &all)) == STATUS_OK)
        (void)sched_yield();
    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_ok(suite_commit(suite));
    assert_int_equal(pthread_join(closer, NULL), 0);
    suite->store = NULL;
    (void)pthread_barrier_destroy(&closing.begins);
    unsigned done = 0;
    for (const struct numbered *one = all.last; one; one = one->before) {
        assert_int_equal(one->dones, 1);
        done++;
    }
    assert_int_equal(done, all.count);
}

/* ---- the key of the sealed fields ---- */

static struct seal_key *key_of(struct suite *suite, const char *name) {
    char path[128], why[256] = "";
    (void)snprintf(path, sizeof path, "%s/%s.key", suite->directory, name);
    struct seal_key *key = seal_key_open(path, true, why, sizeof why);
    assert_string_equal(why, key ? why : "a key");
    return key;
}

static void a_store_knows_the_first_key_that_it_is_told_of_and_no_other(void **state) {
    struct suite *suite = *state;
    struct seal_key *first = key_of(suite, "first"), *second = key_of(suite, "second");
    bool had_key = true;
    assert_ok(store_had_key(suite->store, &had_key));
    assert_false(had_key);
    assert_ok(store_claim_key(suite->store, first));
    assert_ok(store_had_key(suite->store, &had_key));
    assert_true(had_key);
    assert_int_equal(store_claim_key(suite->store, second), STATUS_FORBIDDEN);
    suite_reopen(suite, (struct store_options){ 0 });
    assert_ok(store_claim_key(suite->store, first));
    assert_int_equal(store_claim_key(suite->store, second), STATUS_FORBIDDEN);
    seal_key_free(first);
    seal_key_free(second);
}

static void a_key_is_claimed_by_what_it_opens(void **state) {
    struct suite *suite = *state;
    struct seal_key *first = key_of(suite, "first"), *second = key_of(suite, "second");
    struct record webhook = suite_record(suite, &web_hook_table, 5);
    struct text place = seal_place(&web_hook_table, 5, WEB_HOOK_SharedSecret, &suite->arena);
    webhook.values[WEB_HOOK_SharedSecret] =
        value_text(seal(first, TEXT("secret"), place, &suite->arena));
    assert_ok(suite_insert(suite, &webhook));
    assert_int_equal(store_claim_key(suite->store, second), STATUS_FORBIDDEN);
    assert_ok(store_claim_key(suite->store, first));
    assert_ok(suite_delete(suite, &webhook));
    assert_int_equal(store_claim_key(suite->store, second), STATUS_FORBIDDEN);
    seal_key_free(first);
    seal_key_free(second);
}

static struct text shared_secret(struct suite *suite, const struct seal_key *key, int64_t id) {
    struct record webhook = suite_load(suite, &web_hook_table, id);
    struct text place = seal_place(&web_hook_table, id, WEB_HOOK_SharedSecret, &suite->arena);
    return unseal(key, value_as_text(&webhook.values[WEB_HOOK_SharedSecret]), place, &suite->arena);
}

/* More rows than are read at a time. */
enum { SEALED_ROWS = 300 };

static void add_sealed(struct suite *suite, const struct seal_key *key) {
    for (int64_t id = 1; id <= SEALED_ROWS; id++) {
        struct record webhook = suite_record(suite, &web_hook_table, id);
        struct text place = seal_place(&web_hook_table, id, WEB_HOOK_SharedSecret, &suite->arena);
        webhook.values[WEB_HOOK_SharedSecret] = value_text(
            seal(key, arena_printf(&suite->arena, "secret %d", (int)id), place, &suite->arena));
        assert_ok(suite_insert(suite, &webhook));
    }
}

static void another_key_seals_every_value_and_is_the_databases_from_then_on(void **state) {
    struct suite *suite = *state;
    struct seal_key *first = key_of(suite, "first"), *second = key_of(suite, "second");
    struct key_change change = { 0 };
    assert_ok(store_claim_key(suite->store, first));
    add_sealed(suite, first);
    assert_ok(store_change_key(suite->store, first, second, &change));
    assert_int_equal(change.sealed, SEALED_ROWS);
    assert_null(change.table);
    assert_ok(store_claim_key(suite->store, second));
    assert_int_equal(store_claim_key(suite->store, first), STATUS_FORBIDDEN);
    for (int64_t id = 1; id <= SEALED_ROWS; id++) {
        assert_null(shared_secret(suite, first, id).at);
        assert_text(shared_secret(suite, second, id),
                    arena_printf(&suite->arena, "secret %d", (int)id));
    }
    seal_key_free(first);
    seal_key_free(second);
}

static void a_value_that_the_key_does_not_open_keeps_all_as_it_is(void **state) {
    struct suite *suite = *state;
    struct seal_key *first = key_of(suite, "first"), *second = key_of(suite, "second");
    struct key_change change = { 0 };
    assert_ok(store_claim_key(suite->store, first));
    add_sealed(suite, first);
    struct record moved = suite_record(suite, &web_hook_table, SEALED_ROWS + 1);
    moved.values[WEB_HOOK_SharedSecret] =
        suite_load(suite, &web_hook_table, 1).values[WEB_HOOK_SharedSecret];
    assert_ok(suite_insert(suite, &moved));
    assert_int_equal(store_change_key(suite->store, first, second, &change), STATUS_FORBIDDEN);
    assert_ptr_equal(change.table, &web_hook_table);
    assert_int_equal(change.id, SEALED_ROWS + 1);
    assert_int_equal(change.field, WEB_HOOK_SharedSecret);
    assert_ok(store_claim_key(suite->store, first));
    assert_text(shared_secret(suite, first, 1), TEXT("secret 1"));
    assert_text(shared_secret(suite, first, SEALED_ROWS),
                arena_printf(&suite->arena, "secret %d", SEALED_ROWS));
    seal_key_free(first);
    seal_key_free(second);
}

static void room_is_there_when_none_was_refused(void **state) {
    struct suite *suite = *state;
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_try_room(tx));
    assert_ok(suite_commit(suite));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_new_store_is_empty),
        suite_test(what_was_answered_is_there_after_closing_and_opening),
        cmocka_unit_test(a_store_that_must_exist_is_not_made),
        suite_test(a_folder_in_use_is_not_opened_a_second_time),
        cmocka_unit_test(a_folder_that_is_not_there_is_not_made),
        cmocka_unit_test(a_url_of_no_engine_is_refused_and_not_repeated),
        cmocka_unit_test(closing_takes_null),
        suite_test(commands_run_one_after_the_other),
        suite_test(what_a_command_wrote_is_seen_when_it_is_done),
        suite_test(a_command_that_fails_leaves_nothing_and_takes_nobody_with_it),
        suite_test(a_command_that_refuses_is_told_so_and_the_others_are_kept),
        suite_test(who_submits_and_waits_gets_the_commands_status),
        suite_test(commands_and_commits_are_counted),
        suite_test(who_may_not_any_more_is_refused_and_nothing_is_run),
        suite_test(who_may_is_judged_by_what_the_commands_before_did),
        suite_test(who_may_is_asked_again_before_a_second_run),
        suite_test(a_reading_runs_on_a_thread_of_the_store_and_sees_what_was_answered),
        suite_test(a_reading_waits_for_nobody_who_writes),
        suite_test(who_may_not_read_any_more_is_refused),
        suite_test(a_question_has_one_answer_of_what_was_committed),
        suite_test(a_question_waits_for_nobody_who_writes),
        suite_test(who_may_not_ask_any_more_is_refused_and_nothing_is_run),
        suite_test(who_may_not_ask_any_more_once_it_was_read_is_refused),
        suite_test(when_too_many_readings_wait_the_next_one_is_told_so),
        suite_test(a_reading_past_the_time_limit_ends_as_too_slow),
        suite_test(once_reading_is_to_end_it_does_and_no_more_is_taken),
        suite_test(a_view_sees_nothing_that_was_not_kept),
        suite_test(every_view_sees_what_was_answered_before),
        suite_test(readings_of_views_are_counted),
        suite_test(a_page_and_its_total_are_of_one_moment_while_others_write),
        suite_test(closing_finishes_what_waits_and_takes_no_more),
        suite_test(a_store_knows_the_first_key_that_it_is_told_of_and_no_other),
        suite_test(a_key_is_claimed_by_what_it_opens),
        suite_test(another_key_seals_every_value_and_is_the_databases_from_then_on),
        suite_test(a_value_that_the_key_does_not_open_keeps_all_as_it_is),
        suite_test(room_is_there_when_none_was_refused),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

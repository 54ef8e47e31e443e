/* Decisions of several commands at once on records and links: each is made on what the ones before
 * it left, so one wins, and the others see that it did. Each test is a decision of some command of
 * the server. The last one is about a question. */
#include "suite.h"

#include "base/container_of.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- versions ---- */

/* The version is that of the page on which the client decided. */
static enum status update_as_seen(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    struct arena arena = { 0 };
    struct record after = race_next(racer->of, &arena);
    enum status status = STATUS_INTERNAL;
    if (after.values) {
        after.values[USER_LastHelpVisited] = value_integer(racer->number);
        status = store_update(tx, racer->of, &after, &suite_author);
    }
    arena_close(&arena);
    return status;
}

static enum status delete_as_seen(struct store_tx *tx, struct store_command *command) {
    return store_delete(tx, container_of(command, struct racer, command)->of, &suite_author);
}

static void of_many_updates_of_one_version_one_is_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record seen = suite_load(suite, &user_table, RACE_USER);
        race_prepare(racers, RACERS, update_as_seen, &seen);
        race_for_one(suite, round, racers, STATUS_PRECONDITION_FAILED);
        struct record kept = suite_load(suite, &user_table, RACE_USER);
        assert_int_equal(kept.version, seen.version + 1);
        assert_int_equal(kept.values[USER_LastHelpVisited].integer, race_winner(racers)->number);
    }
}

static void an_update_and_a_deletion_of_one_version_do_not_both_happen(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record seen = suite_user(suite, RACE_USER + round);
        assert_ok(suite_insert(suite, &seen));
        race_prepare(racers, RACERS, update_as_seen, &seen);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = delete_as_seen;
        race_for_one(suite, round, racers, STATUS_PRECONDITION_FAILED);
        bool is_deleted = race_winner(racers)->command.run == delete_as_seen;
        assert_int_equal(store_exists(suite->session, &user_table, RACE_USER + round),
                         is_deleted ? STATUS_NOT_FOUND : STATUS_OK);
    }
}

static void updates_of_what_each_command_loads_are_all_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, race_count_up, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        struct record user = suite_load(suite, &user_table, RACE_USER);
        assert_int_equal(user.values[USER_LastHelpVisited].integer, (round + 1) * RACERS);
        assert_int_equal(user.version, 1 + (round + 1) * RACERS);
    }
}

/* ---- new records ---- */

/* A user with an Id that the store gives, and an address; `at` NULL: one of his own. */
static enum status insert_new(struct store_tx *tx, struct racer *racer, const struct record *like,
                              struct text address) {
    struct arena arena = { 0 };
    struct record user = race_next(like, &arena);
    enum status status = user.values ? store_new_id(tx, &user_table, &racer->id) : STATUS_INTERNAL;
    if (status == STATUS_OK && !address.at)
        address = arena_printf(&arena, "new%lld@example.com", (long long)racer->id);
    if (status == STATUS_OK) {
        user.version = 1;
        user.values[USER_Id] = value_integer(racer->id);
        user.values[USER_Email] = user.values[USER_EmailKey] = value_text(address);
        status = store_insert(tx, &user, &suite_author);
    }
    arena_close(&arena);
    return status;
}

static enum status insert_one(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    return insert_new(tx, racer, racer->of, (struct text){ 0 });
}

static void new_records_get_different_ids(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    struct record like = suite_user(suite, RACE_USER);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, insert_one, &like);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            assert_ok(store_exists(suite->session, &user_table, racers[i].id));
        assert_int_equal(suite_count(suite, &user_table), (round + 1) * RACERS);
    }
}

struct wanted_address {
    struct text email;
    struct record like;
};

/* The user who has an address keeps it: the others are refused (check_email). */
static enum status take_address(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    const struct wanted_address *wanted = racer->of;
    int64_t owner;
    enum status status = store_find_user(tx->session, wanted->email, &owner);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? STATUS_CONFLICT : status;
    return insert_new(tx, racer, &wanted->like, wanted->email);
}

static void of_many_new_users_with_one_address_one_is_made(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t owner;
        struct wanted_address wanted = {
            arena_printf(&suite->arena, "wanted%u@example.com", round),
            suite_user(suite, RACE_USER),
        };
        race_prepare(racers, RACERS, take_address, &wanted);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_find_user(suite->session, wanted.email, &owner));
        assert_int_equal(owner, race_winner(racers)->id);
        assert_int_equal(suite_count(suite, &user_table), round + 1);
    }
}

static void set_address(struct record *user, const struct racer *racer, struct arena *arena) {
    const struct wanted_address *wanted = racer->of;
    (void)arena;
    user->values[USER_Email] = user->values[USER_EmailKey] = value_text(wanted->email);
}

static enum status move_to_address(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    const struct wanted_address *wanted = racer->of;
    int64_t owner;
    enum status status = store_find_user(tx->session, wanted->email, &owner);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? STATUS_CONFLICT : status;
    return race_rewrite(tx, &user_table, RACE_USER + racer->number, set_address, racer);
}

static void of_many_users_who_move_to_one_address_one_gets_it(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct wanted_address wanted = { arena_printf(&suite->arena, "wanted%u@example.com", round),
                                         suite_user(suite, RACE_USER) };
        int64_t owner;
        race_prepare(racers, RACERS, move_to_address, &wanted);
        racers[0].command.run = take_address; /* and one who is new */
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_find_user(suite->session, wanted.email, &owner));
    }
}

/* The first data of an empty database. */
static enum status insert_first(struct store_tx *tx, struct store_command *command) {
    int64_t users = 0;
    enum status status = store_count(tx->session, &user_table, &users);
    if (status == STATUS_OK && users)
        return STATUS_CONFLICT;
    return status == STATUS_OK ? insert_one(tx, command) : status;
}

static void of_many_who_fill_an_empty_database_one_does(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    struct record like = suite_user(suite, RACE_USER);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, insert_first, &like);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        struct record user = suite_load(suite, &user_table, race_winner(racers)->id);
        assert_ok(suite_delete(suite, &user));
    }
}

/* ---- administrators ---- */

static void demote(struct record *user, const struct racer *racer, struct arena *arena) {
    (void)racer;
    (void)arena;
    user->values[USER_IsAdmin] = value_integer(0);
}

/* The last administrator stays one. */
static enum status demote_one(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    enum status status = store_other_administrator(tx->session, RACE_USER + racer->number);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
    return race_rewrite(tx, &user_table, RACE_USER + racer->number, demote, racer);
}

static enum status delete_one(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    struct arena arena = { 0 };
    struct record user;
    enum status status = store_other_administrator(tx->session, RACE_USER + racer->number);
    if (status == STATUS_OK)
        status = store_load(tx->session, &user_table, RACE_USER + racer->number, &arena, &user);
    else if (status == STATUS_NOT_FOUND)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_delete(tx, &user, &suite_author);
    arena_close(&arena);
    return status;
}

static void add_administrators(struct suite *suite, unsigned count) {
    struct store_tx *tx = suite_write(suite);
    for (unsigned i = 0; i < count; i++) {
        struct record user = suite_user(suite, RACE_USER + i), old;
        user.values[USER_IsAdmin] = value_integer(1);
        if (store_load(tx->session, &user_table, RACE_USER + i, &suite->arena, &old) == STATUS_OK)
            assert_ok(store_delete(tx, &old, &suite_author));
        assert_ok(store_insert(tx, &user, &suite_author));
    }
    assert_ok(suite_commit(suite));
}

static void administrators_who_demote_or_delete_each_other_leave_one(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        add_administrators(suite, RACERS);
        race_prepare(racers, RACERS, demote_one, NULL);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = delete_one;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS - 1);
        assert_int_equal(race_count(racers, RACERS, STATUS_CONFLICT), 1);
        for (unsigned i = 0; i < RACERS; i++)
            if (racers[i].command.status == STATUS_CONFLICT)
                assert_int_equal(store_other_administrator(suite->session, RACE_USER + i),
                                 STATUS_NOT_FOUND);
        assert_ok(store_other_administrator(suite->session, 0));
    }
}

/* ---- links ---- */

enum { TARGET_ID = 50 };

static void add_link(struct record *user, const struct racer *racer, struct arena *arena) {
    int64_t target = *(const int64_t *)racer->of;
    struct value links = ids_from_stored(&user->values[USER_UserRoles], arena), more;
    int64_t *ids = arena_calloc(arena, (size_t)links.len + 1, sizeof *ids);
    if (!ids)
        return;
    if (links.len)
        memcpy(ids, links.ids, links.len * sizeof *ids);
    ids[links.len] = target;
    more = value_ids(ids, (size_t)links.len + 1);
    user->values[USER_UserRoles] = ids_to_stored(&more, arena);
}

/* The target of a link must exist. */
static enum status link_to_role(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    enum status status = store_exists(tx->session, &user_role_table, *(const int64_t *)racer->of);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
    return race_rewrite(tx, &user_table, RACE_USER + racer->number, add_link, racer);
}

/* And what is pointed to stays. */
static enum status delete_role(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    struct arena arena = { 0 };
    struct record role;
    struct referrers referrers = { 0 };
    enum status status =
        store_load(tx->session, &user_role_table, *(const int64_t *)racer->of, &arena, &role);
    if (status == STATUS_OK)
        status = store_referrers(tx->session, &role, &arena, &referrers);
    if (status == STATUS_OK && referrers.count)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_delete(tx, &role, &suite_author);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
}

static void a_role_that_is_being_linked_to_is_not_deleted_under_the_link(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    unsigned deleted = 0;
    suite_add_users(suite, RACE_USER, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t target = TARGET_ID + round;
        unsigned deleters = round / 3 % 2 ? RACERS - 1 : 1, links = 0;
        struct record role = suite_record(suite, &user_role_table, target);
        assert_ok(suite_insert(suite, &role));
        race_prepare(racers, RACERS, link_to_role, &target);
        for (unsigned i = 0; i < deleters; i++)
            racers[(i + round) % RACERS].command.run = delete_role;
        race_run(suite, round, racers, RACERS);
        bool is_there = store_exists(suite->session, &user_role_table, target) == STATUS_OK;
        for (unsigned i = 0; i < RACERS; i++)
            links += racers[i].command.run == link_to_role && racers[i].command.status == STATUS_OK;
        assert_int_equal(links, is_there ? RACERS - deleters : 0);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), is_there ? links : 1);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK) +
                             race_count(racers, RACERS, STATUS_CONFLICT),
                         RACERS);
        struct referrers referrers;
        assert_ok(store_referrers(suite->session, &role, &suite->arena, &referrers));
        assert_int_equal(referrers.count, links);
        deleted += !is_there;
    }
    assert_true(deleted < RACE_ROUNDS);
}

static void links_that_are_added_at_once_are_all_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    int64_t targets[RACERS];
    suite_add_users(suite, RACE_USER, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        targets[i] = TARGET_ID + i;
        struct record role = suite_record(suite, &user_role_table, targets[i]);
        assert_ok(suite_insert(suite, &role));
    }
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record user = suite_user(suite, RACE_USER + 100 + round);
        assert_ok(suite_insert(suite, &user));
        race_prepare(racers, RACERS, link_to_role, NULL);
        for (unsigned i = 0; i < RACERS; i++) {
            racers[i].of = &targets[i];
            racers[i].number = 100 + round; /* all of them to one user */
        }
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        user = suite_load(suite, &user_table, RACE_USER + 100 + round);
        struct value links = ids_from_stored(&user.values[USER_UserRoles], &suite->arena);
        assert_int_equal(links.len, RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            assert_true(ids_have(&links, targets[i]));
    }
}

/* ---- several records in one command ---- */

/* All users are counted up, from one end or the other; or none is, when one of them is gone. */
static enum status count_all_up(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < RACERS; i++)
        status = store_exists(tx->session, &user_table, RACE_USER + i);
    for (unsigned i = 0; status == STATUS_OK && i < RACERS; i++)
        status = race_rewrite(tx, &user_table, RACE_USER + (racer->number % 2 ? i : RACERS - 1 - i),
                              race_set_next_number, racer);
    return status;
}

static void commands_over_the_same_records_in_opposite_orders_all_succeed(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, count_all_up, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++) {
            struct record user = suite_load(suite, &user_table, RACE_USER + i);
            assert_int_equal(user.values[USER_LastHelpVisited].integer, (round + 1) * RACERS);
        }
    }
}

/* ---- questions ---- */

/* Loads two users, and has both changed in between when it runs for the first time. */
struct question {
    struct store_command command;
    struct suite *suite;
    sem_t finished;
    unsigned runs;
    int64_t versions[2];
};

static enum status load_two(struct store_session *session, struct store_command *command) {
    struct question *question = container_of(command, struct question, command);
    struct arena arena = { 0 };
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < 2 && status == STATUS_OK; i++) {
        struct buffer json;
        buffer_init(&json, &arena, 4096);
        status =
            store_load_json(session, &user_table, RACE_USER + i, &json, &question->versions[i]);
        if (i == 0 && question->runs++ == 0 && status == STATUS_OK) {
            struct racer racer;
            race_prepare(&racer, 1, count_all_up, NULL);
            status = store_run(question->suite->store, &racer.command);
        }
    }
    arena_close(&arena);
    return status;
}

static void finish_question(struct store_command *command) {
    suite_post(&container_of(command, struct question, command)->finished);
}

/* PostgreSQL reads the targets of many questions together. One that loads more runs again, so that
 * it sees one state; SQLite reads each record as it is by then. */
static void a_question_that_loads_more_than_its_target_mixes_no_states_of_a_batch(void **state) {
    struct suite *suite = *state;
    struct question question = { .command = { .on_behalf_of = &store_nobody,
                                              .target = { &user_table, RACE_USER },
                                              .read = load_two,
                                              .done = finish_question },
                                 .suite = suite };
    suite_add_users(suite, RACE_USER, RACERS);
    assert_int_equal(sem_init(&question.finished, 0, 0), 0);
    enum status status = store_ask(suite->session, &question.command);
    if (status == STATUS_PENDING) {
        suite_wait(&question.finished);
        status = question.command.status;
    }
    assert_ok(status);
    assert_int_equal(question.runs, suite_is_on_postgres() ? 2 : 1);
    assert_int_equal(question.versions[0], suite_is_on_postgres() ? 2 : 1);
    assert_int_equal(question.versions[1], 2);
    assert_int_equal(sem_destroy(&question.finished), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(of_many_updates_of_one_version_one_is_kept),
        suite_test(an_update_and_a_deletion_of_one_version_do_not_both_happen),
        suite_test(updates_of_what_each_command_loads_are_all_kept),
        suite_test(new_records_get_different_ids),
        suite_test(of_many_new_users_with_one_address_one_is_made),
        suite_test(of_many_users_who_move_to_one_address_one_gets_it),
        suite_test(of_many_who_fill_an_empty_database_one_does),
        suite_test(administrators_who_demote_or_delete_each_other_leave_one),
        suite_test(a_role_that_is_being_linked_to_is_not_deleted_under_the_link),
        suite_test(links_that_are_added_at_once_are_all_kept),
        suite_test(commands_over_the_same_records_in_opposite_orders_all_succeed),
        suite_test(a_question_that_loads_more_than_its_target_mixes_no_states_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

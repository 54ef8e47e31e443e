/* Tests the parts of the outbox that a test through the socket cannot reach: the queues of
 * deliveries, a cancellation in parts, and a group that is rolled back. */
#include "store/sqlite/engine.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/session.h"

#include "base/container_of.h"
#include "model/tables.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WEBHOOK = 7, USER = 1001, NOW_MS = 1000000 };

static const struct author author = { { "test", 4 }, NOW_MS, { 0 } };

/* ---- queues ---- */

static struct store_session *opened(void) {
    struct connection *connection =
        session_open(&sqlite_engine, NULL, "", true); /* a temporary database */
    assert_non_null(connection);
    struct store_session *session = &connection->session;
    assert_int_equal(schema_migrate(session, &(struct store_options){ 0 }), STATUS_OK);
    return session;
}

static void add_webhook(struct store_session *session, bool is_active) {
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO web_hooks (Id, Version, BusinessId, Name, URL, Action, Active)"
                   " VALUES (%d, 1, 1, '', 'http://127.0.0.1:9/', 1002, %d)",
                   WEBHOOK, is_active);
    assert_int_equal(sql_run(session, sql), STATUS_OK);
}

/* Adds a delivery of USER's to WEBHOOK; `next` is its NextAttempt, as SQL. */
static void add_delivery(struct store_session *session, int id, enum delivery_status status,
                         const char *next) {
    char sql[384];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO payloads (id, text) VALUES (%d, '[]');"
                   "INSERT INTO web_hook_deliveries (Id, Version, WebHookId, EntityId, Status,"
                   " Attempts, Payload, NextAttempt) VALUES (%d, 1, %d, %d, %d, 0, %d, %s)",
                   id, id, WEBHOOK, USER, (int)status, id, next);
    assert_int_equal(sql_run(session, sql), STATUS_OK);
}

/* Asserts the Status and the NextAttempt (0: none) of a delivery. */
static void assert_is(struct store_session *session, int id, enum delivery_status status,
                      int64_t next) {
    struct sql_statement *statement;
    statement =
        sql_prepare(session, "SELECT Status, NextAttempt FROM web_hook_deliveries WHERE Id = ?1");
    assert_non_null(statement);
    sql_bind_integer(statement, 1, id);
    assert_int_equal(sql_step(statement), STATUS_OK);
    assert_int_equal(sql_integer(statement, 0), status);
    assert_int_equal(sql_integer(statement, 1), next);
    sql_free(statement);
}

static void what_is_cancelled_on_its_way_stays_so_though_it_fails(void **state) {
    static const int64_t next_ms[] = {
        NOW_MS + 5, 0
    }; /* a failed attempt that is not the last, and the last one */
    (void)state;
    for (size_t i = 0; i < sizeof next_ms / sizeof next_ms[0]; i++) {
        struct store_session *session = opened();
        const struct delivery delivery = { .id = 1, .webhook_id = WEBHOOK, .entity_id = USER };
        const struct delivery_attempt failed = { NOW_MS, next_ms[i], TEXT("it failed") };
        add_webhook(session, false);
        add_delivery(session, 1, DELIVERY_PENDING, "1");
        assert_int_equal(
            store_cancel_deliveries(&(struct store_tx){ session }, WEBHOOK, NOW_MS, 10), STATUS_OK);
        assert_is(session, 1, DELIVERY_CANCELLED, 0);
        assert_int_equal(store_not_delivered(&(struct store_tx){ session }, &delivery, &failed),
                         STATUS_OK);
        assert_is(session, 1, DELIVERY_CANCELLED, 0);
        store_session_close(session);
    }
}

static void whatever_ends_the_first_of_a_queue_promotes_the_next(void **state) {
    const struct delivery first = { .id = 1, .webhook_id = WEBHOOK, .entity_id = USER };
    const struct delivery_attempt last = { NOW_MS, 0, TEXT("it failed") };
    (void)state;
    for (int arrives = 0; arrives < 2; arrives++) {
        struct store_session *session = opened();
        add_webhook(session, true);
        add_delivery(session, 1, DELIVERY_PENDING, "1");
        add_delivery(session, 2, DELIVERY_PENDING, "NULL");
        add_delivery(session, 3, DELIVERY_PENDING, "NULL");
        enum status status =
            arrives ? store_delivered(&(struct store_tx){ session }, &first, NOW_MS)
                    : store_not_delivered(&(struct store_tx){ session }, &first, &last);
        assert_int_equal(status, STATUS_OK);
        assert_is(session, 1, arrives ? DELIVERY_DELIVERED : DELIVERY_FAILED, 0);
        assert_is(session, 2, DELIVERY_PENDING, NOW_MS);
        assert_is(session, 3, DELIVERY_PENDING, 0);
        store_session_close(session);
    }
}

static void what_is_repeated_waits_behind_an_older_one_and_its_pause(void **state) {
    struct arena arena = { 0 };
    struct record young;
    (void)state;
    struct store_session *session = opened();
    add_webhook(session, true);
    add_delivery(session, 1, DELIVERY_PENDING, "5000000");
    add_delivery(session, 2, DELIVERY_DELIVERED, "NULL");
    assert_int_equal(store_load(session, &web_hook_delivery_table, 2, &arena, &young), STATUS_OK);
    assert_int_equal(store_redeliver(&(struct store_tx){ session }, &young, NOW_MS), STATUS_OK);
    assert_is(session, 1, DELIVERY_PENDING, 5000000);
    assert_is(session, 2, DELIVERY_PENDING, 0);
    arena_close(&arena);
    store_session_close(session);
}

static void those_due_for_longest_come_first(void **state) {
    struct arena arena = { 0 };
    struct due_deliveries due;
    const struct due_query query = { WEBHOOK, NOW_MS, 100 };
    (void)state;
    struct store_session *session = opened();
    add_webhook(session, true);
    for (int id = 1; id <= DUE_MAX + 3; id++) {
        char next[16];
        (void)snprintf(next, sizeof next, "%d", 1000 - id);
        add_delivery(session, id, DELIVERY_PENDING, next);
    }
    assert_int_equal(sql_run(session, "UPDATE web_hook_deliveries SET EntityId = Id"), STATUS_OK);
    assert_int_equal(store_due_deliveries(session, &query, &arena, &due), STATUS_OK);
    assert_int_equal(due.count, DUE_MAX);
    for (unsigned i = 0; i < due.count; i++)
        assert_int_equal(due.list[i].id, DUE_MAX + 3 - i);
    arena_close(&arena);
    store_session_close(session);
}

/* ---- cancelling ---- */

enum { QUEUES = 4, DELIVERIES = 17, AT_ONCE = 5 };

/* Adds pending deliveries in several queues; only the first one of each queue has a NextAttempt. */
static void add_queues(struct store_session *session) {
    for (int id = 1; id <= DELIVERIES; id++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO web_hook_deliveries (Id, Version, WebHookId, EntityId, Status,"
                       " NextAttempt) VALUES (%d, 1, %d, %d, 1, %s)",
                       id, WEBHOOK, id % QUEUES, id <= QUEUES ? "0" : "NULL");
        assert_int_equal(sql_run(session, sql), STATUS_OK);
    }
}

/* Returns the number of pending deliveries. Asserts that the first one of each queue has a
 * NextAttempt, and no other one has. */
static int assert_queues_begin(struct store_session *session) {
    struct sql_statement *statement;
    bool has_begun[QUEUES] = { false };
    int pending = 0;
    statement = sql_prepare(session, "SELECT EntityId, NextAttempt IS NOT NULL FROM"
                                     " web_hook_deliveries WHERE Status = 1 ORDER BY Id");
    assert_non_null(statement);
    for (; sql_step(statement) == STATUS_OK; pending++) {
        int queue = sql_integer(statement, 0);
        assert_int_equal(sql_integer(statement, 1), !has_begun[queue]);
        has_begun[queue] = true;
    }
    sql_free(statement);
    return pending;
}

static void what_is_cancelled_in_parts_leaves_queues_that_begin(void **state) {
    (void)state;
    struct store_session *session = opened();
    add_queues(session);
    assert_int_equal(assert_queues_begin(session), DELIVERIES);
    for (int left = DELIVERIES; left > 0;) {
        assert_int_equal(
            store_cancel_deliveries(&(struct store_tx){ session }, WEBHOOK, NOW_MS, AT_ONCE),
            STATUS_OK);
        left = left > AT_ONCE ? left - AT_ONCE : 0;
        assert_int_equal(assert_queues_begin(session), left);
    }
    store_session_close(session);
}

static void nothing_is_cancelled_of_a_webhook_that_is_active_again(void **state) {
    (void)state;
    struct store_session *session = opened();
    add_webhook(session, true);
    add_delivery(session, 1, DELIVERY_PENDING, "1");
    assert_int_equal(store_cancel_deliveries(&(struct store_tx){ session }, WEBHOOK, NOW_MS, 10),
                     STATUS_OK);
    assert_is(session, 1, DELIVERY_PENDING, 1);
    store_session_close(session);
}

/* ---- a group that is rolled back ---- */

static char directory[] = "/tmp/roster-outbox-XXXXXX";

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    char file[64];
    (void)state;
    (void)snprintf(file, sizeof file, "%s/roster.db", directory);
    return unlink(file) == 0 ? rmdir(directory) : -1;
}

struct step {
    struct store_command command;
    sem_t begun, opened; /* of the gate: it has begun; it may end */
    sem_t finished;
    int runs;
};

static void finish(struct store_command *command) {
    (void)sem_post(&container_of(command, struct step, command)->finished);
}

static void begin(struct step *step,
                  enum status (*run)(struct store_tx *, struct store_command *)) {
    *step =
        (struct step){ .command = { .on_behalf_of = &store_nobody, .run = run, .done = finish } };
    assert_int_equal(sem_init(&step->begun, 0, 0), 0);
    assert_int_equal(sem_init(&step->opened, 0, 0), 0);
    assert_int_equal(sem_init(&step->finished, 0, 0), 0);
}

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        ; /* interrupted by a signal */
}

static enum status end(struct step *step) {
    wait_for(&step->finished);
    assert_int_equal(sem_destroy(&step->begun), 0);
    assert_int_equal(sem_destroy(&step->opened), 0);
    assert_int_equal(sem_destroy(&step->finished), 0);
    return step->command.status;
}

static struct record new_user(struct arena *arena) {
    struct record user = record_new(&user_table, arena);
    assert_non_null(user.values);
    user.version = 1;
    user.values[USER_Id] = value_integer(USER);
    user.values[USER_FullName] = value_text(TEXT("Told"));
    user.values[USER_Email] = user.values[USER_EmailKey] = value_text(TEXT("told@example.com"));
    user.values[USER_Language] = value_integer(1);
    user.values[USER_PasswordSalt] = value_text(TEXT(""));
    user.values[USER_LastHelpVisited] = value_integer(0);
    user.values[USER_InvalidLoginAttempts] = value_integer(0);
    return user;
}

static struct record new_webhook(struct arena *arena) {
    struct record webhook = record_new(&web_hook_table, arena);
    assert_non_null(webhook.values);
    webhook.version = 1;
    webhook.values[WEB_HOOK_Id] = value_integer(WEBHOOK);
    webhook.values[WEB_HOOK_BusinessId] = value_integer(1);
    webhook.values[WEB_HOOK_Name] = value_text(TEXT("Told"));
    webhook.values[WEB_HOOK_URL] = value_text(TEXT("http://127.0.0.1:9/"));
    webhook.values[WEB_HOOK_Action] = value_integer(ACTION_USER_UPDATE);
    webhook.values[WEB_HOOK_Active] = value_integer(1);
    return webhook;
}

static enum status add_both(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record user = new_user(&arena), webhook = new_webhook(&arena);
    (void)command;
    enum status status = store_insert(tx, &user, &author);
    if (status == STATUS_OK)
        status = store_insert(tx, &webhook, &author);
    arena_close(&arena);
    return status;
}

static enum status hold_writer(struct store_tx *tx, struct store_command *command) {
    struct step *gate = container_of(command, struct step, command);
    (void)tx;
    (void)sem_post(&gate->begun);
    wait_for(&gate->opened);
    return STATUS_OK;
}

/* Deletes the webhook, but fails when it runs a second time, alone in its group, as if memory ran
 * out. */
static enum status delete_webhook_once(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record webhook;
    if (container_of(command, struct step, command)->runs++)
        return STATUS_INTERNAL;
    enum status status = store_load(tx->session, &web_hook_table, WEBHOOK, &arena, &webhook);
    if (status == STATUS_OK)
        status = store_delete(tx, &webhook, &author);
    arena_close(&arena);
    return status;
}

static enum status change_user(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record before, after;
    (void)command;
    enum status status = store_load(tx->session, &user_table, USER, &arena, &before);
    if (status == STATUS_OK) {
        after = record_next(&before, &arena);
        assert_non_null(after.values);
        after.values[USER_FullName] = value_text(TEXT("Told of"));
        status = store_update(tx, &before, &after, &author);
    }
    arena_close(&arena);
    return status;
}

static enum status spoil(struct store_tx *tx, struct store_command *command) {
    (void)tx;
    (void)command;
    return STATUS_INTERNAL;
}

/* One group deletes the only webhook and then changes a user, which no webhook waits for any more.
 * The group is rolled back and the webhook stays, so the change, when it runs again, must have a
 * delivery to it. */
static void a_webhook_whose_deletion_is_rolled_back_is_told(void **state) {
    char why[256];
    int code;
    int64_t pending = -1;
    struct step first, gate, deletion, change, spoiler;
    struct step *const group[] = { &deletion, &change, &spoiler };
    (void)state;
    struct store *store =
        store_open(&(struct store_options){ .directory = directory }, why, sizeof why, &code);
    assert_non_null(store);
    begin(&first, add_both);
    begin(&gate, hold_writer);
    begin(&deletion, delete_webhook_once);
    begin(&change, change_user);
    begin(&spoiler, spoil);
    assert_int_equal(store_submit(store, &first.command), STATUS_OK);
    assert_int_equal(end(&first), STATUS_OK);
    assert_int_equal(store_submit(store, &gate.command), STATUS_OK);
    wait_for(&gate.begun); /* the commands that follow wait behind it and form one group */
    for (size_t i = 0; i < sizeof group / sizeof group[0]; i++)
        assert_int_equal(store_submit(store, &group[i]->command), STATUS_OK);
    assert_int_equal(sem_post(&gate.opened), 0);
    assert_int_equal(end(&gate), STATUS_OK);
    assert_int_equal(end(&deletion), STATUS_INTERNAL);
    assert_int_equal(end(&change), STATUS_OK);
    assert_int_equal(end(&spoiler), STATUS_INTERNAL);
    assert_int_equal(deletion.runs, 2);
    struct store_session *session = store_session_open(store);
    assert_non_null(session);
    assert_int_equal(store_count_pending(session, &pending), STATUS_OK);
    assert_int_equal(pending, 1);
    store_session_close(session);
    store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cancelled_on_its_way_stays_so_though_it_fails),
        cmocka_unit_test(whatever_ends_the_first_of_a_queue_promotes_the_next),
        cmocka_unit_test(what_is_repeated_waits_behind_an_older_one_and_its_pause),
        cmocka_unit_test(those_due_for_longest_come_first),
        cmocka_unit_test(what_is_cancelled_in_parts_leaves_queues_that_begin),
        cmocka_unit_test(nothing_is_cancelled_of_a_webhook_that_is_active_again),
        cmocka_unit_test_setup_teardown(a_webhook_whose_deletion_is_rolled_back_is_told,
                                        make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

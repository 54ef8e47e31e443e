/* The promises of auth.h of decisions that are made again: inside a group of commands, after one
 * that was rolled back, and while a token is being revoked. */
#include "auth/auth.h"

#include "auth/token_pair.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/tables.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADA = 1001, BOB = 1002, LIFETIME_MS = 3600000 };

static char directory[] = "/tmp/roster-principal-XXXXXX";
static struct store *store;
static struct store_session *reader;
static struct auth auth;
static struct arena arena;

/* ---- Readings of records: counted, and something may happen just before one (ld --wrap) ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker calls them so */
enum status __real_store_load(struct store_session *from, const struct table *table, int64_t id,
                              struct arena *into, struct record *record);
enum status __wrap_store_load(struct store_session *from, const struct table *table, int64_t id,
                              struct arena *into, struct record *record);
/* NOLINTEND(bugprone-reserved-identifier) */

static unsigned readings;
static void (*before_reading)(void);

enum status __wrap_store_load(struct store_session *from, const struct table *table, int64_t id,
                              struct arena *into, struct record *record) {
    void (*happens)(void) = before_reading;
    before_reading = NULL;
    readings++;
    if (happens)
        happens();
    return __real_store_load(from, table, id, into, record);
}

/* ---- Commands ---- */

static const struct author author = { { "test", 4 }, 1, { 0 } };

struct act {
    struct store_command command;
    struct authority authority;
    struct principal principal; /* on whose behalf */
    enum status (*does)(struct store_tx *tx, unsigned run);
    unsigned runs;
    bool was_admin; /* as it ran */
    sem_t *finished;
};

static struct act *act_of(struct authority *authority) {
    return (struct act *)((char *)authority - offsetof(struct act, authority));
}

static enum status confirm(struct store_session *session, struct authority *authority) {
    return auth_confirm(&auth, session, &arena, &act_of(authority)->principal);
}

static enum status run(struct store_tx *tx, struct store_command *command) {
    struct act *act = container_of(command, struct act, command);
    act->runs++;
    act->was_admin = act->principal.is_admin;
    return act->does ? act->does(tx, act->runs) : STATUS_OK;
}

static void finish(struct store_command *command) {
    assert_int_equal(sem_post(container_of(command, struct act, command)->finished), 0);
}

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        ; /* a signal */
}

static sem_t opened;

static enum status hold(struct store_tx *tx, unsigned run_number) {
    (void)tx;
    if (run_number == 1) /* it may be run again */
        wait_for(&opened);
    return STATUS_OK;
}

static struct act server_does(enum status (*does)(struct store_tx *, unsigned)) {
    return (struct act){ .command = { .on_behalf_of = &store_nobody }, .does = does };
}

static struct act caller_does(const struct principal *caller) {
    return (struct act){ .principal = *caller, .authority = { confirm } };
}

/* Runs commands in one group, in their order. */
static void run_together(struct act *first, struct act *second, struct act *third) {
    struct act gate = server_does(hold), *all[] = { &gate, first, second, third };
    sem_t finished;
    assert_int_equal(sem_init(&finished, 0, 0), 0);
    assert_int_equal(sem_init(&opened, 0, 0), 0);
    for (size_t i = 0; i < 4; i++) {
        if (!all[i])
            continue;
        if (!all[i]->command.on_behalf_of)
            all[i]->command.on_behalf_of = &all[i]->authority;
        all[i]->command.run = run;
        all[i]->command.done = finish;
        all[i]->finished = &finished;
        assert_int_equal(store_submit(store, &all[i]->command), STATUS_OK);
    }
    assert_int_equal(sem_post(&opened), 0);
    for (size_t i = 0; i < 4; i++)
        if (all[i])
            wait_for(&finished);
    (void)sem_destroy(&finished);
    (void)sem_destroy(&opened);
}

static void run_alone(enum status (*does)(struct store_tx *, unsigned)) {
    struct act act = server_does(does);
    act.command.run = run;
    assert_int_equal(store_run(store, &act.command), STATUS_OK);
}

/* ---- The people ---- */

static enum status insert_person(struct store_tx *tx, int64_t id, const char *email) {
    struct record user = record_new(&user_table, &arena);
    struct value name = value_text(text_of(email));
    user.version = 1;
    user.values[USER_Id] = value_integer(id);
    user.values[USER_FullName] = user.values[USER_Email] = user.values[USER_EmailKey] = name;
    user.values[USER_PasswordSalt] = user.values[USER_UniqueId] = name;
    user.values[USER_Password] = value_text(TEXT("hash"));
    user.values[USER_Active] = user.values[USER_APIAccess] = value_integer(1);
    user.values[USER_UserRoles] = value_text(TEXT("[]"));
    return store_insert(tx, &user, &author);
}

static enum status set(struct store_tx *tx, int64_t id, unsigned field, struct value value) {
    struct record before;
    enum status status = store_load(tx->session, &user_table, id, &arena, &before);
    if (status != STATUS_OK)
        return status;
    struct record after = record_next(&before, &arena);
    after.values[field] = value;
    return store_update(tx, &before, &after, &author);
}

static struct token_pair granted;

static enum status begin(struct store_tx *tx, unsigned run_number) {
    struct token session = token_pair_session(ADA, TEXT("test"));
    (void)run_number;
    enum status status = token_pair_issue(
        &auth, tx, &session, &(struct author){ TEXT("ada@example.com"), time_now_ms(), { 0 } },
        &granted);
    return status == STATUS_OK ? set(tx, ADA, USER_IsAdmin, value_integer(1)) : status;
}

static enum status add_people(struct store_tx *tx, unsigned run_number) {
    (void)run_number;
    enum status status = insert_person(tx, ADA, "ada@example.com");
    return status == STATUS_OK ? insert_person(tx, BOB, "bob@example.com") : status;
}

static enum status end_tokens(struct store_tx *tx, unsigned run_number) {
    (void)run_number;
    return store_revoke_all(tx, ADA);
}

static enum status demote(struct store_tx *tx, unsigned run_number) {
    (void)run_number;
    return set(tx, ADA, USER_IsAdmin, value_integer(0));
}

static enum status promote_once(struct store_tx *tx, unsigned run_number) {
    return run_number == 1 ? set(tx, ADA, USER_IsAdmin, value_integer(1))
                           : STATUS_PRECONDITION_FAILED;
}

static enum status demote_once(struct store_tx *tx, unsigned run_number) {
    return run_number == 1 ? demote(tx, 1) : STATUS_PRECONDITION_FAILED;
}

static enum status end_tokens_once(struct store_tx *tx, unsigned run_number) {
    return run_number == 1 ? end_tokens(tx, 1) : STATUS_PRECONDITION_FAILED;
}

static enum status set_password(struct store_tx *tx, unsigned run_number) {
    (void)run_number;
    return set(tx, ADA, USER_Password, value_text(TEXT("another hash")));
}

static enum status break_group(struct store_tx *tx, unsigned run_number) {
    (void)tx;
    (void)run_number;
    return STATUS_INTERNAL;
}

/* Ada, an administrator with a new token, as a door would know her. */
static struct principal sign_in(void) {
    struct principal ada = { 0 };
    run_alone(begin);
    ada.credential =
        auth_token_credential(CREDENTIAL_access, (struct text){ granted.access, TOKEN_TEXT_SIZE });
    assert_int_equal(auth_decide(&auth, reader, &arena, &ada), STATUS_OK);
    assert_true(ada.is_admin);
    return ada;
}

static struct principal by_password(void) {
    struct principal ada = { .user_id = ADA,
                             .credential = auth_password_credential(ADA, TEXT("hash")) };
    assert_int_equal(auth_decide(&auth, reader, &arena, &ada), STATUS_OK);
    return ada;
}

/* ---- The promises ---- */

static void a_credential_that_ends_earlier_in_the_group_does_not_act(void **state) {
    (void)state;
    struct principal ada = sign_in();
    struct act before = caller_does(&ada), ends = server_does(end_tokens),
               after = caller_does(&ada);
    run_together(&before, &ends, &after);
    assert_int_equal(before.command.status, STATUS_OK);
    assert_int_equal(ends.command.status, STATUS_OK);
    assert_int_equal(after.command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(after.runs, 0);
}

static void a_password_that_is_changed_earlier_in_the_group_does_not_act(void **state) {
    (void)state;
    struct principal ada = by_password();
    struct act before = caller_does(&ada), ends = server_does(set_password),
               after = caller_does(&ada);
    run_together(&before, &ends, &after);
    assert_int_equal(before.command.status, STATUS_OK);
    assert_int_equal(after.command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(after.runs, 0);
}

static void a_right_that_ends_earlier_in_the_group_is_none(void **state) {
    (void)state;
    struct principal ada = sign_in();
    struct act before = caller_does(&ada), ends = server_does(demote), after = caller_does(&ada);
    run_together(&before, &ends, &after);
    assert_true(before.was_admin);
    assert_int_equal(after.command.status, STATUS_OK);
    assert_false(after.was_admin);
}

/* A group that fails is run again, one command after the other. The effects of its first run are
 * then undone. */
static void what_is_rolled_back_neither_gives_nor_takes_a_right(void **state) {
    (void)state;
    struct principal ada = sign_in();
    struct act taken = server_does(demote_once), fails = server_does(break_group),
               after = caller_does(&ada);
    run_together(&taken, &after, &fails);
    assert_int_equal(after.runs, 2);
    assert_true(after.was_admin);

    run_alone(demote);
    assert_int_equal(auth_decide(&auth, reader, &arena, &ada), STATUS_OK);
    assert_false(ada.is_admin);
    struct act given = server_does(promote_once);
    fails = server_does(break_group);
    after = caller_does(&ada);
    run_together(&given, &after, &fails);
    assert_int_equal(after.runs, 2);
    assert_false(after.was_admin);
}

static void what_is_rolled_back_does_not_end_a_credential(void **state) {
    (void)state;
    struct principal ada = sign_in();
    struct act ends = server_does(end_tokens_once), fails = server_does(break_group),
               after = caller_does(&ada);
    run_together(&ends, &after, &fails);
    assert_int_equal(after.runs, 1);
    assert_int_equal(after.command.status, STATUS_OK);
}

static void nothing_is_read_while_nobodys_access_changes(void **state) {
    (void)state;
    struct principal ada = sign_in();
    readings = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(auth_confirm(&auth, reader, &arena, &ada), STATUS_OK);
    assert_int_equal(readings, 0);
    run_alone(set_password); /* of whom does not matter */
    assert_int_equal(auth_confirm(&auth, reader, &arena, &ada), STATUS_OK);
    assert_true(readings > 0);
}

static void a_token_does_not_act_past_its_end(void **state) {
    (void)state;
    struct principal ada = sign_in();
    ada.credential.expires_ms = time_now_ms() - 1000;
    assert_int_equal(auth_confirm(&auth, reader, &arena, &ada), STATUS_UNAUTHENTICATED);
}

static void revoke_now(void) {
    run_alone(end_tokens);
}

/* As a request is: by what is remembered, or by the store. */
static enum status let_in(struct token_cache *cache, struct text token,
                          struct principal *principal) {
    struct keyed_hash hash;
    enum status status = auth_bearer(cache, token, &arena, principal, &hash);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = auth_decide(&auth, reader, &arena, principal);
    if (status == STATUS_OK)
        token_cache_put(cache, &hash, principal->credential.expires_ms, principal);
    return status;
}

/* The token is read, then it is revoked, then its user is read. The decision is right for the time
 * of the first read, and is stored under the epoch of before, so that the cache does not accept the
 * token again. */
static void a_token_that_is_revoked_while_it_is_looked_at_is_not_remembered(void **state) {
    (void)state;
    (void)sign_in();
    struct token_cache *cache = token_cache_new(&auth);
    struct text token = { granted.access, TOKEN_TEXT_SIZE };
    struct principal ada;
    before_reading = revoke_now;
    assert_int_equal(let_in(cache, token, &ada), STATUS_OK);
    assert_null(before_reading);
    struct act act = caller_does(&ada);
    run_together(&act, NULL, NULL);
    assert_int_equal(act.command.status, STATUS_UNAUTHENTICATED);
    assert_int_equal(let_in(cache, token, &ada), STATUS_UNAUTHENTICATED);
    token_cache_free(cache);
}

static void only_an_access_token_lets_a_bearer_in(void **state) {
    (void)state;
    (void)sign_in();
    struct token_cache *cache = token_cache_new(&auth);
    struct principal ada;
    assert_int_equal(let_in(cache, (struct text){ granted.refresh, TOKEN_TEXT_SIZE }, &ada),
                     STATUS_UNAUTHENTICATED);
    ada = (struct principal){ .credential = auth_token_credential(
                                  CREDENTIAL_reset,
                                  (struct text){ granted.access, TOKEN_TEXT_SIZE }) };
    assert_int_equal(auth_decide(&auth, reader, &arena, &ada), STATUS_UNAUTHENTICATED);
    token_cache_free(cache);
}

static void what_is_made_with_a_credential_ends_with_it(void **state) {
    (void)state;
    struct principal ada = sign_in();
    struct token own = token_pair_derived(&ada, ADA), other = token_pair_derived(&ada, BOB);
    int64_t now_ms = time_now_ms();
    assert_int_equal(own.family, ada.credential.family);
    assert_int_equal(own.parent, 0);
    assert_int_equal(own.ends_ms, ada.credential.expires_ms);
    assert_true(other.family != ada.credential.family);
    assert_int_equal(other.parent, ada.credential.family);
    assert_int_equal(other.ends_ms, ada.credential.expires_ms);
    assert_int_equal(token_pair_expiry(&own, now_ms, 1), now_ms + 1);
    assert_int_equal(token_pair_expiry(&own, now_ms, INT64_MAX), own.ends_ms);
    ada.credential.parent = 7;
    assert_int_equal(token_pair_derived(&ada, ADA).parent, 7);
    assert_int_equal(token_pair_derived(&ada, BOB).parent, ada.credential.family);
    ada.credential = auth_password_credential(ADA, TEXT("hash"));
    own = token_pair_derived(&ada, ADA);
    assert_int_equal(own.parent, -ADA);
    assert_int_equal(own.ends_ms, TOKEN_ENDLESS);
    assert_int_equal(token_pair_expiry(&own, now_ms, INT64_MAX), TOKEN_ENDLESS);
    const int64_t before_1970_ms = -now_ms;
    assert_int_equal(token_pair_expiry(&own, before_1970_ms, 1000), before_1970_ms + 1000);
}

/* ---- Set up ---- */

static int open_store(void **state) {
    char why[256];
    int code;
    (void)state;
    log_set_level(LOG_LEVEL_error);
    if (!crypto_start() || !mkdtemp(directory))
        return -1;
    store = store_open(&(struct store_options){ .directory = directory }, why, sizeof why, &code);
    static const struct lockout never;
    auth = (struct auth){ .store = store,
                          .lockout = &never,
                          .token_lifetime_ms = LIFETIME_MS,
                          .refresh_lifetime_ms = LIFETIME_MS };
    reader = store ? store_session_open(store) : NULL;
    if (!reader)
        return -1;
    run_alone(add_people);
    return 0;
}

static int close_store(void **state) {
    char file[96];
    (void)state;
    store_session_close(reader);
    store_close(store);
    arena_close(&arena);
    (void)snprintf(file, sizeof file, "%s/roster.db", directory);
    return unlink(file) || rmdir(directory);
}

/* Each finds Ada with the password that by_password knows. */
static enum status restore(struct store_tx *tx, unsigned run_number) {
    (void)run_number;
    return set(tx, ADA, USER_Password, value_text(TEXT("hash")));
}

static int restore_people(void **state) {
    (void)state;
    run_alone(restore);
    return 0;
}

#define PROMISE(name) cmocka_unit_test_setup(name, restore_people)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROMISE(a_credential_that_ends_earlier_in_the_group_does_not_act),
        PROMISE(a_password_that_is_changed_earlier_in_the_group_does_not_act),
        PROMISE(a_right_that_ends_earlier_in_the_group_is_none),
        PROMISE(what_is_rolled_back_neither_gives_nor_takes_a_right),
        PROMISE(what_is_rolled_back_does_not_end_a_credential),
        PROMISE(nothing_is_read_while_nobodys_access_changes),
        PROMISE(a_token_does_not_act_past_its_end),
        PROMISE(a_token_that_is_revoked_while_it_is_looked_at_is_not_remembered),
        PROMISE(only_an_access_token_lets_a_bearer_in),
        PROMISE(what_is_made_with_a_credential_ends_with_it),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}

/* The same of what is not a record: Idempotency-Keys, tokens, deliveries, and what is outdated. */
#include "suite.h"

#include "base/container_of.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Idempotency-Keys ---- */

static struct idempotency_use repeat_of(const struct racer *racer) {
    return (struct idempotency_use){ .caller = 7,
                                     .key = *(const struct text *)racer->of,
                                     .at_ms = SUITE_NOW_MS,
                                     .author = suite_author.email };
}

/* A key that was used returns the outcome of its first use. CONFLICT stands for that here. */
static enum status create_once(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    struct arena arena = { 0 };
    struct idempotency_use repeat = repeat_of(racer);
    struct record role = record_new(&role_table, &arena);
    enum status status = store_find_idempotency(tx->session, &repeat, SUITE_NOW_MS - 1, &arena);
    racer->id = repeat.record_id;
    if (status == STATUS_OK)
        status = STATUS_CONFLICT;
    else if (status == STATUS_NOT_FOUND && role.values)
        status = store_new_id(tx, &role_table, &racer->id);
    if (status == STATUS_OK) {
        role.version = 1;
        role.values[ROLE_Id] = value_integer(racer->id);
        role.values[ROLE_Name] = value_text(repeat.key);
        repeat.record_id = racer->id;
        status = store_insert(tx, &role, &suite_author);
    }
    if (status == STATUS_OK)
        status = store_add_idempotency(tx, &repeat);
    arena_close(&arena);
    return status;
}

static void an_idempotency_key_that_comes_many_times_creates_one_record(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct text key = arena_printf(&suite->arena, "Role key %u", round);
        race_prepare(racers, RACERS, create_once, &key);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        for (unsigned i = 0; i < RACERS; i++)
            assert_int_equal(racers[i].id, race_winner(racers)->id);
        assert_int_equal(suite_count(suite, &role_table), round + 1);
    }
}

/* ---- tokens ---- */

static struct token_hash hash_of(const char *name, unsigned number) {
    char text[64];
    int len = snprintf(text, sizeof text, "%s %u", name, number);
    return token_hash((struct text){ text, (size_t)len });
}

static struct token token_of(const char *name, unsigned number, enum token_kind kind) {
    return (struct token){ .hash = hash_of(name, number),
                           .kind = kind,
                           .user_id = RACE_USER,
                           .client_id = TEXT("tests"),
                           .issued_ms = SUITE_NOW_MS,
                           .expires_ms = SUITE_NOW_MS + 1000,
                           .family = 1 + number,
                           .ends_ms = TOKEN_ENDLESS };
}

static void add_token(struct suite *suite, const struct token *token) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_add_token(tx, token));
    assert_ok(suite_commit(suite));
}

static int64_t count_refresh_tokens(struct suite *suite) {
    struct search all = suite_all(&refresh_token_table);
    return suite_search(suite, &all)->found.total;
}

/* A refresh token is spent once; one that is spent already was stolen. */
static enum status trade(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    const struct token *old = racer->of;
    struct token found,
        next = token_of("next", (unsigned)old->family * RACERS + racer->number, TOKEN_REFRESH);
    struct arena arena = { 0 };
    enum status status = store_token(tx->session, &old->hash, &arena, &found);
    if (status == STATUS_OK && found.kind != TOKEN_REFRESH)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_spend_token(tx, &old->hash);
    if (status == STATUS_OK)
        status = store_revoke_client(tx, found.user_id, found.client_id, TOKEN_REFRESH);
    next.family = old->family;
    if (status == STATUS_OK)
        status = store_add_token(tx, &next);
    arena_close(&arena);
    return status;
}

static void a_refresh_token_that_comes_many_times_is_traded_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token old = token_of("old", round, TOKEN_REFRESH), found;
        add_token(suite, &old);
        race_prepare(racers, RACERS, trade, &old);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_token(suite->session, &old.hash, &suite->arena, &found));
        assert_int_equal(found.kind, TOKEN_SPENT);
        assert_int_equal(count_refresh_tokens(suite), 1);
    }
}

/* A sign-in: one live refresh token for each user and client. */
static enum status sign_in(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    unsigned round = *(const unsigned *)racer->of;
    struct token token = token_of("new", round * RACERS + racer->number, TOKEN_REFRESH);
    enum status status = store_revoke_client(tx, token.user_id, token.client_id, TOKEN_REFRESH);
    return status == STATUS_OK ? store_add_token(tx, &token) : status;
}

static void sign_ins_at_once_leave_one_refresh_token(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, sign_in, &round);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        assert_int_equal(count_refresh_tokens(suite), 1);
    }
}

/* One-time tokens, and those that let a new password be set, are gone with their first use. */
static enum status use_once(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    const struct token *token = racer->of;
    struct arena arena = { 0 };
    struct token found;
    enum status status = store_token(tx->session, &token->hash, &arena, &found);
    if (status == STATUS_OK)
        status = found.kind == TOKEN_RESET ? store_revoke_all(tx, found.user_id)
                                           : store_drop_token(tx, &token->hash);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
}

static void a_token_for_one_use_that_comes_many_times_is_used_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token token = token_of("once", round, round / 3 % 2 ? TOKEN_RESET : TOKEN_ONE_TIME);
        add_token(suite, &token);
        race_prepare(racers, RACERS, use_once, &token);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
    }
}

/* The login state of a user: failures are counted, a code of one time step is accepted once. */
static enum status note_sign_in(struct store_tx *tx, struct store_command *command) {
    struct racer *racer = container_of(command, struct racer, command);
    int64_t step = *(const int64_t *)racer->of;
    struct arena arena = { 0 };
    struct record user, noted;
    enum status status = store_load(tx->session, &user_table, RACE_USER, &arena, &user);
    if (status == STATUS_OK) {
        const struct value *last = &user.values[USER_LastTotpStep];
        noted = race_next(&user, &arena);
        racer->id = last->kind == VALUE_INTEGER && last->integer >= step; /* refused? */
        if (racer->id)
            noted.values[USER_InvalidLoginAttempts].integer++;
        else
            noted.values[USER_LastTotpStep] = value_integer(step);
        status = store_update_login_state(tx, &user, &noted);
    }
    arena_close(&arena);
    return status;
}

static void a_code_is_taken_once_and_every_failure_is_counted(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t step = 1000 + round, refused = 0;
        race_prepare(racers, RACERS, note_sign_in, &step);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            refused += racers[i].id;
        assert_int_equal(refused, RACERS - 1);
        struct record user = suite_load(suite, &user_table, RACE_USER);
        assert_int_equal(user.values[USER_InvalidLoginAttempts].integer,
                         (round + 1) * (RACERS - 1));
    }
}

/* On behalf of who has a token, as long as it is there. */
struct bearer {
    struct authority authority;
    struct token_hash hash;
};

static enum status confirm_bearer(struct store_session *session, struct authority *authority) {
    struct bearer *bearer = container_of(authority, struct bearer, authority);
    struct arena arena = { 0 };
    struct token token;
    enum status status = store_token(session, &bearer->hash, &arena, &token);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
}

static enum status revoke(struct store_tx *tx, struct store_command *command) {
    enum status status = store_revoke_all(tx, RACE_USER);
    (void)command;
    if (status != STATUS_OK)
        return status;
    return store_audit_tokens(tx, RACE_USER, TEXT("Tokens"), TEXT("revoked"), &suite_author);
}

/* The audit rows behind the one that says that the tokens were revoked. */
static int64_t count_rows_behind_revocation(struct suite *suite) {
    struct filter revoked = { .table = &audit_trail_entry_table,
                              .field = AUDIT_TRAIL_ENTRY_NewValue,
                              .match = MATCH_equal,
                              .value = value_text(TEXT("revoked")) };
    struct search search = suite_all(&audit_trail_entry_table), all = search;
    search.filters = &revoked;
    search.descending = true;
    const struct suite_page *page = suite_search(suite, &search);
    all.behind = page->ids[0];
    return (int64_t)suite_search(suite, &all)->count;
}

static void nothing_is_done_with_a_token_once_it_was_revoked(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token token = token_of("bearer", round, TOKEN_ACCESS);
        struct bearer bearer = { { confirm_bearer }, token.hash };
        add_token(suite, &token);
        race_prepare(racers, RACERS, race_count_up, NULL);
        for (unsigned i = 0; i < RACERS; i++)
            racers[i].command.on_behalf_of = &bearer.authority;
        racers[round % RACERS].command.run = revoke;
        racers[round % RACERS].command.on_behalf_of = &store_nobody;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK) +
                             race_count(racers, RACERS, STATUS_UNAUTHENTICATED),
                         RACERS);
        assert_int_equal(count_rows_behind_revocation(suite), 0);
    }
}

/* ---- webhooks ---- */

enum { WEBHOOK_ID = 30 };

static void add_webhook(struct suite *suite) {
    struct record webhook = suite_record(suite, &web_hook_table, WEBHOOK_ID);
    webhook.values[WEB_HOOK_Active] = value_integer(1);
    webhook.values[WEB_HOOK_Action] = value_integer(ACTION_USER_UPDATE);
    assert_ok(suite_insert(suite, &webhook));
}

/* Of the deliveries that are due the first one; NOT_FOUND: there is none. */
static enum status first_due(struct store_session *session, struct arena *arena,
                             struct delivery *delivery) {
    struct due_query query = { WEBHOOK_ID, SUITE_NOW_MS, 1000 };
    struct due_deliveries due;
    enum status status = store_due_deliveries(session, &query, arena, &due);
    if (status == STATUS_OK && !due.count)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *delivery = due.list[0];
    return status;
}

/* A deliverer that takes a delivery for its own only when it is still to be made. */
static enum status claim(struct store_tx *tx, struct store_command *command) {
    const struct racer *racer = container_of(command, struct racer, command);
    const struct delivery *delivery = racer->of;
    const struct delivery_attempt last = { SUITE_NOW_MS, 0, TEXT("refused") };
    struct arena arena = { 0 };
    struct record record;
    enum status status =
        store_load(tx->session, &web_hook_delivery_table, delivery->id, &arena, &record);
    if (status == STATUS_OK && record.values[WEB_HOOK_DELIVERY_Status].integer != DELIVERY_PENDING)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = racer->number % 2 ? store_delivered(tx, delivery, SUITE_NOW_MS)
                                   : store_not_delivered(tx, delivery, &last);
    arena_close(&arena);
    return status;
}

/* So that no round makes the webhook inactive. */
static void forget_failures(struct suite *suite) {
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK_ID);
    struct record next = suite_next(suite, &webhook);
    next.values[WEB_HOOK_ErrorCount] = value_integer(0);
    assert_ok(suite_update(suite, &webhook, &next));
}

static void a_delivery_that_many_claim_is_ended_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    add_webhook(suite);
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record user = suite_load(suite, &user_table, RACE_USER);
        struct record next = suite_next(suite, &user);
        struct delivery delivery;
        forget_failures(suite);
        assert_ok(suite_update(suite, &user, &next));
        assert_ok(first_due(suite->session, &suite->arena, &delivery));
        race_prepare(racers, RACERS, claim, &delivery);
        race_for_one(suite, round, racers, STATUS_CONFLICT);
        struct record ended = suite_load(suite, &web_hook_delivery_table, delivery.id);
        assert_int_equal(ended.values[WEB_HOOK_DELIVERY_Attempts].integer, 1);
        assert_int_equal(ended.values[WEB_HOOK_DELIVERY_Status].integer,
                         race_winner(racers)->number % 2 ? DELIVERY_DELIVERED : DELIVERY_FAILED);
    }
}

/* Ends what is due; NOT_FOUND when nothing is. */
static enum status deliver(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct delivery delivery;
    (void)command;
    enum status status = first_due(tx->session, &arena, &delivery);
    if (status == STATUS_OK)
        status = store_delivered(tx, &delivery, SUITE_NOW_MS);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static int64_t count_pending(struct suite *suite) {
    int64_t count = -1;
    assert_ok(store_count_pending(suite->session, &count));
    return count;
}

/* Some change the user, others end deliveries: one of a queue is always due until the queue is
 * empty.
 */
static void no_delivery_is_stranded_when_events_come_while_others_end(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    add_webhook(suite);
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct delivery delivery;
        race_prepare(racers, RACERS, race_count_up, NULL);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = deliver;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        if (count_pending(suite))
            assert_ok(first_due(suite->session, &suite->arena, &delivery));
    }
    for (int64_t left = count_pending(suite); left; left--) {
        struct delivery delivery;
        assert_ok(first_due(suite->session, &suite->arena, &delivery));
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_delivered(tx, &delivery, SUITE_NOW_MS));
        assert_ok(suite_commit(suite));
        assert_int_equal(count_pending(suite), left - 1);
    }
}

static enum status delete_webhook(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record webhook;
    (void)command;
    enum status status = store_load(tx->session, &web_hook_table, WEBHOOK_ID, &arena, &webhook);
    if (status == STATUS_OK)
        status = store_delete(tx, &webhook, &suite_author);
    arena_close(&arena);
    return status;
}

/* Deliveries that are left of a deleted webhook can be found, and cancelled. */
static void events_that_come_while_their_webhook_is_deleted_can_be_ended(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct waiting_webhooks waiting;
        add_webhook(suite);
        race_prepare(racers, RACERS, race_count_up, NULL);
        racers[round % RACERS].command.run = delete_webhook;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        int64_t pending = count_pending(suite);
        assert_true(pending < RACERS);
        assert_ok(store_waiting_webhooks(suite->session, &suite->arena, &waiting));
        assert_int_equal(waiting.count, pending ? 1 : 0);
        assert_false(pending && waiting.list[0].is_active);
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_cancel_deliveries(tx, WEBHOOK_ID, SUITE_NOW_MS, RACERS));
        assert_ok(suite_commit(suite));
        assert_int_equal(count_pending(suite), 0);
    }
}

/* ---- maintenance ---- */

static enum status clean_up(struct store_tx *tx, struct store_command *command) {
    const struct expired outdated = { .tokens_ms = SUITE_NOW_MS,
                                      .deliveries_ms = SUITE_NOW_MS,
                                      .idempotency_ms = SUITE_NOW_MS,
                                      .audit_ms = INT64_MIN,
                                      .now_ms = SUITE_NOW_MS };
    bool more;
    (void)command;
    return store_purge_expired(tx, &outdated, 4, &more);
}

static void clean_ups_at_once_take_away_what_is_outdated_and_nothing_else(void **state) {
    enum { OLD = 2 * RACERS };
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, RACE_USER, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token current = token_of("current", round, TOKEN_ACCESS), found;
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_add_token(tx, &current));
        for (unsigned i = 0; i < OLD; i++) {
            struct token old = token_of("outdated", round * OLD + i, TOKEN_ACCESS);
            old.expires_ms = SUITE_NOW_MS - 1;
            assert_ok(store_add_token(tx, &old));
        }
        assert_ok(suite_commit(suite));
        race_prepare(racers, RACERS, clean_up, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < OLD; i++) {
            struct token_hash hash = hash_of("outdated", round * OLD + i);
            assert_int_equal(store_token(suite->session, &hash, &suite->arena, &found),
                             STATUS_NOT_FOUND);
        }
        assert_ok(store_token(suite->session, &current.hash, &suite->arena, &found));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(an_idempotency_key_that_comes_many_times_creates_one_record),
        suite_test(a_refresh_token_that_comes_many_times_is_traded_once),
        suite_test(sign_ins_at_once_leave_one_refresh_token),
        suite_test(a_token_for_one_use_that_comes_many_times_is_used_once),
        suite_test(a_code_is_taken_once_and_every_failure_is_counted),
        suite_test(nothing_is_done_with_a_token_once_it_was_revoked),
        suite_test(a_delivery_that_many_claim_is_ended_once),
        suite_test(no_delivery_is_stranded_when_events_come_while_others_end),
        suite_test(events_that_come_while_their_webhook_is_deleted_can_be_ended),
        suite_test(clean_ups_at_once_take_away_what_is_outdated_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

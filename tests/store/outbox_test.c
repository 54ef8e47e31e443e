/* Webhooks: a delivery is stored with its change, made in order, and succeeds, fails or is
 * cancelled. */
#include "suite.h"

#include "json/json.h"
#include "rules/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { USER = 1000, WEBHOOK = 30, PAUSE_MS = 1000 };

static void add_webhook(struct suite *suite, int64_t id, enum web_hook_action action,
                        bool is_active) {
    struct record webhook = suite_record(suite, &web_hook_table, id);
    webhook.values[WEB_HOOK_Action] = value_integer(action);
    webhook.values[WEB_HOOK_Active] = value_integer(is_active);
    assert_ok(suite_insert(suite, &webhook));
}

static void set_active(struct suite *suite, int64_t id, bool is_active) {
    struct record webhook = suite_load(suite, &web_hook_table, id),
                  next = suite_next(suite, &webhook);
    next.values[WEB_HOOK_Active] = value_integer(is_active);
    assert_ok(suite_update(suite, &webhook, &next));
}

static void touch(struct suite *suite, int64_t user) {
    struct record before = suite_load(suite, &user_table, user);
    struct record after = suite_next(suite, &before);
    after.values[USER_LastHelpVisited].integer++;
    assert_ok(suite_update(suite, &before, &after));
}

static struct due_deliveries due_of(struct suite *suite, int64_t webhook, int64_t now_ms) {
    struct due_query query = { webhook, now_ms, PAUSE_MS };
    struct due_deliveries due;
    assert_ok(store_due_deliveries(suite->session, &query, &suite->arena, &due));
    return due;
}

static struct delivery only_due(struct suite *suite) {
    struct due_deliveries due = due_of(suite, WEBHOOK, SUITE_NOW_MS);
    assert_int_equal(due.count, 1);
    return due.list[0];
}

static int64_t count_pending(struct suite *suite) {
    int64_t count = -1;
    assert_ok(store_count_pending(suite->session, &count));
    return count;
}

static void arrive(struct suite *suite, const struct delivery *delivery, int64_t now_ms) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_delivered(tx, delivery, now_ms));
    assert_ok(suite_commit(suite));
}

static void miss(struct suite *suite, const struct delivery *delivery,
                 struct delivery_attempt attempt) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_not_delivered(tx, delivery, &attempt));
    assert_ok(suite_commit(suite));
}

static struct delivery_attempt last_attempt(void) {
    return (struct delivery_attempt){ SUITE_NOW_MS, 0, TEXT("refused") };
}

static struct record delivery_of(struct suite *suite, int64_t id) {
    return suite_load(suite, &web_hook_delivery_table, id);
}

static int64_t status_of(struct suite *suite, int64_t id) {
    return delivery_of(suite, id).values[WEB_HOOK_DELIVERY_Status].integer;
}

/* A user, and a webhook that waits for changes of it. */
static void begin_with_a_webhook(struct suite *suite) {
    suite_add_users(suite, USER, 1);
    add_webhook(suite, WEBHOOK, ACTION_USER_UPDATE, true);
}

static void each_active_webhook_of_the_action_gets_the_event(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, USER), next = suite_next(suite, &user);
    for (int64_t i = 0; i < 3; i++) {
        add_webhook(suite, WEBHOOK + i * 10, ACTION_USER_CREATE + i, true);
        add_webhook(suite, WEBHOOK + i * 10 + 1, ACTION_USER_CREATE + i, false);
    }
    add_webhook(suite, WEBHOOK + 2, ACTION_USER_CREATE, true); /* a second one */
    assert_int_equal(count_pending(suite), 0);
    assert_ok(suite_insert(suite, &user));
    assert_int_equal(count_pending(suite), 2);
    assert_ok(suite_update(suite, &user, &next));
    assert_int_equal(count_pending(suite), 3);
    assert_ok(suite_delete(suite, &next));
    assert_int_equal(count_pending(suite), 4);
    for (int64_t i = 0; i < 3; i++) {
        struct due_deliveries due = due_of(suite, WEBHOOK + i * 10, SUITE_NOW_MS);
        assert_int_equal(due.count, 1);
        struct record kept = delivery_of(suite, due.list[0].id);
        assert_int_equal(kept.values[WEB_HOOK_DELIVERY_Action].integer, ACTION_USER_CREATE + i);
        assert_int_equal(due_of(suite, WEBHOOK + i * 10 + 1, SUITE_NOW_MS).count, 0);
    }
    assert_int_equal(due_of(suite, WEBHOOK + 2, SUITE_NOW_MS).count, 1);
}

static void what_is_delivered_is_the_record_as_the_change_left_it(void **state) {
    struct suite *suite = *state;
    struct buffer expected;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    struct delivery delivery = only_due(suite);
    touch(suite, USER); /* later */
    struct record user = suite_load(suite, &user_table, USER);
    user.values[USER_LastHelpVisited] = value_integer(1);
    buffer_init(&expected, &suite->arena, 0);
    buffer_add_char(&expected, '[');
    json_add_record(&expected, &user);
    buffer_add_char(&expected, ']');
    assert_text(delivery.payload, buffer_text(&expected));
    assert_int_equal(delivery.webhook_id, WEBHOOK);
    assert_int_equal(delivery.entity_id, USER);
    assert_int_equal(delivery.attempts, 0);
    assert_text(delivery.url, TEXT("https://example.com/30"));
    assert_null(delivery.secret.at);
}

static void a_webhooks_secret_comes_with_its_deliveries_as_it_is_kept(void **state) {
    struct suite *suite = *state;
    struct record webhook = suite_record(suite, &web_hook_table, WEBHOOK);
    webhook.values[WEB_HOOK_Action] = value_integer(ACTION_USER_CREATE);
    webhook.values[WEB_HOOK_Active] = value_integer(1);
    webhook.values[WEB_HOOK_SharedSecret] = value_text(TEXT("sealed\0\xFF"));
    assert_ok(suite_insert(suite, &webhook));
    suite_add_users(suite, USER, 1);
    assert_text(only_due(suite).secret, TEXT("sealed\0\xFF"));
}

static void what_was_not_kept_or_only_noted_is_not_told(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    struct record user = suite_load(suite, &user_table, USER), next = suite_next(suite, &user);
    struct record role = suite_record(suite, &role_table, 1), role_next = suite_next(suite, &role);
    uint64_t changes = store_outbox_changes(suite->store);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_update(tx, &user, &next, &suite_author));
    suite_roll_back(suite);
    assert_int_equal(count_pending(suite), 0);
    tx = suite_write(suite);
    assert_ok(store_update_login_state(tx, &user, &next));
    assert_ok(suite_commit(suite));
    assert_ok(suite_insert(suite, &role));
    assert_ok(suite_update(suite, &role, &role_next)); /* no user */
    assert_int_equal(count_pending(suite), 0);
    assert_int_equal(store_outbox_changes(suite->store), changes);
}

/* The store knows whether there is a webhook for an event as of the last commit. */
static void events_are_told_when_the_deletion_of_their_webhook_was_taken_back(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    struct record user = suite_load(suite, &user_table, USER), next = suite_next(suite, &user);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_delete(tx, &webhook, &suite_author));
    assert_ok(store_update(tx, &user, &next, &suite_author));
    suite_roll_back(suite);
    touch(suite, USER);
    assert_int_equal(count_pending(suite), 1);
}

static void the_outbox_says_that_something_may_be_due(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    uint64_t changes = store_outbox_changes(suite->store);
    touch(suite, USER);
    assert_true(store_outbox_changes(suite->store) > changes);
    changes = store_outbox_changes(suite->store);
    touch(suite, USER);
    assert_true(store_outbox_changes(suite->store) > changes);
    changes = store_outbox_changes(suite->store);
    struct delivery delivery = only_due(suite);
    arrive(suite, &delivery, SUITE_NOW_MS); /* the next one of the queue */
    assert_true(store_outbox_changes(suite->store) > changes);
    changes = store_outbox_changes(suite->store);
    set_active(suite, WEBHOOK, false); /* what waits has to end */
    assert_true(store_outbox_changes(suite->store) > changes);
}

static void of_one_user_only_the_oldest_delivery_is_due(void **state) {
    struct suite *suite = *state;
    int64_t last = 0;
    begin_with_a_webhook(suite);
    suite_add_users(suite, USER + 1, 1);
    for (int i = 0; i < 3; i++)
        touch(suite, USER);
    touch(suite, USER + 1);
    assert_int_equal(due_of(suite, WEBHOOK, SUITE_NOW_MS).count, 2); /* one of each user */
    for (int64_t left = 3; left; left--) {
        struct due_deliveries due = due_of(suite, WEBHOOK, SUITE_NOW_MS);
        struct delivery *of_user = &due.list[due.list[0].entity_id == USER ? 0 : 1];
        assert_int_equal(due.count, 2);
        assert_int_equal(of_user->entity_id, USER);
        assert_true(of_user->id > last);
        last = of_user->id;
        arrive(suite, of_user, SUITE_NOW_MS);
    }
    assert_int_equal(only_due(suite).entity_id, USER + 1);
}

static void no_more_is_due_at_once_than_may_be_sent_and_the_oldest_comes_first(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    suite_add_users(suite, USER + 1, DUE_MAX + 2);
    for (int i = DUE_MAX + 2; i >= 0; i--) {
        const struct author author = { suite_author.email, SUITE_NOW_MS - i, { 0 } };
        struct record before = suite_load(suite, &user_table, USER + i);
        struct record after = suite_next(suite, &before);
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_update(tx, &before, &after, &author));
        assert_ok(suite_commit(suite));
    }
    struct due_deliveries due = due_of(suite, WEBHOOK, SUITE_NOW_MS);
    assert_int_equal(due.count, DUE_MAX);
    for (int i = 0; i < DUE_MAX; i++)
        assert_int_equal(due.list[i].entity_id, USER + DUE_MAX + 2 - i);
    due = due_of(suite, WEBHOOK, SUITE_NOW_MS - DUE_MAX - 1);
    assert_int_equal(due.count, 2);
    assert_int_equal(due.next_ms, SUITE_NOW_MS - DUE_MAX);
}

static void what_is_due_for_longest_comes_first_not_what_is_oldest(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    suite_add_users(suite, USER + 1, 1);
    touch(suite, USER);
    struct delivery oldest = only_due(suite);
    touch(suite, USER + 1);
    miss(suite, &oldest,
         (struct delivery_attempt){ SUITE_NOW_MS, SUITE_NOW_MS + 500, TEXT("late") });
    struct due_deliveries due = due_of(suite, WEBHOOK, SUITE_NOW_MS + 600);
    assert_int_equal(due.count, 2);
    assert_int_equal(due.list[0].entity_id, USER + 1);
    assert_int_equal(due.list[1].id, oldest.id);
}

static void a_delivery_that_arrived_says_so(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    struct delivery delivery = only_due(suite);
    miss(suite, &delivery, (struct delivery_attempt){ SUITE_NOW_MS, SUITE_NOW_MS, TEXT("late") });
    arrive(suite, &delivery, SUITE_NOW_MS + 5);
    struct record kept = delivery_of(suite, delivery.id);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_Status].integer, DELIVERY_DELIVERED);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_DeliveredOn].integer, SUITE_NOW_MS + 5);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_Attempts].integer, 2);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_NextAttempt].kind, VALUE_NULL);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_LastError].kind, VALUE_NULL);
    assert_int_equal(kept.version, 3);
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_int_equal(webhook.values[WEB_HOOK_LastTrigger].integer, SUITE_NOW_MS + 5);
    assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, 0);
    assert_int_equal(webhook.version, 1); /* nobody's edit */
    assert_int_equal(count_pending(suite), 0);
}

static void an_attempt_that_failed_is_made_again_when_it_is_due(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    touch(suite, USER);
    struct delivery delivery = only_due(suite), again;
    miss(suite, &delivery,
         (struct delivery_attempt){ SUITE_NOW_MS, SUITE_NOW_MS + 500, TEXT("late") });
    struct due_deliveries due = due_of(suite, WEBHOOK, SUITE_NOW_MS + 499);
    assert_int_equal(due.count, 0); /* and the one behind it waits too */
    assert_int_equal(due.next_ms, SUITE_NOW_MS + 500);
    due = due_of(suite, WEBHOOK, SUITE_NOW_MS + 500);
    assert_int_equal(due.count, 1);
    assert_int_equal(due.next_ms, INT64_MAX);
    again = due.list[0];
    assert_int_equal(again.id, delivery.id);
    assert_int_equal(again.attempts, 1);
    struct record kept = delivery_of(suite, delivery.id);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_Status].integer, DELIVERY_PENDING);
    assert_text(value_as_text(&kept.values[WEB_HOOK_DELIVERY_LastError]), TEXT("late"));
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_text(value_as_text(&webhook.values[WEB_HOOK_LastError]), TEXT("late"));
    assert_true(value_is_true(&webhook.values[WEB_HOOK_Active])); /* the limit is of deliveries */
    assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, 0);
}

/* The clock was ahead when the next attempt was set. */
static void what_would_wait_longer_than_any_pause_is_due(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    struct delivery delivery = only_due(suite);
    int64_t next_ms = SUITE_NOW_MS + PAUSE_MS;
    miss(suite, &delivery, (struct delivery_attempt){ SUITE_NOW_MS, next_ms, TEXT("late") });
    assert_int_equal(due_of(suite, WEBHOOK, SUITE_NOW_MS).count, 0);
    assert_int_equal(due_of(suite, WEBHOOK, SUITE_NOW_MS - 1).count, 1);
}

static void a_delivery_that_failed_for_good_gives_way_to_the_next(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    touch(suite, USER);
    struct delivery first = only_due(suite);
    miss(suite, &first, last_attempt());
    struct record kept = delivery_of(suite, first.id);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_Status].integer, DELIVERY_FAILED);
    assert_int_equal(kept.values[WEB_HOOK_DELIVERY_NextAttempt].kind, VALUE_NULL);
    assert_text(value_as_text(&kept.values[WEB_HOOK_DELIVERY_LastError]), TEXT("refused"));
    struct delivery second = only_due(suite);
    assert_true(second.id > first.id);
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, 1);
    arrive(suite, &second, SUITE_NOW_MS);
    webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, 0); /* no more in a row */
    assert_int_equal(webhook.version, 1);
}

static void a_webhook_is_made_inactive_at_the_limit_of_failures_in_a_row(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    for (int i = 0; i <= WEBHOOK_FAILURES_MAX; i++)
        touch(suite, USER);
    for (int failures = 1; failures <= WEBHOOK_FAILURES_MAX; failures++) {
        bool stays_active = failures < WEBHOOK_FAILURES_MAX;
        struct delivery delivery = only_due(suite);
        miss(suite, &delivery, last_attempt());
        struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
        assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, failures);
        assert_int_equal(value_is_true(&webhook.values[WEB_HOOK_Active]), stays_active);
        assert_int_equal(webhook.version, stays_active ? 1 : 2); /* an edit for who has its ETag */
    }
    assert_int_equal(due_of(suite, WEBHOOK, SUITE_NOW_MS).count, 0);
    touch(suite, USER); /* nobody waits for it any more */
    assert_int_equal(count_pending(suite), 1);
}

static void those_that_something_is_pending_for_are_found(void **state) {
    struct suite *suite = *state;
    struct waiting_webhooks waiting;
    suite_add_users(suite, USER, 1);
    assert_ok(store_waiting_webhooks(suite->session, &suite->arena, &waiting));
    assert_int_equal(waiting.count, 0);
    for (int64_t i = 0; i < 4; i++)
        add_webhook(suite, WEBHOOK + i, i < 3 ? ACTION_USER_UPDATE : ACTION_USER_CREATE, true);
    touch(suite, USER);
    touch(suite, USER);
    set_active(suite, WEBHOOK + 1, false);
    struct record gone = suite_load(suite, &web_hook_table, WEBHOOK + 2);
    assert_ok(suite_delete(suite, &gone));
    assert_ok(store_waiting_webhooks(suite->session, &suite->arena, &waiting));
    assert_int_equal(waiting.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(waiting.list[i].id, WEBHOOK + i);
        assert_int_equal(waiting.list[i].is_active, i == 0);
    }
    assert_int_equal(count_pending(suite), 6);
}

static void cancel(struct suite *suite, int64_t webhook, int limit) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_cancel_deliveries(tx, webhook, SUITE_NOW_MS + 7, limit));
    assert_ok(suite_commit(suite));
}

static void deliveries_end_with_their_webhook_some_at_a_time(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    for (int i = 0; i < 5; i++)
        touch(suite, USER);
    struct delivery first = only_due(suite);
    cancel(suite, WEBHOOK, 100); /* it is active */
    assert_int_equal(count_pending(suite), 5);
    set_active(suite, WEBHOOK, false);
    cancel(suite, WEBHOOK, 2);
    assert_int_equal(count_pending(suite), 3);
    assert_int_equal(status_of(suite, first.id), DELIVERY_PENDING);
    set_active(suite, WEBHOOK, true); /* what is left of the queue goes on */
    assert_int_equal(only_due(suite).id, first.id);
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_ok(suite_delete(suite, &webhook));
    cancel(suite, WEBHOOK, 100);
    assert_int_equal(count_pending(suite), 0);
    struct record ended = delivery_of(suite, first.id);
    assert_int_equal(ended.values[WEB_HOOK_DELIVERY_Status].integer, DELIVERY_CANCELLED);
    assert_int_equal(ended.values[WEB_HOOK_DELIVERY_UpdatedOn].integer, SUITE_NOW_MS + 7);
    assert_int_equal(ended.values[WEB_HOOK_DELIVERY_NextAttempt].kind, VALUE_NULL);
    assert_int_equal(ended.values[WEB_HOOK_DELIVERY_LastError].kind, VALUE_TEXT);
}

static void redeliver(struct suite *suite, int64_t id) {
    struct record delivery = delivery_of(suite, id);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_redeliver(tx, &delivery, SUITE_NOW_MS));
    assert_ok(suite_commit(suite));
}

static void a_delivery_that_ended_can_be_repeated_before_those_behind_it(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    for (int i = 0; i < 3; i++)
        touch(suite, USER);
    struct delivery first = only_due(suite), second;
    arrive(suite, &first, SUITE_NOW_MS);
    second = only_due(suite);
    redeliver(suite, first.id);
    struct delivery again = only_due(suite);
    assert_int_equal(again.id, first.id);
    assert_int_equal(again.attempts, 0);
    assert_text(again.payload, first.payload);
    assert_int_equal(count_pending(suite), 3);
    /* One that was on its way meanwhile does not go before it. */
    miss(suite, &second, (struct delivery_attempt){ SUITE_NOW_MS, SUITE_NOW_MS, TEXT("late") });
    assert_int_equal(only_due(suite).id, first.id);
    arrive(suite, &again, SUITE_NOW_MS);
    assert_int_equal(only_due(suite).id, second.id);
    arrive(suite, &second, SUITE_NOW_MS);
    struct delivery third = only_due(suite);
    miss(suite, &third, last_attempt());
    redeliver(suite, third.id);
    assert_int_equal(only_due(suite).id, third.id);
    redeliver(suite, third.id); /* it is pending */
    assert_int_equal(only_due(suite).id, third.id);
    assert_int_equal(count_pending(suite), 1);
}

/* A delivery may be made twice, when the first deliverer did not live to store its outcome. */
static void a_failure_that_comes_late_changes_nothing_of_what_has_ended(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    touch(suite, USER);
    struct delivery first = only_due(suite), second;
    arrive(suite, &first, SUITE_NOW_MS);
    second = only_due(suite);
    miss(suite, &first, (struct delivery_attempt){ SUITE_NOW_MS, SUITE_NOW_MS, TEXT("late") });
    assert_int_equal(status_of(suite, first.id), DELIVERY_DELIVERED);
    assert_int_equal(only_due(suite).id, second.id);
    miss(suite, &first, last_attempt());
    assert_int_equal(status_of(suite, first.id), DELIVERY_DELIVERED);
    miss(suite, &second, last_attempt());
    miss(suite, &second, last_attempt());
    struct record webhook = suite_load(suite, &web_hook_table, WEBHOOK);
    assert_int_equal(webhook.values[WEB_HOOK_ErrorCount].integer, 1); /* of one delivery */
}

static void a_delivery_that_arrived_has_arrived_whatever_became_of_it_meanwhile(void **state) {
    struct suite *suite = *state;
    begin_with_a_webhook(suite);
    touch(suite, USER);
    struct delivery delivery = only_due(suite);
    set_active(suite, WEBHOOK, false);
    cancel(suite, WEBHOOK, 1);
    assert_int_equal(status_of(suite, delivery.id), DELIVERY_CANCELLED);
    arrive(suite, &delivery, SUITE_NOW_MS);
    assert_int_equal(status_of(suite, delivery.id), DELIVERY_DELIVERED);
}

static void deliveries_that_ended_are_outdated_and_pending_ones_never(void **state) {
    struct suite *suite = *state;
    const struct expired all = { .deliveries_ms = SUITE_NOW_MS + 10,
                                 .audit_ms = INT64_MIN,
                                 .now_ms = SUITE_NOW_MS };
    bool more;
    begin_with_a_webhook(suite);
    for (int i = 0; i < 4; i++)
        touch(suite, USER);
    struct delivery first = only_due(suite), second, third;
    arrive(suite, &first, SUITE_NOW_MS + 9);
    second = due_of(suite, WEBHOOK, SUITE_NOW_MS + 9).list[0];
    miss(suite, &second, last_attempt());
    third = due_of(suite, WEBHOOK, SUITE_NOW_MS + 9).list[0];
    assert_true(first.id < second.id && second.id < third.id);
    arrive(suite, &third, SUITE_NOW_MS + 10); /* exactly on time */
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_purge_expired(tx, &all, 100, &more));
    assert_ok(suite_commit(suite));
    assert_false(more);
    assert_int_equal(store_exists(suite->session, &web_hook_delivery_table, first.id),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_exists(suite->session, &web_hook_delivery_table, second.id),
                     STATUS_NOT_FOUND);
    assert_ok(store_exists(suite->session, &web_hook_delivery_table, third.id));
    assert_int_equal(count_pending(suite), 1);
    assert_int_equal(suite_count(suite, &web_hook_delivery_table), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(each_active_webhook_of_the_action_gets_the_event),
        suite_test(what_is_delivered_is_the_record_as_the_change_left_it),
        suite_test(a_webhooks_secret_comes_with_its_deliveries_as_it_is_kept),
        suite_test(what_was_not_kept_or_only_noted_is_not_told),
        suite_test(events_are_told_when_the_deletion_of_their_webhook_was_taken_back),
        suite_test(the_outbox_says_that_something_may_be_due),
        suite_test(of_one_user_only_the_oldest_delivery_is_due),
        suite_test(no_more_is_due_at_once_than_may_be_sent_and_the_oldest_comes_first),
        suite_test(what_is_due_for_longest_comes_first_not_what_is_oldest),
        suite_test(a_delivery_that_arrived_says_so),
        suite_test(an_attempt_that_failed_is_made_again_when_it_is_due),
        suite_test(what_would_wait_longer_than_any_pause_is_due),
        suite_test(a_delivery_that_failed_for_good_gives_way_to_the_next),
        suite_test(a_webhook_is_made_inactive_at_the_limit_of_failures_in_a_row),
        suite_test(those_that_something_is_pending_for_are_found),
        suite_test(deliveries_end_with_their_webhook_some_at_a_time),
        suite_test(a_delivery_that_ended_can_be_repeated_before_those_behind_it),
        suite_test(a_failure_that_comes_late_changes_nothing_of_what_has_ended),
        suite_test(a_delivery_that_arrived_has_arrived_whatever_became_of_it_meanwhile),
        suite_test(deliveries_that_ended_are_outdated_and_pending_ones_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

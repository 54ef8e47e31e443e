/* The outbox of the webhooks: an event is written in the same transaction as the change that it
 * reports, so that neither exists without the other.
 *
 * Each active webhook that waits for the action gets its own delivery of an event; the payload is
 * stored once for all of them. The pending deliveries of a webhook and a user form a queue in the
 * order of their Ids. Only the first one has a NextAttempt, so a user's events arrive in order, and
 * a user whose delivery fails does not hold up the others. A function that ends the first delivery
 * of a queue therefore promotes the next one, and sets `outbox_changed`: after the commit the
 * sender looks for due deliveries again. */
#include "store/outbox.h"

#include "rules/messages.h"
#include "rules/webhook.h"
#include "store/engine.h"

/* A delivery to be added. */
struct new_delivery {
    int64_t id, webhook_id, payload_id, action, entity_id;
    const struct author *author;
};

static enum status add_delivery(struct store_tx *tx, const struct new_delivery *delivery) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_add_delivery);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, delivery->id);
    sql_bind_integer(statement, 2, delivery->webhook_id);
    sql_bind_integer(statement, 3, delivery->action);
    sql_bind_integer(statement, 4, delivery->entity_id);
    sql_bind_integer(statement, 5, delivery->payload_id);
    sql_bind_integer(statement, 6, delivery->author->now_ms);
    sql_bind_text(statement, 7, delivery->author->email);
    tx->session->outbox_changed = true;
    return sql_execute(statement);
}

/* The deliveries of an event share its payload, whose key is the Id of the first of them. */
static enum status add_payload(struct store_tx *tx, int64_t id, struct text payload) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_add_payload);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    sql_bind_text(statement, 2, payload);
    return sql_execute(statement);
}

static enum status add_deliveries(struct store_tx *tx, const struct event *event,
                                  const struct value *webhooks, struct text payload) {
    struct new_delivery delivery = { .action = webhook_action(event->record->table, event->change),
                                     .entity_id = record_id(event->record),
                                     .author = event->author };
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < webhooks->len; i++) {
        delivery.webhook_id = webhooks->ids[i];
        status = store_new_id(tx, &web_hook_delivery_table, &delivery.id);
        if (status == STATUS_OK && i == 0) {
            delivery.payload_id = delivery.id;
            status = add_payload(tx, delivery.payload_id, payload);
        }
        if (status == STATUS_OK)
            status = add_delivery(tx, &delivery);
    }
    return status;
}

/* Finds the Ids of the active webhooks that wait for the action. */
static enum status find_webhooks(struct store_tx *tx, enum web_hook_action action,
                                 struct arena *arena, struct value *webhooks) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_webhooks);
    struct buffer ids;
    enum status status = STATUS_INTERNAL;
    buffer_init(&ids, arena, 0);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, action);
    while ((status = sql_step(statement)) == STATUS_OK) {
        int64_t id = sql_integer(statement, 0);
        buffer_add(&ids, (struct text){ (const char *)&id, sizeof id });
    }
    sql_done(statement);
    *webhooks = value_ids((const int64_t *)(const void *)ids.at, ids.len / sizeof(int64_t));
    return status == STATUS_NOT_FOUND && !ids.failed ? STATUS_OK : STATUS_INTERNAL;
}

/* The session caches whether there are any webhooks: most servers have none, and each change
 * asks. */
static enum status has_webhooks(struct store_tx *tx, bool *any) {
    *any = tx->session->webhooks == WEBHOOKS_SOME;
    if (tx->session->webhooks != WEBHOOKS_UNKNOWN)
        return STATUS_OK;
    int64_t count;
    enum status status = store_count(tx->session, &web_hook_table, &count);
    if (status == STATUS_OK)
        tx->session->webhooks = count ? WEBHOOKS_SOME : WEBHOOKS_NONE;
    *any = tx->session->webhooks == WEBHOOKS_SOME;
    return status;
}

enum status outbox_add(struct store_tx *tx, const struct event *event) {
    struct arena arena = { 0 };
    struct buffer payload;
    struct value webhooks = { 0 };
    enum web_hook_action action = webhook_action(event->record->table, event->change);
    bool any;
    if (event->record->table == &web_hook_table) {
        tx->session->webhooks = WEBHOOKS_UNKNOWN;
        tx->session->outbox_changed =
            true; /* its pending deliveries may be due now, or have to be cancelled */
    }
    if (action == ACTION_NONE)
        return STATUS_OK;
    enum status status = has_webhooks(tx, &any);
    if (status != STATUS_OK || !any)
        return status;
    status = find_webhooks(tx, action, &arena, &webhooks);
    if (status == STATUS_OK && webhooks.len) {
        buffer_init(&payload, &arena, 4096);
        webhook_add_payload(&payload, event->record);
        status = payload.failed ? STATUS_INTERNAL
                                : add_deliveries(tx, event, &webhooks, buffer_text(&payload));
    }
    arena_close(&arena);
    return status;
}

static bool read_delivery(struct sql_statement *statement, struct arena *arena,
                          struct delivery *delivery) {
    *delivery = (struct delivery){
        .id = sql_integer(statement, 0),
        .webhook_id = sql_integer(statement, 1),
        .entity_id = sql_integer(statement, 2),
        .attempts = sql_integer(statement, 3),
        .payload = sql_text(statement, 4, arena),
        .url = sql_text(statement, 5, arena),
        .secret = sql_text(statement, 6, arena),
    };
    return delivery->payload.at && delivery->url.at;
}

static enum status read_waiting(struct store_session *session, struct buffer *webhooks) {
    struct sql_statement *statement = sql_statement(session, SQL_waiting_webhooks);
    enum status status = STATUS_INTERNAL;
    if (!statement)
        return STATUS_INTERNAL;
    while ((status = sql_step(statement)) == STATUS_OK) {
        struct waiting_webhook webhook = { .id = sql_integer(statement, 0),
                                           .is_active = sql_integer(statement, 1) != 0,
                                           .maker_id = sql_integer(statement, 2) };
        buffer_add(webhooks, (struct text){ (const char *)&webhook, sizeof webhook });
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND && !webhooks->failed ? STATUS_OK : STATUS_INTERNAL;
}

enum status store_count_pending(struct store_session *session, int64_t *count) {
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    struct sql_statement *statement = sql_statement(session, SQL_pending_deliveries);
    status = statement ? sql_step(statement) : STATUS_INTERNAL;
    if (status == STATUS_OK)
        *count = sql_integer(statement, 0);
    sql_done(statement);
    engine_end_reading(session);
    return status;
}

enum status store_waiting_webhooks(struct store_session *session, struct arena *arena,
                                   struct waiting_webhooks *waiting) {
    struct buffer webhooks;
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    buffer_init(&webhooks, arena, 0);
    status = read_waiting(session, &webhooks);
    waiting->list = (const struct waiting_webhook *)(const void *)webhooks.at;
    waiting->count = webhooks.len / sizeof(struct waiting_webhook);
    engine_end_reading(session);
    return status;
}

/* Adds the deliveries whose NextAttempt lies in a range of time, up to DUE_MAX in all. */
static enum status add_due(struct store_session *session, int64_t webhook_id,
                           const int64_t from_to_ms[2], struct arena *arena,
                           struct due_deliveries *due) {
    struct sql_statement *statement = sql_statement(session, SQL_due_deliveries);
    enum status status = STATUS_INTERNAL;
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, webhook_id);
    sql_bind_integer(statement, 2, from_to_ms[0]);
    sql_bind_integer(statement, 3, from_to_ms[1]);
    sql_bind_integer(statement, 4, DUE_MAX - due->count);
    while ((status = sql_step(statement)) == STATUS_OK)
        if (!read_delivery(statement, arena, &due->list[due->count++])) {
            status = STATUS_INTERNAL;
            break;
        }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_due(struct store_session *session, const struct due_query *query,
                            struct arena *arena, struct due_deliveries *due) {
    const int64_t ahead[] = { query->now_ms + query->longest_pause_ms + 1, INT64_MAX };
    const int64_t past[] = { INT64_MIN, query->now_ms };
    due->count = 0;
    enum status status = add_due(session, query->webhook_id, ahead, arena, due);
    return status == STATUS_OK ? add_due(session, query->webhook_id, past, arena, due) : status;
}

static enum status read_next(struct store_session *session, const struct due_query *query,
                             int64_t *next_ms) {
    struct sql_statement *statement = sql_statement(session, SQL_next_attempt);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, query->webhook_id);
    sql_bind_integer(statement, 2, query->now_ms);
    enum status status = sql_step(statement);
    *next_ms = INT64_MAX;
    if (status == STATUS_OK && !sql_is_null(statement, 0))
        *next_ms = sql_integer(statement, 0);
    sql_done(statement);
    return status;
}

enum status store_due_deliveries(struct store_session *session, const struct due_query *query,
                                 struct arena *arena, struct due_deliveries *due) {
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = read_due(session, query, arena, due);
    if (status == STATUS_OK)
        status = read_next(session, query, &due->next_ms);
    engine_end_reading(session);
    return status;
}

/* Makes the first pending delivery of the queue due. */
static enum status promote_next(struct store_tx *tx, const struct delivery *delivery,
                                int64_t now_ms) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_promote_next);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, delivery->webhook_id);
    sql_bind_integer(statement, 2, delivery->entity_id);
    sql_bind_integer(statement, 3, now_ms);
    tx->session->outbox_changed = true;
    return sql_execute(statement);
}

enum status store_delivered(struct store_tx *tx, const struct delivery *delivery, int64_t now_ms) {
    struct sql_statement *done = sql_statement(tx->session, SQL_delivered);
    struct sql_statement *webhook = sql_statement(tx->session, SQL_webhook_worked);
    if (!done || !webhook)
        return STATUS_INTERNAL;
    sql_bind_integer(done, 1, delivery->id);
    sql_bind_integer(done, 2, now_ms);
    sql_bind_integer(webhook, 1, delivery->webhook_id);
    sql_bind_integer(webhook, 2, now_ms);
    enum status status = sql_execute(done);
    if (status == STATUS_OK)
        status = sql_execute(webhook);
    return status == STATUS_OK ? promote_next(tx, delivery, now_ms) : status;
}

/* Records the attempt with the delivery and with its webhook. NOT_FOUND: the delivery has ended
 * already, so nothing is recorded. */
static enum status note_failed_attempt(struct store_tx *tx, const struct delivery *delivery,
                                       const struct delivery_attempt *attempt) {
    struct sql_statement *again =
        sql_statement(tx->session, attempt->next_ms ? SQL_attempt_failed : SQL_delivery_failed);
    struct sql_statement *webhook = sql_statement(tx->session, SQL_attempt_at_webhook_failed);
    if (!again || !webhook)
        return STATUS_INTERNAL;
    sql_bind_integer(again, 1, delivery->id);
    sql_bind_integer(again, 2, attempt->now_ms);
    sql_bind_text(again, 3, attempt->error);
    if (attempt->next_ms)
        sql_bind_integer(again, 4, attempt->next_ms);
    sql_bind_integer(webhook, 1, delivery->webhook_id);
    sql_bind_integer(webhook, 2, attempt->now_ms);
    sql_bind_text(webhook, 3, attempt->error);
    enum status status = sql_execute_one(again);
    if (status == STATUS_PRECONDITION_FAILED)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? sql_execute(webhook) : status;
}

/* Counts a failed delivery, and deactivates its webhook when too many failed in a row. A webhook
 * that was deleted meanwhile has no count. */
static enum status count_failure(struct store_tx *tx, int64_t webhook_id) {
    struct sql_statement *failed = sql_statement(tx->session, SQL_webhook_failed);
    struct sql_statement *idle = sql_statement(tx->session, SQL_make_webhook_idle);
    int64_t failures = 0;
    if (!failed || !idle)
        return STATUS_INTERNAL;
    sql_bind_integer(failed, 1, webhook_id);
    enum status status = sql_step(failed);
    if (status == STATUS_OK)
        failures = sql_integer(failed, 0);
    sql_done(failed);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (webhook_stays_active(failures))
        return STATUS_OK;
    sql_bind_integer(idle, 1, webhook_id);
    tx->session->webhooks = WEBHOOKS_UNKNOWN;
    return sql_execute(idle);
}

enum status store_not_delivered(struct store_tx *tx, const struct delivery *delivery,
                                const struct delivery_attempt *attempt) {
    enum status status = note_failed_attempt(tx, delivery, attempt);
    if (status != STATUS_OK || attempt->next_ms)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = count_failure(tx, delivery->webhook_id);
    return status == STATUS_OK ? promote_next(tx, delivery, attempt->now_ms) : status;
}

enum status store_cancel_deliveries(struct store_tx *tx, int64_t webhook_id, int64_t now_ms,
                                    int limit) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_cancel_deliveries);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, webhook_id);
    sql_bind_integer(statement, 2, now_ms);
    sql_bind_text(statement, 3, MESSAGE_TEXT(web_hook_stopped));
    sql_bind_integer(statement, 4, limit);
    return sql_execute(statement);
}

enum status store_stop_webhook(struct store_tx *tx, const struct waiting_webhook *webhook,
                               struct text why) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_stop_webhook);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, webhook->id);
    sql_bind_integer(statement, 2, webhook->maker_id);
    sql_bind_text(statement, 3, why);
    tx->session->webhooks = WEBHOOKS_UNKNOWN;
    tx->session->outbox_changed = true; /* its pending deliveries have to be cancelled */
    return sql_execute(statement);
}

enum status store_redeliver(struct store_tx *tx, const struct record *delivery, int64_t now_ms) {
    const struct delivery queued = {
        .id = record_id(delivery),
        .webhook_id = delivery->values[WEB_HOOK_DELIVERY_WebHookId].integer,
        .entity_id = delivery->values[WEB_HOOK_DELIVERY_EntityId].integer,
    };
    struct sql_statement *repeat = sql_statement(tx->session, SQL_redeliver);
    struct sql_statement *others = sql_statement(tx->session, SQL_requeue_behind);
    if (!repeat || !others)
        return STATUS_INTERNAL;
    sql_bind_integer(repeat, 1, queued.id);
    sql_bind_integer(repeat, 2, now_ms);
    sql_bind_integer(others, 1, queued.webhook_id);
    sql_bind_integer(others, 2, queued.entity_id);
    sql_bind_integer(others, 3, queued.id);
    enum status status = sql_execute(repeat);
    if (status == STATUS_OK)
        status = sql_execute(others);
    return status == STATUS_OK ? promote_next(tx, &queued, now_ms) : status;
}

/* Is a test still waiting for this webhook? CONFLICT: it is. */
static enum status check_no_test(struct store_tx *tx, int64_t webhook_id) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_pending_tests);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, webhook_id);
    enum status status = sql_step(statement);
    if (status == STATUS_OK && sql_integer(statement, 0) > 0)
        status = STATUS_CONFLICT;
    sql_done(statement);
    return status;
}

enum status store_test_webhook(struct store_tx *tx, const struct record *webhook,
                               const struct record *made_up, const struct author *author) {
    struct arena arena = { 0 };
    struct buffer payload;
    struct new_delivery delivery = { .webhook_id = record_id(webhook),
                                     .action = webhook->values[WEB_HOOK_Action].integer,
                                     .entity_id = record_id(made_up),
                                     .author = author };
    enum status status = check_no_test(tx, delivery.webhook_id);
    if (status != STATUS_OK)
        return status;
    buffer_init(&payload, &arena, 4096);
    webhook_add_payload(&payload, made_up);
    status =
        payload.failed ? STATUS_INTERNAL : store_new_id(tx, &web_hook_delivery_table, &delivery.id);
    delivery.payload_id = delivery.id;
    if (status == STATUS_OK)
        status = add_payload(tx, delivery.id, buffer_text(&payload));
    if (status == STATUS_OK)
        status = add_delivery(tx, &delivery);
    arena_close(&arena);
    return status;
}

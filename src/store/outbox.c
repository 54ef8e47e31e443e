/* The outbox of the webhooks: what is to be told is written with the change that it tells of, in
 * one transaction, so that neither exists without the other. */
#include "store/sqlite/sqlite.h"

#include "rules/messages.h"
#include "rules/webhook.h"

static enum status add_delivery(struct store_view *tx, const struct event *event, int64_t hook_id,
                                const int64_t ids[2]) {
    sqlite3_stmt *statement = view_statement(tx, SQL_add_delivery);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, ids[0]);
    bind_integer(statement, 2, hook_id);
    bind_integer(statement, 3, webhook_action(event->record->table, event->change));
    bind_integer(statement, 4, record_id(event->record));
    bind_integer(statement, 5, ids[1]);
    bind_integer(statement, 6, event->author->now_ms);
    bind_text(statement, 7, event->author->email);
    tx->outbox_changed = true;
    return view_execute(tx, statement);
}

/* What an event's deliveries have in common is called by the Id of the first of them. */
static enum status add_payload(struct store_view *tx, int64_t id, struct text payload) {
    sqlite3_stmt *statement = view_statement(tx, SQL_add_payload);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    bind_text(statement, 2, payload);
    return view_execute(tx, statement);
}

static enum status add_deliveries(struct store_view *tx, const struct event *event,
                                  const struct value *hooks, struct text payload) {
    int64_t ids[2] = { 0 }; /* of the delivery, and of the first one */
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < hooks->len; i++) {
        status = store_new_id(tx, &web_hook_delivery_table, &ids[0]);
        if (status == STATUS_OK && i == 0) {
            ids[1] = ids[0];
            status = add_payload(tx, ids[1], payload);
        }
        if (status == STATUS_OK)
            status = add_delivery(tx, event, hooks->ids[i], ids);
    }
    return status;
}

/* The ids of the active webhooks that wait for the action. */
static enum status find_hooks(struct store_view *tx, enum web_hook_action action,
                              struct arena *arena, struct value *hooks) {
    sqlite3_stmt *statement = view_statement(tx, SQL_hooks);
    struct buffer ids;
    enum status status = STATUS_BROKEN;
    buffer_init(&ids, arena, 0);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, action);
    while ((status = view_step(tx, statement)) == STATUS_OK) {
        int64_t id = sqlite3_column_int64(statement, 0);
        buffer_add(&ids, (struct text){ (const char *)&id, sizeof id });
    }
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    *hooks = value_ids((const int64_t *)(const void *)ids.at, ids.len / sizeof(int64_t));
    return status == STATUS_NOT_FOUND && !ids.failed ? STATUS_OK : STATUS_BROKEN;
}

/* Whether there are any webhooks is remembered: most servers have none, and each change asks. */
static enum status has_hooks(struct store_view *tx, bool *any) {
    *any = tx->hooks == HOOKS_SOME;
    if (tx->hooks != HOOKS_UNKNOWN)
        return STATUS_OK;
    int64_t count;
    enum status status = store_count(tx, &web_hook_table, &count);
    if (status == STATUS_OK)
        tx->hooks = count ? HOOKS_SOME : HOOKS_NONE;
    *any = tx->hooks == HOOKS_SOME;
    return status;
}

enum status outbox_note(struct store_view *tx, const struct event *event) {
    struct arena arena = { 0 };
    struct buffer payload;
    struct value hooks = { 0 };
    enum web_hook_action action = webhook_action(event->record->table, event->change);
    bool any;
    if (event->record->table == &web_hook_table) {
        tx->hooks = HOOKS_UNKNOWN;
        tx->outbox_changed = true; /* what waited for it may go, or has to end with it */
    }
    if (action == ACTION_NONE)
        return STATUS_OK;
    enum status status = has_hooks(tx, &any);
    if (status != STATUS_OK || !any)
        return status;
    status = find_hooks(tx, action, &arena, &hooks);
    if (status == STATUS_OK && hooks.len) {
        buffer_init(&payload, &arena, 4096);
        webhook_add_payload(&payload, event->record);
        status = payload.failed ? STATUS_BROKEN
                                : add_deliveries(tx, event, &hooks, buffer_text(&payload));
    }
    arena_close(&arena);
    return status;
}

static bool read_delivery(sqlite3_stmt *statement, struct arena *arena, struct delivery *delivery) {
    *delivery = (struct delivery){
        .id = sqlite3_column_int64(statement, 0),
        .hook_id = sqlite3_column_int64(statement, 1),
        .entity_id = sqlite3_column_int64(statement, 2),
        .attempts = sqlite3_column_int64(statement, 3),
        .payload = column_text(statement, 4, arena),
        .url = column_text(statement, 5, arena),
        .secret = column_text(statement, 6, arena),
    };
    return delivery->payload.at && delivery->url.at;
}

static enum status read_waiting(struct store_view *view, struct buffer *hooks) {
    sqlite3_stmt *statement = view_statement(view, SQL_waiting_hooks);
    enum status status = STATUS_BROKEN;
    if (!statement)
        return STATUS_BROKEN;
    while ((status = view_step(view, statement)) == STATUS_OK) {
        struct waiting_hook hook = { .id = sqlite3_column_int64(statement, 0),
                                     .is_active = sqlite3_column_int(statement, 1) != 0,
                                     .maker_id = sqlite3_column_int64(statement, 2) };
        buffer_add(hooks, (struct text){ (const char *)&hook, sizeof hook });
    }
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND && !hooks->failed ? STATUS_OK : STATUS_BROKEN;
}

enum status store_count_pending(struct store_view *view, int64_t *count) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    sqlite3_stmt *statement = view_statement(view, SQL_pending_deliveries);
    status = statement ? view_step(view, statement) : STATUS_BROKEN;
    if (status == STATUS_OK)
        *count = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    view_leave(view);
    return status;
}

enum status store_waiting_hooks(struct store_view *view, struct arena *arena,
                                struct waiting_hooks *waiting) {
    struct buffer hooks;
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    buffer_init(&hooks, arena, 0);
    status = read_waiting(view, &hooks);
    waiting->list = (const struct waiting_hook *)(const void *)hooks.at;
    waiting->count = hooks.len / sizeof(struct waiting_hook);
    view_leave(view);
    return status;
}

/* Adds those with a NextAttempt of that time, as long as there is room. */
static enum status add_due(struct store_view *view, int64_t hook_id, const int64_t from_to_ms[2],
                           struct arena *arena, struct due_deliveries *due) {
    sqlite3_stmt *statement = view_statement(view, SQL_due_deliveries);
    enum status status = STATUS_BROKEN;
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, hook_id);
    bind_integer(statement, 2, from_to_ms[0]);
    bind_integer(statement, 3, from_to_ms[1]);
    bind_integer(statement, 4, DUE_MAX - due->count);
    while ((status = view_step(view, statement)) == STATUS_OK)
        if (!read_delivery(statement, arena, &due->list[due->count++])) {
            status = STATUS_BROKEN;
            break;
        }
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_due(struct store_view *view, const struct due_query *query,
                            struct arena *arena, struct due_deliveries *due) {
    const int64_t ahead[] = { query->now_ms + query->longest_pause_ms + 1, INT64_MAX };
    const int64_t past[] = { INT64_MIN, query->now_ms };
    due->count = 0;
    enum status status = add_due(view, query->hook_id, ahead, arena, due);
    return status == STATUS_OK ? add_due(view, query->hook_id, past, arena, due) : status;
}

static enum status read_next(struct store_view *view, const struct due_query *query,
                             int64_t *next_ms) {
    sqlite3_stmt *statement = view_statement(view, SQL_next_attempt);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, query->hook_id);
    bind_integer(statement, 2, query->now_ms);
    enum status status = view_step(view, statement);
    *next_ms = INT64_MAX;
    if (status == STATUS_OK && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
        *next_ms = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

enum status store_due_deliveries(struct store_view *view, const struct due_query *query,
                                 struct arena *arena, struct due_deliveries *due) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    status = read_due(view, query, arena, due);
    if (status == STATUS_OK)
        status = read_next(view, query, &due->next_ms);
    view_leave(view);
    return status;
}

/* The first of the line may be attempted. */
static enum status call_up(struct store_view *tx, const struct delivery *delivery, int64_t now_ms) {
    sqlite3_stmt *statement = view_statement(tx, SQL_call_up);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, delivery->hook_id);
    bind_integer(statement, 2, delivery->entity_id);
    bind_integer(statement, 3, now_ms);
    tx->outbox_changed = true;
    return view_execute(tx, statement);
}

enum status store_delivered(struct store_view *tx, const struct delivery *delivery,
                            int64_t now_ms) {
    sqlite3_stmt *done = view_statement(tx, SQL_delivered);
    sqlite3_stmt *hook = view_statement(tx, SQL_hook_worked);
    if (!done || !hook)
        return STATUS_BROKEN;
    bind_integer(done, 1, delivery->id);
    bind_integer(done, 2, now_ms);
    bind_integer(hook, 1, delivery->hook_id);
    bind_integer(hook, 2, now_ms);
    enum status status = view_execute(tx, done);
    if (status == STATUS_OK)
        status = view_execute(tx, hook);
    return status == STATUS_OK ? call_up(tx, delivery, now_ms) : status;
}

/* NOT_FOUND: the delivery has ended already, so there is nothing to note. */
static enum status note_failed_attempt(struct store_view *tx, const struct delivery *delivery,
                                       const struct attempt *attempt) {
    sqlite3_stmt *again =
        view_statement(tx, attempt->next_ms ? SQL_attempt_failed : SQL_delivery_failed);
    sqlite3_stmt *hook = view_statement(tx, SQL_attempt_at_hook_failed);
    if (!again || !hook)
        return STATUS_BROKEN;
    bind_integer(again, 1, delivery->id);
    bind_integer(again, 2, attempt->now_ms);
    bind_text(again, 3, attempt->error);
    if (attempt->next_ms)
        bind_integer(again, 4, attempt->next_ms);
    bind_integer(hook, 1, delivery->hook_id);
    bind_integer(hook, 2, attempt->now_ms);
    bind_text(hook, 3, attempt->error);
    enum status status = view_execute(tx, again);
    if (status == STATUS_OK && sqlite3_changes(tx->db) != 1)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? view_execute(tx, hook) : status;
}

/* Counts a delivery that failed, and makes its webhook inactive when there were too many in a row.
 * A webhook that was deleted meanwhile has no count. */
static enum status count_failure(struct store_view *tx, int64_t hook_id) {
    sqlite3_stmt *failed = view_statement(tx, SQL_hook_failed);
    sqlite3_stmt *idle = view_statement(tx, SQL_make_hook_idle);
    int64_t failures = 0;
    if (!failed || !idle)
        return STATUS_BROKEN;
    bind_integer(failed, 1, hook_id);
    enum status status = view_step(tx, failed);
    if (status == STATUS_OK)
        failures = sqlite3_column_int64(failed, 0);
    (void)sqlite3_reset(failed); /* repeats the error of the step */
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (webhook_stays_active(failures))
        return STATUS_OK;
    bind_integer(idle, 1, hook_id);
    tx->hooks = HOOKS_UNKNOWN;
    return view_execute(tx, idle);
}

enum status store_not_delivered(struct store_view *tx, const struct delivery *delivery,
                                const struct attempt *attempt) {
    enum status status = note_failed_attempt(tx, delivery, attempt);
    if (status != STATUS_OK || attempt->next_ms)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = count_failure(tx, delivery->hook_id);
    return status == STATUS_OK ? call_up(tx, delivery, attempt->now_ms) : status;
}

enum status store_cancel_deliveries(struct store_view *tx, int64_t hook_id, int64_t now_ms,
                                    int limit) {
    sqlite3_stmt *statement = view_statement(tx, SQL_cancel_deliveries);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, hook_id);
    bind_integer(statement, 2, now_ms);
    bind_text(statement, 3, MESSAGE_TEXT(web_hook_stopped));
    bind_integer(statement, 4, limit);
    return view_execute(tx, statement);
}

enum status store_stop_hook(struct store_view *tx, const struct waiting_hook *hook,
                            struct text why) {
    sqlite3_stmt *statement = view_statement(tx, SQL_stop_hook);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, hook->id);
    bind_integer(statement, 2, hook->maker_id);
    bind_text(statement, 3, why);
    tx->hooks = HOOKS_UNKNOWN;
    tx->outbox_changed = true; /* what waits for it has to end with it */
    return view_execute(tx, statement);
}

enum status store_repeat_delivery(struct store_view *tx, const struct record *delivery,
                                  int64_t now_ms) {
    const struct delivery line = {
        .id = record_id(delivery),
        .hook_id = delivery->values[WEB_HOOK_DELIVERY_WebHookId].integer,
        .entity_id = delivery->values[WEB_HOOK_DELIVERY_EntityId].integer,
    };
    sqlite3_stmt *repeat = view_statement(tx, SQL_repeat_delivery);
    sqlite3_stmt *others = view_statement(tx, SQL_stand_back);
    if (!repeat || !others)
        return STATUS_BROKEN;
    bind_integer(repeat, 1, line.id);
    bind_integer(repeat, 2, now_ms);
    bind_integer(others, 1, line.hook_id);
    bind_integer(others, 2, line.entity_id);
    bind_integer(others, 3, line.id);
    enum status status = view_execute(tx, repeat);
    if (status == STATUS_OK)
        status = view_execute(tx, others);
    return status == STATUS_OK ? call_up(tx, &line, now_ms) : status;
}

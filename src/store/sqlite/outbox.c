/* The outbox of the webhooks: what is to be told is written with the change that it tells of, in
 * one transaction, so that neither exists without the other. */
#include "store/sqlite/sqlite.h"

#include "json/json.h"

static enum status add_delivery(struct store_view *tx, const struct event *event, int64_t hook_id,
                                struct text payload) {
    int64_t id;
    enum status status = store_new_id(tx, &web_hook_delivery_table, &id);
    sqlite3_stmt *statement = view_statement(tx, SQL_add_delivery);
    if (status != STATUS_OK || !statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    bind_integer(statement, 2, hook_id);
    bind_integer(statement, 3, event->action);
    bind_integer(statement, 4, record_id(event->record));
    bind_text(statement, 5, payload);
    bind_integer(statement, 6, event->author->now_ms);
    bind_text(statement, 7, event->author->email);
    tx->outbox_changed = true;
    return view_execute(tx, statement);
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
    bool any;
    if (event->record->table == &web_hook_table) {
        tx->hooks = HOOKS_UNKNOWN;
        tx->outbox_changed = true; /* what waited for it may go, or has to end with it */
    }
    if (event->record->table != &user_table)
        return STATUS_OK;
    enum status status = has_hooks(tx, &any);
    if (status != STATUS_OK || !any)
        return status;
    status = find_hooks(tx, event->action, &arena, &hooks);
    if (status == STATUS_OK && hooks.len) {
        /* An array of one record (contract section 7). */
        buffer_init(&payload, &arena, 4096);
        buffer_add_char(&payload, '[');
        json_add_record(&payload, event->record);
        buffer_add_char(&payload, ']');
        if (payload.failed)
            status = STATUS_BROKEN;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < hooks.len; i++)
        status = add_delivery(tx, event, hooks.ids[i], buffer_text(&payload));
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

static enum status read_due(struct store_view *view, int64_t now_ms, struct arena *arena,
                            struct due_deliveries *due) {
    sqlite3_stmt *statement = view_statement(view, SQL_due_deliveries);
    enum status status = STATUS_BROKEN;
    due->count = 0;
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, now_ms);
    bind_integer(statement, 2, DUE_MAX);
    while ((status = view_step(view, statement)) == STATUS_OK)
        if (!read_delivery(statement, arena, &due->list[due->count++])) {
            status = STATUS_BROKEN;
            break;
        }
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_next(struct store_view *view, int64_t now_ms, int64_t *next_ms) {
    sqlite3_stmt *statement = view_statement(view, SQL_next_attempt);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, now_ms);
    enum status status = view_step(view, statement);
    *next_ms = INT64_MAX;
    if (status == STATUS_OK && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
        *next_ms = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

enum status store_due_deliveries(struct store_view *view, int64_t now_ms, struct arena *arena,
                                 struct due_deliveries *due) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    status = read_due(view, now_ms, arena, due);
    if (status == STATUS_OK)
        status = read_next(view, now_ms, &due->next_ms);
    view_leave(view);
    return status;
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
    return status == STATUS_OK ? view_execute(tx, hook) : status;
}

enum status store_not_delivered(struct store_view *tx, const struct delivery *delivery,
                                const struct attempt *attempt) {
    sqlite3_stmt *again = view_statement(tx, SQL_not_delivered);
    sqlite3_stmt *hook = view_statement(tx, SQL_hook_failed);
    if (!again || !hook)
        return STATUS_BROKEN;
    bind_integer(again, 1, delivery->id);
    bind_integer(again, 2, attempt->now_ms);
    (void)sqlite3_bind_null(again, 3); /* cannot fail on a ready statement */
    if (attempt->next_ms)
        bind_integer(again, 3, attempt->next_ms);
    bind_text(again, 4, attempt->error);
    bind_integer(hook, 1, delivery->hook_id);
    bind_integer(hook, 2, attempt->now_ms);
    bind_text(hook, 3, attempt->error);
    bind_integer(hook, 4, attempt->limit);
    tx->outbox_changed = true;
    tx->hooks = HOOKS_UNKNOWN;
    enum status status = view_execute(tx, again);
    return status == STATUS_OK ? view_execute(tx, hook) : status;
}

enum status store_repeat_delivery(struct store_view *tx, int64_t id, int64_t now_ms) {
    sqlite3_stmt *statement = view_statement(tx, SQL_repeat_delivery);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    bind_integer(statement, 2, now_ms);
    tx->outbox_changed = true;
    enum status status = view_execute(tx, statement);
    return status == STATUS_OK && sqlite3_changes(tx->db) == 0 ? STATUS_NOT_FOUND : status;
}

enum status store_drop_deliveries(struct store_view *tx, int64_t before_ms, int limit) {
    sqlite3_stmt *statement = view_statement(tx, SQL_drop_deliveries);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, before_ms);
    bind_integer(statement, 2, limit);
    return view_execute(tx, statement);
}

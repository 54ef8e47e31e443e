/* All that writes, inside the transaction of the writer. */
#include "store/email_index.h"
#include "store/row_compression.h"
#include "store/sqlite/text_index.h"

#include "rules/audit.h"
#include "rules/collections.h"
#include "rules/fold.h"

#include <assert.h>
#include <stdio.h>

static const struct value none = { .kind = VALUE_NULL };

static void bind_value(sqlite3_stmt *statement, int at, const struct field *field,
                       const struct value *value) {
    if (value->kind == VALUE_INTEGER)
        bind_integer(statement, at, value->integer);
    else if (value->kind == VALUE_TEXT && field_is_sealed(field))
        bind_blob(statement, at, value_as_text(value));
    else if (value->kind == VALUE_TEXT)
        bind_text(statement, at, value_as_text(value));
    else if (field->type == TYPE_boolean)
        bind_integer(statement, at, 0);
    else
        (void)sqlite3_bind_null(statement, at); /* cannot fail on a ready statement */
}

/* Binds all that an INSERT or UPDATE wants and runs it. */
static enum status run_with_record(struct store_view *tx, sqlite3_stmt *statement,
                                   const struct record *record, bool with_indexed) {
    const struct table *table = record->table;
    struct arena arena = { 0 };
    struct text packed = { 0 };
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]) &&
            (with_indexed || !(table->fields[i].flags & (UNIQUE | INDEXED))))
            bind_value(statement, (int)i + 1, &table->fields[i], &record->values[i]);
    bind_integer(statement, view_parameter(table, ROW_VERSION), record->version);
    if (!table->is_kept_as_json)
        return view_execute(tx, statement);
    enum status status = pack(tx, record, &arena, &packed);
    bind_blob(statement, view_parameter(table, ROW_MEMBERS), packed);
    if (status == STATUS_OK)
        status = view_execute(tx, statement);
    arena_close(&arena);
    return status;
}

static enum status add_audit_row(struct store_view *tx, const struct audit_row *row,
                                 const struct author *author) {
    sqlite3_stmt *statement = view_statement(tx, SQL_audit);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, text_of(row->entity));
    bind_integer(statement, 2, row->entity_id);
    bind_text(statement, 3, row->property);
    bind_text(statement, 4, row->before);
    bind_text(statement, 5, row->after);
    bind_text(statement, 6, author->email);
    bind_integer(statement, 7, author->now_ms);
    bind_integer(statement, 8, row->type);
    if (row->business.kind == VALUE_INTEGER)
        bind_integer(statement, 9, row->business.integer);
    else
        (void)sqlite3_bind_null(statement, 9); /* cannot fail on a ready statement */
    return view_execute(tx, statement);
}

static enum status audit_whole(struct store_view *tx, const struct record *record,
                               enum audit_type type, const struct author *author) {
    struct audit_row row = audit_record(record, type);
    return add_audit_row(tx, &row, author);
}

enum status store_audit_tokens(struct store_view *tx, int64_t user_id, struct text property,
                               struct text value, const struct author *author) {
    struct arena arena = { 0 };
    struct audit_room room;
    struct record user;
    enum status status = store_load(tx, &user_table, user_id, &arena, &user);
    if (status == STATUS_OK) {
        struct audit_row row = audit_event(&user, property, value, &room);
        status = add_audit_row(tx, &row, author);
    }
    arena_close(&arena);
    return status == STATUS_OK ? STATUS_OK : STATUS_BROKEN;
}

enum status write_erasure(struct store_view *tx, int64_t user_id, const struct author *author) {
    struct audit_row row = audit_erasure(user_id);
    return add_audit_row(tx, &row, author);
}

static enum status change_link(struct store_view *tx, enum statement how,
                               const struct record *owner, const struct field *field,
                               int64_t target) {
    char name[96];
    sqlite3_stmt *statement = view_statement(tx, how);
    int len = snprintf(name, sizeof name, "%s.%s", owner->table->name, field->name.at);
    assert(len > 0 && (size_t)len < sizeof name);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, (struct text){ name, (size_t)len });
    bind_integer(statement, 2, target);
    bind_integer(statement, 3, record_id(owner));
    return view_execute(tx, statement);
}

/* The ids that a stored link or reference has. */
static struct value linked_ids(const struct field *field, const struct value *stored,
                               struct arena *arena) {
    if (field->type == TYPE_links || stored->kind != VALUE_INTEGER)
        return ids_from_stored(stored, arena);
    int64_t *id = arena_alloc(arena, sizeof *id);
    if (id)
        *id = stored->integer;
    return value_ids(id, 1);
}

/* Writes the difference of two stored values into the index of links. */
static enum status change_links(struct store_view *tx, const struct record *owner, unsigned field,
                                const struct value *before, const struct value *after) {
    struct arena arena = { 0 };
    const struct field *which = &owner->table->fields[field];
    struct value old = linked_ids(which, before, &arena), gone = { 0 };
    struct value new = linked_ids(which, after, &arena), come = { 0 };
    if (old.ids && new.ids) {
        gone = ids_without(&old, &new, &arena);
        come = ids_without(&new, &old, &arena);
    }
    enum status status = gone.ids && come.ids ? STATUS_OK : STATUS_BROKEN;
    for (uint32_t i = 0; status == STATUS_OK && i < gone.len; i++)
        status = change_link(tx, SQL_drop_link, owner, which, gone.ids[i]);
    for (uint32_t i = 0; status == STATUS_OK && i < come.len; i++)
        status = change_link(tx, SQL_add_link, owner, which, come.ids[i]);
    arena_close(&arena);
    return status;
}

static enum status write_row(struct store_view *tx, const struct record *before,
                             const struct record *after) {
    bool indexed_changes = false;
    for (unsigned i = 0; i < after->table->count; i++)
        if (after->table->fields[i].flags & (UNIQUE | INDEXED))
            indexed_changes |= !value_equal(&before->values[i], &after->values[i]);
    sqlite3_stmt *statement = view_table_statement(
        tx, after->table, indexed_changes ? TABLE_UPDATE_INDEXED : TABLE_UPDATE);
    if (!statement)
        return STATUS_BROKEN;
    assert(after->version == before->version + 1);
    bind_integer(statement, view_parameter(after->table, ROW_VERSION_BEFORE), before->version);
    enum status status = run_with_record(tx, statement, after, indexed_changes);
    if (status == STATUS_OK && sqlite3_changes(tx->db) != 1)
        status = STATUS_STALE;
    return status;
}

enum status store_note(struct store_view *tx, const struct record *before,
                       const struct record *after) {
    return write_row(tx, before, after);
}

void store_change_access(struct store_view *tx) {
    tx->access_changed = true;
}

static enum status write_difference(struct store_view *tx, const struct record *before,
                                    const struct record *after, unsigned field,
                                    const struct author *author) {
    const struct field *which = &after->table->fields[field];
    struct audit_room room;
    enum status status = STATUS_OK;
    if (value_equal(&before->values[field], &after->values[field]))
        return STATUS_OK;
    tx->access_changed |= (which->flags & ACCESS) != 0;
    if (field_is_linked(which))
        status = change_links(tx, after, field, &before->values[field], &after->values[field]);
    if (status != STATUS_OK || !audit_covers(after->table, field))
        return status;
    struct audit_row row = audit_field(before, after, field, &room);
    return add_audit_row(tx, &row, author);
}

/* What searches look into. */
static enum status index_text(struct store_view *tx, const struct record *owner, unsigned which,
                              const struct value *before, const struct value *after) {
    struct arena arena = { 0 };
    const struct field *field = &owner->table->fields[which];
    const struct texts texts = { tx, owner->table, field };
    struct text old = value_as_text(before), new = value_as_text(after);
    enum status status = STATUS_OK;
    if (old.at)
        old = fold(old, &arena);
    if (new.at)
        new = fold(new, &arena);
    bool is_same = !old.at == !new.at &&text_equal(old, new);
    if (arena.failed)
        status = STATUS_BROKEN;
    else if (!is_same)
        status = texts_set(&texts, record_id(owner), new);
    if (status == STATUS_OK && field->type == TYPE_email && old.at && !is_same)
        status = addresses_write(tx, owner, old, TABLE_DROP_ADDRESS);
    if (status == STATUS_OK && field->type == TYPE_email && new.at && !is_same)
        status = addresses_write(tx, owner, new, TABLE_ADD_ADDRESS);
    arena_close(&arena);
    return status;
}

/* Of values as they were and are; NULL: the record was not, or is no more. */
static enum status index_texts(struct store_view *tx, const struct record *owner,
                               const struct value *before, const struct value *after) {
    const struct table *table = owner->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++) {
        const struct value *old = before ? &before[i] : &none, *new = after ? &after[i] : &none;
        if (table->fields[i].flags & SEARCHED && !value_equal(old, new))
            status = index_text(tx, owner, i, old, new);
    }
    return status;
}

enum status store_update(struct store_view *tx, const struct record *before,
                         const struct record *after, const struct author *author) {
    enum status status = write_row(tx, before, after);
    for (unsigned i = 0; status == STATUS_OK && i < after->table->count; i++)
        status = write_difference(tx, before, after, i, author);
    if (status == STATUS_OK)
        status = index_texts(tx, after, before->values, after->values);
    if (status == STATUS_OK)
        status = outbox_note(tx, &(struct event){ AUDIT_UPDATE, after, author });
    return status;
}

enum status store_delete(struct store_view *tx, const struct record *record,
                         const struct author *author) {
    sqlite3_stmt *statement = view_table_statement(tx, record->table, TABLE_DELETE);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, record_id(record));
    bind_integer(statement, 2, record->version);
    enum status status = view_execute(tx, statement);
    if (status == STATUS_OK && sqlite3_changes(tx->db) != 1)
        return STATUS_STALE;
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++) {
        tx->access_changed |= (record->table->fields[i].flags & ACCESS) != 0;
        if (field_is_linked(&record->table->fields[i]))
            status = change_links(tx, record, i, &record->values[i], &none);
    }
    if (status == STATUS_OK)
        status = audit_whole(tx, record, AUDIT_DELETE, author);
    if (status == STATUS_OK)
        status = index_texts(tx, record, record->values, NULL);
    if (status == STATUS_OK)
        status = outbox_note(tx, &(struct event){ AUDIT_DELETE, record, author });
    return status;
}

/* Ids that were given by hand (the demo's) are not given again. */
static enum status skip_id(struct store_view *tx, const struct record *record) {
    sqlite3_stmt *statement = view_statement(tx, SQL_skip_id);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, text_of(record->table->name));
    bind_integer(statement, 2, record_id(record));
    return view_execute(tx, statement);
}

enum status write_new_row(struct store_view *tx, const struct record *record) {
    sqlite3_stmt *statement = view_table_statement(tx, record->table, TABLE_INSERT);
    return statement ? run_with_record(tx, statement, record, true) : STATUS_BROKEN;
}

enum status write_new_indexes(struct store_view *tx, const struct record *record) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++)
        if (field_is_linked(&record->table->fields[i]))
            status = change_links(tx, record, i, &none, &record->values[i]);
    return status == STATUS_OK ? index_texts(tx, record, NULL, record->values) : status;
}

enum status store_insert(struct store_view *tx, const struct record *record,
                         const struct author *author) {
    enum status status = write_new_row(tx, record);
    if (status == STATUS_OK)
        status = write_new_indexes(tx, record);
    if (status == STATUS_OK)
        status = skip_id(tx, record);
    if (status == STATUS_OK)
        status = audit_whole(tx, record, AUDIT_CREATE, author);
    if (status == STATUS_OK)
        status = outbox_note(tx, &(struct event){ AUDIT_CREATE, record, author });
    return status;
}

enum status store_new_id(struct store_view *tx, const struct table *table, int64_t *id) {
    sqlite3_stmt *statement = view_statement(tx, SQL_next_id);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, text_of(table->name));
    enum status status = view_step(tx, statement);
    if (status == STATUS_OK)
        *id = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return status == STATUS_OK ? STATUS_OK : STATUS_BROKEN;
}

enum status store_set_avatar(struct store_view *tx, int64_t user_id, const struct avatar *avatar) {
    sqlite3_stmt *statement = view_statement(tx, avatar ? SQL_set_avatar : SQL_drop_avatar);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, user_id);
    if (avatar) {
        bind_text(statement, 2, avatar->type);
        bind_blob(statement, 3, avatar->content);
    }
    return view_execute(tx, statement);
}

static struct text hash_bytes(const struct token_hash *hash) {
    return (struct text){ (const char *)hash->bytes, sizeof hash->bytes };
}

/* Whoever may sign in may do so as often as he likes. The newest token stays in any case: many may
 * be of the same millisecond. */
static enum status bound_tokens(struct store_view *tx, const struct token_hash *newest,
                                enum token_kind kind) {
    sqlite3_stmt *statement = view_statement(tx, SQL_bound_tokens);
    if (!statement)
        return STATUS_BROKEN;
    bind_blob(statement, 1, hash_bytes(newest));
    bind_integer(statement, 2, kind);
    bind_integer(statement, 3, store_user_tokens(tx->store) - 1);
    enum status status = view_execute(tx, statement);
    if (status == STATUS_OK && sqlite3_changes(tx->db) > 0)
        tx->access_changed |= kind == TOKEN_ACCESS; /* the others are not remembered in memory */
    return status;
}

enum status store_add_token(struct store_view *tx, const struct token *token) {
    sqlite3_stmt *statement = view_statement(tx, SQL_add_token);
    assert(token->family && token->expires_ms <= token->ends_ms);
    if (!statement)
        return STATUS_BROKEN;
    bind_blob(statement, 1, hash_bytes(&token->hash));
    bind_integer(statement, 2, token->kind);
    bind_integer(statement, 3, token->user_id);
    bind_text(statement, 4, token->client_id);
    bind_integer(statement, 5, token->issued_ms);
    bind_integer(statement, 6, token->expires_ms);
    bind_integer(statement, 7, token->family);
    bind_integer(statement, 8, token->parent);
    bind_integer(statement, 9, token->ends_ms);
    enum status status = view_execute(tx, statement);
    return status == STATUS_OK ? bound_tokens(tx, &token->hash, token->kind) : status;
}

enum status store_drop_token(struct store_view *tx, const struct token_hash *hash) {
    sqlite3_stmt *statement = view_statement(tx, SQL_drop_token);
    if (!statement)
        return STATUS_BROKEN;
    bind_blob(statement, 1, hash_bytes(hash));
    tx->access_changed = true;
    return view_execute(tx, statement);
}

enum status store_spend_token(struct store_view *tx, const struct token_hash *hash) {
    sqlite3_stmt *statement = view_statement(tx, SQL_set_token_kind);
    if (!statement)
        return STATUS_BROKEN;
    bind_blob(statement, 1, hash_bytes(hash));
    bind_integer(statement, 2, TOKEN_SPENT);
    return view_execute(tx, statement);
}

enum status store_has_spent(struct store_view *tx, int64_t family, int64_t count) {
    sqlite3_stmt *statement = view_statement(tx, SQL_spent_of_family);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, family);
    bind_integer(statement, 2, count);
    enum status status = view_step(tx, statement);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

static enum status end_families(struct store_view *tx, enum statement which, int64_t of) {
    sqlite3_stmt *statement = view_statement(tx, which);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, of);
    tx->access_changed = true;
    return view_execute(tx, statement);
}

enum status store_revoke_all(struct store_view *tx, int64_t user_id) {
    return end_families(tx, SQL_revoke_all, user_id);
}

enum status store_end_family(struct store_view *tx, int64_t family) {
    return end_families(tx, SQL_end_family, family);
}

enum status store_end_family_of(struct store_view *tx, int64_t refresh_id) {
    return end_families(tx, SQL_end_family_of, refresh_id);
}

enum status store_revoke_client(struct store_view *tx, int64_t user_id, struct text client_id,
                                enum token_kind kind) {
    sqlite3_stmt *statement = view_statement(tx, SQL_revoke_client);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, user_id);
    bind_text(statement, 2, client_id);
    bind_integer(statement, 3, kind);
    tx->access_changed |= kind == TOKEN_ACCESS;
    return view_execute(tx, statement);
}

enum status store_is_new_client(struct store_view *tx, const struct token *session, unsigned kinds,
                                int64_t since_ms) {
    enum { SESSIONS_MAX = 50 };
    sqlite3_stmt *statement = view_statement(tx, SQL_new_client);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, session->user_id);
    bind_text(statement, 2, session->client_id);
    bind_integer(statement, 3, kinds);
    bind_integer(statement, 4, since_ms);
    bind_integer(statement, 5, SESSIONS_MAX);
    enum status status = view_step(tx, statement);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

enum status store_note_stranger(struct store_view *tx) {
    return view_execute(tx, view_statement(tx, SQL_note_stranger));
}

enum status store_find_repeat(struct store_view *view, struct repeat *repeat, int64_t since_ms,
                              struct arena *arena) {
    enum status entered = view_enter(view);
    sqlite3_stmt *statement = entered == STATUS_OK ? view_statement(view, SQL_find_repeat) : NULL;
    if (!statement) {
        if (entered == STATUS_OK)
            view_leave(view);
        return STATUS_BROKEN;
    }
    bind_integer(statement, 1, repeat->caller);
    bind_text(statement, 2, repeat->key);
    bind_integer(statement, 3, since_ms);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK) {
        const void *mac = sqlite3_column_blob(statement, 0);
        if (mac && sqlite3_column_bytes(statement, 0) == sizeof repeat->mac.bytes)
            memcpy(repeat->mac.bytes, mac, sizeof repeat->mac.bytes);
        repeat->record_id = sqlite3_column_int64(statement, 1);
        repeat->at_ms = sqlite3_column_int64(statement, 2);
        repeat->author = column_text(statement, 3, arena);
    }
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    view_leave(view);
    return status;
}

static enum status bound_repeats(struct store_view *tx, int64_t caller) {
    sqlite3_stmt *statement = view_statement(tx, SQL_bound_repeats);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, caller);
    bind_integer(statement, 2, REPEATS_MAX - 1);
    return view_execute(tx, statement);
}

enum status store_add_repeat(struct store_view *tx, const struct repeat *repeat) {
    sqlite3_stmt *statement = view_statement(tx, SQL_add_repeat);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, repeat->caller);
    bind_text(statement, 2, repeat->key);
    bind_blob(statement, 3, hash_bytes(&repeat->mac));
    bind_integer(statement, 4, repeat->record_id);
    bind_integer(statement, 5, repeat->at_ms);
    bind_text(statement, 6, repeat->author);
    enum status status = view_execute(tx, statement);
    return status == STATUS_OK ? bound_repeats(tx, repeat->caller) : status;
}

enum status store_drop_outdated(struct store_view *tx, const struct outdated *outdated, int limit,
                                bool *more) {
    const struct {
        enum statement statement;
        int64_t before_ms;
    } kinds[] = { { SQL_drop_expired, outdated->tokens_ms },
                  { SQL_drop_deliveries, outdated->deliveries_ms },
                  { SQL_drop_repeats, outdated->repeats_ms },
                  { SQL_drop_audit, outdated->audit_ms } };
    enum status status = STATUS_OK;
    *more = false;
    for (size_t i = 0; status == STATUS_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3_stmt *statement = view_statement(tx, kinds[i].statement);
        if (!statement)
            return STATUS_BROKEN;
        bind_integer(statement, 1, kinds[i].before_ms);
        bind_integer(statement, 2, limit);
        if (kinds[i].statement == SQL_drop_audit)
            bind_integer(statement, 3, outdated->now_ms);
        status = view_execute(tx, statement);
        *more |= sqlite3_changes(tx->db) >= limit;
    }
    return status;
}

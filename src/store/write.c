/* Writes records: their rows, and everything that follows from a change (index entries, audit rows,
 * events, the access epoch). */
#include "store/write.h"

#include "rules/fold.h"
#include "store/audit.h"
#include "store/email_index.h"
#include "store/ids.h"
#include "store/links.h"
#include "store/outbox.h"
#include "store/rows.h"
#include "store/text_index.h"

static const struct value none = { .kind = VALUE_NULL };

/* ---- Index entries ---- */

static enum status index_text(struct store_tx *tx, const struct record *owner, unsigned which,
                              const struct value *before, const struct value *after) {
    struct arena arena = { 0 };
    const struct field *field = &owner->table->fields[which];
    const struct text_index index = { tx->session, owner->table, field };
    struct text old = value_as_text(before), new = value_as_text(after);
    enum status status = STATUS_OK;
    if (old.at)
        old = fold(old, &arena);
    if (new.at)
        new = fold(new, &arena);
    bool is_same = !old.at == !new.at &&text_equal(old, new);
    if (arena.failed)
        status = STATUS_INTERNAL;
    else if (!is_same)
        status = text_index_set(&index, record_id(owner), new);
    if (status == STATUS_OK && field->type == TYPE_email && old.at && !is_same)
        status = email_index_drop(tx, owner, old);
    if (status == STATUS_OK && field->type == TYPE_email && new.at && !is_same)
        status = email_index_add(tx, owner, new);
    arena_close(&arena);
    return status;
}

/* Updates the texts of a record from the values before a change to those after it. NULL: the record
 * did not exist before, or is deleted. */
static enum status index_texts(struct store_tx *tx, const struct record *owner,
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

enum status write_new_index(struct store_tx *tx, const struct record *record, unsigned field) {
    const struct field *which = &record->table->fields[field];
    enum status status = STATUS_OK;
    if (field_is_linked(which))
        status = links_change(tx, record, field, &none, &record->values[field]);
    if (status == STATUS_OK && which->flags & SEARCHED)
        status = index_text(tx, record, field, &none, &record->values[field]);
    return status;
}

enum status write_new_indexes(struct store_tx *tx, const struct record *record) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++)
        if (field_is_linked(&record->table->fields[i]))
            status = links_change(tx, record, i, &none, &record->values[i]);
    return status == STATUS_OK ? index_texts(tx, record, NULL, record->values) : status;
}

/* ---- Changes ---- */

static enum status audit_whole(struct store_tx *tx, const struct record *record,
                               enum audit_type type, const struct author *author) {
    struct audit_row row = audit_record(record, type);
    return audit_add(tx, &row, author);
}

static enum status write_difference(struct store_tx *tx, const struct record *before,
                                    const struct record *after, unsigned field,
                                    const struct author *author) {
    const struct field *which = &after->table->fields[field];
    struct audit_room room;
    enum status status = STATUS_OK;
    if (value_equal(&before->values[field], &after->values[field]))
        return STATUS_OK;
    tx->session->access_changed |= (which->flags & ACCESS) != 0;
    if (field_is_linked(which))
        status = links_change(tx, after, field, &before->values[field], &after->values[field]);
    if (status != STATUS_OK || !audit_covers(after->table, field))
        return status;
    struct audit_row row = audit_field(before, after, field, &room);
    return audit_add(tx, &row, author);
}

enum status store_insert(struct store_tx *tx, const struct record *record,
                         const struct author *author) {
    enum status status = row_insert(tx, record);
    if (status == STATUS_OK)
        status = write_new_indexes(tx, record);
    if (status == STATUS_OK)
        status = ids_skip(tx, record);
    if (status == STATUS_OK)
        status = audit_whole(tx, record, AUDIT_CREATE, author);
    if (status == STATUS_OK)
        status = outbox_add(tx, &(struct event){ AUDIT_CREATE, record, author });
    return status;
}

enum status store_update(struct store_tx *tx, const struct record *before,
                         const struct record *after, const struct author *author) {
    enum status status = row_update(tx, before, after);
    for (unsigned i = 0; status == STATUS_OK && i < after->table->count; i++)
        status = write_difference(tx, before, after, i, author);
    if (status == STATUS_OK)
        status = index_texts(tx, after, before->values, after->values);
    if (status == STATUS_OK)
        status = outbox_add(tx, &(struct event){ AUDIT_UPDATE, after, author });
    return status;
}

enum status store_delete(struct store_tx *tx, const struct record *record,
                         const struct author *author) {
    enum status status = row_delete(tx, record);
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++) {
        tx->session->access_changed |= (record->table->fields[i].flags & ACCESS) != 0;
        if (field_is_linked(&record->table->fields[i]))
            status = links_change(tx, record, i, &record->values[i], &none);
    }
    if (status == STATUS_OK)
        status = audit_whole(tx, record, AUDIT_DELETE, author);
    if (status == STATUS_OK)
        status = index_texts(tx, record, record->values, NULL);
    if (status == STATUS_OK)
        status = outbox_add(tx, &(struct event){ AUDIT_DELETE, record, author });
    return status;
}

enum status store_update_login_state(struct store_tx *tx, const struct record *before,
                                     const struct record *after) {
    return row_update(tx, before, after);
}

void store_change_access(struct store_tx *tx) {
    tx->session->access_changed = true;
}

enum status store_count_unknown_login(struct store_tx *tx) {
    return sql_execute(sql_statement(tx->session, SQL_count_unknown_login));
}

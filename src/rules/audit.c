/* Makes the rows of the audit trail. */
#include "rules/audit.h"

#include "base/time.h"
#include "crypto/token.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

bool audit_covers(const struct table *table, unsigned field) {
    const struct common_fields *common = &table->common;
    return field_is_shown(&table->fields[field]) && field != common->updated_on &&
           field != common->updated_by && field != common->to_string_text;
}

/* The business of a user is the default one; a business belongs to itself. */
static struct value business_of(const struct record *record) {
    if (record->table == &user_table)
        return record->values[USER_DefaultBusinessId];
    if (record->table == &business_table)
        return record->values[BUSINESS_Id];
    const struct field *field = table_field(record->table, TEXT("BusinessId"), 0);
    return field ? record->values[field - record->table->fields] : value_null();
}

/* Clients cannot delete rows of the trail, and long texts in it would fill the disk for good. A
 * reader who has a text can compare it with the digest. */
static struct text shortened(struct text text, char room[AUDIT_ROOM]) {
    if (text.len <= AUDIT_TEXT_MAX)
        return text;
    struct token_hash hash = token_hash(text);
    int len = snprintf(room, AUDIT_ROOM, "(%zu bytes, SHA-256 ", text.len);
    for (unsigned i = 0; i < sizeof hash.bytes; i++)
        len += snprintf(room + len, AUDIT_ROOM - (size_t)len, "%02x", hash.bytes[i]);
    len += snprintf(room + len, AUDIT_ROOM - (size_t)len, ")");
    assert(len > 0 && len < AUDIT_ROOM);
    return (struct text){ room, (size_t)len };
}

bool audit_is_digest(struct text text) {
    static const char words[] = " bytes, SHA-256 ";
    enum { WORDS = sizeof words - 1, HEX = 2 * sizeof(struct token_hash) };
    size_t digits = 0;
    if (text.len < 2 + WORDS + HEX || text.at[0] != '(' || text.at[text.len - 1] != ')')
        return false;
    while (isdigit((unsigned char)text.at[1 + digits]))
        digits++;
    return digits > 0 && text.len == 2 + digits + WORDS + HEX &&
           memcmp(text.at + 1 + digits, words, WORDS) == 0;
}

struct text audit_text(const struct field *field, const struct value *value,
                       char room[AUDIT_ROOM]) {
    if (value->kind == VALUE_TEXT)
        return shortened(value_as_text(value), room);
    if (value->kind != VALUE_INTEGER)
        return (struct text){ 0 };
    if (field->type == TYPE_boolean)
        return value->integer ? TEXT("true") : TEXT("false");
    if (field->type == TYPE_date)
        return (struct text){ room, time_format(value->integer, room) };
    return (struct text){ room, text_from_int64(value->integer, room) };
}

struct audit_row audit_record(const struct record *record, enum audit_type type) {
    return (struct audit_row){
        .entity = record->table->entity,
        .entity_id = record_id(record),
        .type = type,
        .business = business_of(record),
    };
}

struct audit_row audit_field(const struct record *before, const struct record *after,
                             unsigned field, struct audit_room *room) {
    const struct field *changed = &after->table->fields[field];
    struct audit_row row = audit_record(after, AUDIT_UPDATE);
    row.property = changed->name;
    row.after = TEXT("changed");
    if (field_is_searchable(changed)) { /* else a search of the trail would find out the value */
        row.before = audit_text(changed, &before->values[field], room->before);
        row.after = audit_text(changed, &after->values[field], room->after);
    }
    return row;
}

struct audit_row audit_event(const struct record *record, struct text property, struct text value,
                             struct audit_room *room) {
    struct audit_row row = audit_record(record, AUDIT_UPDATE);
    row.property = property;
    row.after = shortened(value, room->after);
    return row;
}

struct audit_row audit_erasure(int64_t user_id) {
    return (struct audit_row){
        .entity = user_table.entity,
        .entity_id = user_id,
        .type = AUDIT_DELETE,
        .property = TEXT("Erased"),
        .after = TEXT("erased"),
        .business = value_null(),
    };
}

/* The index of e-mail addresses: its SQL, its maintenance and its check. email_index.h has the
 * design.
 *
 * The check reads all records in the order of their Ids, works out which rows each should have in
 * the index, and asks for the rows of a thousand records at once: a question for each address would
 * be a journey to the database's machine. The number of rows shows whether the index has others. */
#include "store/email_index.h"

#include "json/json.h"
#include "rules/fold.h"
#include "store/engine.h"
#include "store/rows.h"
#include "store/table_statement.h"

#include <assert.h>
#include <stdio.h>

const struct field *email_index_field(const struct table *table) {
    const struct field *email = NULL;
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].type == TYPE_email && table->fields[i].flags & SEARCHED) {
            assert(!email); /* a second one would need its own index */
            email = &table->fields[i];
        }
    return email;
}

void email_index_add_name(struct buffer *sql, const struct table *table) {
    const struct field *email = email_index_field(table);
    assert(email);
    buffer_printf(sql, "%s_%s_addresses", table->name, email->name.at);
}

static const char *at_sign(struct text text) {
    return text.len ? memchr(text.at, '@', text.len) : NULL;
}

bool email_index_can_find(struct text needle) {
    const char *at = at_sign(needle);
    return at && at != needle.at;
}

bool email_index_is_certain(struct text row) {
    (void)text_cut(&row, '@');
    return row.at && !at_sign(row);
}

/* Adds a text whose first `local_len` bytes, the local part, are reversed. */
static void add_row(struct buffer *buffer, struct text folded, size_t local_len) {
    if (!buffer_reserve(buffer, folded.len))
        return;
    char *out = buffer->at + buffer->len;
    for (size_t end = local_len, start; end; end = start) {
        start = end - 1;
        while (start && ((unsigned char)folded.at[start] & 0xC0) == 0x80)
            start--;
        out = (char *)memcpy(out, folded.at + start, end - start) + (end - start);
    }
    memcpy(out, folded.at + local_len, folded.len - local_len);
    buffer->len += folded.len;
}

struct email_range email_range(struct text needle, struct arena *arena) {
    size_t local_len = (size_t)(at_sign(needle) - needle.at);
    struct buffer to;
    buffer_init(&to, arena, local_len + 1);
    add_row(&to, (struct text){ needle.at, local_len }, local_len);
    buffer_add_char(&to, (char)0xFF); /* greater than any byte of UTF-8 */
    return (struct email_range){ .from = { to.at, local_len },
                                 .to = buffer_text(&to),
                                 .domain = { needle.at + local_len, needle.len - local_len },
                                 .failed = to.failed };
}

static void add_condition(struct buffer *sql, const struct engine *engine, int first) {
    buffer_printf(sql, " WHERE address >= ?%d AND address < ?%d AND ", first, first + 1);
    engine->dialect->add_has_bytes(sql, "address", first + 2);
}

void email_index_add_range(struct buffer *sql, const struct engine *engine,
                           const struct table *table, int first) {
    email_index_add_name(sql, table);
    add_condition(sql, engine, first);
}

static void write_email_sql(struct buffer *sql, const struct engine *engine,
                            const struct table *table, enum table_statement which) {
    switch (which) {
    case TABLE_FIND_EMAIL: /* selects up to two rows of a range */
        buffer_add(sql, TEXT("SELECT Id, "));
        row_add_members_columns(sql, engine);
        buffer_add(sql, TEXT(", address FROM "));
        email_index_add_name(sql, table);
        buffer_printf(sql, "%s%s ON Id = owner", engine->dialect->join_in_order, table->name);
        add_condition(sql, engine, 1);
        buffer_add(sql, TEXT(" LIMIT 2"));
        break;
    case TABLE_COUNT_EMAILS:
        buffer_add(sql, TEXT("SELECT count(*) FROM "));
        email_index_add_name(sql, table);
        break;
    case TABLE_ADD_EMAIL: /* a quoted local part may give the same row twice */
        buffer_add(sql, TEXT("INSERT INTO "));
        email_index_add_name(sql, table);
        buffer_add(sql, TEXT(" (address, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING"));
        break;
    case TABLE_DROP_EMAIL:
        buffer_add(sql, TEXT("DELETE FROM "));
        email_index_add_name(sql, table);
        buffer_add(sql, TEXT(" WHERE address = ?1 AND owner = ?2"));
        break;
    case TABLE_LIST_EMAILS: /* selects the rows of many addresses */
        buffer_add(sql, TEXT("SELECT owner, address FROM "));
        email_index_add_name(sql, table);
        buffer_printf(sql, " WHERE address%s?1%s", engine->dialect->any_of.before,
                      engine->dialect->any_of.after);
        break;
    default: assert(!"not of addresses");
    }
}

static struct sql_statement *email_statement(struct store_session *session,
                                             const struct table *table,
                                             enum table_statement which) {
    return table_statement(session, table, which, write_email_sql);
}

struct sql_statement *email_index_find(struct store_session *session, const struct table *table) {
    return email_statement(session, table, TABLE_FIND_EMAIL);
}

/* Iterates over the rows of an address: one for each of its "@". */
struct rows {
    struct text folded;
    size_t at; /* after the "@" of the last row returned */
    struct buffer row;
};

static bool next_row(struct rows *rows) {
    struct text rest = { rows->folded.at + rows->at, rows->folded.len - rows->at };
    const char *at = at_sign(rest);
    if (!at)
        return false;
    rows->at = (size_t)(at - rows->folded.at) + 1;
    rows->row.len = 0;
    add_row(&rows->row, rows->folded, rows->at - 1);
    return true;
}

static enum status run_with_row(struct store_session *session, const struct table *table,
                                enum table_statement which, const struct rows *rows,
                                int64_t owner) {
    struct sql_statement *statement = email_statement(session, table, which);
    if (!statement || rows->row.failed)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, buffer_text(&rows->row));
    sql_bind_integer(statement, 2, owner);
    enum status status = sql_step(statement);
    sql_done(statement);
    return status;
}

static enum status write_rows(struct store_tx *tx, const struct record *record, struct text folded,
                              enum table_statement how) {
    struct arena arena = { 0 };
    struct rows rows = { .folded = folded };
    enum status status = STATUS_NOT_FOUND;
    buffer_init(&rows.row, &arena, folded.len);
    while (status == STATUS_NOT_FOUND && next_row(&rows))
        status = run_with_row(tx->session, record->table, how, &rows, record_id(record));
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status email_index_add(struct store_tx *tx, const struct record *record, struct text folded) {
    return write_rows(tx, record, folded, TABLE_ADD_EMAIL);
}

enum status email_index_drop(struct store_tx *tx, const struct record *record, struct text folded) {
    return write_rows(tx, record, folded, TABLE_DROP_EMAIL);
}

/* ---- Checking ---- */

static bool is_repeated(const struct rows *rows, struct arena *arena) {
    struct rows before = { .folded = rows->folded };
    buffer_init(&before.row, arena, rows->folded.len);
    while (next_row(&before) && before.at < rows->at)
        if (text_equal(buffer_text(&before.row), buffer_text(&rows->row)))
            return true;
    return false;
}

/* A row that the index should have. */
struct entry {
    int64_t owner;
    struct text row;
    bool is_found;
};

/* Records are looked at in batches, each of which asks once for all that the index should have. */
enum { RECORDS_AT_ONCE = 1000 };

struct emails_check {
    struct store_session *session;
    const struct table *table;
    struct sql_statement *record; /* at the next one */
    enum status at;               /* OK: it is at one; NOT_FOUND: there are no more */
    struct arena arena;           /* of the batch */
    struct buffer entries;        /* of struct entry, by their owners */
    int64_t rows;                 /* of all batches */
};

static struct entry *entries_of(const struct emails_check *check, size_t *count) {
    *count = check->entries.len / sizeof(struct entry);
    return (struct entry *)(void *)check->entries.at;
}

/* Adds the rows of the address of the current record. */
static bool add_entries(struct emails_check *check) {
    struct text address = sql_text(check->record, 1, &check->arena);
    struct rows rows = { .folded = address.at ? fold(address, &check->arena) : address };
    buffer_init(&rows.row, &check->arena, rows.folded.len);
    while (!check->arena.failed && next_row(&rows)) {
        if (is_repeated(&rows, &check->arena))
            continue;
        const struct entry entry = { sql_integer(check->record, 0),
                                     arena_text(&check->arena, buffer_text(&rows.row)), false };
        buffer_add(&check->entries, (struct text){ (const char *)&entry, sizeof entry });
        check->rows++;
    }
    return !check->arena.failed && !rows.row.failed && !check->entries.failed;
}

/* Marks the entry that the index has. */
static void mark_entry(const struct emails_check *check, int64_t owner, struct text row) {
    size_t count, from = 0;
    struct entry *entries = entries_of(check, &count);
    for (size_t to = count; from < to;) {
        size_t middle = from + (to - from) / 2;
        if (entries[middle].owner < owner)
            from = middle + 1;
        else
            to = middle;
    }
    for (; from < count && entries[from].owner == owner; from++)
        entries[from].is_found |= text_equal(entries[from].row, row);
}

static enum status mark_entries(struct emails_check *check) {
    size_t count;
    const struct entry *entries = entries_of(check, &count);
    struct buffer list;
    buffer_init(&list, &check->arena, 64 * count);
    for (size_t i = 0; i < count; i++) {
        buffer_add_char(&list, i ? ',' : '[');
        json_add_string(&list, entries[i].row);
    }
    buffer_add_char(&list, ']');
    struct sql_statement *found = email_statement(check->session, check->table, TABLE_LIST_EMAILS);
    if (list.failed || !found)
        return STATUS_INTERNAL;
    enum status status;
    sql_bind_list(found, 1, buffer_text(&list));
    while ((status = sql_step(found)) == STATUS_OK)
        mark_entry(check, sql_integer(found, 0), sql_bytes(found, 1));
    sql_done(found);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* PRECONDITION_FAILED: a row of an address is missing, and `owner` is the record's Id. */
static enum status check_entries(struct emails_check *check, int64_t *owner) {
    size_t count;
    const struct entry *entries = entries_of(check, &count);
    enum status status = count ? mark_entries(check) : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        *owner = entries[i].owner;
        if (!entries[i].is_found)
            status = STATUS_PRECONDITION_FAILED;
    }
    return status;
}

/* Checks the next records. The result is as of check_entries. */
static enum status check_batch(struct emails_check *check, int64_t *owner) {
    enum status status = STATUS_OK;
    check->arena = (struct arena){ 0 };
    buffer_init(&check->entries, &check->arena, RECORDS_AT_ONCE * sizeof(struct entry));
    for (int i = 0; i < RECORDS_AT_ONCE && status == STATUS_OK && check->at == STATUS_OK; i++) {
        status = add_entries(check) ? STATUS_OK : STATUS_INTERNAL;
        check->at = sql_step(check->record);
    }
    if (status == STATUS_OK)
        status = check_entries(check, owner);
    arena_close(&check->arena);
    return status;
}

/* Selects the Id and address of each record of a table. */
static struct sql_statement *select_emails(struct store_session *session, const struct table *table,
                                           const struct field *email) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 256);
    buffer_add(&sql, TEXT("SELECT Id, "));
    row_add_value(&sql, table, email, table->name);
    buffer_printf(&sql, " FROM %s ORDER BY Id", table->name);
    buffer_add_char(&sql, '\0');
    struct sql_statement *statement = sql.failed ? NULL : sql_prepare_many(session, sql.at);
    arena_close(&arena);
    return statement;
}

enum status email_index_check(struct store_session *session, const struct table *table, char *why,
                              size_t why_size) {
    const struct field *email = email_index_field(table);
    struct emails_check check = { .session = session, .table = table };
    int64_t owner = 0;
    if (!email)
        return STATUS_OK;
    /* This statement is not ended until the check is over: while it runs, its snapshot stays, so
     * all statements of the check see the same data while others write. */
    struct sql_statement *counted = email_statement(session, table, TABLE_COUNT_EMAILS);
    check.record = select_emails(session, table, email);
    enum status status = sql_step(counted);
    (void)snprintf(why, why_size, "they cannot be read");
    check.at = status == STATUS_OK ? sql_step(check.record) : status;
    while (status == STATUS_OK && check.at == STATUS_OK)
        status = check_batch(&check, &owner);
    int64_t found = counted ? sql_integer(counted, 0) : 0;
    if (status == STATUS_PRECONDITION_FAILED)
        (void)snprintf(why, why_size, "%lld is not found by its address", (long long)owner);
    else if (status == STATUS_OK && check.at == STATUS_NOT_FOUND && found != check.rows)
        (void)snprintf(why, why_size, "there are %lld, of records %lld", (long long)found,
                       (long long)check.rows);
    sql_done(counted);
    sql_free(check.record);
    return status == STATUS_OK && check.at == STATUS_NOT_FOUND && found == check.rows
               ? STATUS_OK
               : STATUS_INTERNAL;
}

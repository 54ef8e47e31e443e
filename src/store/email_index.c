/* The index of e-mail addresses: its SQL, its maintenance and its check. email_index.h has the
 * design. */
#include "store/email_index.h"

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
    case TABLE_HAS_EMAIL:
        buffer_add(sql, which == TABLE_HAS_EMAIL ? TEXT("SELECT 1 FROM ") : TEXT("DELETE FROM "));
        email_index_add_name(sql, table);
        buffer_add(sql, TEXT(" WHERE address = ?1 AND owner = ?2"));
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

/* Does the index have every row of an address? Counts the rows. */
static enum status check_owner(struct store_session *session, const struct table *table,
                               int64_t owner, struct text folded, int64_t *count) {
    struct arena arena = { 0 };
    struct rows rows = { .folded = folded };
    enum status status = STATUS_OK;
    buffer_init(&rows.row, &arena, folded.len);
    while (status == STATUS_OK && next_row(&rows)) {
        status = run_with_row(session, table, TABLE_HAS_EMAIL, &rows, owner);
        *count += !is_repeated(&rows, &arena);
    }
    if (arena.failed)
        status = STATUS_INTERNAL;
    arena_close(&arena);
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
    struct sql_statement *statement = sql.failed ? NULL : sql_prepare(session, sql.at);
    arena_close(&arena);
    return statement;
}

/* Checks the statement's current record. NOT_FOUND: a row of its address is missing. */
static enum status check_record(struct store_session *session, const struct table *table,
                                struct sql_statement *record, int64_t *count) {
    struct arena arena = { 0 };
    struct text address = sql_text(record, 1, &arena);
    struct text folded = address.at ? fold(address, &arena) : address;
    enum status status = arena.failed ? STATUS_INTERNAL : STATUS_OK;
    if (folded.at)
        status = check_owner(session, table, sql_integer(record, 0), folded, count);
    arena_close(&arena);
    return status;
}

enum status email_index_check(struct store_session *session, const struct table *table, char *why,
                              size_t why_size) {
    const struct field *email = email_index_field(table);
    int64_t count = 0;
    if (!email)
        return STATUS_OK;
    /* This statement is not ended until the check is over: while it runs, its snapshot stays, so
     * all statements of the check see the same data while others write. */
    struct sql_statement *counted = email_statement(session, table, TABLE_COUNT_EMAILS);
    struct sql_statement *record = select_emails(session, table, email);
    enum status status = sql_step(counted);
    (void)snprintf(why, why_size, "they cannot be read");
    while (status == STATUS_OK && (status = sql_step(record)) == STATUS_OK) {
        status = check_record(session, table, record, &count);
        if (status == STATUS_NOT_FOUND) {
            (void)snprintf(why, why_size, "%lld is not found by its address",
                           (long long)sql_integer(record, 0));
            status = STATUS_INTERNAL;
        }
    }
    int64_t found = counted ? sql_integer(counted, 0) : 0;
    if (status == STATUS_NOT_FOUND && found != count)
        (void)snprintf(why, why_size, "there are %lld, of records %lld", (long long)found,
                       (long long)count);
    sql_done(counted);
    sql_free(record);
    return status == STATUS_NOT_FOUND && found == count ? STATUS_OK : STATUS_INTERNAL;
}

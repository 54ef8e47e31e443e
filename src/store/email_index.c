/* The index of e-mail addresses. */
#include "store/email_index.h"
#include "store/sqlite/text_index.h"

#include "base/buffer.h"

#include <assert.h>
#include <stdio.h>

/* A table's searched e-mail; NULL when it has none. */
static const struct field *email_of(const struct table *table) {
    const struct field *email = NULL;
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].type == TYPE_email && table->fields[i].flags & SEARCHED) {
            assert(!email); /* a second one would want an index of its own */
            email = &table->fields[i];
        }
    return email;
}

static void add_name(struct buffer *sql, const struct table *table) {
    const struct field *email = email_of(table);
    assert(email);
    buffer_printf(sql, "%s_%s_addresses", table->name, email->name.at);
}

static const char *at_sign(struct text text) {
    return text.len ? memchr(text.at, '@', text.len) : NULL;
}

bool addresses_can_find(struct text needle) {
    const char *at = at_sign(needle);
    return at && at != needle.at;
}

bool addresses_are_certain(struct text row) {
    (void)text_cut(&row, '@');
    return row.at && !at_sign(row);
}

/* Adds a text with its first `local_len` bytes backwards. */
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

struct address_range address_range(struct text needle, struct arena *arena) {
    size_t local_len = (size_t)(at_sign(needle) - needle.at);
    struct buffer to;
    buffer_init(&to, arena, local_len + 1);
    add_row(&to, (struct text){ needle.at, local_len }, local_len);
    buffer_add_char(&to, (char)0xFF); /* after all of UTF-8 */
    return (struct address_range){ .from = { to.at, local_len },
                                   .to = buffer_text(&to),
                                   .domain = { needle.at + local_len, needle.len - local_len },
                                   .failed = to.failed };
}

void addresses_add_table(struct buffer *sql, const struct table *table) {
    if (!email_of(table))
        return;
    buffer_add(sql, TEXT("CREATE TABLE IF NOT EXISTS "));
    add_name(sql, table);
    buffer_add(sql, TEXT(" (address TEXT NOT NULL, owner INTEGER NOT NULL,"
                         " PRIMARY KEY (address, owner)) STRICT, WITHOUT ROWID;"));
}

/* As blobs they are searched where they lie; a text would be copied for the sake of its end. */
static void add_condition(struct buffer *sql, int first) {
    buffer_printf(sql,
                  " WHERE address >= ?%d AND address < ?%d"
                  " AND instr(CAST(address AS BLOB), CAST(?%d AS BLOB)) > 0",
                  first, first + 1, first + 2);
}

void addresses_add_range(struct buffer *sql, const struct table *table, int first) {
    add_name(sql, table);
    add_condition(sql, first);
}

void addresses_add_statement(struct buffer *sql, const struct table *table,
                             enum table_statement which) {
    switch (which) {
    case TABLE_ADDRESSED: /* up to two rows of a range */
        buffer_add(sql, TEXT("SELECT Members, Id, address FROM "));
        add_name(sql, table);
        buffer_printf(sql, " CROSS JOIN %s ON Id = owner", table->name);
        add_condition(sql, 1);
        buffer_add(sql, TEXT(" LIMIT 2"));
        break;
    case TABLE_COUNT_ADDRESSES:
        buffer_add(sql, TEXT("SELECT count(*) FROM "));
        add_name(sql, table);
        break;
    case TABLE_ADD_ADDRESS: /* what a quoted local part repeats may be one row */
        buffer_add(sql, TEXT("INSERT OR IGNORE INTO "));
        add_name(sql, table);
        buffer_add(sql, TEXT(" (address, owner) VALUES (?1, ?2)"));
        break;
    case TABLE_DROP_ADDRESS:
    case TABLE_HAS_ADDRESS:
        buffer_add(sql, which == TABLE_HAS_ADDRESS ? TEXT("SELECT 1 FROM ") : TEXT("DELETE FROM "));
        add_name(sql, table);
        buffer_add(sql, TEXT(" WHERE address = ?1 AND owner = ?2"));
        break;
    default: assert(!"not of addresses");
    }
}

/* The rows of an address, one after the other. */
struct rows {
    struct text folded;
    size_t at; /* behind the "@" of the row that was given last */
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

static enum status run_with_row(struct store_view *view, const struct table *table,
                                enum table_statement which, const struct rows *rows,
                                int64_t owner) {
    sqlite3_stmt *statement = view_table_statement(view, table, which);
    if (!statement || rows->row.failed)
        return STATUS_BROKEN;
    bind_text(statement, 1, buffer_text(&rows->row));
    bind_integer(statement, 2, owner);
    enum status status = view_step(view, statement);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

enum status addresses_write(struct store_view *tx, const struct record *record, struct text folded,
                            enum table_statement how) {
    struct arena arena = { 0 };
    struct rows rows = { .folded = folded };
    enum status status = STATUS_NOT_FOUND;
    buffer_init(&rows.row, &arena, folded.len);
    while (status == STATUS_NOT_FOUND && next_row(&rows))
        status = run_with_row(tx, record->table, how, &rows, record_id(record));
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool is_repeated(const struct rows *rows, struct arena *arena) {
    struct rows before = { .folded = rows->folded };
    buffer_init(&before.row, arena, rows->folded.len);
    while (next_row(&before) && before.at < rows->at)
        if (text_equal(buffer_text(&before.row), buffer_text(&rows->row)))
            return true;
    return false;
}

/* Are the rows of an address there? Counts them. */
static enum status check_owner(struct store_view *view, const struct table *table, int64_t owner,
                               struct text folded, int64_t *count) {
    struct arena arena = { 0 };
    struct rows rows = { .folded = folded };
    enum status status = STATUS_OK;
    buffer_init(&rows.row, &arena, folded.len);
    while (status == STATUS_OK && next_row(&rows)) {
        status = run_with_row(view, table, TABLE_HAS_ADDRESS, &rows, owner);
        *count += !is_repeated(&rows, &arena);
    }
    if (arena.failed)
        status = STATUS_BROKEN;
    arena_close(&arena);
    return status;
}

enum status addresses_check(struct store_view *view, const struct table *table, char *why,
                            size_t why_size) {
    const struct texts texts = { view, table, email_of(table) };
    int64_t count = 0;
    if (!texts.field)
        return STATUS_OK;
    /* It stays on its row, so that all is of one moment while others write. */
    sqlite3_stmt *counted = view_table_statement(view, table, TABLE_COUNT_ADDRESSES);
    sqlite3_stmt *record = texts_records(&texts);
    enum status status = view_step(view, counted);
    (void)snprintf(why, why_size, "they cannot be read");
    while (status == STATUS_OK && (status = view_step(view, record)) == STATUS_OK) {
        struct text folded = { (const char *)sqlite3_column_text(record, 1),
                               (size_t)sqlite3_column_bytes(record, 1) };
        int64_t owner = sqlite3_column_int64(record, 0);
        status = folded.at ? check_owner(view, table, owner, folded, &count) : STATUS_BROKEN;
        if (status == STATUS_NOT_FOUND) {
            (void)snprintf(why, why_size, "%lld is not found by its address", (long long)owner);
            status = STATUS_BROKEN;
        }
    }
    int64_t found = counted ? sqlite3_column_int64(counted, 0) : 0;
    if (status == STATUS_NOT_FOUND && found != count)
        (void)snprintf(why, why_size, "there are %lld, of records %lld", (long long)found,
                       (long long)count);
    if (counted)
        (void)sqlite3_reset(counted); /* repeats the error of the step */
    (void)sqlite3_finalize(record);
    return status == STATUS_NOT_FOUND && found == count ? STATUS_OK : STATUS_BROKEN;
}

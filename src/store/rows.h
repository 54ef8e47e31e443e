#ifndef ROSTER_STORE_ROWS_H
#define ROSTER_STORE_ROWS_H

/*
 * Records as rows, and back. A table has a column for each field, or it is kept as JSON: then the
 * record lies in the column Members (row_compression.h), and the columns beside it hold only what
 * replies do not show and copies for indexes.
 */

#include "base/buffer.h"
#include "store/session.h"

/** Are the rows of a table made of those of others (audit trail entries, refresh tokens)? */
static inline bool row_is_derived(const struct table *table) {
    return table == &audit_trail_entry_table || table == &refresh_token_table;
}

/** One of the statements up to TABLE_UPDATE_INDEXED; see table_statement.h. */
struct sql_statement *row_statement(struct store_session *session, const struct table *table,
                                    enum table_statement which) MUST_CHECK;

/** Adds an expression for the value of a field of a row of `table` (called `row` in the query). */
void row_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                   const char *row);

/** Adds "Version, ..." of the columns that a record is read from; row_read reads such a row. */
void row_add_columns(struct buffer *sql, const struct table *table);
bool row_read(struct store_session *session, struct sql_statement *statement, struct arena *arena,
              struct record *record) MUST_CHECK;

/** Reads one value. False when memory is short. */
bool row_read_value(struct sql_value from, struct arena *arena, struct value *value) MUST_CHECK;

/** Reads a record from a column of Members; false is logged. */
bool row_read_members(struct store_session *session, struct sql_value members, struct arena *arena,
                      struct record *record) MUST_CHECK;

/**
 * Adds the record that a column of Members holds to `json` as replies show it. STATUS_INTERNAL is
 * logged.
 */
enum status row_add_members(struct store_session *session, const struct table *table,
                            struct sql_value members, struct buffer *json) MUST_CHECK;

/** Writes a new row and nothing else, neither links nor audit rows. INTERNAL. */
enum status row_insert(struct store_tx *tx, const struct record *record) MUST_CHECK;

/** Writes a row in the place of `before`. PRECONDITION_FAILED: the stored one has another version,
 * or is gone. */
enum status row_update(struct store_tx *tx, const struct record *before,
                       const struct record *after) MUST_CHECK;

/** Takes a row away. PRECONDITION_FAILED: the stored one has another version, or is gone. */
enum status row_delete(struct store_tx *tx, const struct record *record) MUST_CHECK;

#endif

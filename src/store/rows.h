#ifndef ROSTER_STORE_ROWS_H
#define ROSTER_STORE_ROWS_H

/*
 * Stores records as rows. A table has a column for each field, or it is stored as JSON: the column
 * Members (row_compression.h) then holds the record, and the columns beside it hold only the fields
 * that replies do not show, and copies of members for indexes.
 */

#include "base/buffer.h"
#include "store/session.h"

/**
 * Does the store derive the rows of this table from other ones (audit trail entries, refresh
 * tokens)?
 */
static inline bool row_is_derived(const struct table *table) {
    return table == &audit_trail_entry_table || table == &refresh_token_table;
}

/** Returns one of the statements up to TABLE_UPDATE_INDEXED; see table_statement.h. */
struct sql_statement *row_statement(struct store_session *session, const struct table *table,
                                    enum table_statement which) MUST_CHECK;

/**
 * Adds an SQL expression for the value of a field of a row of `table`, which the query names `row`.
 */
void row_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                   const char *row);

/**
 * row_add_columns adds "Version, ...", the columns that a record is read from; row_read reads a
 * record from such a row. INTERNAL, also for a row whose sum is wrong; otherwise as sql_step.
 */
void row_add_columns(struct buffer *sql, const struct engine *engine, const struct table *table);
enum status row_read(struct store_session *session, struct sql_statement *statement,
                     struct arena *arena, struct record *record) MUST_CHECK;

/** Reads one value into the arena. False when memory runs out. */
bool row_read_value(struct sql_value from, struct arena *arena, struct value *value) MUST_CHECK;

/**
 * Adds "Version, Members, ...", the columns that row_add_members reads of a table that is stored as
 * JSON; row_members_columns is how many they are.
 */
void row_add_members_columns(struct buffer *sql, const struct engine *engine);
int row_members_columns(const struct engine *engine);

/** Reads a record from a column of Members, without its sum. INTERNAL, which is logged; otherwise
 * as sql_step. */
enum status row_read_members(struct store_session *session, struct sql_value members,
                             struct arena *arena, struct record *record) MUST_CHECK;

/** Members of a row, and what its sum covers. */
struct row_members {
    int64_t id, version, sum;
    struct sql_value value; /* its bytes last as those of sql_bytes */
};

/** Reads the columns of row_add_members_columns, which begin at `first`, of the row `id`. */
struct row_members row_members(struct sql_statement *statement, int first, int64_t id);

/**
 * Appends the record in Members to `json` as replies show it. INTERNAL, which is logged; also when
 * the sum is wrong.
 */
enum status row_add_members(struct store_session *session, const struct table *table,
                            const struct row_members *row, struct buffer *json) MUST_CHECK;

/** Binds the value of a field as its column has it. */
void row_bind_value(struct sql_statement *statement, int at, const struct field *field,
                    const struct value *value);

/** Writes a new row only, without links and audit rows. INTERNAL. */
enum status row_insert(struct store_tx *tx, const struct record *record) MUST_CHECK;

/**
 * Replaces the row of `before`. PRECONDITION_FAILED: the stored row is gone or has another version.
 */
enum status row_update(struct store_tx *tx, const struct record *before,
                       const struct record *after) MUST_CHECK;

/** Deletes a row. PRECONDITION_FAILED: the stored row is gone or has another version. */
enum status row_delete(struct store_tx *tx, const struct record *record) MUST_CHECK;

#endif

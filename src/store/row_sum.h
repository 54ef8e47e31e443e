#ifndef ROSTER_STORE_ROW_SUM_H
#define ROSTER_STORE_ROW_SUM_H

/*
 * Sums of rows, by which a bit that flipped in the file is found. An engine whose database has no
 * sums of its own (`keeps_row_sums` in engine.h) keeps one in each row:
 *
 *   row_sum      covers every value that is stored only once. In a table that is stored as JSON
 *                it leaves out Members, and the copies of its members for indexes, which `rosterd
 *                check` compares with Members.
 *   members_sum  covers Members with the row's Id and version. It is apart so that a GET has to
 *                read nothing else.
 *
 * They find damage, not forgery: whoever can write the file can write sums. Any thread.
 */

#include "base/buffer.h"
#include "model/field.h"
#include "store/sql.h"

#include <endian.h>
#include <xxhash.h>

/* The most values that a sum may cover: as many as SQLite lets a function have, less the three that
 * row_is_sound has besides. */
enum { ROW_SUM_VALUES_MAX = 124 };

/** A sum that is being made: at most ROW_SUM_VALUES_MAX values are added, one after the other. The
 * caller sets `used` to 0 and nothing else. */
struct row_sum {
    unsigned used;
    uint64_t words[2 * ROW_SUM_VALUES_MAX];
};

/* Types count, too: 0 is another sum than null, and a text another than the same bytes. */
static inline void row_sum_add_null(struct row_sum *sum) {
    sum->words[sum->used++] = htole64(SQL_NULL);
}

static inline void row_sum_add_integer(struct row_sum *sum, int64_t integer) {
    sum->words[sum->used++] = htole64(SQL_INTEGER);
    sum->words[sum->used++] = htole64((uint64_t)integer);
}

/** `type` is SQL_TEXT or SQL_BYTES. */
static inline void row_sum_add_bytes(struct row_sum *sum, unsigned type, struct text bytes) {
    sum->words[sum->used++] = htole64(type | (uint64_t)bytes.len << 8);
    sum->words[sum->used++] = htole64(XXH3_64bits(bytes.at, bytes.len));
}

void row_sum_add_value(struct row_sum *sum, struct sql_value value);

/** Returns the sum of the values that were added. */
int64_t row_sum_of_values(const struct row_sum *sum);

/** Returns the sum of a column of Members. */
int64_t row_sum_of_members(int64_t id, int64_t version, struct sql_value members);

/**
 * Adds "Id, ...", the columns of a table of records that its row_sum covers, each with `prefix`
 * ("OLD.") before it.
 */
void row_sum_add_columns(struct buffer *sql, const struct table *table, const char *prefix);

/** Adds an SQL expression that is 1 if a row of a table of records is sound, otherwise 0 and a line
 * in the log; it does not look at Members. */
void row_sum_add_test(struct buffer *sql, const struct table *table);

/** Logs that the sum of a row is wrong. `table` and `row` are what the row is called by. */
void row_sum_log(struct text table, struct text row);

#endif

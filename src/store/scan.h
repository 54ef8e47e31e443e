#ifndef ROSTER_STORE_SCAN_H
#define ROSTER_STORE_SCAN_H

/*
 * Conditions and orders that an engine's SQL cannot evaluate, since they look into packed rows or
 * fold texts (engine.h, `add_folded`): the rows are read in the order of their Ids and judged in C.
 * The functions that read run inside engine_begin_reading.
 */

#include "base/buffer.h"
#include "store/session.h"

/** A field whose values are read, row by row. */
struct scanned {
    struct store_session *session;
    const struct table *table;
    const struct field *field;
};

/**
 * Adds an expression that scan_read can read the field's value from: its value, or the packed row.
 * The query names the row `row`.
 */
void scan_add_column(struct buffer *sql, const struct scanned *scanned, const char *row);

/** Reads the value from a column of the statement's row. OK; INTERNAL, which is logged. */
enum status scan_read(const struct scanned *scanned, struct sql_value column, struct arena *arena,
                      struct value *value) MUST_CHECK;

/** Is called with the value of each row; any status but OK ends the scan. */
typedef enum status scan_use(void *argument, int64_t id, const struct value *value);

/** The most rows that one statement of a scan returns. */
enum { SCAN_AT_ONCE = 4000 };

/** How far a scan has come: the Id of the last row, and how many rows the last statement had. */
struct scan_progress {
    int64_t last;
    unsigned count;
};

/**
 * Runs a statement (may be NULL) whose columns are an Id and the one of scan_add_column, and calls
 * `use` with each row. OK, what `use` returned, otherwise as sql_step.
 */
enum status scan_rows(const struct scanned *scanned, struct sql_statement *statement, scan_use *use,
                      void *argument, struct scan_progress *progress) MUST_CHECK;

/**
 * Reads the field's value of each row of its table, in the order of Ids, and calls `use` with it.
 * OK, what `use` returned, otherwise as sql_step.
 */
enum status scan_each(const struct scanned *scanned, scan_use *use, void *argument) MUST_CHECK;

/** Must the rows that match this filter of the search be found by a scan? */
bool scan_is_needed(const struct engine *engine, const struct search *search,
                    const struct filter *filter) MUST_CHECK;

/** Does scan_filter find rows of the search's own table for a filter with `through`? */
bool scan_is_of_search(const struct search *search, const struct filter *filter) MUST_CHECK;

/** Is the field by which the search is ordered in packed rows? */
bool scan_orders(const struct engine *engine, const struct search *search) MUST_CHECK;

#endif

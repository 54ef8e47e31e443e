#ifndef ROSTER_STORE_COPY_TABLES_H
#define ROSTER_STORE_COPY_TABLES_H

/* The tables that a copy of a database has, and which of their rows. */

#include "store/session.h"

enum { COPIED_COLUMNS_MAX = 160 }; /* a table has at most 128 fields */

/** A table. Rows that `where` leaves out are the engine's own. */
struct copied {
    const char *name, *columns, *key, *where;
    const struct table *table; /* NULL: not one of records */
    unsigned texts; /* a bit for each column that is a text in one engine, and bytes in another */
};

/** The mark of the key (seal_mark.c), which is copied last and is not one of those below. */
extern const struct copied copied_key_mark;

unsigned copied_count_columns(const struct copied *copied);

/** The column of a field that has one, in a table of records. */
unsigned copied_column_of(const struct table *table, unsigned field);

/** Selects all rows of the table, in the same order in each engine. NULL: it is logged why. */
struct sql_statement *copied_select(struct store_session *session,
                                    const struct copied *copied) MUST_CHECK;

/** Is called for each table; any result but OK ends the walk. */
typedef enum status copied_visit(void *argument, struct store_session *session,
                                 const struct copied *copied);

enum { COPIED_MAX = 2 * TABLES + 16 }; /* tables of a walk, and the mark */

/** Visits all tables, in the order in which they are copied. */
enum status copied_visit_all(struct store_session *session, copied_visit *visit,
                             void *argument) MUST_CHECK;

#endif

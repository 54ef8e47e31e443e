#ifndef ROSTER_API_ROWS_H
#define ROSTER_API_ROWS_H

#include "api/bulk/csv.h"
#include "service/import.h"

/* The rows of a file of an import: CSV, whose first line names the columns, or JSON Lines. A file
 * that begins with a brace is JSON Lines, whatever its Content-Type says. */

enum { COLUMNS_MAX = 200, ROW_LINES_MAX = 20000 };

struct column {
    struct text name;          /* as the file has it */
    const struct field *field; /* NULL: the column is left out */
    bool is_mapped;            /* the request says what it is for */
};

struct rows {
    struct csv_reader reader;
    bool is_json;
    unsigned count;
    struct column columns[COLUMNS_MAX]; /* of CSV */
    size_t lines;                       /* no fewer than there are rows */
};

/** A column of the query's `map`, and the field that it is for; NULL: the column is left out. */
struct column_map {
    struct column_map *next;
    struct text column;
    const struct field *field;
};

/**
 * Reads the first line of CSV. `rows` is zeroed; it refers to the file. BAD_INPUT with errors,
 * INTERNAL.
 */
enum status rows_open(struct rows *rows, struct text file, const struct column_map *maps,
                      struct arena *arena, struct errors *errors) MUST_CHECK;

/** Reads the next row into `row`, zeroed before. False: there is none. */
bool rows_next(struct rows *rows, struct arena *arena, struct import_row *row) MUST_CHECK;

/** The column of a property. Where there is none, the property itself. */
struct text rows_column(const struct rows *rows, struct text property);

/** The field of that name that an import can set, or that says who is meant; NULL: there is none.
 */
const struct field *rows_field(struct text name);

#endif

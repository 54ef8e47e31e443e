#ifndef ROSTER_API_CSV_H
#define ROSTER_API_CSV_H

#include "base/buffer.h"
#include "base/status.h"

/*
 * CSV (RFC 4180). A spreadsheet takes a cell that begins with one of = + - @, a tab or a carriage
 * return for a formula. Such a cell is written with an apostrophe before it, and so is one that has
 * apostrophes before such a character; reading takes one apostrophe off again. So each text comes
 * back as it was.
 */

/** Adds a cell without its comma. Sets `failed` if there is no memory. */
void csv_add_cell(struct buffer *out, struct text text);

/** The unread rest of a file, and the line on which that begins. */
struct csv_reader {
    struct text rest;
    int64_t line;   /* from 1 on */
    char separator; /* between the cells of a row */
};

enum csv_result {
    CSV_cell,    /* and the row goes on */
    CSV_last,    /* the last cell of its row */
    CSV_unclosed /* a quote is not closed: there is nothing more to read */
};

/**
 * The character between the cells of a file: of comma, semicolon and tab the one that the first
 * line has most often outside quotes, or a comma. Spreadsheets write semicolons where the comma is
 * in numbers.
 */
char csv_separator(struct text file) MUST_CHECK;

/**
 * Reads the next cell. Lines end in CR LF, LF or CR; empty lines count as lines, and are no rows.
 * `cell` lies in the arena, or in the file itself; its `at` is NULL if there is no memory.
 */
enum csv_result csv_next(struct csv_reader *reader, struct arena *arena,
                         struct text *cell) MUST_CHECK;

/** Moves to the start of the next row, and past empty lines. False: there is none. */
bool csv_next_row(struct csv_reader *reader) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_COPY_CHUNK_H
#define ROSTER_STORE_COPY_CHUNK_H

/*
 * Rows on their way into the target of a copy: they are collected, and written by one command for
 * about a thousand of them.
 */

#include "store/copy_tables.h"

struct chunk {
    struct store *to;
    struct store_command writing;
    const struct copied *copied;
    unsigned columns;
    struct arena arena;       /* of the texts and bytes */
    struct sql_value *values; /* `rows` times `columns` */
    size_t rows, bytes;
    bool is_first; /* of its table */
};

/** Allocates memory for a copy into `to`. False: there is none. */
bool chunk_open(struct chunk *chunk, struct store *to) MUST_CHECK;
void chunk_close(struct chunk *chunk);

/** Begins with a table. Its first chunk takes the place of the rows that are there. */
void chunk_begin_table(struct chunk *chunk, const struct copied *copied);

/** Copies a row, and writes the chunk when it is full. OK, otherwise as store_run. */
enum status chunk_add(struct chunk *chunk, const struct sql_value *values) MUST_CHECK;

/** Writes what has been added, also if that is nothing. OK, otherwise as store_run. */
enum status chunk_flush(struct chunk *chunk) MUST_CHECK;

#endif

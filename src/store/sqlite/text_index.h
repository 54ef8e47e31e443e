#ifndef ROSTER_STORE_SQLITE_TEXT_INDEX_H
#define ROSTER_STORE_SQLITE_TEXT_INDEX_H

/*
 * How SQLite keeps the texts of store/text_index.h. Each searched field has a table of blocks, a
 * page of the database each, with the texts of Ids that follow each other. A search looks through
 * all of them, one after the other: that takes as long for a needle that everybody has as for one
 * that nobody has, and tells how many there are. A change writes one block.
 */

#include "store/text_index.h"

/** Adds the statements that make the tables of a table's searched fields, if they are missing. */
void text_index_add_tables(struct buffer *sql, const struct table *table);

/** Puts the texts of all records into new blocks. INTERNAL. */
enum status text_index_fill(const struct text_index *index) MUST_CHECK;

/**
 * A statement for the Ids and texts of those records whose texts have accents, in the order of Ids,
 * with a third column: the text folded but for the accents. To be freed; NULL is logged.
 */
struct sql_statement *text_index_accented(const struct text_index *index) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_SQLITE_TEXT_INDEX_H
#define ROSTER_STORE_SQLITE_TEXT_INDEX_H

/*
 * SQLite's form of store/text_index.h. Each searched field has a table of blocks. A block has the
 * texts of successive Ids and fills at most one page of the database. A search scans all blocks in
 * order, so it takes the same time for a frequent needle as for one that no text has, and it counts
 * all matches. A change writes one block, or two when it splits one.
 */

#include "store/engine.h"

/** The functions behind store/text_index.h. */
extern const struct engine_text_index text_index_calls;

/** Adds the statements that create the missing tables for the searched fields of a table. */
void text_index_add_tables(struct buffer *sql, const struct table *table);

/** Writes the texts of all records into the blocks, which must be empty. INTERNAL. */
enum status text_index_fill(const struct text_index *index) MUST_CHECK;

/**
 * Prepares a statement that selects the records whose texts have accents, in the order of Ids: Id,
 * the folded text, and the text folded except for its accents. The caller frees it. NULL is logged.
 */
struct sql_statement *text_index_accented(const struct text_index *index) MUST_CHECK;

#endif

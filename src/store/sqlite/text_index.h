#ifndef ROSTER_STORE_SQLITE_TEXT_INDEX_H
#define ROSTER_STORE_SQLITE_TEXT_INDEX_H

#include "store/sqlite/sqlite.h"

/*
 * What "contains" is looked for in. Each searched field has a table of blocks, a page of the
 * database each, with the folded texts (see fold.h) of Ids that follow each other. A search looks
 * through all of them, one after the other: that takes as long for a needle that everybody has as
 * for one that nobody has, and tells how many there are. A change writes one block.
 */

/** A searched field, as a connection has it. */
struct texts {
    struct store_view *view;
    const struct table *table;
    const struct field *field;
};

/** Who has a needle in a field. */
struct text_matches {
    int64_t *ids; /* ascending; of very many only the first ones */
    size_t count;
    int64_t *exact; /* those whose whole text it is, as many at most */
    size_t exact_count;
    bool exact_is_cut;
    int64_t *same; /* those of them who have it with the same accents too; see search.c */
    size_t same_count;
    int64_t total;
};

/** Adds the statements that make the tables of the searched fields of `table`, if they are missing.
 */
void texts_add_tables(struct buffer *sql, const struct table *table);

/**
 * Sets a record's text, folded UTF-8, or removes it (`at` NULL), whatever was there. In a
 * transaction of the writer's. STATUS_BROKEN is logged.
 */
enum status texts_set(const struct texts *texts, int64_t id, struct text text) MUST_CHECK;

/** A statement for the records' side: their Ids and folded texts, in the order of Ids. To be
 * finalized; NULL when it cannot be prepared, which is logged. */
sqlite3_stmt *texts_records(const struct texts *texts) MUST_CHECK;

/** The same of those who have accents, with a third column: the text folded, but for the accents.
 */
sqlite3_stmt *texts_accented(const struct texts *texts) MUST_CHECK;

/** Puts the texts of all records into new blocks. */
enum status texts_fill(const struct texts *texts) MUST_CHECK;

/** Finds those whose text contains a folded needle, which is not empty. Inside view_enter. */
enum status texts_search(const struct texts *texts, struct text needle, struct arena *arena,
                         struct text_matches *matches) MUST_CHECK;

/** Compares the blocks with the records: STATUS_OK, or BROKEN with the first difference in `why`.
 */
enum status texts_check(const struct texts *texts, char *why, size_t why_size) MUST_CHECK;

#endif

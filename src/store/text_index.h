#ifndef ROSTER_STORE_TEXT_INDEX_H
#define ROSTER_STORE_TEXT_INDEX_H

/*
 * What "contains" is looked for in: the folded texts (rules/fold.h) of each searched field. Each
 * engine keeps them in its own way. All of it runs on the session's thread.
 */

#include "store/session.h"

/** The texts of a searched field. */
struct text_index {
    struct store_session *session;
    const struct table *table;
    const struct field *field;
};

/** The records that have a needle in a field. */
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

/**
 * Sets a record's text, folded UTF-8, or removes it (`at` NULL), whatever was there. In a
 * transaction that writes. STATUS_INTERNAL is logged.
 */
enum status text_index_set(const struct text_index *index, int64_t id, struct text text) MUST_CHECK;

/**
 * Finds those whose text contains a folded needle, which is not empty. Inside engine_begin_reading.
 * Else as sql_step.
 */
enum status text_index_search(const struct text_index *index, struct text needle,
                              struct arena *arena, struct text_matches *matches) MUST_CHECK;

/** Compares the texts with the records: OK, or INTERNAL with the first difference in `why`. */
enum status text_index_check(const struct text_index *index, char *why, size_t why_size) MUST_CHECK;

#endif

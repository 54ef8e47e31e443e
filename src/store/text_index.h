#ifndef ROSTER_STORE_TEXT_INDEX_H
#define ROSTER_STORE_TEXT_INDEX_H

/*
 * The index that searches by "contains" use: the folded texts (rules/fold.h) of each searched
 * field. Each engine stores them in its own way. All functions run on the session's thread.
 */

#include "store/session.h"

/** The texts of one searched field. */
struct text_index {
    struct store_session *session;
    const struct table *table;
    const struct field *field;
};

/** The records whose field contains a needle. */
struct text_matches {
    int64_t *ids; /* ascending; incomplete if there are very many */
    size_t count;
    int64_t *exact; /* those whose whole text is the needle; the same limit */
    size_t exact_count;
    bool exact_is_cut;
    int64_t *same; /* those of them with the same accents too; see search.c */
    size_t same_count;
    int64_t total;
};

/**
 * Sets a record's text, folded UTF-8, in place of the one before, or removes it (`at` NULL). In a
 * transaction that writes. STATUS_INTERNAL is logged.
 */
enum status text_index_set(const struct text_index *index, int64_t id, struct text text) MUST_CHECK;

/**
 * The same for many records, one after the other: an Id and its text, which is not removed.
 */
enum status text_index_set_all(const struct text_index *index, const struct sql_value *texts,
                               size_t count) MUST_CHECK;

/**
 * Finds the records whose text contains a folded needle, which must not be empty. Inside
 * engine_begin_reading. OK, otherwise as sql_step.
 */
enum status text_index_search(const struct text_index *index, struct text needle,
                              struct arena *arena, struct text_matches *matches) MUST_CHECK;

/** Compares the texts with the records. OK, or INTERNAL with the first difference in `why`. */
enum status text_index_check(const struct text_index *index, char *why, size_t why_size) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_POSITIONS_H
#define ROSTER_STORE_POSITIONS_H

/*
 * Where the pages of all users begin, in the order of Ids, names or e-mail addresses, in memory.
 *
 * A page is asked for by its number, and SQL can only walk along an index to count the rows before
 * it. So for each order that was asked for far from its beginning, this keeps the key of every
 * 256th row and the number of rows from there to the next one. The page is then found by adding up
 * these numbers, and a walk of a few hundred rows.
 *
 * Record keeping notes which keys come and go when it writes rows. The numbers follow with the
 * commit, and a reader uses them only if no such commit came between them and its snapshot, so a
 * page is exact. An engine whose database other processes write has none of this (`positions` of
 * struct store is NULL), and walks.
 */

#include "model/record.h"
#include "model/search.h"
#include "store/store.h"

struct positions;

/** NULL if there is no memory. */
struct positions *positions_open(void);

/** When no thread uses them any more. Takes NULL. */
void positions_close(struct positions *positions);

/* ---- For the thread that writes ---- */

/**
 * Notes, inside a transaction, that a row is inserted (`before` NULL), deleted (`after` NULL) or
 * changed. Does nothing for records whose order nobody keeps, and in sessions without a store.
 */
void positions_note(struct store_tx *tx, const struct record *before, const struct record *after);

/** Enclose the COMMIT. The second is called too when it failed or was not tried. Take NULL. */
void positions_begin_commit(struct positions *positions);
void positions_end_commit(struct positions *positions, bool is_committed);

/* ---- For readers ---- */

/** From where to read a page: from this key on, after `skip` rows. */
struct position {
    bool has_key;    /* otherwise from the beginning */
    struct text key; /* the text of the field that orders; not set in the order of Ids */
    int64_t id;
    int64_t skip;
};

/** Is the page of a search far from the beginning, in an order that can be kept? */
bool positions_help(const struct store *store, const struct search *search);

/** Is the order of such a search kept, so that its page will be found quickly? Must not block. */
bool positions_are_kept(const struct store *store, const struct search *search);

/**
 * Begins reading as engine_begin_reading does, for a search that positions_help is true of, and
 * finds the position of its page in the snapshot. The key lives in `arena`. `may_be_slow`: the
 * thread may wait for a commit, and walk along the whole order if it is not kept yet. Where there
 * is no position after all it is that of the search itself: without a key, all rows to be skipped.
 */
enum status positions_begin_reading(struct store_session *session, const struct search *search,
                                    bool may_be_slow, struct arena *arena,
                                    struct position *position) MUST_CHECK;

#endif

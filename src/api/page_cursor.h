#ifndef ROSTER_API_WALK_H
#define ROSTER_API_WALK_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Where the pages of searches in the order of Ids ended, for ten minutes: so that who reads page
 * after page (docs/api.md "paging") neither gets a record twice nor misses one, whatever is
 * created or deleted meanwhile. Counted from the beginning, the next page would shift with each
 * deletion.
 *
 * A page goes on from the page before it on the same connection, if that is the last that was read
 * there; else from the last reading of the page before it by the same credential. So readers who
 * keep a connection each have a place each, and one reader may use any number of connections.
 */
struct walks;

/** A page of a search. */
struct walk {
    struct text search; /* all that makes it this search by this credential, in any form */
    int64_t page;
    uint64_t connection;
};

/** NULL when memory or a lock is refused. */
struct walks *walks_new(void);
void walks_free(struct walks *walks);

/** Remembers the last Id of a page. Where two have the same place the later one is kept. Any
 * thread. */
void walks_note(struct walks *walks, const struct walk *walk, int64_t last_id);

/** The last Id of the page before, if it is known: true. Any thread. */
bool walks_find(struct walks *walks, const struct walk *walk, int64_t *last_id);

#endif

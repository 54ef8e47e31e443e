#ifndef ROSTER_API_WALK_H
#define ROSTER_API_WALK_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Where the pages of searches in the order of Ids ended, for ten minutes: so that who reads page
 * after page (contract section 3) neither gets a record twice nor misses one, whatever is created
 * or deleted meanwhile. Counted from the beginning, the next page would shift with each deletion.
 */
struct walks;

/** NULL when memory or a lock is refused. */
struct walks *walks_new(void);
void walks_free(struct walks *walks);

/** Remembers the last Id of a page. `walk`: all that makes it this page of this search of this
 * caller, in any form. Where two have the same place the later one is kept. Any thread. */
void walks_note(struct walks *walks, struct text walk, int64_t last_id);

/** The last Id of the page, if it is known: true. Any thread. */
bool walks_find(struct walks *walks, struct text walk, int64_t *last_id);

#endif

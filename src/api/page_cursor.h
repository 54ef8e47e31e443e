#ifndef ROSTER_API_PAGE_CURSOR_H
#define ROSTER_API_PAGE_CURSOR_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Page cursors, for searches that are ordered by Id (docs/api.md "paging"). The API pages by
 * number, and a page number is an offset: it shifts when a record is deleted. The server therefore
 * remembers, for ten minutes, the last Id of each page that it has served, and the next page starts
 * after that Id. A client that reads page after page gets every record that existed all the time
 * exactly once.
 *
 * A page continues from the page before it on the same connection, if that was the last page of the
 * search on this connection; otherwise from the page before it as the same credential last read it.
 * So readers with a connection each do not disturb each other, and one reader may use any number of
 * connections.
 */
struct page_cursors;

/** A page of a search. */
struct page_cursor {
    struct text search;  /* identifies the search and the credential, as the caller likes */
    int64_t page;        /* from 1 on */
    uint64_t connection; /* exchange_connection */
};

/** NULL: no memory, or no lock. */
struct page_cursors *page_cursors_new(void);

/** Takes NULL. */
void page_cursors_free(struct page_cursors *cursors);

/**
 * Remembers the last Id of a page, and forgets what was remembered for the same page, or the same
 * connection, of this search. Any thread.
 */
void page_cursors_set(struct page_cursors *cursors, const struct page_cursor *cursor,
                      int64_t last_id);

/** Finds the last Id of the page before `cursor`'s. False: it is not known. Any thread. */
bool page_cursors_find(struct page_cursors *cursors, const struct page_cursor *cursor,
                       int64_t *last_id);

#endif

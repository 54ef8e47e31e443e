#ifndef ROSTER_STORE_SCAN_SEARCH_H
#define ROSTER_STORE_SCAN_SEARCH_H

/* The part of a search that scans rows (scan.h). All functions run inside engine_begin_reading. */

#include "store/query.h"

/**
 * Finds all rows that match the filter: of the filter's table, or of the search's own if the filter
 * goes through a reference in a packed row (scan_is_of_search). OK, otherwise as sql_step.
 */
enum status scan_filter(struct store_session *session, const struct search *search,
                        const struct filter *filter, struct arena *arena,
                        struct text_matches *matches) MUST_CHECK;

/**
 * Orders all rows that fulfil the query's conditions, and returns the Ids of its page and of one
 * row after it. OK, otherwise as sql_step.
 */
enum status scan_page(struct store_session *session, const struct query *query, struct arena *arena,
                      struct value *page, int64_t *total) MUST_CHECK;

/**
 * Finds those of `ids` whose text equals the value of a filter: in `same` with the same accents, in
 * `exact` without regard to them.
 */
enum status scan_exact(struct store_session *session, const struct filter *filter, struct value ids,
                       struct arena *arena, struct text_matches *matches) MUST_CHECK;

#endif

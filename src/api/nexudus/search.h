#ifndef ROSTER_API_SEARCH_H
#define ROSTER_API_SEARCH_H

#include "api/request.h"

/** Does a search ask for a batch of records by their ids? It needs Read instead of List. */
bool search_is_batch(const struct request *request) MUST_CHECK;

/** What searches call a field: 0 is its name, 1 a shorter one that some have; `at` NULL: none. */
struct text search_name(const struct field *field, unsigned which);

/** Can a search go by the field? */
bool search_orders_by(const struct field *field) MUST_CHECK;

#endif

#ifndef ROSTER_API_SEARCH_H
#define ROSTER_API_SEARCH_H

#include "api/request.h"

/** Does a search ask for a batch of records by their ids? It needs Read instead of List. */
bool search_is_batch(const struct request *request) MUST_CHECK;

#endif

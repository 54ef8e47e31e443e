#ifndef ROSTER_API_SEARCH_H
#define ROSTER_API_SEARCH_H

#include "api/request.h"

/**
 * Does the query of a search ask for whole records by a list of Ids (`id=[1,2,3]`)? Such a search
 * needs the permission Read instead of List.
 */
bool search_is_batch(const struct request *request) MUST_CHECK;

/**
 * Reads the filters of a request's query, for an answer that has all records that match, in the
 * order of Ids. Parameters of pages and orders count as unknown there. False: the request is
 * refused, and the reply says why.
 */
struct search;
bool search_read_filters(struct request *request, struct search *wanted) MUST_CHECK;

#endif

#ifndef ROSTER_API_SEARCH_H
#define ROSTER_API_SEARCH_H

#include "api/request.h"

/**
 * Does the query of a search ask for whole records by a list of Ids (`id=[1,2,3]`)? Such a search
 * needs the permission Read instead of List.
 */
bool search_is_batch(const struct request *request) MUST_CHECK;

#endif

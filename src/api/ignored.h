#ifndef ROSTER_API_IGNORED_H
#define ROSTER_API_IGNORED_H

#include "api/request.h"

/** The unknown names of a request: parameters of the query, or members of the body. */
struct ignored {
    struct buffer names;
    bool is_cut;
};

void ignored_init(struct ignored *ignored, struct arena *arena);

/**
 * Adds a name. Characters that are not safe in a header become `?`, and names past 1 KiB become
 * `...`, because clients limit the size of headers.
 */
void ignored_add(struct ignored *ignored, struct text name);

/** Adds X-Ignored-Parameters to the reply, if there is any name. Once. */
void ignored_reply(struct ignored *ignored, struct request *request);

#endif

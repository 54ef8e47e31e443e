#ifndef ROSTER_API_IGNORED_H
#define ROSTER_API_IGNORED_H

#include "api/request.h"

/** Names of a request that mean nothing here, on their way to X-Ignored-Parameters. */
struct ignored {
    struct buffer names;
    bool is_cut;
};

void ignored_init(struct ignored *ignored, struct arena *arena);

/**
 * Adds a name. It goes into a header, so only what cannot break one is kept of it, and of all names
 * no more than a client takes.
 */
void ignored_add(struct ignored *ignored, struct text name);

/** Sets the header, if there is any name. */
void ignored_reply(struct ignored *ignored, struct request *request);

#endif

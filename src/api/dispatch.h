#ifndef ROSTER_API_DISPATCH_H
#define ROSTER_API_DISPATCH_H

#include "http/http.h"

/** Finds the route of a request and runs its handler, with a principal where it needs one. */
void dispatch(struct exchange *exchange);

/** Answers, before the body has come, a request that would be refused whatever it is. */
void dispatch_head(struct exchange *exchange);

/** Is it what those ask who watch over the server: is it alive, and what is it at? */
bool dispatch_is_vital(const struct exchange *exchange);

/** Lets go of what the request held apart from its memory. Once, at its end. */
void dispatch_end(struct exchange *exchange);

/** The reply to what the listener refuses by itself. */
void dispatch_refusal(struct exchange *exchange, enum status status, const char *reason);

#endif

#ifndef ROSTER_API_DISPATCH_H
#define ROSTER_API_DISPATCH_H

#include "http/http.h"

/** listen_options.handler: authenticates a complete request and runs the handler of its route. */
void dispatch(struct exchange *exchange);

/**
 * listen_options.head: answers a request, before its body has arrived, that would be refused
 * whatever the body is, and bounds the body by what is known of the caller.
 */
void dispatch_head(struct exchange *exchange);

/** listen_options.is_vital: is it a request of monitoring (health, readiness, metrics)? */
bool dispatch_is_vital(const struct exchange *exchange);

/** listen_options.ended: releases what the request holds besides its memory. Once. */
void dispatch_end(struct exchange *exchange);

/** listen_options.refuse: fills in the reply to a request that the listener refuses. */
void dispatch_refusal(struct exchange *exchange, enum status status, const char *reason);

#endif

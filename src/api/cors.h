#ifndef ROSTER_API_CORS_H
#define ROSTER_API_CORS_H

#include "api/request.h"

/**
 * Lets the pages of configured origins call (the Fetch standard's CORS protocol): adds the headers
 * that their browsers ask for to whatever is replied, and answers preflights itself: then true.
 * Credentials come in a header of the page's own, so the browser is not told to send any.
 */
bool cors_answer(struct request *request) MUST_CHECK;

/**
 * Did a browser send the request for a page that is neither this server's own nor of an origin that
 * the operator named? `*` names none. What says so (Origin, and Sec-Fetch-Site of Fetch Metadata)
 * is the browser's own; other clients send neither, and are not foreign.
 */
bool cors_is_foreign(const struct request *request) MUST_CHECK;

#endif

#ifndef ROSTER_API_CORS_H
#define ROSTER_API_CORS_H

#include "api/request.h"

/**
 * Lets the pages of configured origins call (the Fetch standard's CORS protocol): adds the headers
 * that their browsers ask for to whatever is replied, and answers preflights itself: then true.
 * Credentials come in a header of the page's own, so the browser is not told to send any.
 */
bool cors_answer(struct request *request) MUST_CHECK;

#endif

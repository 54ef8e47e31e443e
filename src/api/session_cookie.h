#ifndef ROSTER_API_SESSION_COOKIE_H
#define ROSTER_API_SESSION_COOKIE_H

#include "api/request.h"

/*
 * The session of a browser: an access token in a cookie that no script can read. A browser adds the
 * cookie by itself to whatever a page has it send, so the cookie counts only in requests with the
 * header Roster-Session, which a page of another origin cannot set without being allowed to by
 * CORS. The value of the header is the scheme of the page, https or http. It decides which of two
 * cookies counts: under https only the one whose name begins with __Host-, which nobody can set
 * over plain HTTP (RFC 6265bis section 4.1.3.2).
 *
 * All functions run on the request's I/O thread.
 */

/** Does the request have the header Roster-Session, with one of its two values? */
bool session_is_asked(const struct request *request);

/**
 * The token in the request's cookie; `at` NULL: there is none, the cookie is there twice, or the
 * request does not ask for it to count. Lives as long as the exchange.
 */
struct text session_token(const struct request *request);

/** Adds the header to the reply that sets the cookie. False: no memory. */
bool session_begin(struct request *request, struct text token) MUST_CHECK;

/** Adds the header to the reply that removes the cookie. */
void session_forget(struct request *request);

#endif

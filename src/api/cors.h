#ifndef ROSTER_API_CORS_H
#define ROSTER_API_CORS_H

#include "api/request.h"

/**
 * The CORS protocol of the Fetch standard, for pages of the origins in --cors-origins: adds the
 * headers that their browsers need to the reply, whatever it will be. True: the request was a
 * preflight, and is answered. Access-Control-Allow-Credentials is not sent, because such a page
 * puts its token into a header itself.
 */
bool cors_answer(struct request *request) MUST_CHECK;

/**
 * Did a browser send the request for a page of another site? Such a page is neither this server's
 * own nor of an origin in --cors-origins (`*` names none). Browsers say so in Origin and
 * Sec-Fetch-Site, which pages cannot set. Other clients send neither, and are not foreign.
 */
bool cors_is_foreign(const struct request *request) MUST_CHECK;

/**
 * The same for requests with a browser's session, which no other origin may use: false if a browser
 * says that anything but a page of this server sent it. Neither --cors-origins nor an address that
 * the user typed counts as such a page.
 */
bool cors_is_own_page(const struct request *request) MUST_CHECK;

#endif

#ifndef ROSTER_HTTP_H2_H
#define ROSTER_HTTP_H2_H

#include "http/client.h"

/**
 * Begins HTTP/2 (RFC 9113) on a connection, of which nothing was fed yet; its SETTINGS go out with
 * the next flush. False: no memory. The connection's own thread, as all of h2_protocol.
 */
bool h2_begin(struct client *client) MUST_CHECK;

#endif

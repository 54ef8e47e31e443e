#ifndef ROSTER_HTTP_H1_H
#define ROSTER_HTTP_H1_H

#include "http/connection.h"

/** HTTP/1.1 and 1.0 (RFC 9112). The connection's own thread. */
extern const struct protocol h1_protocol;

#endif

#ifndef ROSTER_HTTP_H2_H
#define ROSTER_HTTP_H2_H

#include "http/connection.h"

/** HTTP/2 (RFC 9113). The connection's own thread. */
extern const struct protocol h2_protocol;

#endif

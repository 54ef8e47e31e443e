#ifndef ROSTER_HTTP_PROXY_H
#define ROSTER_HTTP_PROXY_H

#include "base/text.h"

#include <sys/socket.h>

/*
 * The PROXY protocol, versions 1 and 2, as a server reads it: what a proxy sends before anything
 * else to say where the connection comes from. The specification is doc/proxy-protocol.txt of
 * HAProxy; sections named in this module are its.
 */

enum {
    PROXY_LINE_MAX = 107,         /* bytes of a version 1 header, section 2.1 */
    PROXY_HEADER_MAX = 16 + 2048, /* bytes of a version 2 header that are accepted */
};

enum proxy_result {
    PROXY_MORE,  /* right so far: call again when more has come */
    PROXY_DONE,  /* a whole header */
    PROXY_WRONG, /* none, and none can come of it: the connection must be closed */
};

/** The contents of a header. */
struct proxy_header {
    size_t size;   /* its bytes; what follows them is the client's */
    bool is_local; /* it names no client: the connection's own address is the right one */
    /* Else the client's address, AF_INET, AF_INET6 or AF_UNIX (whose path may fill sun_path without
     * a NUL). */
    struct sockaddr_storage from;
    socklen_t from_size;
};

/**
 * Reads the header at the beginning of `received`, which is all that came on the connection so far.
 * Fills in `header` when the result is PROXY_DONE. More bytes never change PROXY_DONE or
 * PROXY_WRONG, and PROXY_HEADER_MAX bytes are enough for one of them. Keeps nothing between calls.
 * Any thread.
 *
 * Accepted are TCP4, TCP6 and UNKNOWN of version 1; LOCAL and PROXY of version 2, the latter for
 * streams over IPv4, IPv6 and UNIX sockets, and for unspecified ones. Additional values of version
 * 2 (TLVs) are skipped; they must fill the header exactly, and a checksum must be right. Of LOCAL
 * and unspecified connections the header is skipped unread.
 */
enum proxy_result proxy_read(struct text received, struct proxy_header *header);

#endif

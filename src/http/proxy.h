#ifndef ROSTER_HTTP_PROXY_H
#define ROSTER_HTTP_PROXY_H

#include "base/text.h"

#include <sys/socket.h>

/* The PROXY protocol, versions 1 and 2, for servers: a proxy sends a header before anything else,
 * to say where the connection comes from. The specification is doc/proxy-protocol.txt of HAProxy;
 * section numbers in this module refer to it. */

enum {
    PROXY_LINE_MAX = 107,         /* bytes of a version 1 header, section 2.1 */
    PROXY_HEADER_MAX = 16 + 2048, /* bytes of a version 2 header that are accepted */
};

enum proxy_result {
    PROXY_MORE,  /* correct so far: call again when more bytes have arrived */
    PROXY_DONE,  /* a whole header */
    PROXY_WRONG, /* no header, and no more bytes can make it one: close the connection */
};

/** The content of a header. */
struct proxy_header {
    size_t size;   /* length of the header; the bytes after it are the client's */
    bool is_local; /* it names no client: the connection keeps its own address */
    /* Else the client's address, AF_INET, AF_INET6 or AF_UNIX (whose path may fill sun_path without
     * a NUL). */
    struct sockaddr_storage from;
    socklen_t from_size;
};

/**
 * Parses the header at the beginning of `received`, which is everything that has arrived on the
 * connection so far. Fills in `header` if the result is PROXY_DONE. More bytes never change
 * PROXY_DONE or PROXY_WRONG, and PROXY_HEADER_MAX bytes are always enough for one of them. Keeps no
 * state between calls. Any thread.
 *
 * Accepted are TCP4, TCP6 and UNKNOWN of version 1, and LOCAL and PROXY of version 2, PROXY for
 * streams over IPv4, IPv6, UNIX sockets and unspecified ones. Additional values (TLVs) of version 2
 * are skipped, but must fill the header exactly, and a checksum must be right. The content of LOCAL
 * and unspecified headers is not looked at.
 */
enum proxy_result proxy_read(struct text received, struct proxy_header *header);

#endif

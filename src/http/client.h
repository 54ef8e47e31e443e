#ifndef ROSTER_HTTP_CLIENT_H
#define ROSTER_HTTP_CLIENT_H

/* What is done with a connection, for the files behind http.h; nobody else includes it. */

#include "http/loop.h"

struct client_options {
    struct loop *loop;
    const struct protocols *protocols; /* must outlive the connection */
    int fd;                            /* non-blocking */
    uint64_t number;
    const struct sockaddr_storage *from;
    enum door door;
    uint16_t https_port;
    struct tls_context *tls; /* a reference that stays the caller's; NULL unless DOOR_tls */
    bool proxy_speaks;
    bool is_trusted; /* unless a PROXY header names somebody else */
    bool is_counted; /* among those of its address; if it succeeds, its end takes that back */
};

/** The acceptor's thread: a connection. The descriptor is its own from here on. NULL without
 * memory. */
struct client *client_new(const struct client_options *options) MUST_CHECK;

/** The client's own thread, as all below: an exchange that referred to the client ended. */
void client_release(struct client *client);

/**
 * Sends as much as the socket takes now: the bytes taken, 0 when it takes none (the client gets
 * another turn once it does) or the connection is broken (is_broken is set).
 */
size_t client_send(struct client *client, const struct iovec *pieces, size_t count) MUST_CHECK;

#endif

#ifndef ROSTER_HTTP_CLIENT_H
#define ROSTER_HTTP_CLIENT_H

/* Operations on a connection, for the files behind http.h only. */

#include "http/loop.h"

struct client_options {
    struct loop *loop;
    const struct protocols *protocols; /* must outlive the connection */
    int fd;                            /* non-blocking */
    uint64_t number;
    const struct sockaddr_storage *from;
    enum door door;
    uint16_t https_port;
    struct tls_context *tls; /* the caller keeps its reference; NULL unless DOOR_tls */
    bool proxy_speaks;
    bool is_trusted; /* the peer is in listen_options.trusted; a PROXY header may change that */
    bool is_counted; /* address_counts has counted it; the end of the connection takes that back */
};

/**
 * Makes a connection, which owns `fd` from then on. NULL if there is no memory. The acceptor's
 * thread.
 */
struct client *client_new(const struct client_options *options) MUST_CHECK;

/** An exchange that referred to the client has ended. The client's own thread. */
void client_release(struct client *client);

/** The server's stop no longer waits for the client's first request. The client's own thread. */
void client_stop_waiting(struct client *client);

/**
 * Sends as much as the socket takes now and returns the number of bytes. 0 if the socket takes none
 * (the client gets another turn when it does) or the connection is broken (is_broken is set). The
 * client's own thread.
 */
size_t client_send(struct client *client, const struct iovec *pieces, size_t count) MUST_CHECK;

#endif

#ifndef ROSTER_HTTP_CONNECTION_H
#define ROSTER_HTTP_CONNECTION_H

/* A connection, for the files behind http.h; nobody else includes it. */

#include "http/h1_state.h"
#include "http/tls.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct client;
struct h2;
struct loop;
struct served;

/** A task that another thread posts to an I/O thread. It lies in the object that it is about. */
struct io_task {
    struct io_task *next;
    void (*run)(struct io_task *io_task);
};

/** The phase of a connection. loop_limit has the deadlines of each phase. */
enum phase {
    PHASE_handshake, /* PROXY header or TLS */
    PHASE_idle,
    PHASE_head,
    PHASE_body,
    PHASE_work, /* the server works on a request; no deadline */
    PHASE_reply,
    PHASE_window, /* HTTP/2: a reply waits for the client to open its window */
    PHASE_linger, /* all was sent; the client has not closed its side yet */
    PHASES
};

/** The protocol of a listening address. */
enum door {
    DOOR_tls,
    DOOR_plain,
    DOOR_redirect, /* plain HTTP that sends every client to HTTPS */
    DOOR_metrics,  /* plain HTTP for monitoring alone */
    DOORS
};

/** The implementation of one version of HTTP. All functions run on the client's own thread. */
struct protocol {
    /* Begins the protocol, before the first call of feed. False: no memory. */
    bool (*begin)(struct client *client);
    /* True if feed may be called now. */
    bool (*takes)(const struct client *client);
    /* Takes bytes and returns their number. If it is smaller than `size`, the protocol takes no
     * more for now. */
    size_t (*feed)(struct client *client, const char *bytes, size_t size);
    /* There is no memory to keep the bytes that feed has left: they are lost. */
    void (*lose)(struct client *client);
    /* The client has closed its sending side, and all that it sent was fed. */
    void (*finish)(struct client *client);
    /* Sends what is ready, as far as the socket takes it. */
    void (*flush)(struct client *client);
    /* True if the socket has taken everything. */
    bool (*is_flushed)(const struct client *client);
    /* The phase of the connection. */
    enum phase (*phase)(const struct client *client);
    /* The phase (head, body or reply) is past its deadline. */
    void (*late)(struct client *client);
    /* The server stops: the connection ends as soon as no request or reply is lost by that. */
    void (*drain)(struct client *client);
    /* Another thread has accepted the head (SERVING_head): the body may be read now. */
    void (*go_on)(struct served *served);
    /* The exchange has its reply, which the protocol now sends; or the next piece of its body. */
    void (*reply)(struct served *served);
    /* The connection is closed: ends all exchanges and frees the protocol's state. */
    void (*end)(struct client *client);
};

/** The versions of HTTP that a connection may speak. */
struct protocols {
    const struct protocol *h1, *h2;
};

/** The calls of a loop to its clients, on its own thread. Each call may end the connection. */
struct client_calls {
    /* Reads, runs requests and sends, as far as is possible now. */
    void (*turn)(struct client *client);
    /* The phase of the client is past its deadline. */
    void (*late)(struct client *client);
    /* The server stops. */
    void (*drain)(struct client *client);
    /* Closes the connection at once. The memory is freed at the end of the round, and not before
     * all exchanges that refer to it have ended. */
    void (*end)(struct client *client);
};

/**
 * A connection. It belongs to the thread of its loop once the acceptor has given it to that loop.
 */
struct client {
    struct io_task io_task; /* hands it over to its thread */
    struct loop *loop;
    const struct client_calls *calls;
    const struct protocols *protocols;
    struct client *next, *before; /* in the list of its phase */
    struct client *next_again;    /* in loop->again, or loop->over */
    int fd; /* -1: closed; exchanges that are worked on may still refer to it */
    enum phase phase;
    int64_t since_ms, moved_ms; /* when its phase began, when bytes moved last */
    uint64_t number;            /* serial number among all connections of the listener */
    struct sockaddr_storage from;
    struct tls_context *context; /* until the handshake begins */
    struct tls *tls;             /* NULL: clear */
    enum door door;
    uint16_t https_port;             /* port that DOOR_redirect redirects to */
    const struct protocol *protocol; /* NULL: not known yet */
    struct h1 h1;
    struct h2 *h2;
    char *held; /* bytes that were read but not fed yet */
    size_t held_at, held_size;
    unsigned exchanges; /* number of exchanges that refer to the client */
    struct readiness ready;
    uint32_t dropped;  /* bytes that came after the last reply and were dropped */
    bool moved;        /* bytes were received or sent in this turn */
    bool advanced;     /* a request or a reply was completed in this turn */
    bool proxy_speaks; /* the connection begins with a PROXY header, not read yet */
    bool is_trusted;   /* its peer is a proxy whose requests name their clients */
    bool is_counted;   /* address_counts has counted it */
    bool has_ended;    /* the client has closed its sending side, and all that it sent was read */
    bool is_last;      /* no further request is read; closes once all is sent */
    bool is_shut;      /* this side is closed for sending */
    bool is_broken;    /* nothing can be sent or received any more */
    bool is_again;     /* in loop->again */
    bool is_over;      /* in loop->over */
    bool is_drained;   /* knows that the server stops */
    bool is_fresh;     /* no byte has come yet */
    bool is_awaited;  /* the server's stop waits for the first request; loop_count has counted it */
    bool is_finished; /* protocol->finish was called */
};

#endif

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

/** Something that another thread wants done by an I/O thread. */
struct io_task {
    struct io_task *next;
    void (*run)(struct io_task *io_task);
};

/** What a connection is at. How long each phase may take stands in loop.c. */
enum phase {
    PHASE_handshake, /* PROXY header or TLS */
    PHASE_idle,
    PHASE_head,
    PHASE_body,
    PHASE_work, /* the server's own time */
    PHASE_reply,
    PHASE_window, /* HTTP/2: a reply waits for the client to open its window */
    PHASE_linger, /* the last byte was sent; the client has not closed its side yet */
    PHASES
};

/** What clients meet at an address. */
enum door {
    DOOR_tls,
    DOOR_plain,
    DOOR_redirect, /* plain HTTP that sends every client to HTTPS */
    DOORS
};

/** A version of HTTP. All of it runs on the client's own thread. */
struct protocol {
    /* Begins on a connection of which nothing was fed yet. False: no memory. */
    bool (*begin)(struct client *client);
    /* May it be given bytes now? */
    bool (*takes)(const struct client *client);
    /* Takes bytes and returns how many; fewer than all means that it takes no more for now. */
    size_t (*feed)(struct client *client, const char *bytes, size_t size);
    /* The client sends nothing more; all that it sent was taken. */
    void (*finish)(struct client *client);
    /* Writes what is to be sent, as far as the socket takes it. */
    void (*flush)(struct client *client);
    /* Is there anything that the socket has not taken yet? */
    bool (*is_flushed)(const struct client *client);
    /* What the connection is at. */
    enum phase (*phase)(const struct client *client);
    /* That phase (head, body or reply) takes too long. */
    void (*late)(struct client *client);
    /* The server stops: the connection is to end as soon as it can without loss. */
    void (*drain)(struct client *client);
    /* After SERVING_head: the body of the exchange is to be read. */
    void (*go_on)(struct served *served);
    /* The exchange has its reply, which is to be sent. */
    void (*reply)(struct served *served);
    /* The connection is gone: lets go of all exchanges and frees what it has. */
    void (*end)(struct client *client);
};

/** The versions of HTTP that a connection may speak. */
struct protocols {
    const struct protocol *h1, *h2;
};

/** What a loop has its clients do; each may end the connection. On the loop's own thread. */
struct client_calls {
    /* Reads, works and sends as far as that goes now. */
    void (*turn)(struct client *client);
    /* Its phase took too long. */
    void (*late)(struct client *client);
    /* The server stops. */
    void (*drain)(struct client *client);
    /* Ends the connection at once, whatever it is at. Its memory stays until the end of the turn,
     * and as long as exchanges refer to it. */
    void (*end)(struct client *client);
};

/** A connection. Once it was given to a loop it belongs to that thread. */
struct client {
    struct io_task io_task; /* being given to its thread */
    struct loop *loop;
    const struct client_calls *calls;
    const struct protocols *protocols;
    struct client *next, *before; /* in the list of its phase */
    struct client *next_again;    /* in loop->again, or loop->over */
    int fd;                       /* -1: gone; exchanges that are worked on still refer to it */
    enum phase phase;
    int64_t since_ms, moved_ms; /* when its phase began, when bytes moved last */
    uint64_t number;            /* of all that the listener took */
    struct sockaddr_storage from;
    struct tls_context *context; /* until the handshake begins */
    struct tls *tls;             /* NULL: clear */
    enum door door;
    uint16_t https_port;             /* where DOOR_redirect sends */
    const struct protocol *protocol; /* NULL: not known yet */
    struct h1 h1;
    struct h2 *h2;
    char *held; /* bytes that were read but not taken yet */
    size_t held_at, held_size;
    unsigned exchanges; /* that refer to it */
    struct readiness ready;
    uint32_t dropped;  /* bytes that came after the last reply */
    bool moved;        /* bytes came or went in this turn */
    bool advanced;     /* a request or a reply became whole in this turn */
    bool proxy_speaks; /* the connection begins with a PROXY header */
    bool is_trusted;   /* its peer is a proxy whose requests name their clients */
    bool is_counted;   /* among those of its address */
    bool has_ended;    /* the client closed its side, and all that came before was read */
    bool is_last;      /* nothing more is read as a request; closes once all is sent */
    bool is_shut;      /* the own side is closed */
    bool is_broken;    /* nothing can be sent or read any more */
    bool is_again;     /* stands in loop->again */
    bool is_over;      /* stands in loop->over */
    bool is_drained;   /* was told that the server stops */
    bool is_finished;  /* the protocol was told that the client sends nothing more */
};

#endif

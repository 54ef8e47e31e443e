#ifndef ROSTER_HTTP_IO_H
#define ROSTER_HTTP_IO_H

/* What the files behind http.h share; nobody else includes it. */

#include "http/http.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct MHD_Connection;
struct MHD_Daemon;

/** Something that another thread wants done by an I/O thread. */
struct errand {
    struct errand *next;
    void (*run)(struct errand *errand);
};

/** What a connection is at; how long each may take stands in io.c. */
enum phase { PHASE_head, PHASE_body, PHASE_work, PHASE_reply };

/** A connection. Once it is added it belongs to its I/O thread. */
struct client {
    struct errand errand; /* first: being added */
    struct io *io;
    struct client *next, **link; /* of those that join, then of the I/O thread's clients */
    int fd;
    uint64_t number; /* of all that the listener took */
    enum phase phase;
    void *serving; /* the exchange that has begun and not ended yet */
    int64_t since_ms;
    struct sockaddr_storage from;
    socklen_t from_size;
};

/** An I/O thread with a share of the connections, which no other thread touches. */
struct io {
    const struct listen_options *options;
    const atomic_bool *is_draining;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool runs;
    struct client *clients;
    struct client *joining; /* given to the library, which has not begun them yet */
    int64_t now_us, now_ms; /* as of when the thread last woke */
    int64_t look_ms;        /* when the deadlines are to be looked at */
    atomic_uint in_flight;  /* these two are written by this thread alone */
    atomic_uint gone;       /* clients that were given to it and are no more */
    unsigned given;         /* the acceptor's own count of the clients it gave */

    /* Others write these, so they lie on a cache line of their own. */
    _Alignas(64) _Atomic(struct errand *) errands; /* last first */
    atomic_bool sleeps, is_stopping;
    atomic_uint posting; /* threads that are in io_post: its work may be done before they leave */
    int wake;
};

/** Starts a thread. NULL when the system refuses. `options` and `is_draining` must outlive it. */
struct io *io_start(const struct listen_options *options,
                    const atomic_bool *is_draining) MUST_CHECK;

/** Ends the thread and its connections, and frees. Takes NULL. */
void io_stop(struct io *io);

/** Any thread: has the errand run soon. It stays the caller's until it runs. */
void io_post(struct io *io, struct errand *errand);

/** The acceptor only: gives the thread the connection of that number. False when memory is short:
 * it is closed. */
bool io_give(struct io *io, int fd, uint64_t number, const struct sockaddr_storage *from,
             socklen_t from_size);

/** The acceptor only: how many connections the thread has. */
unsigned io_connections(const struct io *io);

/** The thread itself: the joining connection of that descriptor begins. */
struct client *io_begin_client(struct io *io, int fd);

/** The client's own thread: the connection ended; frees. */
void io_end_client(struct client *client);

/** The client's own thread: it begins another phase. */
void client_enter(struct client *client, enum phase phase);

/** A daemon of the library that serves requests in the calling thread's MHD_run. NULL: refused. */
struct MHD_Daemon *serve_daemon(struct io *io) MUST_CHECK;

#endif

#ifndef ROSTER_HTTP_LOOP_H
#define ROSTER_HTTP_LOOP_H

/* The I/O threads, for the files behind http.h; nobody else includes it. */

#include "http/connection.h"
#include "http/http.h"

#include <pthread.h>
#include <stdatomic.h>

/** Clients in one phase, the one that moved bytes least recently first. */
struct phase_list {
    struct client *first, *last;
};

/** How long a phase may take without a byte that moves, and as a whole; 0: any time. */
struct limit {
    int64_t quiet_ms, whole_ms;
};

enum { LOOP_BUFFER = 64 * 1024 };

/** An I/O thread with a share of the connections, which no other thread touches. */
struct loop {
    const struct listen_options *options;
    const atomic_bool *is_draining;
    pthread_t thread;
    bool runs;
    int poll; /* epoll */
    struct phase_list phases[PHASES];
    struct client *again;    /* clients that had their share of this turn and have more to do */
    struct client *over;     /* clients that are gone, with all their exchanges; not freed yet */
    int64_t now_us, now_ms;  /* as of when the thread last woke */
    int64_t look_ms;         /* when the deadlines are to be looked at */
    uint64_t refused;        /* requests for want of memory, when they were looked at last, */
    bool is_short;           /* and were there more of them than before? */
    int64_t date_s;          /* which second `date` is */
    char date[32];           /* "Fri, 27 Nov 2026 07:49:56 GMT" */
    struct io_task draining; /* wakes the thread for that */
    char *in, *out;          /* LOOP_BUFFER bytes each, for whichever client has its turn */
    atomic_uint in_flight;   /* see loop_count; these three are written by this thread alone */
    atomic_uint gone;        /* clients that were given to it and are no more */
    atomic_bool has_drained; /* its clients were told that the server stops */
    unsigned given;          /* the acceptor's own count of the clients it gave */

    /* Others write these, so they lie on a cache line of their own. */
    _Alignas(64) _Atomic(struct io_task *) io_tasks; /* last first */
    atomic_bool sleeps, is_stopping;
    atomic_uint posting; /* threads that are in loop_post: its work may be done before they leave */
    int wake;            /* eventfd */
};

/**
 * Starts a thread. NULL when the system refuses. `options` and `is_draining` must outlive it. The
 * listener's starter only.
 */
struct loop *loop_start(const struct listen_options *options,
                        const atomic_bool *is_draining) MUST_CHECK;

/** Ends the thread and its connections, and frees. Takes NULL. */
void loop_stop(struct loop *loop);

/** Any thread: has the task run soon. It stays the caller's until it runs. */
void loop_post(struct loop *loop, struct io_task *io_task);

/** The acceptor only: hands over a connection that client_new made. */
void loop_give(struct loop *loop, struct client *client);

/** Any thread: how much there is to wait for, and one more until the clients know of a stop. */
unsigned loop_in_flight(const struct loop *loop);

/** How long a connection of the loop may be at a phase. */
struct limit loop_limit(const struct loop *loop, enum phase phase);

/** The acceptor only: how many connections the thread has. */
unsigned loop_connections(const struct loop *loop);

/** Any other thread, once, after `is_draining` was set: idle clients close, others after their
 * reply. */
void loop_drain(struct loop *loop);

/** The loop's own thread: the client takes another turn once all others had theirs. */
void loop_again(struct loop *loop, struct client *client);

/**
 * The loop's own thread, at the end of each turn of a client: notes what the client is at, and
 * whether bytes `moved` in this turn. False when that takes too long.
 */
bool loop_note(struct loop *loop, struct client *client, enum phase phase, bool moved) MUST_CHECK;

/** The loop's own thread: frees a client once nobody in this turn can still refer to it. */
void loop_free_later(struct loop *loop, struct client *client);

/** The loop's own thread: forgets a client whose connection is closed. */
void loop_forget(struct loop *loop, struct client *client);

/** The loop's own thread: the value of a Date header, 29 characters (RFC 9110 section 6.6.1). */
const char *loop_date(struct loop *loop);

/** The loop's own thread: adds `more` (or takes away, by -1U) to the exchanges in flight, and
 * whatever else the end of the server has to wait for. */
void loop_count(struct loop *loop, unsigned more);

#endif

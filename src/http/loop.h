#ifndef ROSTER_HTTP_LOOP_H
#define ROSTER_HTTP_LOOP_H

/* The I/O threads, for the files behind http.h; nobody else includes it. */

#include "http/connection.h"
#include "http/http.h"

#include <pthread.h>
#include <stdatomic.h>

/** The clients in one phase. The client whose bytes moved least recently is first. */
struct phase_list {
    struct client *first, *last;
};

/**
 * Deadlines of a phase in milliseconds: without any byte that moves, and for the whole of it. 0:
 * none.
 */
struct limit {
    int64_t quiet_ms, whole_ms;
};

enum { LOOP_BUFFER = 64 * 1024 };

/** How far the listener has come in stopping. Its I/O threads only read it. */
struct stopping {
    atomic_bool ends_kept;   /* each reply of HTTP/1.1 is the last one of its connection */
    atomic_bool is_draining; /* nothing is accepted any more; idle connections end */
};

/** An I/O thread with a share of the connections, which no other thread touches. */
struct loop {
    const struct listen_options *options;
    const struct stopping *stopping;
    pthread_t thread;
    bool runs;
    int poll; /* epoll */
    struct phase_list phases[PHASES];
    struct client *again; /* clients that have used their share of this round and still have work */
    struct client *over;  /* closed clients whose exchanges have all ended, not freed yet */
    int64_t now_us, now_ms;  /* monotonic time at which the thread last woke */
    int64_t look_ms;         /* when deadlines are checked next */
    uint64_t refused;        /* requests refused because memory was short, at the last check */
    bool is_short;           /* there were new refusals between the last two checks */
    uint64_t begun;          /* exchanges that the thread has begun */
    int64_t date_s;          /* the second that `date` shows */
    char date[32];           /* "Fri, 27 Nov 2026 07:49:56 GMT" */
    struct io_task draining; /* wakes the thread when the server stops */
    struct io_task cutting;  /* ends all clients */
    char *in, *out;          /* LOOP_BUFFER bytes each, used by the client whose turn it is */
    atomic_uint in_flight;   /* see loop_count; only this thread writes these three */
    atomic_uint gone;        /* closed clients of those that the thread was given */
    atomic_bool has_drained; /* all its clients know that the server stops */
    atomic_uint given;       /* clients that the acceptor gave to the thread; only it writes this */

    /* Written by other threads, therefore on a cache line of their own. */
    _Alignas(64) _Atomic(struct io_task *) io_tasks; /* the newest first */
    atomic_bool sleeps, is_stopping;
    atomic_uint posting; /* threads inside loop_post; their task may run before they leave it */
    int wake;            /* eventfd */
};

/**
 * Starts an I/O thread. `options` and `stopping` must outlive it. NULL if the system refuses.
 * Called by listener_start only.
 */
struct loop *loop_start(const struct listen_options *options,
                        const struct stopping *stopping) MUST_CHECK;

/**
 * Ends the thread, closes its connections, and frees the loop. Accepts NULL. Called by the thread
 * that started it.
 */
void loop_stop(struct loop *loop);

/**
 * Runs the task soon on the I/O thread. The caller owns the task and must keep it until it runs.
 * Any thread.
 */
void loop_post(struct loop *loop, struct io_task *io_task);

/** Hands over a connection made by client_new. The acceptor's thread only. */
void loop_give(struct loop *loop, struct client *client);

/**
 * The work that the server's stop waits for: requests and last replies in flight, plus one until
 * the clients know of the stop. Any thread.
 */
unsigned loop_in_flight(const struct loop *loop);

/** The deadlines of a phase. The loop's own thread. */
struct limit loop_limit(const struct loop *loop, enum phase phase);

/** The number of connections that the thread has. Any thread. */
unsigned loop_connections(const struct loop *loop);

/**
 * Makes the clients drain: idle ones close, others after their reply. Any other thread, once, after
 * `is_draining` was set.
 */
void loop_drain(struct loop *loop);

/** Ends all connections, whatever their clients still do. Any other thread, once, after loop_drain.
 */
void loop_cut(struct loop *loop);

/** Gives the client another turn after all others had theirs. The loop's own thread. */
void loop_again(struct loop *loop, struct client *client);

/**
 * Notes the phase of a client, and whether its bytes `moved`, at the end of each of its turns.
 * False if the phase as a whole takes too long. The loop's own thread.
 */
bool loop_note(struct loop *loop, struct client *client, enum phase phase, bool moved) MUST_CHECK;

/**
 * Frees a client at the end of the current round, when nothing can refer to it any more. The loop's
 * own thread.
 */
void loop_free_later(struct loop *loop, struct client *client);

/** Takes a client whose connection is closed out of all lists. The loop's own thread. */
void loop_forget(struct loop *loop, struct client *client);

/** The value of a Date header, 29 characters (RFC 9110 section 6.6.1). The loop's own thread. */
const char *loop_date(struct loop *loop);

/**
 * Adds `more` (-1U subtracts one) to the count of what the server's stop waits for: exchanges in
 * flight and connections that end. The loop's own thread.
 */
void loop_count(struct loop *loop, unsigned more);

#endif

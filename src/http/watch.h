#ifndef ROSTER_HTTP_WATCH_H
#define ROSTER_HTTP_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What a connection is at. The library's own timeout ends those that move no byte at all. */
enum phase { PHASE_head, PHASE_body, PHASE_work, PHASE_reply };

/** One connection. */
struct client {
    struct client *next, **link;
    int fd;
    atomic_uint steps;   /* grows with each change of phase; the phase is in its last two bits */
    unsigned seen_steps; /* as the watcher saw it last, and when it saw it first */
    int64_t seen_ms;
};

/** All connections, and how long each may stay in one phase. */
struct watch {
    pthread_mutex_t lock;
    struct client *clients;
    atomic_uint count;
    unsigned idle_timeout_s;
};

/** False when the system refuses a lock. */
bool watch_init(struct watch *watch, unsigned idle_timeout_s) __attribute__((warn_unused_result));

/** All clients must be gone. */
void watch_close(struct watch *watch);

/** A connection that begins, in PHASE_head. Any thread. NULL when memory is short. */
struct client *watch_client(struct watch *watch, int fd) __attribute__((warn_unused_result));

/** The connection ends; its descriptor must still be open. Takes NULL. */
void watch_forget(struct watch *watch, struct client *client);

/** The client's own I/O thread only. */
void client_enter(struct client *client, enum phase phase);

/** How many connections there are. Any thread. */
unsigned watch_count(const struct watch *watch);

/** How many requests there are whose head is complete and whose reply is not sent. Any thread. */
unsigned watch_busy(struct watch *watch);

/**
 * Shuts down each connection that has been in its phase too long, so that nobody holds one for
 * ever with a byte now and then; sooner when the server is about to stop. To be called by one
 * thread, about once a second.
 */
void watch_look(struct watch *watch, int64_t now_ms, bool is_draining);

#endif

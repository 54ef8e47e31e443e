#ifndef ROSTER_STORE_POSTGRES_STATE_H
#define ROSTER_STORE_POSTGRES_STATE_H

/* The state that the threads of an open store share. */

#include "base/queue.h"
#include "store/engine.h"
#include "store/postgres/connection.h"

#include <pthread.h>
#include <stdatomic.h>

/** Threads that run reads: each has a connection of its own, and takes its commands from a queue.
 */
struct pg_readers {
    struct pg_store *store;
    struct queue commands;
    const char *name; /* of the threads */
    int64_t limit_ms; /* for one command; it includes the time in the queue unless runs_long */
    bool runs_long;   /* searches: they take one command at a time */
    bool is_open;     /* the queue is */
    unsigned running;
    pthread_t threads[8];
};

/** A thread that writes: it has a connection of its own, and takes its commands from a queue. */
struct pg_writer {
    struct pg_store *store;
    struct queue *commands;
    struct connection *connection;
    pthread_t thread;
    bool runs;
    bool is_plain;   /* its groups are */
    bool is_forming; /* it has the lock `forming` of the store */
};

/** Commands that follow each other in a queue: from `first` up to, but not including, `end`. */
struct pg_group {
    struct pg_writer *writer;
    struct queue_item *first, *end;
    bool is_careful; /* each statement that must change one row is waited for */
};

/* Plain groups of a process run beside each other, on so many connections. */
enum { PG_PLAIN_WRITERS = 2 };

/** The row `office`: who has it (0: nobody), and how often it was renewed or has changed hands. */
struct pg_seat {
    int64_t owner, renewals;
};

/** The office (office.h), as far as this process knows. */
struct pg_office {
    atomic_bool is_sought;        /* false in tools, which leave the office to servers */
    atomic_int_fast64_t until_ms; /* by time_monotonic_ms: this process has it until then */
    /* The rest is the watcher's. */
    int64_t self; /* the number of this process; 0: it has none yet */
    struct pg_seat seen;
    int64_t seen_ms; /* since when the row is as it was seen */
    int64_t next_ms; /* when to look again */
    bool had_it;
};

struct pg_store {
    struct store base; /* first, see pg_store_of */
    char *url;
    struct pg_place place;
    int64_t user_tokens;
    int64_t schema_version;       /* of this program */
    struct queue commands;        /* that write */
    struct queue plain;           /* those of them that are tried as plain ones (plain.h) */
    bool has_commands, has_plain; /* the queues are open */
    struct pg_writer writer, plain_writers[PG_PLAIN_WRITERS];
    pthread_mutex_t forming; /* of the plain writer that takes commands and runs them */
    bool has_forming;
    struct pg_readers questions, searches;
    struct queue stop; /* always empty: closing it ends the watcher */
    bool has_stop;
    pthread_t watcher;
    bool watcher_runs;
    atomic_bool is_open; /* the start is over */
    atomic_bool is_closing;
    atomic_bool is_outdated;     /* the schema has become newer than this program */
    atomic_int_fast64_t seen_ms; /* when the database last answered the watcher */
    atomic_bool is_full;         /* the server's disk refused a group, and has no room since */
    atomic_bool has_webhooks;    /* when a group looked last */
    atomic_uint_fast64_t access_epoch;   /* the greatest that was read or written */
    atomic_uint_fast64_t outbox_changes; /* the same of the outbox */
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t looks; /* counts the calls of store_commits */
    atomic_uint_fast64_t commands_run, readings;
    atomic_uint_fast64_t size; /* of the database, in bytes, when somebody looked last */
    atomic_uint_fast64_t groups[STORE_GROUP_SIZES], grouped;
    struct pg_office office;
};

static inline struct pg_store *pg_store_of(struct store *store) {
    _Static_assert(offsetof(struct pg_store, base) == 0, "the base is a store");
    return (struct pg_store *)store;
}

static inline const struct pg_store *pg_store_of_const(const struct store *store) {
    return (const struct pg_store *)store;
}

/** Lets the next plain writer take commands, unless this one has done so. */
void pg_pass_on(struct pg_writer *writer);

/** Raises a number to one that was read from the database. Numbers never fall. Any thread. */
void pg_raise(atomic_uint_fast64_t *number, uint64_t to);

/** Notes which programs may still write, by the version of their schema. Any thread. */
void pg_note_oldest(struct pg_store *store, int64_t oldest);

#endif

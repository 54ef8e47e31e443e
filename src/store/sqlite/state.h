#ifndef ROSTER_STORE_SQLITE_STATE_H
#define ROSTER_STORE_SQLITE_STATE_H

/* The state that the threads of an open store share. Each thread has its own file (writer.c,
 * checkpoint.c, reader.c), as have sessions (session.c), and opening and closing the store
 * (open.c). */

#include "base/queue.h"
#include "store/engine.h"
#include "store/sqlite/connection.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>

enum { PAGE_BYTES = 4096 };

struct sqlite_store {
    struct store base; /* first, see state_of */
    char path[PATH_MAX];
    int poll_ms, wal_bound_pages;
    int64_t checkpoint_after_ms;
    atomic_int wal_pages; /* the WAL's length after the last commit */
    int directory;        /* held open and locked: one server per folder */
    int database;         /* for write_paced; closed last, since that drops SQLite's locks */
    struct connection *writer_connection, *checkpoint_connection;
    pthread_t writer, checkpointer;
    bool writer_runs, checkpointer_runs;
    struct queue commands;
    struct reader_pool *reader_pool;
    struct queue stop;       /* always empty: closing it ends the checkpointer */
    pthread_mutex_t turn;    /* held while a group is written, or the WAL is restarted */
    atomic_bool wants_turn;  /* the checkpointer waits for the turn */
    atomic_bool must_forget; /* the WAL has erased data, so it must be truncated */
    atomic_bool wants_wal;   /* the WAL is far past its bound: long reads must end */
    atomic_bool is_closing;
    int64_t search_limit_ms;
    int64_t user_tokens;
    atomic_bool is_broken;  /* a sync failed: the content of the disk is not known */
    atomic_bool is_damaged; /* a change met a page that makes no sense */
    atomic_bool keeps_wal;  /* a checkpoint's sync failed: only the WAL has every commit */
    atomic_uint_fast64_t access_epoch;
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t outbox_changes;
    atomic_uint_fast64_t commands_run; /* only the writer adds */
    atomic_uint_fast64_t groups[STORE_GROUP_SIZES], grouped;
    atomic_int refused_pages; /* of a refused change; 0: none, or as many were accepted since */
    int64_t tried_ms;         /* the writer's own: when it last tried whether there is room */
    bool had_room;            /* and whether there was any */
    pthread_mutex_t readers_lock;
    struct connection *readers;
    uint64_t readings; /* by readers that are closed */
};

static inline struct sqlite_store *state_of(const struct store *store) {
    _Static_assert(offsetof(struct sqlite_store, base) == 0, "a store is its base");
    return (struct sqlite_store *)(uintptr_t)store;
}

/** The number of commits so far; see store_commits. */
static inline uint64_t state_commits(const struct sqlite_store *store) {
    return atomic_load_explicit(&store->commits, memory_order_acquire);
}

/* The parts of engine_store that only read the state; see there. */
uint64_t state_access_epoch(const struct store *store);
uint64_t state_session_epoch(const struct store_session *session);
uint64_t state_count_commits(const struct store *store);
uint64_t state_outbox_changes(const struct store *store);
bool state_is_broken(const struct store *store);
void state_end_reading(struct store *store);

/**
 * Is `code` the error of a failed sync? The store then takes no more changes; that is logged. Any
 * thread.
 */
bool state_note_sync_failure(struct sqlite_store *store, int code);

#endif

#ifndef ROSTER_STORE_SQLITE_STATE_H
#define ROSTER_STORE_SQLITE_STATE_H

/* An open store: what its threads share. Each of them has its own file (writer.c, checkpoint.c,
 * reader.c), as have sessions (session.c) and the life of all of it (open.c). */

#include "base/queue.h"
#include "store/sqlite/connection.h"

#include <limits.h>
#include <pthread.h>

enum { PAGE_BYTES = 4096 };

/* The log below is SQLite's write-ahead log (WAL). */
struct store {
    char path[PATH_MAX];
    int poll_ms, wal_bound_pages;
    int64_t checkpoint_after_ms;
    atomic_int wal_pages; /* after the last commit */
    int directory;        /* held open and locked: one server a folder */
    int database;         /* for the checkpoints' pace; closing it would drop SQLite's own locks */
    struct connection *writer_connection, *checkpoint_connection;
    pthread_t writer, checkpointer;
    bool writer_runs, checkpointer_runs;
    struct queue commands;
    struct reader_pool *reader_pool;
    struct queue stop;       /* nothing is put in: closing it ends the checkpointer */
    pthread_mutex_t turn;    /* held while a group is written, or the log is begun anew */
    atomic_bool wants_turn;  /* the checkpointer waits for the turn */
    atomic_bool must_forget; /* the log has what was erased: it must begin anew, and empty */
    atomic_bool wants_wal;   /* and for those who read for long: the log is far past its bound */
    atomic_bool is_closing;
    int64_t search_limit_ms;
    int64_t user_tokens;
    atomic_bool is_broken; /* a sync failed: what reached the disk is not known any more */
    atomic_bool keeps_wal; /* a checkpoint's: only the log has all that was acknowledged */
    atomic_uint_fast64_t access_epoch;
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t outbox_changes;
    atomic_uint_fast64_t commands_run; /* only the writer adds */
    atomic_uint_fast64_t groups[STORE_GROUP_SIZES], grouped;
    atomic_int
        refused_pages; /* of a command that the disk refused; 0: none since it took as many */
    int64_t tried_ms;  /* the writer's own: when room was last looked for */
    bool had_room;     /* and whether there was any */
    pthread_mutex_t readers_lock;
    struct connection *readers;
    uint64_t readings; /* of the readers that are gone */
};

/** Was it a sync that failed? Then the store takes no more changes; that is logged. Any thread. */
bool state_note_sync_failure(struct store *store, int code);

#endif

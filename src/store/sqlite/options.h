#ifndef ROSTER_STORE_SQLITE_OPTIONS_H
#define ROSTER_STORE_SQLITE_OPTIONS_H

#include <stdint.h>

/**
 * When the write-ahead log (WAL) is checkpointed, that is copied into the database: when nothing
 * was committed since the checkpointer looked last, when so much time has passed since the last
 * copy, and when the WAL is longer than its bound, past which it is restarted. 0: the default.
 */
struct sqlite_options {
    int poll_ms;                 /* how often the checkpointer looks; 0: 200 ms */
    int64_t checkpoint_after_ms; /* 0: 3 s */
    int wal_bound_pages;         /* 0: 16,384, that is 64 MiB */
};

#endif

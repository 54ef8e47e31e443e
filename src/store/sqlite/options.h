#ifndef ROSTER_STORE_SQLITE_OPTIONS_H
#define ROSTER_STORE_SQLITE_OPTIONS_H

#include <stdint.h>

/**
 * When the write-ahead log (WAL) is checkpointed, that is, copied into the database: when nothing
 * was committed since the checkpointer looked last, when `checkpoint_after_ms` have passed
 * since the last checkpoint, and when the WAL exceeds `wal_bound_pages`; the WAL is then also
 * restarted. 0 selects the default.
 */
struct sqlite_options {
    int poll_ms;                 /* the interval between two looks; 0: 200 ms */
    int64_t checkpoint_after_ms; /* 0: 3 s */
    int wal_bound_pages;         /* 0: 16,384, that is 64 MiB */
};

#endif

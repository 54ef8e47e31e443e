#ifndef ROSTER_STORE_SQLITE_DISK_H
#define ROSTER_STORE_SQLITE_DISK_H

/* Keeps track of whether the disk accepts changes. All functions run on the writer's thread. */

#include "store/sqlite/state.h"

/** Begins a group: the pages written from now on belong to it. */
void disk_begin_group(struct sqlite_store *store);

/**
 * Record the end of a group. After the failure of a group with several commands, the writer runs
 * each of them again as a group of its own (`is_single`); only then is the size of the refused
 * change known.
 */
void disk_note_failure(struct sqlite_store *store, bool is_single);
void disk_note_success(struct sqlite_store *store);

/** engine_store.try_room. */
enum status disk_try_room(struct store_tx *tx) MUST_CHECK;

#endif

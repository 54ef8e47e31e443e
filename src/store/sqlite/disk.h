#ifndef ROSTER_STORE_SQLITE_DISK_H
#define ROSTER_STORE_SQLITE_DISK_H

/* Whether the disk takes changes. All of it on the writer's thread. */

#include "store/store.h"

/** A group begins: what is written from here on is its. */
void disk_begin_group(struct store *store);

/**
 * Notes why a group failed. A group of several is tried again command by command: of what size the
 * disk refuses is seen then, when `is_single`.
 */
void disk_note_failure(struct store *store, bool is_single);
void disk_note_success(struct store *store);

#endif

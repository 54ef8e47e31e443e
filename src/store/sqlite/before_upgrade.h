#ifndef ROSTER_STORE_SQLITE_BEFORE_UPGRADE_H
#define ROSTER_STORE_SQLITE_BEFORE_UPGRADE_H

#include "store/sqlite/state.h"

/**
 * Copies a database of an older version to roster.db.before-upgrade beside it, durably, in place of
 * the copy that an earlier upgrade made. Does nothing for a database of this or a newer version, or
 * an empty one. INTERNAL, which is logged: there is no room, or the disk failed; the old copy is
 * then as it was. Main thread, before the upgrade.
 */
enum status before_upgrade_copy(struct sqlite_store *store) MUST_CHECK;

#endif

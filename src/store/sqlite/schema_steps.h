#ifndef ROSTER_STORE_SQLITE_SCHEMA_STEPS_H
#define ROSTER_STORE_SQLITE_SCHEMA_STEPS_H

/* The migration steps from version to version. For schema.c. */

#include "store/maintenance.h"
#include "store/session.h"

/** The version that the last step leads to. */
unsigned schema_last_step(void);

/**
 * Migrates a database of `version`, 1 or later, to the version of the last step, inside the
 * caller's transaction; the views must have been dropped. STATUS_INTERNAL, which is logged: a step
 * failed.
 */
enum status schema_take_steps(struct store_session *session, int64_t version,
                              const struct store_options *options) MUST_CHECK;

#endif

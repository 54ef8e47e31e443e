#ifndef ROSTER_STORE_SQLITE_SCHEMA_STEPS_H
#define ROSTER_STORE_SQLITE_SCHEMA_STEPS_H

/* The steps from version to version. For schema.c. */

#include "store/maintenance.h"
#include "store/session.h"

/** The version that the last step leads to. */
unsigned schema_last_step(void);

/**
 * Brings a database of `version`, 1 or more, to that of the last step, inside the caller's
 * transaction; there are no views then. STATUS_INTERNAL, and logged: a step failed.
 */
enum status schema_take_steps(struct store_session *session, int64_t version,
                              const struct store_options *options) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_SQLITE_SCHEMA_H
#define ROSTER_STORE_SQLITE_SCHEMA_H

/* The shape of the database, and how it gets there. For start-up and tools. */

#include "store/maintenance.h"
#include "store/session.h"

/** Brings the database to this program's schema. STATUS_PRECONDITION_FAILED: it is of a newer
 * version. INTERNAL.
 */
enum status schema_migrate(struct store_session *session,
                           const struct store_options *options) MUST_CHECK;

/** Has nothing been made in the database yet? */
bool schema_is_empty(struct store_session *session);

/**
 * Below 0: the database is of an older version than this program's, or lacks a field that a start
 * adds; above 0: of a newer one.
 */
int schema_compare_version(struct store_session *session);

/**
 * Compares the database with the field tables, and with the statements of statements.def:
 * STATUS_OK, or STATUS_INTERNAL with the first difference in `why` that this program cannot do
 * with.
 */
enum status schema_check(struct store_session *session, char *why, size_t why_size) MUST_CHECK;

/** Says which columns there are that no field has: those of a version that has more fields. */
void schema_tell_unknown(struct store_session *session, store_say *say);

#endif

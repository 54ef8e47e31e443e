#ifndef ROSTER_STORE_SQLITE_SCHEMA_H
#define ROSTER_STORE_SQLITE_SCHEMA_H

/* The schema of the database, and its migration. For start-up and tools. */

#include "store/maintenance.h"
#include "store/session.h"

/**
 * Brings the database to this program's schema. STATUS_PRECONDITION_FAILED: a newer version made
 * the database. INTERNAL.
 */
enum status schema_migrate(struct store_session *session,
                           const struct store_options *options) MUST_CHECK;

/** Is the database empty, without any schema? */
bool schema_is_empty(struct store_session *session);

/** Marks a file as Roster's ("rost"), in SQLite's application_id. */
enum { SCHEMA_APPLICATION_ID = 0x726f7374 };

/**
 * Compares the version of the database with this program's. Below 0: the database is older, or
 * lacks a field that the next start adds; above 0: it is newer.
 */
int schema_compare_version(struct store_session *session);

/**
 * Compares the database with the field tables. STATUS_OK, or STATUS_INTERNAL with the first
 * difference in `why` that prevents this program from using the database.
 */
enum status schema_check(struct store_session *session, char *why, size_t why_size) MUST_CHECK;

/** Prints the columns that belong to no field: those of a version that has more fields. */
void schema_tell_unknown(struct store_session *session, store_say *say);

#endif

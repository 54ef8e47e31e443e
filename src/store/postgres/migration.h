#ifndef ROSTER_STORE_POSTGRES_MIGRATION_H
#define ROSTER_STORE_POSTGRES_MIGRATION_H

#include "store/postgres/state.h"

/** The versions of the field tables, SINCE, are below this number; see pg_schema_version. */
enum { PG_FIELD_VERSIONS = 1000 };

/**
 * Adds to a database of version `from` what this program's field tables have in addition, and fills
 * it from the rows. In a transaction that has the turn. `*is_for_all_programs`: programs of version
 * `from` may go on writing. OK; INTERNAL or UNAVAILABLE: `error` of the connection says why.
 */
enum status pg_migrate(struct connection *connection, int64_t from,
                       bool *is_for_all_programs) MUST_CHECK;

#endif

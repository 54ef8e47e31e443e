#ifndef ROSTER_STORE_SESSION_H
#define ROSTER_STORE_SESSION_H

/*
 * Record keeping remembers this with a session. An engine has one of these inside of its own
 * connection, zeroed but for what the engine sets, and calls table_statements_free and
 * row_compression_free before it closes the connection. Only the session's thread touches it.
 */

#include "model/tables.h"
#include "store/sql.h"
#include "store/store.h"

struct row_compression; /* see row_compression.h */

/* Statements that each table has, derived from its fields; see table_statement.h. */
enum table_statement {
    TABLE_LOAD,
    TABLE_SHOW, /* of tables that are kept as JSON */
    TABLE_NAME, /* of tables that have one */
    TABLE_EXISTS,
    TABLE_COUNT,
    TABLE_INSERT,
    TABLE_DELETE,
    TABLE_UPDATE,         /* all columns but those with an index of their own */
    TABLE_UPDATE_INDEXED, /* all columns */
    TABLE_FIND_EMAIL,     /* of tables that are kept as JSON and have an e-mail that is searched; */
    TABLE_ADD_EMAIL,      /* also up to the last one */
    TABLE_DROP_EMAIL,
    TABLE_HAS_EMAIL,
    TABLE_COUNT_EMAILS,
    TABLE_STATEMENTS
};

struct store_session {
    struct store *store; /* set by the engine; NULL: it is a tool's, of no open store */
    int64_t user_tokens; /* set by the engine: of each kind that a user may have */
    struct sql_statement *table_statements[TABLES][TABLE_STATEMENTS];
    struct row_compression *compression;
    bool access_changed; /* the running transaction decides who may do what */
    bool outbox_changed; /* the running transaction left something to be delivered */
    bool erased;         /* the running transaction took out what no file may keep */
    /* Are there webhooks? UNKNOWN again whenever a transaction is rolled back. */
    enum { WEBHOOKS_UNKNOWN, WEBHOOKS_NONE, WEBHOOKS_SOME } webhooks;
};

#endif

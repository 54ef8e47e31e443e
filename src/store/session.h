#ifndef ROSTER_STORE_SESSION_H
#define ROSTER_STORE_SESSION_H

/*
 * The state of record keeping in a session. An engine embeds it in its own connection, zeroed
 * except for the members that the engine sets, and calls table_statements_free and
 * row_compression_free before it closes the connection. Only the session's thread touches it.
 */

#include "model/tables.h"
#include "store/sql.h"
#include "store/store.h"

struct row_compression; /* see row_compression.h */

/* The statements that each table has, composed from its fields; see table_statement.h. */
enum table_statement {
    TABLE_LOAD,
    TABLE_SHOW, /* of tables stored as JSON */
    TABLE_NAME, /* of tables that have names */
    TABLE_EXISTS,
    TABLE_COUNT,
    TABLE_INSERT,
    TABLE_DELETE,
    TABLE_UPDATE,         /* all columns except indexed ones */
    TABLE_UPDATE_INDEXED, /* all columns */
    TABLE_FIND_EMAIL,     /* from here to TABLE_COUNT_EMAILS: of tables stored as JSON */
    TABLE_ADD_EMAIL,      /* whose e-mail address is searched */
    TABLE_DROP_EMAIL,
    TABLE_LIST_EMAILS,
    TABLE_COUNT_EMAILS,
    TABLE_STATEMENTS
};

struct store_session {
    const struct engine *engine; /* set by the engine */
    struct store *store;         /* set by the engine; NULL: opened by a tool, without a store */
    int64_t user_tokens;         /* set by the engine: the most of each kind per user */
    struct sql_statement *table_statements[TABLES][TABLE_STATEMENTS];
    struct row_compression *compression;
    bool access_changed; /* the running transaction changed who may do what */
    bool outbox_changed; /* the running transaction changed the outbox */
    bool erased;         /* the running transaction erased data that no file may keep */
    /* Are there webhooks? A rollback resets it to UNKNOWN. */
    enum { WEBHOOKS_UNKNOWN, WEBHOOKS_NONE, WEBHOOKS_SOME } webhooks;
};

#endif

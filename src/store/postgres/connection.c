#include "store/postgres/connection.h"

#include <stdio.h>
#include <string.h>

static void remember(struct connection *connection, const char *message) {
    size_t len = strcspn(message, "\n");
    if (len >= sizeof connection->error)
        len = sizeof connection->error - 1;
    memcpy(connection->error, message, len);
    connection->error[len] = '\0';
}

void pg_fail_there(struct connection *connection, enum pg_meaning meaning, const char *sqlstate,
                   const char *why) {
    if (connection->first_failed == PG_FINE)
        connection->first_failed = meaning;
    if (meaning <= connection->failed)
        return;
    connection->failed = meaning;
    remember(connection, why);
    (void)snprintf(connection->sqlstate, sizeof connection->sqlstate, "%s",
                   sqlstate ? sqlstate : "");
}

void pg_fail(struct connection *connection, enum pg_meaning meaning, const char *why) {
    pg_fail_there(connection, meaning, NULL, why);
}

void pg_disconnect(struct connection *connection) {
    connection->prefetch.sent = NULL; /* its rows are of a transaction that is gone */
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->first = connection->count = 0;
    connection->in_transaction = connection->is_unsynced = false;
}

/* Sessions: connections with the state of record keeping. */
#include "store/postgres/session.h"

#include "store/postgres/column_arrays.h"
#include "store/postgres/prefetch.h"
#include "store/postgres/statement.h"
#include "store/postgres/update_rows.h"
#include "store/row_compression.h"
#include "store/table_statement.h"

#include <stdlib.h>

struct connection *pg_session_new(struct pg_store *store) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->session.engine = store->base.engine;
    connection->session.store = &store->base;
    connection->session.user_tokens = store->user_tokens;
    return connection;
}

void pg_session_free(struct connection *connection) {
    if (!connection)
        return;
    pg_disconnect(connection); /* the server forgets all statements */
    pg_prefetch_free(connection);
    pg_update_rows_free(connection);
    pg_column_arrays_forget(&connection->audit_rows);
    table_statements_free(&connection->session);
    row_compression_free(connection->session.compression);
    pg_statements_free(connection);
    free(connection);
}

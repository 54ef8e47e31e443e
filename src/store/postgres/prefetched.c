#include "store/postgres/prefetched.h"

#include "store/postgres/parameters.h"

/* A writer loads records to decide and to change them, a reader shows them. */
enum table_statement pg_prefetch_kind(const struct connection *connection) {
    return connection->is_writer ? TABLE_LOAD : TABLE_SHOW;
}

/* ---- Finding ---- */

static bool is_dropped(const struct pg_prefetch *prefetch, int row) {
    return prefetch->dropped[row / 32] >> row % 32 & 1;
}

/* The row of a record; -1: it was not read, or not found. */
static int row_of(const struct pg_prefetch *prefetch, int64_t id) {
    const PGresult *rows = pg_statement_of(prefetch->sent)->result;
    int count = rows ? PQntuples(rows) : 0, column = rows ? PQnfields(rows) - 1 : 0;
    for (int i = 0; i < count; i++)
        if (pg_integer_read(PQgetvalue(rows, i, column), (size_t)PQgetlength(rows, i, column)) ==
            id)
            return i;
    return -1;
}

/* The statement `which` of the table whose records were read. */
static bool is_of_table(const struct pg_statement *statement, enum table_statement which) {
    const struct connection *connection = statement->connection;
    const struct table *table = connection->prefetch.table;
    return &statement->base == connection->session.table_statements[table->number][which];
}

bool pg_prefetch_find(const struct pg_statement *statement, struct pg_prefetched *found) {
    struct connection *connection = statement->connection;
    const struct pg_prefetch *prefetch = &connection->prefetch;
    if (!prefetch->sent || !is_of_table(statement, pg_prefetch_kind(connection)))
        return false;
    found->rows = pg_statement_of(prefetch->sent)->result;
    found->row = row_of(prefetch, statement->parameters[0].integer);
    if (found->row < 0 || is_dropped(prefetch, found->row))
        return false;
    connection->has_read = true;
    return true;
}

bool pg_prefetch_is_updated_by(const struct pg_statement *statement) {
    const struct pg_prefetch *prefetch = &statement->connection->prefetch;
    if (!prefetch->sent || !is_of_table(statement, TABLE_UPDATE))
        return false;
    int row = row_of(prefetch, statement->parameters[prefetch->table->common.id].integer);
    return row >= 0 && !is_dropped(prefetch, row);
}

/* ---- Forgetting ---- */

static void drop(struct pg_prefetch *prefetch, int64_t id) {
    int row = row_of(prefetch, id);
    if (row >= 0)
        prefetch->dropped[row / 32] |= 1U << row % 32;
}

/* The triggers of the schema change no table whose records are read here, so a statement that does
 * has the table's name in it. */
void pg_prefetch_note(const struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    struct pg_prefetch *prefetch = &connection->prefetch;
    if (!prefetch->sent || strncmp(statement->sql, "SELECT ", strlen("SELECT ")) == 0)
        return;
    if (is_of_table(statement, TABLE_UPDATE) || is_of_table(statement, TABLE_UPDATE_INDEXED))
        drop(prefetch, statement->parameters[prefetch->table->common.id].integer);
    else if (strstr(statement->sql, prefetch->table->name))
        pg_prefetch_forget(connection);
}

void pg_prefetch_forget(struct connection *connection) {
    struct pg_prefetch *prefetch = &connection->prefetch;
    if (prefetch->sent)
        sql_done(prefetch->sent);
    prefetch->sent = NULL;
    memset(prefetch->dropped, 0, sizeof prefetch->dropped);
}

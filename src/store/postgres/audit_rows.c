#include "store/postgres/audit_rows.h"

#include "store/postgres/column_arrays.h"
#include "store/postgres/pipeline.h"

/* More rows than that are sent as several statements. */
enum { ROWS_MAX = 1000 };

/* The columns stand in the order of the statement `audit` (statements.def). The statement locks the
 * row of the number until the COMMIT, so numbers have no gaps and follow the order of the commits.
 * Without that row the Ids would be null, which the table refuses. */
static const char insert_sql[] =
    "WITH numbers AS (UPDATE next_ids SET next = next + ?11 WHERE kind = 'audit'"
    " RETURNING next - ?11 AS first)"
    " INSERT INTO audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type,"
    " business_id, request_id, id) SELECT r.entity, r.entity_id, r.property, r.old_value,"
    " r.new_value, r.action_by, r.at_ms, r.type, r.business_id, r.request_id,"
    " (SELECT first FROM numbers) + r.place - 1"
    " FROM unnest(CAST(?1 AS text[]), CAST(?2 AS bigint[]), CAST(?3 AS text[]), CAST(?4 AS text[]),"
    " CAST(?5 AS text[]), CAST(?6 AS text[]), CAST(?7 AS bigint[]), CAST(?8 AS smallint[]),"
    " CAST(?9 AS bigint[]), CAST(?10 AS text[])) WITH ORDINALITY AS r (entity, entity_id, property,"
    " old_value, new_value, action_by, at_ms, type, business_id, request_id, place)";

enum { COUNT_PARAMETER = 11 };

bool pg_audit_rows_is(const struct pg_statement *statement) {
    return statement == statement->connection->statements[SQL_audit];
}

enum status pg_audit_rows_take(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    enum status status = STATUS_OK;
    if (connection->audit_rows.rows >= ROWS_MAX && !connection->is_plain)
        status = pg_audit_rows_send(connection);
    if (status == STATUS_OK)
        status = pg_prepare_there(statement); /* to know the types */
    if (status != STATUS_OK)
        return status;
    return pg_column_arrays_add(&connection->audit_rows, statement) ? STATUS_OK : STATUS_INTERNAL;
}

enum status pg_audit_rows_send(struct connection *connection) {
    struct pg_column_arrays *rows = &connection->audit_rows;
    if (!rows->rows)
        return STATUS_OK;
    struct sql_statement *statement = sql_text_statement(&connection->session, insert_sql);
    enum status status = statement ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK)
        status = pg_prepare_there(pg_statement_of(statement));
    if (status == STATUS_OK) {
        pg_column_arrays_bind(rows, pg_statement_of(statement));
        sql_bind_integer(statement, COUNT_PARAMETER, rows->rows);
        if (!pg_send(pg_statement_of(statement), false))
            status = pg_status_of(connection->failed);
    }
    pg_column_arrays_forget(rows);
    return status;
}

bool pg_audit_rows_concern(const struct pg_statement *statement) {
    return statement->connection->audit_rows.rows && strstr(statement->sql, "audit");
}

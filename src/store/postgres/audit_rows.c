#include "store/postgres/audit_rows.h"

#include <assert.h>

/* More rows than that are sent as several statements. */
enum { ROWS_MAX = 1000, LITERAL_EXPECTED = 4096 };

/* The columns stand in the order of the statement `audit` (statements.def). */
static const char insert_sql[] =
    "INSERT INTO audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type,"
    " business_id, request_id, id) SELECT * FROM unnest(CAST(?1 AS text[]), CAST(?2 AS bigint[]),"
    " CAST(?3 AS text[]), CAST(?4 AS text[]), CAST(?5 AS text[]), CAST(?6 AS text[]),"
    " CAST(?7 AS bigint[]), CAST(?8 AS bigint[]), CAST(?9 AS bigint[]), CAST(?10 AS text[]),"
    " CAST(?11 AS bigint[]))";

/* Adds an element of an array literal. Within quotes, quotes and backslashes have a backslash. */
static void add_element(struct buffer *literal, const struct pg_parameter *value) {
    switch (value->kind) {
    case PG_INTEGER: buffer_printf(literal, "%lld", (long long)value->integer); return;
    case PG_BYTES: break;
    default: buffer_add(literal, TEXT("NULL")); return;
    }
    buffer_add_char(literal, '"');
    for (size_t i = 0; i < value->bytes.len; i++) {
        char c = value->bytes.at[i];
        if (c == '"' || c == '\\')
            buffer_add_char(literal, '\\');
        buffer_add_char(literal, c);
    }
    buffer_add_char(literal, '"');
}

static void add_row(struct pg_audit_rows *rows, const struct pg_statement *statement) {
    for (int i = 0; i < PG_AUDIT_COLUMNS; i++) {
        if (!rows->count)
            buffer_init(&rows->columns[i], &rows->arena, LITERAL_EXPECTED);
        buffer_add_char(&rows->columns[i], rows->count ? ',' : '{');
        add_element(&rows->columns[i], &statement->parameters[i]);
    }
    rows->count++;
}

bool pg_audit_rows_take(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    if (statement != connection->statements[SQL_audit])
        return false;
    assert(statement->room == PG_AUDIT_COLUMNS);
    if (connection->audit_rows.count == ROWS_MAX && pg_audit_rows_send(connection) != STATUS_OK)
        return false;
    add_row(&connection->audit_rows, statement);
    return true;
}

enum status pg_audit_rows_send(struct connection *connection) {
    struct pg_audit_rows *rows = &connection->audit_rows;
    if (!rows->count)
        return STATUS_OK;
    struct sql_statement *statement = sql_text_statement(&connection->session, insert_sql);
    bool failed = !statement;
    rows->count = 0;
    for (int i = 0; !failed && i < PG_AUDIT_COLUMNS; i++) {
        buffer_add(&rows->columns[i], (struct text){ "}", 2 }); /* with its NUL */
        pg_statement_of(statement)->parameters[i] =
            (struct pg_parameter){ .kind = PG_LITERAL, .bytes = buffer_text(&rows->columns[i]) };
        failed = rows->columns[i].failed;
    }
    enum status status = failed ? STATUS_INTERNAL : sql_execute(statement);
    pg_audit_rows_forget(connection);
    return status;
}

bool pg_audit_rows_concern(const struct pg_statement *statement) {
    return statement->connection->audit_rows.count && strstr(statement->sql, "audit");
}

void pg_audit_rows_forget(struct connection *connection) {
    connection->audit_rows.count = 0;
    arena_close(&connection->audit_rows.arena);
}

/* Passes the calls of sql.h on to the engine of their session or statement. */
#include "store/sql.h"

#include "store/engine.h"

/* ---- Statements ---- */

struct sql_statement *sql_statement(struct store_session *session, enum statement which) {
    return session->engine->sql->statement(session, which);
}

struct sql_statement *sql_text_statement(struct store_session *session, const char *sql) {
    return session->engine->sql->text_statement(session, sql);
}

struct sql_statement *sql_prepare(struct store_session *session, const char *sql) {
    return session->engine->sql->prepare(session, sql);
}

struct sql_statement *sql_prepare_many(struct store_session *session, const char *sql) {
    const struct engine_sql *calls = session->engine->sql;
    return (calls->prepare_many ? calls->prepare_many : calls->prepare)(session, sql);
}

void sql_again(struct sql_statement *statement) {
    statement->engine->sql->again(statement);
}

void sql_free(struct sql_statement *statement) {
    if (statement)
        statement->engine->sql->free(statement);
}

/* ---- Parameters ---- */

void sql_bind_integer(struct sql_statement *statement, int at, int64_t integer) {
    statement->engine->sql->bind_integer(statement, at, integer);
}

void sql_bind_text(struct sql_statement *statement, int at, struct text text) {
    statement->engine->sql->bind_text(statement, at, text);
}

void sql_bind_bytes(struct sql_statement *statement, int at, struct text bytes) {
    statement->engine->sql->bind_bytes(statement, at, bytes);
}

void sql_bind_null(struct sql_statement *statement, int at) {
    statement->engine->sql->bind_null(statement, at);
}

void sql_bind_list(struct sql_statement *statement, int at, struct text json) {
    statement->engine->sql->bind_list(statement, at, json);
}

/* ---- Running ---- */

enum status sql_step(struct sql_statement *statement) {
    return statement ? statement->engine->sql->step(statement) : STATUS_INTERNAL;
}

enum status sql_execute(struct sql_statement *statement) {
    return statement ? statement->engine->sql->execute(statement) : STATUS_INTERNAL;
}

enum status sql_execute_one(struct sql_statement *statement) {
    return statement ? statement->engine->sql->execute_one(statement) : STATUS_INTERNAL;
}

int64_t sql_changed(struct sql_statement *statement) {
    return statement->engine->sql->changed(statement);
}

void sql_done(struct sql_statement *statement) {
    if (statement)
        statement->engine->sql->done(statement);
}

enum status sql_run(struct store_session *session, const char *sql) {
    return session->engine->sql->run(session, sql);
}

const char *sql_error(struct store_session *session) {
    return session->engine->sql->error(session);
}

/* ---- Columns ---- */

int64_t sql_integer(struct sql_statement *statement, int at) {
    return statement->engine->sql->integer(statement, at);
}

bool sql_is_null(struct sql_statement *statement, int at) {
    return statement->engine->sql->is_null(statement, at);
}

struct text sql_text(struct sql_statement *statement, int at, struct arena *arena) {
    if (sql_is_null(statement, at))
        return (struct text){ 0 };
    return arena_text(arena, sql_bytes(statement, at));
}

struct text sql_bytes(struct sql_statement *statement, int at) {
    return statement->engine->sql->bytes(statement, at);
}

struct sql_value sql_value(struct sql_statement *statement, int at) {
    return statement->engine->sql->value(statement, at);
}

/* ---- Many rows ---- */

static void bind_value(struct sql_statement *statement, int at, const struct sql_value *value) {
    switch (value->type) {
    case SQL_NULL: sql_bind_null(statement, at); break;
    case SQL_INTEGER: sql_bind_integer(statement, at, value->integer); break;
    case SQL_TEXT: sql_bind_text(statement, at, value->bytes); break;
    case SQL_BYTES: sql_bind_bytes(statement, at, value->bytes); break;
    }
}

void sql_bind_row(struct sql_statement *statement, const struct sql_value *values,
                  unsigned columns) {
    for (unsigned i = 0; i < columns; i++)
        bind_value(statement, (int)i + 1, &values[i]);
}

enum status sql_execute_rows(struct sql_statement *statement, const struct sql_value *values,
                             unsigned columns, size_t rows) {
    enum status status = statement ? STATUS_OK : STATUS_INTERNAL;
    if (statement && statement->engine->sql->execute_rows)
        return statement->engine->sql->execute_rows(statement, values, columns, rows);
    for (size_t i = 0; status == STATUS_OK && i < rows; i++) {
        sql_again(statement);
        sql_bind_row(statement, values + i * columns, columns);
        status = sql_execute_one(statement);
    }
    return status;
}

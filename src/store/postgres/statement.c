/* Implements store/sql.h for PostgreSQL: statements, parameters and columns. A statement's result
 * arrives whole, and its rows are then stepped through in memory. Only a statement that may return
 * a whole table has a cursor, and fetches a part of the rows at a time. */
#include "store/postgres/statement.h"

#include "base/log.h"
#include "store/own_columns.h"
#include "store/postgres/audit_rows.h"
#include "store/postgres/dialect.h"
#include "store/postgres/insert_rows.h"
#include "store/postgres/parameters.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/prefetched.h"
#include "store/postgres/reading.h"
#include "store/postgres/update_rows.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FETCHED_ROWS = 1000 };

static const char *const statement_sql[STATEMENTS] = {
#define STATEMENT(name, sql) sql,
#include "store/statements.def"
#undef STATEMENT
};

const char *pg_statement_sql(enum statement which) {
    return statement_sql[which];
}

/* ---- Making and freeing ---- */

/* Finds or gives the number under which the server knows a parameter. Numbers have no gaps there,
 * since it must see the use of a parameter to know its type. */
static int number_there(struct pg_statement *statement, int number) {
    for (int i = 0; i < statement->parameter_count; i++)
        if (statement->order[i] == number - 1)
            return i + 1;
    statement->order[statement->parameter_count++] = number - 1;
    return statement->parameter_count;
}

/* Is there a parameter, `?1`, at this place? Quotes enclose literals. */
static bool is_parameter(const char *sql, bool *is_literal) {
    *is_literal ^= *sql == '\'';
    return *sql == '?' && !*is_literal && isdigit((unsigned char)sql[1]);
}

/* The number of a parameter, `sql` being at its question mark. */
static int number_in(const char *sql) {
    return (int)strtol(sql + 1, NULL, 10);
}

static int greatest_parameter(const char *sql) {
    bool is_literal = false;
    int greatest = 0;
    for (; *sql; sql++)
        if (is_parameter(sql, &is_literal) && number_in(sql) > greatest)
            greatest = number_in(sql);
    return greatest;
}

/* Writes the SQL with `$1` for the parameters. */
static void spell(struct pg_statement *statement, const char *sql) {
    bool is_literal = false;
    char *out = statement->sql, *end = out + 2 * strlen(sql) + 1; /* new_statement made that room */
    while (*sql)
        if (is_parameter(sql, &is_literal)) {
            out +=
                snprintf(out, (size_t)(end - out), "$%d", number_there(statement, number_in(sql)));
            for (sql++; isdigit((unsigned char)*sql);)
                sql++;
        } else {
            *out++ = *sql++;
        }
    *out = '\0';
}

static void free_statement(struct pg_statement *statement) {
    if (!statement)
        return;
    PQclear(statement->result);
    free(statement->sql);
    free(statement->cursor);
    free(statement->parameters);
    free(statement->order);
    free(statement->types);
    free(statement);
}

static struct pg_statement *new_statement(struct connection *connection, const char *sql) {
    struct pg_statement *statement = calloc(1, sizeof *statement);
    if (!statement)
        return NULL;
    statement->base.engine = connection->session.engine;
    statement->connection = connection;
    statement->room = greatest_parameter(sql);
    size_t count = (size_t)statement->room + 1;
    statement->sql = malloc(2 * strlen(sql) + 1); /* "?1" may become "$512" */
    statement->parameters = calloc(count, sizeof *statement->parameters);
    statement->order = calloc(count, sizeof *statement->order);
    statement->types = calloc(count, sizeof *statement->types);
    (void)snprintf(statement->name, sizeof statement->name, "s%u", connection->names++);
    if (statement->sql && statement->parameters && statement->order && statement->types) {
        spell(statement, sql);
        return statement;
    }
    free_statement(statement);
    return NULL;
}

static struct sql_statement *prepare(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    struct pg_statement *statement = new_statement(connection, sql);
    if (!statement)
        return NULL;
    if (pg_ensure_connected(connection) == STATUS_OK && pg_prepare_there(statement) == STATUS_OK)
        return &statement->base;
    free_statement(statement);
    return NULL;
}

/* The cursor is one of the reading's transaction, whose end closes it. */
static enum status declare_there(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    if (!statement->cursor || statement->declared == connection->generation)
        return STATUS_OK;
    pg_send_control(connection, statement->cursor);
    statement->declared = connection->generation;
    return pg_status_of(pg_collect(connection));
}

/* The cursor is there before the server prepares what fetches from it, so that the server can tell
 * the columns. */
static struct sql_statement *prepare_many(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    const unsigned number = connection->names;
    char fetch[64];
    assert(connection->depth);
    (void)snprintf(fetch, sizeof fetch, "FETCH %d FROM c%u", FETCHED_ROWS, number);
    struct pg_statement *statement = new_statement(connection, fetch);
    if (!statement)
        return NULL;
    if (asprintf(&statement->cursor, "DECLARE c%u NO SCROLL CURSOR FOR %s", number, sql) < 0)
        statement->cursor = NULL;
    else if (pg_ensure_connected(connection) == STATUS_OK &&
             declare_there(statement) == STATUS_OK && pg_prepare_there(statement) == STATUS_OK)
        return &statement->base;
    free_statement(statement);
    return NULL;
}

/* The server forgets the statement too. Results that are under way are collected without it. */
static void drop(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    struct connection *connection = statement->connection;
    char sql[32];
    for (unsigned i = 0; i < PG_UNDER_WAY_MAX; i++)
        if (connection->sent[i].statement == statement)
            connection->sent[i].statement = NULL;
    (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", statement->name);
    if (connection->pg && statement->generation == connection->generation &&
        connection->failed == PG_FINE) {
        pg_send_control(connection, sql);
        if (!connection->in_transaction)
            pg_send_sync(connection);
    }
    free_statement(statement);
}

void pg_statements_free(struct connection *connection) {
    for (int i = 0; i < STATEMENTS; i++)
        free_statement(connection->statements[i]);
    for (int i = 0; i < PG_TEXT_STATEMENTS; i++)
        free_statement(connection->texts[i]);
}

static void done(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    statement->is_running = false;
    statement->rows = NULL;
    PQclear(statement->result);
    statement->result = NULL;
}

static struct sql_statement *fixed_statement(struct store_session *session, enum statement which) {
    struct connection *connection = connection_of(session);
    struct pg_statement **slot = &connection->statements[which];
    if (!*slot)
        *slot = new_statement(connection, statement_sql[which]);
    else
        done(&(*slot)->base);
    return *slot ? &(*slot)->base : NULL;
}

static bool has_text(const struct pg_statement *statement, const char *spelled) {
    return statement && strcmp(statement->sql, spelled) == 0;
}

/* Moves the statement at `at` to the front. */
static void use(struct pg_statement **kept, int at, struct pg_statement *statement) {
    for (; at; at--)
        kept[at] = kept[at - 1];
    kept[0] = statement;
}

static struct sql_statement *text_statement(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    struct pg_statement **kept = connection->texts;
    struct pg_statement *fresh = new_statement(connection, sql);
    int at = 0;
    if (!fresh)
        return NULL;
    while (at < PG_TEXT_STATEMENTS - 1 && kept[at] && !has_text(kept[at], fresh->sql))
        at++;
    if (has_text(kept[at], fresh->sql)) {
        free_statement(fresh);
        use(kept, at, kept[at]);
        done(&kept[0]->base);
    } else {
        if (kept[at])
            drop(&kept[at]->base); /* the least recently used one */
        use(kept, at, fresh);
    }
    return &kept[0]->base;
}

/* ---- Parameters ---- */

static void bind(struct sql_statement *base, int at, struct pg_parameter value) {
    struct pg_statement *statement = pg_statement_of(base);
    assert(at >= 1 && at <= statement->room);
    statement->parameters[at - 1] = value;
}

static void bind_integer(struct sql_statement *base, int at, int64_t integer) {
    bind(base, at, (struct pg_parameter){ .kind = PG_INTEGER, .integer = integer });
}

static void bind_null(struct sql_statement *base, int at) {
    bind(base, at, (struct pg_parameter){ .kind = PG_NULL });
}

static void bind_bytes(struct sql_statement *base, int at, struct text bytes) {
    if (bytes.at)
        bind(base, at, (struct pg_parameter){ .kind = PG_BYTES, .bytes = bytes });
    else
        bind_null(base, at);
}

static void bind_list(struct sql_statement *base, int at, struct text json) {
    bind(base, at, (struct pg_parameter){ .kind = PG_LIST, .bytes = json });
}

/* ---- Running ---- */

/* A statement outside of readings and transactions is a transaction of its own. */
static void end_lone(struct connection *connection, enum status status) {
    if (connection->is_writer || connection->depth || !connection->pg)
        return;
    if (status != STATUS_OK)
        pg_roll_back(connection);
    else if (connection->is_unsynced)
        pg_send_sync(connection);
}

/* The statement's run now steps through rows. */
static void show(struct pg_statement *statement, const PGresult *rows, int first, int end) {
    statement->is_running = true;
    statement->rows = rows;
    statement->row = first - 1;
    statement->end = end;
}

/* May no statement be sent, as a plain command runs? It then is not one. */
static bool is_refused(struct connection *connection) {
    connection->is_too_wide |= connection->is_plain;
    return connection->is_plain;
}

/* Does the statement read what never changes? */
static bool is_constant(const struct pg_statement *statement) {
    return statement == statement->connection->statements[SQL_dictionaries];
}

/* Sends the updates and the audit rows that the statement may read, and forgets the records that it
 * may change. */
static enum status make_way(const struct pg_statement *statement) {
    if (is_constant(statement))
        return STATUS_OK;
    if (is_refused(statement->connection))
        return STATUS_INTERNAL;
    enum status status = pg_update_rows_send(statement->connection);
    pg_prefetch_note(statement);
    if (status == STATUS_OK && pg_audit_rows_concern(statement))
        status = pg_audit_rows_send(statement->connection);
    return status;
}

/* Sends the statement and waits for its result. A reading that has had no result yet begins again
 * on a new connection when the old one turns out to be gone: nobody has seen anything of it. */
static enum status run_now(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    enum status status = make_way(statement);
    if (status != STATUS_OK)
        return status;
    if (connection->may_end_early && !pg_is_time_left(connection))
        return pg_why_ended(connection);
    for (bool may_repeat = true; may_repeat;) {
        may_repeat = !connection->has_read && !connection->is_writer;
        status = pg_ensure_connected(connection);
        if (status == STATUS_OK)
            status = declare_there(statement);
        if (status == STATUS_OK)
            status = pg_prepare_there(statement);
        if (status == STATUS_OK)
            status = pg_send(statement, false) && pg_collect(connection) == PG_FINE
                         ? STATUS_OK
                         : pg_status_of(connection->failed);
        may_repeat = may_repeat && status != STATUS_OK && pg_begin_again(connection);
    }
    end_lone(connection, status);
    connection->has_read = true;
    return status;
}

static enum status execute_later(struct pg_statement *statement, bool must_change_one);

/* Are statements that write sent and not waited for? */
static bool is_sent_only(const struct connection *connection) {
    return connection->is_writer && !connection->is_careful;
}

/* Has the statement no rows to wait for? A writer's is then only sent. */
static bool is_without_rows(const struct pg_statement *statement) {
    const struct connection *connection = statement->connection;
    return is_sent_only(connection) && connection->pg &&
           statement->generation == connection->generation && !statement->column_count;
}

static bool was_given_up(const struct pg_statement *statement) {
    return statement->connection->may_end_early && statement->connection->was_given_up;
}

/* Runs the statement, and shows its rows or the next ones of its cursor. */
static enum status run_for_rows(struct pg_statement *statement) {
    enum status status = run_now(statement);
    if (status == STATUS_TOO_SLOW || (status != STATUS_OK && was_given_up(statement)))
        return pg_why_ended(statement->connection);
    if (status == STATUS_OK)
        show(statement, statement->result, 0, PQntuples(statement->result));
    return status;
}

static bool may_have_more(const struct pg_statement *statement) {
    return statement->cursor && statement->end == FETCHED_ROWS;
}

static enum status step(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    struct pg_prefetched found;
    if (!statement->is_running && pg_prefetch_find(statement, &found))
        show(statement, found.rows, found.row, found.row + 1);
    if (!statement->is_running && is_without_rows(statement)) {
        enum status status = execute_later(statement, false);
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    }
    enum status status = STATUS_OK;
    if (!statement->is_running ||
        (statement->row + 1 == statement->end && may_have_more(statement)))
        status = run_for_rows(statement);
    if (status != STATUS_OK)
        return status;
    return ++statement->row < statement->end ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status pg_send_only(struct sql_statement *base) {
    if (!base)
        return STATUS_INTERNAL;
    done(base);
    return execute_later(pg_statement_of(base), false);
}

enum status pg_show_first(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    if (!statement->result)
        return STATUS_UNAVAILABLE;
    show(statement, statement->result, 0, PQntuples(statement->result));
    return ++statement->row < statement->end ? STATUS_OK : STATUS_NOT_FOUND;
}

/* In a transaction the statement is only sent. */
static enum status execute_later(struct pg_statement *statement, bool must_change_one) {
    struct connection *connection = statement->connection;
    enum status status = make_way(statement);
    if (status == STATUS_OK)
        status = pg_prepare_there(statement);
    if (status != STATUS_OK)
        return status;
    return pg_send(statement, must_change_one) ? STATUS_OK : pg_status_of(connection->failed);
}

static enum status execute(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    done(base);
    if (statement->connection->is_writer && pg_audit_rows_is(statement))
        return pg_audit_rows_take(statement);
    return is_sent_only(statement->connection) ? execute_later(statement, false)
                                               : run_now(statement);
}

static int64_t changed(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    return pg_collect(statement->connection) == PG_FINE ? statement->changed : 0;
}

static enum status execute_one(struct sql_statement *base) {
    struct pg_statement *statement = pg_statement_of(base);
    done(base);
    if (is_sent_only(statement->connection) && pg_update_rows_fits(statement))
        return pg_update_rows_take(statement);
    if (is_sent_only(statement->connection))
        return execute_later(statement, true);
    enum status status = run_now(statement);
    return status == STATUS_OK && changed(base) != 1 ? STATUS_PRECONDITION_FAILED : status;
}

static enum status run(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    if (is_refused(connection))
        return STATUS_INTERNAL;
    enum status status = pg_ensure_connected(connection);
    pg_prefetch_forget(connection);
    if (status == STATUS_OK)
        status = pg_update_rows_send(connection);
    if (status == STATUS_OK)
        status = pg_audit_rows_send(connection);
    return status == STATUS_OK ? pg_status_of(pg_run_simple(connection, sql)) : status;
}

static const char *error(struct store_session *session) {
    return connection_of(session)->error;
}

/* ---- Columns ---- */

static bool is_null(struct sql_statement *base, int at) {
    const struct pg_statement *statement = pg_statement_of(base);
    return PQgetisnull(statement->rows, statement->row, at);
}

static struct text raw(struct sql_statement *base, int at) {
    const struct pg_statement *statement = pg_statement_of(base);
    return (struct text){ PQgetvalue(statement->rows, statement->row, at),
                          (size_t)PQgetlength(statement->rows, statement->row, at) };
}

static bool is_integer(struct sql_statement *base, int at) {
    switch (PQftype(pg_statement_of(base)->rows, at)) {
    case PG_TYPE_BOOLEAN:
    case PG_TYPE_INT2:
    case PG_TYPE_INT4:
    case PG_TYPE_INT8: return true;
    default: return false;
    }
}

static int64_t integer(struct sql_statement *base, int at) {
    struct text bytes = raw(base, at);
    assert(is_null(base, at) || is_integer(base, at));
    return is_null(base, at) ? 0 : pg_integer_read(bytes.at, bytes.len);
}

static struct text bytes(struct sql_statement *base, int at) {
    struct text found = raw(base, at);
    if (is_null(base, at) || !found.len)
        return (struct text){ 0 };
    return found;
}

static struct sql_value value(struct sql_statement *base, int at) {
    struct sql_value found = { .type = SQL_NULL };
    if (is_null(base, at))
        return found;
    if (is_integer(base, at)) {
        found.type = SQL_INTEGER;
        found.integer = integer(base, at);
        return found;
    }
    const Oid type = PQftype(pg_statement_of(base)->rows, at);
    found.type = type == PG_TYPE_BYTEA ? SQL_BYTES : SQL_TEXT;
    found.bytes = raw(base, at);
    return found;
}

const struct engine_sql pg_sql = {
    .statement = fixed_statement,
    .text_statement = text_statement,
    .prepare = prepare,
    .prepare_many = prepare_many,
    .again = done,
    .free = drop,
    .bind_integer = bind_integer,
    .bind_text = bind_bytes,
    .bind_bytes = bind_bytes,
    .bind_null = bind_null,
    .bind_list = bind_list,
    .step = step,
    .execute = execute,
    .execute_one = execute_one,
    .execute_rows = pg_insert_rows,
    .changed = changed,
    .done = done,
    .run = run,
    .error = error,
    .integer = integer,
    .is_null = is_null,
    .bytes = bytes,
    .value = value,
};

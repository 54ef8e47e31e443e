#ifndef ROSTER_STORE_SQL_H
#define ROSTER_STORE_SQL_H

/*
 * The interface between record keeping, which is the same for all engines, and the engine that runs
 * its SQL. An engine implements these functions in its own folder (struct engine_sql in engine.h).
 * All of them belong to the thread that uses the session.
 *
 * Parameters in SQL are numbered: ?1 is the first. Columns are counted from 0.
 */

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

struct store_session;

/** A prepared statement of one session. */
struct sql_statement;

/* The statements with a fixed text (statements.def). */
enum statement {
#define STATEMENT(name, sql) SQL_##name,
#include "store/statements.def"
#undef STATEMENT
    STATEMENTS
};

/**
 * Returns one of the statements above, ready to be bound. It belongs to the session, which prepares
 * it once. NULL when it cannot be prepared; that is logged.
 */
struct sql_statement *sql_statement(struct store_session *session, enum statement which) MUST_CHECK;

/**
 * The same for SQL that is composed at run time (NUL-terminated). The session caches the few
 * statements that were used last, by their text.
 */
struct sql_statement *sql_text_statement(struct store_session *session, const char *sql) MUST_CHECK;

/**
 * Prepares a statement that belongs to the caller until sql_free. NULL when it cannot be prepared;
 * that is logged.
 */
struct sql_statement *sql_prepare(struct store_session *session, const char *sql) MUST_CHECK;

/**
 * The same for a SELECT without parameters that may return as many rows as a table has: the engine
 * holds only some of them in memory. It runs in a reading (engine_begin_reading), once.
 */
struct sql_statement *sql_prepare_many(struct store_session *session, const char *sql) MUST_CHECK;

/** Resets a statement of the caller's, so that it can be bound again. */
void sql_again(struct sql_statement *statement);

/** Takes NULL. */
void sql_free(struct sql_statement *statement);

/* Parameters. A bound text stays the caller's and must last until sql_done. A parameter keeps its
 * value when the statement runs again. A text with `at` NULL is bound as null. */
void sql_bind_integer(struct sql_statement *statement, int at, int64_t integer);
void sql_bind_text(struct sql_statement *statement, int at, struct text text);
void sql_bind_bytes(struct sql_statement *statement, int at, struct text bytes);
void sql_bind_null(struct sql_statement *statement, int at);

/** Binds a list of integers or texts, given as a JSON array, as the operand of any_of. */
void sql_bind_list(struct sql_statement *statement, int at, struct text json);

/**
 * Runs a statement to its first row, or to the next one. OK: there is a row. NOT_FOUND: there are
 * no more. INTERNAL: it failed, which is logged, or the statement is NULL. In a session with a
 * limit also the reason why the limit interrupted it: TOO_SLOW, TOO_MANY, UNAVAILABLE.
 */
enum status sql_step(struct sql_statement *statement) MUST_CHECK;

/**
 * Runs a statement that returns no rows, and ends its run. OK, otherwise as sql_step. Takes NULL.
 */
enum status sql_execute(struct sql_statement *statement) MUST_CHECK;

/**
 * The same for a statement that must change one row. PRECONDITION_FAILED: it changed none. An
 * engine that learns this only later may return OK here and fail the whole transaction instead.
 */
enum status sql_execute_one(struct sql_statement *statement) MUST_CHECK;

/** The number of rows that the last statement executed in this session changed. */
int64_t sql_changed(struct sql_statement *statement);

/** Ends a statement's run, so that it can run again. Takes NULL. */
void sql_done(struct sql_statement *statement);

/** Runs one or more statements without parameters. OK, or INTERNAL, which is logged. */
enum status sql_run(struct store_session *session, const char *sql) MUST_CHECK;

/** The engine's message for the last call on the session that failed. */
const char *sql_error(struct store_session *session);

/* Columns of the statement's current row. */
int64_t sql_integer(struct sql_statement *statement, int at); /* 0 for null */
bool sql_is_null(struct sql_statement *statement, int at);

/** A text or bytes, copied into the arena. `at` is NULL for null, and when memory runs out. */
struct text sql_text(struct sql_statement *statement, int at, struct arena *arena);

/**
 * The same without a copy: valid until the next sql_step or sql_done of the statement. `at` is NULL
 * for null, for an empty value, and when memory runs out.
 */
struct text sql_bytes(struct sql_statement *statement, int at);

/** A column of any type. Its bytes are not copied: they last as those of sql_bytes. */
struct sql_value {
    enum { SQL_NULL, SQL_INTEGER, SQL_TEXT, SQL_BYTES } type;
    int64_t integer;   /* of SQL_INTEGER */
    struct text bytes; /* of SQL_TEXT and SQL_BYTES */
};

struct sql_value sql_value(struct sql_statement *statement, int at);

/** Binds the values of a row as ?1, ?2 and so on. */
void sql_bind_row(struct sql_statement *statement, const struct sql_value *values,
                  unsigned columns);

/**
 * Executes an INSERT whose rows are `VALUES (?1, ?2, ...)`, all parameters in their order, for many
 * rows, whose values stand one after the other. An engine may make one statement of it. The values
 * must last until it returns. OK, otherwise as sql_execute_one. `statement` may be NULL.
 */
enum status sql_execute_rows(struct sql_statement *statement, const struct sql_value *values,
                             unsigned columns, size_t rows) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_SQL_H
#define ROSTER_STORE_SQL_H

/*
 * The seam between record keeping, which is the same for all engines, and the engine that runs its
 * SQL. An engine implements these calls in its own folder; they are bound when the program is
 * linked. All of them belong to the thread that uses the session.
 *
 * SQL is written with numbered parameters: ?1 is the first. Columns are counted from 0.
 */

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

struct store_session;

/** A prepared statement of one session. */
struct sql_statement;

/* Statements whose SQL is known beforehand (statements.def). */
enum statement {
#define STATEMENT(name, sql) SQL_##name,
#include "store/statements.def"
#undef STATEMENT
    STATEMENTS
};

/**
 * One of the statements above, ready to be bound. It belongs to the session, which prepares it
 * once. NULL when it cannot be prepared; that is logged.
 */
struct sql_statement *sql_statement(struct store_session *session, enum statement which) MUST_CHECK;

/**
 * The same for SQL that is put together (NUL-terminated): the session keeps the few statements that
 * were used last, by their text.
 */
struct sql_statement *sql_text_statement(struct store_session *session, const char *sql) MUST_CHECK;

/** A statement that the caller keeps until sql_free. NULL when it cannot be prepared; logged. */
struct sql_statement *sql_prepare(struct store_session *session, const char *sql) MUST_CHECK;

/** Makes a statement that the caller keeps ready to be bound again. */
void sql_again(struct sql_statement *statement);

/** Takes NULL. */
void sql_free(struct sql_statement *statement);

/* Parameters. A bound text stays the caller's, and must last until the statement is done. A
 * parameter keeps its value when the statement is used again. A text with `at` NULL is bound as
 * null. */
void sql_bind_integer(struct sql_statement *statement, int at, int64_t integer);
void sql_bind_text(struct sql_statement *statement, int at, struct text text);
void sql_bind_bytes(struct sql_statement *statement, int at, struct text bytes);
void sql_bind_null(struct sql_statement *statement, int at);

/** Binds a list of integers or of texts, given as a JSON array, for what engine_any_of compares. */
void sql_bind_list(struct sql_statement *statement, int at, struct text json);

/**
 * Runs a statement up to its first row, or its next one. OK: there is a row. NOT_FOUND: there is
 * none any more. INTERNAL: it failed, which is logged; so it is for a statement that is NULL. In a
 * session with a limit also what ended it: TOO_SLOW, TOO_MANY, UNAVAILABLE.
 */
enum status sql_step(struct sql_statement *statement) MUST_CHECK;

/** Runs a statement that gives no rows, and is done with it. OK, else as sql_step. Takes NULL. */
enum status sql_execute(struct sql_statement *statement) MUST_CHECK;

/**
 * The same for a statement that changes one row. PRECONDITION_FAILED: there was no such row. An
 * engine that has its answers later may say OK here and fail the whole transaction in its place.
 */
enum status sql_execute_one(struct sql_statement *statement) MUST_CHECK;

/** How many rows the statement that was executed last in its session changed. */
int64_t sql_changed(struct sql_statement *statement);

/** Ends a statement's run, so that it can be used again. Takes NULL. */
void sql_done(struct sql_statement *statement);

/** Runs SQL without parameters, several statements perhaps. OK, or INTERNAL, which is logged. */
enum status sql_run(struct store_session *session, const char *sql) MUST_CHECK;

/** Why the last call on the session failed, in the engine's words. */
const char *sql_error(struct store_session *session);

/* Columns of the row that a statement stands on. */
int64_t sql_integer(struct sql_statement *statement, int at); /* 0 for null */
bool sql_is_null(struct sql_statement *statement, int at);

/** A text or bytes, copied into the arena. `at` is NULL for null, and when memory is short. */
struct text sql_text(struct sql_statement *statement, int at, struct arena *arena);

/**
 * The same where it lies: it lasts until the statement is stepped or done. `at` is NULL for null,
 * for what is empty, and when memory is short.
 */
struct text sql_bytes(struct sql_statement *statement, int at);

/** A column of any type, as sql_bytes where it lies. */
struct sql_value {
    enum { SQL_NULL, SQL_INTEGER, SQL_TEXT, SQL_BYTES } type;
    int64_t integer;   /* of SQL_INTEGER */
    struct text bytes; /* of SQL_TEXT and SQL_BYTES */
};

struct sql_value sql_value(struct sql_statement *statement, int at);

#endif

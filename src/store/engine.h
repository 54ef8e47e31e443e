#ifndef ROSTER_STORE_ENGINE_H
#define ROSTER_STORE_ENGINE_H

/*
 * An engine offers this to record keeping beside sql.h and text_index.h. Together with what store.h
 * and maintenance.h leave to it (opening and closing, sessions, the threads that run commands,
 * figures, backup and restore) this is all that another engine has to bring, in a folder of its
 * own.
 *
 * There is one engine, SQLite, so its functions are bound by their names when the program is
 * linked. A second one is chosen by the URL that store_open is given: these functions, and those of
 * sql.h and text_index.h, then become one call each through `struct store_session`'s table of
 * functions, with the signatures that they have here. Nothing above asks which engine it is.
 *
 * An engine's SQL has to know, beside what dialect.h spells (statements.def), these functions:
 *   contains(text, needle)       fold_contains of rules/fold.h: 1, 0, or null
 *   fold(text), fold_case(text)  fold and fold_case of it
 *   TABLE_member(Members, field) the value of a member of a packed row, by the index of its field
 *   TABLE_reading(Members)       enum row_reading
 *
 * Columns of booleans hold 0 and 1; times are milliseconds since 1970; all else is what
 * model/value.h says of it.
 */

#include "store/store.h"

/**
 * To be called around what reads, so that all of it sees one snapshot, and everything that was
 * answered before. INTERNAL, which is logged: then nothing was begun. In a transaction that writes
 * there is nothing to begin.
 */
enum status engine_begin_reading(struct store_session *session) MUST_CHECK;
void engine_end_reading(struct store_session *session);

/**
 * Has statements of the session end as TOO_SLOW after a millisecond or so of work, up to
 * engine_lift_limit. False: the engine has no such limit, so nothing that may be slow can be tried.
 */
bool engine_limit_work(struct store_session *session) MUST_CHECK;
void engine_lift_limit(struct store_session *session);

/** Pieces of SQL around what an engine spells in its own way. */
struct engine_spelling {
    const char *before, *after;
};

/** Behind a value, around the parameter of a list (sql_bind_list) or an expression for one. */
extern const struct engine_spelling engine_any_of;

/** Around a text by which rows are put in order: without regard to the case of ASCII letters. */
extern const struct engine_spelling engine_without_case;

/** A name for rows, behind FROM: one row for each element of a list, in the column `value`. */
extern const struct engine_spelling engine_elements;

/** " JOIN " of what is written before it, to be read first, with what is written behind it. */
extern const char engine_join_in_order[];

/** Adds the condition that a text column has the bytes of a parameter in it. */
void engine_add_has_bytes(struct buffer *sql, const char *column, int parameter);

/** TABLE_reading says this of a row's Members. */
enum row_reading { ROW_UNREADABLE, ROW_READABLE, ROW_HAS_UNKNOWN };

#endif

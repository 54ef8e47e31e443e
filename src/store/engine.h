#ifndef ROSTER_STORE_ENGINE_H
#define ROSTER_STORE_ENGINE_H

/*
 * The functions that an engine offers to record keeping beside sql.h and text_index.h. Together
 * with the parts of store.h and maintenance.h that no file of this folder implements (opening and
 * closing, sessions, the threads that run commands, counters, backup and restore), they are all
 * that another engine must implement, in its own folder.
 *
 * There is one engine, SQLite, so its functions are bound by name at link time. A second one would
 * be chosen by the URL that store_open is given: these functions, and those of sql.h and
 * text_index.h, would then call through a table of functions in `struct store_session`, with the
 * signatures that they have here. No code above the store asks which engine it uses.
 *
 * Beside the words of dialect.h (statements.def), an engine's SQL must have these functions:
 * - contains(text, needle): fold_contains of rules/fold.h; 1, 0, or null
 * - fold(text), fold_case(text): fold and fold_case of rules/fold.h
 * - TABLE_member(Members, field): the value of a member of a packed row, by the index of its field
 * - TABLE_reading(Members): enum row_reading
 *
 * Columns of booleans hold 0 and 1; times are milliseconds since 1970; all other types are as
 * model/value.h describes them.
 */

#include "store/store.h"

/**
 * Encloses statements that read, so that all of them see one snapshot that includes every change
 * answered before. INTERNAL, which is logged: no snapshot was begun. In a transaction that writes,
 * both functions do nothing.
 */
enum status engine_begin_reading(struct store_session *session) MUST_CHECK;
void engine_end_reading(struct store_session *session);

/**
 * Interrupts statements of the session with TOO_SLOW after about a millisecond of work, until
 * engine_lift_limit. False: the engine has no such limit, so a read that may be slow must not be
 * tried.
 */
bool engine_limit_work(struct store_session *session) MUST_CHECK;
void engine_lift_limit(struct store_session *session);

/** An SQL construct that engines spell differently: the text before and after the operand. */
struct engine_spelling {
    const char *before, *after;
};

/**
 * Follows a value and encloses a list (the parameter of sql_bind_list, or an expression): is the
 * value in the list?
 */
extern const struct engine_spelling engine_any_of;

/** Encloses a text in ORDER BY: order without regard to the case of ASCII letters. */
extern const struct engine_spelling engine_without_case;

/** Follows FROM and encloses a list: one row for each element, in the column `value`. */
extern const struct engine_spelling engine_elements;

/** " JOIN " that makes the engine read the table on its left first. */
extern const char engine_join_in_order[];

/** Adds the condition that a text column contains the bytes of a parameter. */
void engine_add_has_bytes(struct buffer *sql, const char *column, int parameter);

/** The result of TABLE_reading for a row's Members. */
enum row_reading { ROW_UNREADABLE, ROW_READABLE, ROW_HAS_UNKNOWN };

#endif

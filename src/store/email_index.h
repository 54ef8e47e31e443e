#ifndef ROSTER_STORE_EMAIL_INDEX_H
#define ROSTER_STORE_EMAIL_INDEX_H

#include "base/buffer.h"
#include "store/session.h"

/*
 * An index for searches by an e-mail address. A record contains maria@example.com if its local part
 * ends in maria and its domain begins with example.com. So the index of a table's searched e-mail
 * field (a table has one, or none) stores each folded address with its local part reversed,
 * character by character: all records that contain an address then lie in one range of the index. A
 * quoted local part may contain further "@": such an address has one row for each "@".
 */

/**
 * Can the index find the records that contain a folded needle? The needle must have a character
 * before its first "@".
 */
bool email_index_can_find(struct text needle) MUST_CHECK;

/**
 * The range of rows for a needle: from `from` up to `to`, of those the ones that contain `domain`.
 */
struct email_range {
    struct text from, to, domain;
    bool failed; /* memory ran out */
};

/** The range for a needle that email_index_can_find accepts. In the arena. */
struct email_range email_range(struct text needle, struct arena *arena);

/**
 * Does this row of the range prove that its address contains the needle? Not if the address has
 * another "@": the needle may have matched at the wrong one.
 */
bool email_index_is_certain(struct text row) MUST_CHECK;

/** A table's searched e-mail field; NULL when it has none. */
const struct field *email_index_field(const struct table *table);

/**
 * Appends the name of a table's index, "users_Email_addresses". Its columns are address (a text in
 * UTF-8, compared byte by byte) and owner (an Id); both together are its key.
 */
void email_index_add_name(struct buffer *sql, const struct table *table);

/**
 * Appends "users_Email_addresses WHERE ...", which selects the rows of a range: parameter `first`
 * is its begin, the next its end, the one after that its domain.
 */
void email_index_add_range(struct buffer *sql, const struct engine *engine,
                           const struct table *table, int first);

/**
 * TABLE_FIND_EMAIL: selects up to two rows of a range, as Id, Version, Members and so on (rows.h),
 * and the address; see table_statement.h.
 */
struct sql_statement *email_index_find(struct store_session *session,
                                       const struct table *table) MUST_CHECK;

/** Add or delete the index rows of a record's folded address. INTERNAL. */
enum status email_index_add(struct store_tx *tx, const struct record *record,
                            struct text folded) MUST_CHECK;
enum status email_index_drop(struct store_tx *tx, const struct record *record,
                             struct text folded) MUST_CHECK;

/**
 * Compares a table's index with its records. OK, or INTERNAL with the first difference in `why`.
 */
enum status email_index_check(struct store_session *session, const struct table *table, char *why,
                              size_t why_size) MUST_CHECK;

#endif

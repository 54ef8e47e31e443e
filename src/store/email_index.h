#ifndef ROSTER_STORE_EMAIL_INDEX_H
#define ROSTER_STORE_EMAIL_INDEX_H

#include "base/buffer.h"
#include "store/session.h"

/*
 * Whole e-mail addresses are looked for here. An address that contains maria@example.com has a
 * local part that ends in maria and a domain that begins with example.com. So a table's searched
 * e-mail (it has one, or none) has an index of its folded addresses with the local part backwards,
 * character by character: one range of it has them all. A quoted local part may have more of "@":
 * then each has a row.
 */

/** Can the index find what contains a folded needle? It takes a character before its first "@". */
bool email_index_can_find(struct text needle) MUST_CHECK;

/** The rows for such a needle: `from` up to `to`, with `domain` in them. */
struct email_range {
    struct text from, to, domain;
    bool failed; /* memory was short */
};

/** Of a needle that email_index_can_find. */
struct email_range email_range(struct text needle, struct arena *arena);

/**
 * Is a row of the range proof? Its address contains the needle, unless the address has another
 * "@", whose row this may not be.
 */
bool email_index_is_certain(struct text row) MUST_CHECK;

/** A table's searched e-mail; NULL when it has none. */
const struct field *email_index_field(const struct table *table);

/**
 * Adds the name of such a table's index, "users_Email_addresses". It has the columns address (a
 * text in UTF-8, compared byte by byte) and owner (an Id); both together are its key.
 */
void email_index_add_name(struct buffer *sql, const struct table *table);

/**
 * Adds "users_Email_addresses WHERE ...", the rows of a range: parameter `first` is its begin, the
 * next its end, the one after that its domain.
 */
void email_index_add_range(struct buffer *sql, const struct table *table, int first);

/** TABLE_FIND_EMAIL: up to two rows of a range, as Members, Id and address; see table_statement.h.
 */
struct sql_statement *email_index_find(struct store_session *session,
                                       const struct table *table) MUST_CHECK;

/** Adds or drops the rows of a record's folded address. INTERNAL. */
enum status email_index_add(struct store_tx *tx, const struct record *record,
                            struct text folded) MUST_CHECK;
enum status email_index_drop(struct store_tx *tx, const struct record *record,
                             struct text folded) MUST_CHECK;

/** Compares a table's index with its records: OK, or INTERNAL with the first difference in `why`.
 */
enum status email_index_check(struct store_session *session, const struct table *table, char *why,
                              size_t why_size) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_EMAIL_INDEX_H
#define ROSTER_STORE_EMAIL_INDEX_H

#include "store/sqlite/sqlite.h"

/*
 * What whole e-mail addresses are looked for in. What contains maria@example.com has a local part
 * that ends in maria and a domain that begins with example.com. So a table's searched e-mail (it
 * has one, or none) has an index of its folded addresses with the local part backwards, character
 * by character: one range of it has them all. A quoted local part may have more of "@": then each
 * has a row.
 */

/** Can the index find what contains a folded needle? It takes a character before its first "@". */
bool addresses_can_find(struct text needle) MUST_CHECK;

/** The rows for such a needle: `from` up to `to`, with `domain` in them. */
struct address_range {
    struct text from, to, domain;
    bool failed; /* memory was short */
};

/** Of a needle that addresses_can_find. */
struct address_range address_range(struct text needle, struct arena *arena);

/**
 * Is a row of the range proof? What is in it contains the needle, unless the address has another
 * "@", whose row this may not be.
 */
bool addresses_are_certain(struct text row) MUST_CHECK;

/** Adds the statement that makes a table's index, if it is missing; nothing when it has none. */
void addresses_add_table(struct buffer *sql, const struct table *table);

/**
 * Adds "users_Email_addresses WHERE ...", the rows of a range: parameter `first` is its begin, the
 * next its end, the one after that its domain.
 */
void addresses_add_range(struct buffer *sql, const struct table *table, int first);

/** Adds one of the statements from TABLE_ADDRESSED to TABLE_COUNT_ADDRESSES. */
void addresses_add_statement(struct buffer *sql, const struct table *table,
                             enum table_statement which);

/** Adds or drops (TABLE_ADD_ADDRESS, TABLE_DROP_ADDRESS) the rows of a record's folded address. */
enum status addresses_write(struct store_view *tx, const struct record *record, struct text folded,
                            enum table_statement how) MUST_CHECK;

/** Compares a table's index with its records: OK, or BROKEN with the first difference in `why`. */
enum status addresses_check(struct store_view *view, const struct table *table, char *why,
                            size_t why_size) MUST_CHECK;

#endif

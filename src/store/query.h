#ifndef ROSTER_STORE_QUERY_H
#define ROSTER_STORE_QUERY_H

/* Composes the statements of a search. */

#include "store/email_index.h"
#include "store/positions.h"
#include "store/text_index.h"

/* The most Ids that are bound as a list. Looking up so many one by one takes as long as walking
 * along an index to the first page when there are more matches than these. */
enum { LISTED_MAX = 20000, EMAILS_MAX = 1000 };

/**
 * The rows that are known to match a filter before the search runs, from an index or because all
 * texts were scanned.
 */
struct candidates {
    struct candidates *next;
    const struct filter *filter;
    bool is_scanned; /* all rows were judged (scan.h): the matches are always complete */
    struct text_matches matches; /* found by the index of e-mails: at most EMAILS_MAX + 1 */
};

struct query {
    const struct engine *engine;
    const struct search *search;
    const struct candidates *candidates; /* NULL: every filter becomes a condition */
    struct buffer sql;
    struct value *values; /* to be bound, from ?1 on */
    int count, room;
};

/** The index that finds the rows whose text may contain the needle of a filter. */
enum help { HELP_NONE, HELP_EMAILS, HELP_TEXTS };
enum help query_help(const struct filter *filter);

/** Begins an empty query. If the arena's memory runs out, query_prepare fails. */
void query_init(struct query *query, const struct engine *engine, const struct search *search,
                struct arena *arena);

/** Begins "SELECT ... FROM" with the columns that a record is read from. */
void query_begin_page(struct query *query, const struct engine *engine, const struct search *search,
                      struct arena *arena);

/** Adds a parameter with its value, which must last until the statement is done. */
void query_add_value(struct query *query, struct value value);

/** Adds the condition that Id is one of `ids`. */
void query_add_ids(struct query *query, const int64_t *ids, size_t count);

/** Adds "SELECT owner FROM" the index of e-mails, for the range of a filter. */
void query_add_email_range(struct query *query, const struct filter *filter);

/**
 * Adds the condition that the text of a filter's field, passed through an SQL function ("fold("),
 * equals `folded`.
 */
void query_add_equal(struct query *query, const struct filter *filter, const char *function,
                     struct value folded);

/** Add " WHERE" with all filters of the search; its order. */
void query_add_conditions(struct query *query);
void query_add_order(struct query *query);

/** Adds " WHERE" to a query without filters: the rows from a position on, in the search's order. */
void query_add_position(struct query *query, const struct position *position);

/** Adds the search's LIMIT, and OFFSET with the number of rows to be skipped. */
void query_add_limit(struct query *query, int64_t skip);

/** Adds the complete query that counts the rows of a search. */
void query_add_count(struct query *query);

/**
 * Returns the statement with its values bound. It belongs to the session; the caller ends it with
 * sql_done. NULL: it cannot be prepared, which is logged.
 */
struct sql_statement *query_prepare(struct store_session *session, struct query *query) MUST_CHECK;

#endif

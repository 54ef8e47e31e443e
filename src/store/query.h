#ifndef ROSTER_STORE_QUERY_H
#define ROSTER_STORE_QUERY_H

/* A search on its way to a statement. */

#include "store/email_index.h"
#include "store/text_index.h"

/* As many Ids can be bound as a list; to be looked up one by one takes as long as to walk along an
 * index to the first page of more than these. */
enum { LISTED_MAX = 20000, EMAILS_MAX = 1000 };

/** Rows of which it is known beforehand that they fulfil a condition: by an index, or since all
 * texts were looked through. */
struct candidates {
    struct candidates *next;
    const struct filter *filter;
    struct text_matches matches; /* by the index of e-mails: no more than EMAILS_MAX + 1 */
};

struct query {
    const struct search *search;
    const struct candidates *candidates; /* NULL: a condition each */
    struct buffer sql;
    struct value *values; /* to be bound, from ?1 on */
    int count, room;
};

/** The index that finds the rows whose text can contain the needle. */
enum help { HELP_NONE, HELP_EMAILS, HELP_TEXTS };
enum help query_help(const struct filter *filter);

/** Begins an empty query. When the arena's memory is short, query_prepare fails. */
void query_init(struct query *query, const struct search *search, struct arena *arena);

/** Begins "SELECT ... FROM" with what a record is read from. */
void query_begin_page(struct query *query, const struct search *search, struct arena *arena);

/** Adds a parameter with a value, which has to last. */
void query_add_value(struct query *query, struct value value);

/** Adds "Id = ?", or that it is one of several. */
void query_add_ids(struct query *query, const int64_t *ids, size_t count);

/** Adds "SELECT owner FROM" with the rows of the index of e-mails for a filter. */
void query_add_email_range(struct query *query, const struct filter *filter);

/** Adds that a filter's text, put through a function of SQL ("fold("), is the same as another. */
void query_add_equal(struct query *query, const struct filter *filter, const char *function,
                     struct value folded);

/** Adds " WHERE" with all filters of the search, its order, its LIMIT and OFFSET. */
void query_add_conditions(struct query *query);
void query_add_order(struct query *query);
void query_add_limit(struct query *query);

/** Adds the whole query for the number of rows of a search. */
void query_add_count(struct query *query);

/** The statement, kept by the session, with its values bound; to be done. NULL: logged. */
struct sql_statement *query_prepare(struct store_session *session, struct query *query) MUST_CHECK;

#endif

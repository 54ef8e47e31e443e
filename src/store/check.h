#ifndef ROSTER_STORE_CHECK_H
#define ROSTER_STORE_CHECK_H

/* The part of `rosterd check` that compares rows with each other; see maintenance.h. */

#include "store/maintenance.h"
#include "store/session.h"

/** Prints one line, formatted as by printf. */
void check_say(store_say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Prints `what` and the first column of each row that `sql` returns. True when there is none; false
 * when there is one, or when the statement failed, which is printed too.
 */
bool check_has_none(struct store_session *session, const char *sql, const char *what,
                    store_say *say);

/**
 * Can each row of the tables stored as JSON be read? To be checked first: the other checks look
 * into the rows.
 */
bool check_rows(struct store_session *session, store_say *say) MUST_CHECK;

/** Prints how many rows have members that no field of this version has. Such members are kept. */
void check_unknown_members(struct store_session *session, store_say *say);

/** Do the references, links, counts, copies and indexes agree with the rows? */
bool check_agreement(struct store_session *session, store_say *say) MUST_CHECK;

#endif

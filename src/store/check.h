#ifndef ROSTER_STORE_CHECK_H
#define ROSTER_STORE_CHECK_H

/* The half of `rosterd check` that looks at what rows say; see maintenance.h. */

#include "store/maintenance.h"
#include "store/session.h"

/** Says one line, put together as by printf. */
void check_say(store_say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Says the first column of each row that `sql` gives, after `what`. False when there was one, or
 * the statement failed, which is printed too.
 */
bool check_has_none(struct store_session *session, const char *sql, const char *what,
                    store_say *say);

/** Can each row of the tables that are kept as JSON be read? All else looks into them. */
bool check_rows(struct store_session *session, store_say *say) MUST_CHECK;

/** Says how many rows have members that no field of this version has. They stay as they are. */
void check_unknown_members(struct store_session *session, store_say *say);

/** Do references, links, counts, copies and indexes agree with the rows that there are? */
bool check_agreement(struct store_session *session, store_say *say) MUST_CHECK;

#endif

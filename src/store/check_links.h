#ifndef ROSTER_STORE_CHECK_LINKS_H
#define ROSTER_STORE_CHECK_LINKS_H

#include "store/maintenance.h"
#include "store/session.h"

/**
 * Do the rows that a link or reference field names exist, and does the index of links have the
 * same? Prints each fault. To be called in a transaction, so that both are of one snapshot.
 */
bool check_links(struct store_session *session, const struct table *table,
                 const struct field *field, store_say *say) MUST_CHECK;

#endif

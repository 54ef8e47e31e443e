#ifndef ROSTER_STORE_AUDIT_H
#define ROSTER_STORE_AUDIT_H

/* Writes rows of the audit trail; rules/audit.h decides their content. */

#include "rules/audit.h"
#include "store/session.h"

/** Adds a row. INTERNAL. */
enum status audit_add(struct store_tx *tx, const struct audit_row *row,
                      const struct author *author) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_AUDIT_H
#define ROSTER_STORE_AUDIT_H

/* The rows of the audit trail; what they say is decided in rules/audit.h. All of them: INTERNAL. */

#include "rules/audit.h"
#include "store/session.h"

/** Leaves a row. */
enum status audit_add(struct store_tx *tx, const struct audit_row *row,
                      const struct author *author) MUST_CHECK;

#endif

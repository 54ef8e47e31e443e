#ifndef ROSTER_SERVICE_REVERT_H
#define ROSTER_SERVICE_REVERT_H

#include "service/resources.h"

/** Rows of the audit trail whose values before are to be put back. */
struct revert {
    const struct mutation_context *context;
    const struct record *rows; /* of audit_trail_entry_table; at least one */
    unsigned count;
    bool overwrites; /* also values that somebody has set since */
};

/**
 * The patch that puts the values back, validated, by the rules of any other update of the record.
 * Without `overwrites` it is only made while the fields still have the values of the rows. Rows
 * that cannot be reverted, or not together, get an error on `Ids` each. NULL: there are errors, or
 * there was no memory. Once, on the thread that serves the caller; the rows must outlive the patch.
 */
struct mutation *revert_mutation(const struct revert *revert, struct errors *errors) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_OUTBOX_H
#define ROSTER_STORE_OUTBOX_H

#include "store/session.h"

/** A change of a record, that webhooks may wait for. */
struct event {
    enum audit_type change;
    const struct record *record;
    const struct author *author;
};

/**
 * Leaves an event in the outbox of each active webhook that waits for it; events of records other
 * than users have none. INTERNAL.
 */
enum status outbox_add(struct store_tx *tx, const struct event *event) MUST_CHECK;

#endif

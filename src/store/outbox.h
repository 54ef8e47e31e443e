#ifndef ROSTER_STORE_OUTBOX_H
#define ROSTER_STORE_OUTBOX_H

#include "store/session.h"

/** A change of a record, which webhooks may wait for. */
struct event {
    enum audit_type change;
    const struct record *record;
    const struct author *author;
};

/**
 * Adds a delivery of the event for each active webhook that waits for it. Only changes of users
 * have events; for other records it does nothing. INTERNAL.
 */
enum status outbox_add(struct store_tx *tx, const struct event *event) MUST_CHECK;

#endif

#ifndef ROSTER_SERVICE_BACKLINKS_H
#define ROSTER_SERVICE_BACKLINKS_H

#include "service/mutation.h"

/*
 * Links changed from their other side: who puts users into a user role changes these users, and
 * must be allowed to.
 */

/**
 * Whether the caller may change each record that gets or loses a link; errors go to the mutation.
 * A part of each decision, on its thread and session, once `after` is merged. STATUS_OK;
 * FORBIDDEN_CHANGE or BAD_INPUT, with errors; INTERNAL.
 */
enum status backlinks_check(struct mutation *mutation, struct store_session *session) MUST_CHECK;

/** Writes these changes. The record itself must be written. In the transaction. STATUS_INTERNAL. */
enum status backlinks_write(struct mutation *mutation, struct store_tx *tx) MUST_CHECK;

#endif

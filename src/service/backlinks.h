#ifndef ROSTER_API_OWNERS_H
#define ROSTER_API_OWNERS_H

#include "service/mutation.h"

/*
 * Links changed from their other side: who puts users into a user role changes these users, and
 * must be allowed to.
 */

/** Loads who has links to the record before the change. STATUS_BROKEN. */
enum status owners_load(struct writing *writing, struct store_view *view) MUST_CHECK;

/**
 * Whether each record that comes or goes may be changed by the caller; errors go to the writing.
 * To be called once `after` is merged. STATUS_BROKEN.
 */
enum status owners_check(struct writing *writing, struct store_view *view) MUST_CHECK;

/** Changes them. The record itself must be written. */
enum status owners_write(struct writing *writing, struct store_view *tx) MUST_CHECK;

#endif

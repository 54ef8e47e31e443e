#ifndef ROSTER_RULES_WEBHOOK_H
#define ROSTER_RULES_WEBHOOK_H

#include "base/buffer.h"
#include "model/principal.h"
#include "model/record.h"
#include "model/tables.h"

/*
 * The rules of webhooks: which changes are events, the body of a POST, when an attempt is made
 * again, and when a webhook is made inactive (docs/contract.md section 9). All functions are pure
 * and may run on any thread.
 */

enum {
    WEBHOOK_ATTEMPTS_MAX = 10, /* of one delivery; then it has failed */
    WEBHOOK_FAILURES_MAX = 10, /* deliveries in a row; then the webhook is made inactive */
};

/**
 * The action that webhooks can wait for when a record of the table is created, updated or deleted.
 * ACTION_NONE: there is none, since only changes of users are events.
 */
enum web_hook_action webhook_action(const struct table *table, enum audit_type change);

/** Adds the body of the POST that tells a receiver of a record: an array of this one record. */
void webhook_add_payload(struct buffer *payload, const struct record *record);

/**
 * A receiver reads users, on behalf of the user who made the webhook or changed it last: may this
 * user read users?
 */
bool webhook_may_tell(const struct principal *maker);

/**
 * When the next attempt of a delivery is made, after `attempts` of them failed, the last one at
 * `now_ms`. 0: never, the delivery has failed. The first pause is `pause_ms`, and each further one
 * is twice as long as the one before it.
 */
int64_t webhook_next_attempt(int64_t now_ms, int64_t pause_ms, int64_t attempts);

/** The longest pause between two attempts, in milliseconds; the first one is `pause_ms`. */
int64_t webhook_longest_pause(int64_t pause_ms);

/** Does a webhook stay active after so many deliveries in a row have failed? */
bool webhook_stays_active(int64_t failures);

#endif

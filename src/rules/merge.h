#ifndef ROSTER_RULES_MERGE_H
#define ROSTER_RULES_MERGE_H

#include "base/status.h"
#include "model/change.h"
#include "model/record.h"
#include "rules/validate.h"

/**
 * What a record becomes by a valid change: omitted and null fields as docs/api.md "omitted optional
 * field" says (kept, or reset by compatibility; null clears, except credentials and collections),
 * lists replaced, added to and taken from in this order. UpdatedOn is `rules->now_ms`, or a
 * millisecond after the last one; UpdatedBy is `rules->author`. Sealed fields and the password of
 * the change must hold what is to be stored. What other fields follow from is brought up to date.
 * STATUS_BROKEN when memory is short.
 */
enum status merge(const struct record *before, const struct change *change,
                  const struct rules *rules, struct arena *arena, struct record *after) MUST_CHECK;

/**
 * What a valid change makes of nothing: a new record with the change's Id and the GUID in its
 * UniqueId, created and updated at `rules->now_ms`, version 1. What the change does not say is
 * null, false or empty.
 */
enum status merge_new(const struct change *change, const struct rules *rules, struct arena *arena,
                      struct record *created) MUST_CHECK;

#endif

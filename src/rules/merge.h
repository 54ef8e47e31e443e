#ifndef ROSTER_RULES_MERGE_H
#define ROSTER_RULES_MERGE_H

#include "base/status.h"
#include "model/change.h"
#include "model/record.h"
#include "rules/validate.h"

/**
 * Applies a valid change to a record and writes the result to `*after`, with the next version.
 *
 * Omitted fields and null are treated as docs/api.md "omitted optional field" says: an omitted
 * field is kept, or reset under compatibility = nexudus; null clears a field, except credentials
 * and collections. A list is first replaced, then added to, then removed from. UpdatedOn becomes
 * `rules->now_ms`, or the previous UpdatedOn plus a millisecond if that is later; UpdatedBy becomes
 * `rules->author`. Fields that derive from others are updated. Sealed fields and passwords of the
 * change must already have the form in which they are stored.
 *
 * STATUS_INTERNAL if there is no memory.
 */
enum status merge(const struct record *before, const struct change *change,
                  const struct rules *rules, struct arena *arena, struct record *after) MUST_CHECK;

/**
 * Makes a new record from a valid change, which must have an Id and a UniqueId: version 1, created
 * and updated at `rules->now_ms`. Fields that the change omits are null, false or empty.
 * STATUS_INTERNAL if there is no memory.
 */
enum status merge_new(const struct change *change, const struct rules *rules, struct arena *arena,
                      struct record *created) MUST_CHECK;

#endif

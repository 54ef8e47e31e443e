#ifndef ROSTER_RULES_COLLECTIONS_H
#define ROSTER_RULES_COLLECTIONS_H

#include "base/arena.h"
#include "model/value.h"

/* Lists of ids as sets that remember their order. `ids` NULL in a result: memory is short. */

/** `first` and then `second` (which may be NULL), each id once, at its first place. */
struct value ids_union(const struct value *first, const struct value *second, struct arena *arena);

/** `ids` without those in `removed`. */
struct value ids_without(const struct value *ids, const struct value *removed, struct arena *arena);

#endif

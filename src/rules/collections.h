#ifndef ROSTER_RULES_COLLECTIONS_H
#define ROSTER_RULES_COLLECTIONS_H

#include "base/arena.h"
#include "model/value.h"

/* Lists of Ids as ordered sets. In a result, `ids` is NULL if there was no memory. */

/** The Ids of `first`, then those of `second` (which may be NULL), each at its first place only. */
struct value ids_union(const struct value *first, const struct value *second, struct arena *arena);

/** `ids` without the Ids in `removed`, in the same order. */
struct value ids_without(const struct value *ids, const struct value *removed, struct arena *arena);

#endif

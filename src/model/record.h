#ifndef ROSTER_MODEL_RECORD_H
#define ROSTER_MODEL_RECORD_H

#include "base/arena.h"
#include "model/field.h"
#include "model/value.h"

/** A row of a table as it is stored: lists as JSON text, sealed values as they lie on disk. */
struct record {
    const struct table *table;
    int64_t version;      /* 1 at first, one more with each write; the ETag */
    struct value *values; /* one for each field of the table; absent where there is no column */
    /* Members of its row that this version of Roster has no field for, as JSON: `,"Name":value`,
     * one after the other. A newer version wrote them; they stay when the row is written again. */
    struct text unknown;
};

/** A record of `table` with all values absent; `values` is NULL when memory is short. */
struct record record_new(const struct table *table, struct arena *arena);

/** A copy of `before` whose values may be changed, one version on; `values` is NULL when memory is
 * short. What values point to is still `before`'s. */
struct record record_next(const struct record *before, struct arena *arena);

static inline int64_t record_id(const struct record *record) {
    return record->values[record->table->common.id].integer;
}

/** The ids of a stored list ([1,2,3]); absent and null are empty. NULL `ids` if memory is short. */
struct value ids_from_stored(const struct value *stored, struct arena *arena);

/** The opposite: the JSON text of a list of ids. VALUE_NULL when memory is short. */
struct value ids_to_stored(const struct value *ids, struct arena *arena);

/** Is `id` among `ids`? */
bool ids_have(const struct value *ids, int64_t id);

/** The same ids in ascending order, for ids_sorted_have. NULL `ids` if memory is short. */
struct value ids_sorted(const struct value *ids, struct arena *arena);
bool ids_sorted_have(const struct value *sorted, int64_t id);

/** The ETag of a record, quotes included, NUL-terminated: `"87654321-5"`. */
struct text record_etag(int64_t id, int64_t version, struct arena *arena);

#endif

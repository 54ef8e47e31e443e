#ifndef ROSTER_MODEL_RECORD_H
#define ROSTER_MODEL_RECORD_H

#include "base/arena.h"
#include "model/field.h"
#include "model/value.h"

/** A row of a table as it is stored: lists as JSON text, sealed values encrypted. */
struct record {
    const struct table *table;
    int64_t version; /* 1 for a new record, and one more after each write; part of the ETag */
    struct value
        *values; /* one for each field of the table; absent for those that are not stored */
    /* Members of the row that this version of Roster has no field for, as JSON: `,"Name":value`,
     * repeated. A newer version wrote them. They are kept when the row is written again. */
    struct text unknown;
};

/** A record of `table` without values. `values` is NULL if there is no memory. */
struct record record_new(const struct table *table, struct arena *arena);

/** A copy of `before` with the next version number, whose values may be changed. Texts are shared
 * with `before`. `values` is NULL if there is no memory. */
struct record record_next(const struct record *before, struct arena *arena);

static inline int64_t record_id(const struct record *record) {
    return record->values[record->table->common.id].integer;
}

/** The Ids of a stored list ("[1,2,3]"; absent and null are empty). `ids` is NULL if there is no
 * memory. */
struct value ids_from_stored(const struct value *stored, struct arena *arena);

/** The JSON text of a list of Ids. VALUE_NULL if there is no memory. */
struct value ids_to_stored(const struct value *ids, struct arena *arena);

/** True if `ids` contains `id`. Searches one by one. */
bool ids_have(const struct value *ids, int64_t id);

/** A sorted copy, which ids_sorted_have searches by halves. `ids` is NULL if there is no memory. */
struct value ids_sorted(const struct value *ids, struct arena *arena);
bool ids_sorted_have(const struct value *sorted, int64_t id);

/** The ETag of a record with its quotes and a NUL: `"87654321-5"`. `at` is NULL if there is no
 * memory. */
struct text record_etag(int64_t id, int64_t version, struct arena *arena);

#endif

#ifndef ROSTER_STORE_SQLITE_PACK_H
#define ROSTER_STORE_SQLITE_PACK_H

#include "store/sqlite/sqlite.h"

/*
 * The column Members: a record as replies show it, packed by LZ4 against a dictionary, the JSON of
 * a record of which nothing is known. Names, and values that most records have, then cost nothing:
 * a user takes a sixth of its JSON. Dictionaries stand in a table, since fields come and go; each
 * row says which one it wants, and is packed against the newest when it is written again. Plain
 * JSON in a text is read as well.
 */

/** Sees to it that the newest dictionary of each table is what its fields make; writes. */
enum status pack_keep_dictionaries(struct store_view *view) MUST_CHECK;

/** Packs the JSON of a record of `table` into the arena. */
enum status pack(struct store_view *view, const struct table *table, struct text json,
                 struct arena *arena, struct text *packed) MUST_CHECK;

/** Adds the JSON that a column of Members holds to `json`. STATUS_BROKEN is logged. */
enum status unpack(struct store_view *view, sqlite3_value *members, struct buffer *json) MUST_CHECK;

void packing_free(struct packing *packing);

#endif

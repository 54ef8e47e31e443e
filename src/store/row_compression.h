#ifndef ROSTER_STORE_ROW_COMPRESSION_H
#define ROSTER_STORE_ROW_COMPRESSION_H

#include "store/sqlite/sqlite.h"

/*
 * The column Members: a record as replies show it, packed by LZ4 against a dictionary, the JSON of
 * a record of which nothing is known. Names, and values that most records have, then cost nothing:
 * a user takes a sixth of its JSON. Dictionaries stand in a table, since fields come and go: each
 * row says which one it wants, and is packed against that of this version's fields when it is
 * written again. Plain JSON in a text is read as well.
 */

/** Sees to it that there is a dictionary of what each table's fields make; writes. */
enum status pack_keep_dictionaries(struct store_view *view) MUST_CHECK;

/** Packs the JSON of a record (json_add_row) into the arena. */
enum status pack(struct store_view *view, const struct record *record, struct arena *arena,
                 struct text *packed) MUST_CHECK;

/** Adds the JSON that a column of Members holds to `json`. STATUS_BROKEN is logged. */
enum status unpack(struct store_view *view, sqlite3_value *members, struct buffer *json) MUST_CHECK;

/**
 * Did a version of Roster with the same members write it, and has it no others? Then its JSON is
 * what json_add_record would make of the record.
 */
bool pack_is_as_shown(struct store_view *view, const struct table *table, sqlite3_value *members);

void packing_free(struct packing *packing);

#endif

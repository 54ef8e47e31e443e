#ifndef ROSTER_STORE_ROW_COMPRESSION_H
#define ROSTER_STORE_ROW_COMPRESSION_H

#include "store/session.h"

/*
 * The column Members: a record as replies show it, packed by LZ4 against a dictionary, the JSON of
 * a record of which nothing is known. Names, and values that most records have, then cost nothing:
 * a user takes a sixth of its JSON. Dictionaries stand in a table, since fields come and go: each
 * row says which one it wants, and is packed against that of this version's fields when it is
 * written again. Plain JSON in a text is read as well.
 */

struct row_compression;

/**
 * Sees to it that there is a dictionary of what each table's fields make; writes, so it belongs to
 * the start of a database.
 */
enum status row_keep_dictionaries(struct store_session *session) MUST_CHECK;

/** Packs the JSON of a record (json_add_row) into the arena. INTERNAL. */
enum status row_pack(struct store_session *session, const struct record *record,
                     struct arena *arena, struct text *packed) MUST_CHECK;

/** Adds the JSON that a column of Members holds to `json`. STATUS_INTERNAL is logged. */
enum status row_unpack(struct store_session *session, struct sql_value members,
                       struct buffer *json) MUST_CHECK;

/**
 * Did a version of Roster with the same members write it, and has it no others? Then its JSON is
 * what json_add_record would make of the record.
 */
bool row_is_as_shown(struct store_session *session, const struct table *table,
                     struct sql_value members) MUST_CHECK;

/** Takes NULL. */
void row_compression_free(struct row_compression *compression);

#endif

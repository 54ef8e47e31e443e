#ifndef ROSTER_STORE_ROW_COMPRESSION_H
#define ROSTER_STORE_ROW_COMPRESSION_H

#include "store/session.h"

/*
 * The column Members holds a record as replies show it, packed by LZ4 against a dictionary: the
 * JSON of an empty record of the table. Member names and default values then take almost no space:
 * a user takes a sixth of its JSON.
 *
 * The dictionary changes with the fields of a version, so the dictionaries are rows of a table.
 * Each packed row has the number of its dictionary; when it is written again, it is packed against
 * the one of the running version. Plain JSON in a text can be read as well.
 */

struct row_compression;

/**
 * Adds the dictionaries that this version's fields give and that the database lacks. It writes, so
 * it runs when the database is opened.
 */
enum status row_keep_dictionaries(struct store_session *session) MUST_CHECK;

/** Packs the JSON of a record (json_add_row) into the arena. INTERNAL, otherwise as sql_step. */
enum status row_pack(struct store_session *session, const struct record *record,
                     struct arena *arena, struct text *packed) MUST_CHECK;

/** Appends the JSON in a column of Members to `json`. INTERNAL, which is logged; otherwise as
 * sql_step. */
enum status row_unpack(struct store_session *session, struct sql_value members,
                       struct buffer *json) MUST_CHECK;

/**
 * Was the row written by a version of Roster with the same members, and has it no unknown ones? Its
 * JSON is then the same as json_add_record's. False also until the session has loaded the
 * dictionaries, as the first row that is packed or unpacked does.
 */
bool row_is_as_shown(struct store_session *session, const struct table *table,
                     struct sql_value members) MUST_CHECK;

/** Takes NULL. */
void row_compression_free(struct row_compression *compression);

#endif

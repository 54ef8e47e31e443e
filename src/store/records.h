#ifndef ROSTER_STORE_RECORDS_H
#define ROSTER_STORE_RECORDS_H

#include "store/session.h"

/**
 * Fills in the fields of a record that are stored in other rows: the names of referenced rows, and
 * its backlinks (only when `whole`). Inside engine_begin_reading. INTERNAL.
 */
enum status record_complete(struct store_session *session, struct record *record,
                            struct arena *arena, bool whole) MUST_CHECK;

#endif

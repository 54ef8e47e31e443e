#ifndef ROSTER_STORE_RECORDS_H
#define ROSTER_STORE_RECORDS_H

#include "store/session.h"

/**
 * Fills in what other rows say of a record: names of referenced rows, and its back links (only when
 * `whole`). Inside engine_begin_reading. INTERNAL.
 */
enum status record_complete(struct store_session *session, struct record *record,
                            struct arena *arena, bool whole) MUST_CHECK;

#endif

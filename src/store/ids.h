#ifndef ROSTER_STORE_IDS_H
#define ROSTER_STORE_IDS_H

#include "store/session.h"

/** Makes sure that the Id of a record, which the client chose, is not allocated again. INTERNAL. */
enum status ids_skip(struct store_tx *tx, const struct record *record) MUST_CHECK;

#endif

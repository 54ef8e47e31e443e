#ifndef ROSTER_STORE_IDS_H
#define ROSTER_STORE_IDS_H

#include "store/session.h"

/** Sees to it that the Id of a record, which was given by hand, is not given again. INTERNAL. */
enum status ids_skip(struct store_tx *tx, const struct record *record) MUST_CHECK;

#endif

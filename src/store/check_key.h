#ifndef ROSTER_STORE_CHECK_KEY_H
#define ROSTER_STORE_CHECK_KEY_H

#include "store/maintenance.h"
#include "store/session.h"

/**
 * Is the key file in the folder the key of this database? If there is no file, the key may be kept
 * elsewhere, so that is no fault. Otherwise false, with a line that calls the database `what`.
 */
bool check_key(struct store_session *session, const char *folder, const char *what, store_say *say);

#endif

#ifndef ROSTER_STORE_AUTHORITY_H
#define ROSTER_STORE_AUTHORITY_H

#include "store/store.h"

/** Run a command that writes, or one that reads, if those on whose behalf it runs still may. */
enum status authority_run(struct store_tx *tx, struct store_command *command) MUST_CHECK;
enum status authority_read(struct store_session *session, struct store_command *command) MUST_CHECK;

#endif

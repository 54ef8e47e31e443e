#ifndef ROSTER_STORE_AUTHORITY_H
#define ROSTER_STORE_AUTHORITY_H

#include "store/store.h"

/**
 * Call a command's `run` or `read` if its authority confirms it, and return the command's status.
 */
enum status authority_run(struct store_tx *tx, struct store_command *command) MUST_CHECK;
enum status authority_read(struct store_session *session, struct store_command *command) MUST_CHECK;

#endif

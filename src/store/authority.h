#ifndef ROSTER_STORE_AUTHORITY_H
#define ROSTER_STORE_AUTHORITY_H

#include "store/store.h"

/** Runs a command on a session, if those on whose behalf it runs still may. */
enum status authority_run(struct store_view *session, struct store_command *command) MUST_CHECK;

#endif

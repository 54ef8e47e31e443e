#ifndef ROSTER_STORE_POSTGRES_WRITER_H
#define ROSTER_STORE_POSTGRES_WRITER_H

#include "store/postgres/state.h"

/** The thread that writes; its argument is the store. It returns when `commands` is closed and
 * empty. */
void *pg_writer_run(void *argument);

/** Queues a command that writes; see engine.h. */
enum status pg_submit(struct store *base, struct store_command *command, bool must_take) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_SQLITE_WRITER_H
#define ROSTER_STORE_SQLITE_WRITER_H

#include "store/store.h"

/**
 * The writer thread's function; its argument is the store. It returns when the queue of commands is
 * closed.
 */
void *writer_run(void *argument);

/** engine_store.submit. */
enum status writer_submit(struct store *base, struct store_command *command,
                          bool must_take) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_POSTGRES_WRITER_H
#define ROSTER_STORE_POSTGRES_WRITER_H

#include "store/postgres/state.h"

/**
 * Makes the writer of the queue, with its connection; it does not connect. False: no memory.
 * pg_writer_stop is called in either case.
 */
bool pg_writer_make(struct pg_writer *writer, struct pg_store *store,
                    struct queue *commands) MUST_CHECK;

/** Starts the writer's thread. False: the system refuses it. */
bool pg_writer_start(struct pg_writer *writer) MUST_CHECK;

/** Waits for the thread, which ends when the queue is closed and empty, and frees the connection.
 */
void pg_writer_stop(struct pg_writer *writer);

/** Queues a command that writes; see engine.h. */
enum status pg_submit(struct store *base, struct store_command *command, bool must_take) MUST_CHECK;

#endif

#ifndef ROSTER_STORE_POSTGRES_READERS_H
#define ROSTER_STORE_POSTGRES_READERS_H

/* The threads that run reads: those of store_ask (questions) and those of store_read (searches). */

#include "store/postgres/state.h"

/** Starts threads that take commands from a queue of at most `room`. False: the system refuses. */
bool pg_readers_start(struct pg_readers *readers, unsigned threads, size_t room) MUST_CHECK;

/** Runs the commands that wait, then stops the threads. Takes what pg_readers_start left. */
void pg_readers_stop(struct pg_readers *readers);

/** The functions of engine.h. */
enum status pg_read(struct store *base, struct store_command *command) MUST_CHECK;
enum status pg_ask_later(struct store_session *session, struct store_command *command) MUST_CHECK;

#endif

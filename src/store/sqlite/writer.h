#ifndef ROSTER_STORE_SQLITE_WRITER_H
#define ROSTER_STORE_SQLITE_WRITER_H

/**
 * The writer thread's function; its argument is the store. It returns when the queue of commands is
 * closed.
 */
void *writer_run(void *argument);

#endif

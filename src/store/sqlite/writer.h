#ifndef ROSTER_STORE_SQLITE_WRITER_H
#define ROSTER_STORE_SQLITE_WRITER_H

/** The function of the thread that writes; it takes the store, and ends when the queue is closed.
 */
void *writer_run(void *store);

#endif

#ifndef ROSTER_STORE_POSTGRES_WATCHER_H
#define ROSTER_STORE_POSTGRES_WATCHER_H

/** The thread that looks at what other processes changed; its argument is the store. */
void *pg_watcher_run(void *argument);

#endif

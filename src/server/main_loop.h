#ifndef ROSTER_SERVER_MAIN_LOOP_H
#define ROSTER_SERVER_MAIN_LOOP_H

#include "server/server.h"

#include <signal.h>

/**
 * Free memory that stays in the heap. The next requests take it again, so returning it to the
 * system would cost page faults and save nothing.
 */
enum { HEAP_KEPT_BYTES = 4 * 1024 * 1024 };

/**
 * Announces the started server on standard output and to systemd, and runs the main thread until
 * the server is to stop: reads settings and certificates again on SIGHUP, deletes expired rows,
 * writes counted sign-ins to the log. `signals` are SIGTERM, SIGINT and SIGHUP, which all threads
 * block. EX_OK after SIGTERM or SIGINT; EX_IOERR when the database takes no more changes.
 */
int main_loop_run(struct server *server, const sigset_t *signals) MUST_CHECK;

#endif

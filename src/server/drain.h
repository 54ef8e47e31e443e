#ifndef ROSTER_SERVER_DRAIN_H
#define ROSTER_SERVER_DRAIN_H

#include "server/server.h"

#include <signal.h>

/**
 * Takes no further connections and requests, and waits until all requests in flight are answered.
 * Before that, if `may_delay`, it serves on for --drain-delay seconds, so that proxies notice.
 *
 * Clients that are not done after --stop-timeout seconds, or when another of `signals` (SIGTERM,
 * SIGINT, SIGHUP, which all threads block) asks to stop, are cut off. Long searches are stopped
 * after one second. If the server's own work does not end within a further minute, this ends the
 * process with EX_SOFTWARE. Main thread, once, if server_start returned EX_OK.
 */
void drain_run(struct server *server, const sigset_t *signals, bool may_delay);

#endif

#ifndef ROSTER_SERVER_RELOAD_H
#define ROSTER_SERVER_RELOAD_H

#include "server/server.h"

/**
 * Reads the settings and the certificates again, and applies them while the server serves. A
 * mistake in the settings leaves all old ones in use; certificates that cannot be used leave the
 * old ones. The log names each setting with a new value, and says whether it needs a restart. Tells
 * systemd. Main thread, while the server runs.
 */
void reload_run(struct server *server);

#endif

#ifndef ROSTER_SERVER_HEALTH_H
#define ROSTER_SERVER_HEALTH_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Asks the server that runs with the same settings for `/readyz`, at the first address of
 * `--listen`. Returns EX_OK if it can take requests; otherwise 1 after a line on standard error, or
 * EX_USAGE if the settings name no address that can be asked. Main thread, once.
 */
int health_run(const struct settings *settings) MUST_CHECK;

#endif

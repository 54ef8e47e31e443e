#ifndef ROSTER_SERVER_CONFIG_COMMAND_H
#define ROSTER_SERVER_CONFIG_COMMAND_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Runs `rosterd config`: prints each setting, its value and the source of the value, of a secret
 * only whether it is set. EX_OK; EX_OSERR; EX_IOERR: standard output cannot be written. Main
 * thread.
 */
int config_command_run(const struct settings *settings) MUST_CHECK;

#endif

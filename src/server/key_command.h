#ifndef ROSTER_SERVER_KEY_COMMAND_H
#define ROSTER_SERVER_KEY_COMMAND_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Runs `rosterd key rotate` on the data folder. Prints the result, or what is wrong. Returns the
 * code of sysexits.h to end with: those of key_rotation_run; EX_USAGE; EX_NOINPUT: there is no
 * database, or not its key; EX_TEMPFAIL: a server uses the folder. Main thread, once.
 */
int key_command_run(const struct settings *settings) MUST_CHECK;

#endif

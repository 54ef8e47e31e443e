#ifndef ROSTER_SERVER_OPERATOR_COMMAND_H
#define ROSTER_SERVER_OPERATOR_COMMAND_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Runs `rosterd user ...` or `rosterd token ...`: asks for a password if the command sets one, then
 * has the server of the data folder run the command, or opens the folder itself if no server runs.
 * Prints the result to standard output and what is wrong to standard error. Returns the code of
 * sysexits.h to end with: that of operator_run; EX_USAGE: there is no such command; EX_NOINPUT:
 * there is no database, or no password; EX_NOPERM: the operator is neither root nor the server's
 * user; EX_TEMPFAIL: the folder is in use by a process that answers no commands, or the server
 * ended before it answered. Main thread, once.
 */
int operator_command_run(const struct settings *settings) MUST_CHECK;

#endif

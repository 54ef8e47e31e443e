#ifndef ROSTER_SERVER_OFFLINE_H
#define ROSTER_SERVER_OFFLINE_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Does what the sub-command asks (`check`, `backup FILE`, `restore FILE`) with the data folder, a
 * server's or not, and prints a line to standard error on each thing it finds. Returns the code to
 * end with, of sysexits.h. `settings->subcommand` must not be SUBCOMMAND_none.
 */
int offline_run(const struct settings *settings) MUST_CHECK;

#endif

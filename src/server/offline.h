#ifndef ROSTER_SERVER_OFFLINE_H
#define ROSTER_SERVER_OFFLINE_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Runs the sub-command (`check`, `backup FILE`, `restore FILE` on the data folder, or `health`),
 * and prints a line to standard error for each thing that is wrong. Returns the code of sysexits.h
 * to end with. `settings->subcommand` must not be SUBCOMMAND_none.
 */
int offline_run(const struct settings *settings) MUST_CHECK;

#endif

#ifndef ROSTER_SERVER_UPKEEP_HELPER_H
#define ROSTER_SERVER_UPKEEP_HELPER_H

#include "api/ops/upkeep.h"
#include "base/settings.h"

/**
 * Starts the process that runs the tasks of api/ops/upkeep.h, if backup-dir is set. To be called
 * before the first thread and the seccomp filter. The process ends with the server, and a task that
 * runs then ends with it. EX_OK, with NULL in `*upkeep` if backup-dir is empty; otherwise a code of
 * sysexits.h after a line on standard error.
 */
int upkeep_helper_start(const struct settings *settings, struct upkeep **upkeep)
    __attribute__((warn_unused_result));

#endif

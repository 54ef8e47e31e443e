#ifndef ROSTER_API_SAMPLING_H
#define ROSTER_API_SAMPLING_H

#include "api/app.h"

/**
 * Begins the history of the process's figures (history.h). False: no memory or lock. Main thread,
 * once.
 */
bool sampling_start(struct app *app) MUST_CHECK;

/** Adds a sample when one is due. To be called about once a second, on one thread. */
void sampling_run(struct app *app);

/** Frees the history, which may not have begun. Main thread, once no thread uses it. */
void sampling_stop(struct app *app);

#endif

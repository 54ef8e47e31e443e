#ifndef ROSTER_API_API_H
#define ROSTER_API_API_H

#include "api/app.h"

/**
 * Makes the table of routes and the description of the API, in the app's memory. To be called once,
 * before the first request, when the settings are in the app. False: no memory.
 */
bool api_start(struct app *app) MUST_CHECK;

#endif

#ifndef ROSTER_API_OPENAPI_H
#define ROSTER_API_OPENAPI_H

#include "api/app.h"

/** Makes the description of the API, before the first request. False: no memory. */
bool app_describe(struct app *app) MUST_CHECK;

#endif

#ifndef ROSTER_API_OPENAPI_H
#define ROSTER_API_OPENAPI_H

#include "api/app.h"

/** Writes the description of the API, which needs the table of routes, into app->description.
 * False: no memory. */
bool openapi_make(struct app *app) MUST_CHECK;

#endif

#ifndef ROSTER_API_HANDLERS_H
#define ROSTER_API_HANDLERS_H

#include "api/request.h"

/*
 * The handlers of routes.def. Each begins on the I/O thread of its request, once the caller's
 * permission was checked, and fills in the exchange's reply or lets the request wait (wait.h).
 */
#define EACH(offer, method, path, operation, handler, ...) void handler(struct request *request);
#define ROUTE(method, path, permission, handler, ...) void handler(struct request *request);
#define RESOURCE(path, name, offers)
#include "api/routes.def"
#undef EACH
#undef ROUTE
#undef RESOURCE

#endif

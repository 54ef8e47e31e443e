#ifndef ROSTER_SERVICE_RESOURCES_H
#define ROSTER_SERVICE_RESOURCES_H

#include "service/mutation.h"

/* business_resource and so on: one for each TABLE of model/tables.def. */
#define TABLE(prefix, name, entity, rules, ...) extern const struct resource name##_resource;
#include "model/tables.def"

/** The resource whose records the table keeps. Any thread. */
const struct resource *resource_of(const struct table *table);

#endif

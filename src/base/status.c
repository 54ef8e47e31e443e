/* The names of statuses. */
#include "base/status.h"

const char *status_name(enum status status) {
    static const char *const names[] = {
#define STATUS(name) [STATUS_##name] = #name,
#include "base/status.def"
#undef STATUS
    };
    return names[status];
}

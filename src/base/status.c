/* The outcomes of operations, from one table. */
#include "base/status.h"

static const struct {
    unsigned http;
    const char *message;
} statuses[] = {
#define STATUS(name, http, message) [STATUS_##name] = { http, message },
#include "base/status.def"
#undef STATUS
};

unsigned status_http(enum status status) {
    return statuses[status].http;
}

const char *status_message(enum status status) {
    return statuses[status].message;
}

/* The HTTP status code and the message of each status. */
#include "api/status.h"

static const struct {
    unsigned http;
    const char *message;
    const char *envelope;
} statuses[] = {
#define STATUS(name, http, message)                                                                \
    [STATUS_##name] = { http, message,                                                             \
                        "{\"Status\":" #http ",\"Message\":\"" message                             \
                        "\",\"Value\":null,\"Errors\":null,\"WasSuccessful\":false}" },
#include "api/status.def"
#undef STATUS
};

/* Each status is in both tables. */
enum {
    NAMED = 0
#define STATUS(name) +1
#include "base/status.def"
#undef STATUS
    ,
    SENT = 0
#define STATUS(name, http, message) +1
#include "api/status.def"
#undef STATUS
};
_Static_assert(NAMED == SENT, "api/status.def has a row for each status of base/status.def");

unsigned status_http(enum status status) {
    return statuses[status].http;
}

const char *status_message(enum status status) {
    return statuses[status].message;
}

struct text status_envelope(enum status status) {
    return text_of(statuses[status].envelope);
}

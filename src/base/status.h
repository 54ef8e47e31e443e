#ifndef ROSTER_BASE_STATUS_H
#define ROSTER_BASE_STATUS_H

/** The result of an operation that can fail. Functions that return one are marked MUST_CHECK. */
enum status {
#define STATUS(name) STATUS_##name,
#include "base/status.def"
#undef STATUS
};

#define MUST_CHECK __attribute__((warn_unused_result))

/** The name in status.def, for the log: "CONFLICT". Static. Any thread. */
const char *status_name(enum status status);

#endif

#ifndef ROSTER_API_ACCESS_LOG_H
#define ROSTER_API_ACCESS_LOG_H

#include "http/http.h"

/**
 * At the end of an exchange: logs it if the access log is on, or if its reply took as long as
 * --log-slow says. The exchange's I/O thread.
 */
void access_log_add(const struct exchange *exchange, bool was_sent);

#endif

#ifndef ROSTER_AUTH_SIGN_IN_LOG_H
#define ROSTER_AUTH_SIGN_IN_LOG_H

#include "base/status.h"

#include <stdint.h>
#include <sys/socket.h>

enum sign_in_event {
#define EVENT(name, text) SIGN_IN_EVENT_##name,
#include "auth/sign_in_events.def"
#undef EVENT
    SIGN_IN_EVENTS
};

/**
 * Tells in the log what became of sign-ins: a line an event, with the address and the user's Id,
 * never with anything that somebody typed. Strangers make these events, so what repeats itself (the
 * same event, address and user; IPv6 addresses by their /64) is one line a second with a count, and
 * all together are at most 100 lines a second and one that counts the others.
 */
struct sign_in_log;

/** NULL when memory is short. */
struct sign_in_log *sign_in_log_new(void) MUST_CHECK;

/** Tells what is still counted, and frees. Takes NULL. */
void sign_in_log_free(struct sign_in_log *log);

/** Notes an event; `user_id` 0: of nobody that is known. Any thread. Takes NULL. */
void sign_in_log_add(struct sign_in_log *log, enum sign_in_event event, int64_t user_id,
                     const struct sockaddr *from);

/** Tells what was counted and did not come again for a second. To be called every second or so. */
void sign_in_log_flush(struct sign_in_log *log);

#endif

#ifndef ROSTER_AUTH_SIGN_IN_LOG_H
#define ROSTER_AUTH_SIGN_IN_LOG_H

#include "base/status.h"

#include <stdint.h>
#include <sys/socket.h>

enum { LOG_REQUEST_MAX = 64 };

/** Where an event comes from. */
struct log_origin {
    const struct sockaddr *from; /* the client's address; NULL: not known */
    const char *request;         /* the Id of the request; NULL: there is none */
};

enum sign_in_event {
#define EVENT(name, text) SIGN_IN_EVENT_##name,
#include "auth/sign_in_events.def"
#undef EVENT
    SIGN_IN_EVENTS
};

/**
 * Logs the results of sign-ins: one line for each event, with the client's address, the Ids of
 * the request and the user, but nothing that somebody typed. Anybody can cause these events.
 * Repeated ones (the same event, address and user; IPv6 addresses by their /64) are therefore one
 * line a second with a count, and there are at most 100 lines a second in all, plus one that counts
 * the rest.
 */
struct sign_in_log;

/** NULL if there is no memory. */
struct sign_in_log *sign_in_log_new(void) MUST_CHECK;

/** Logs the events that are still only counted, and frees. Accepts NULL. */
void sign_in_log_free(struct sign_in_log *log);

/**
 * Logs an event. `user_id` 0: no known user. Any thread. Accepts NULL.
 */
void sign_in_log_add(struct sign_in_log *log, enum sign_in_event event, int64_t user_id,
                     const struct log_origin *origin);

/** The event's name in metrics and in JSON lines. Any thread. */
const char *sign_in_event_name(enum sign_in_event event);

/** How often the event was added. Any thread. Accepts NULL. */
uint64_t sign_in_log_count(const struct sign_in_log *log, enum sign_in_event event);

/**
 * Logs counted events that did not repeat within a second. To be called about once a second, on any
 * thread.
 */
void sign_in_log_flush(struct sign_in_log *log);

#endif

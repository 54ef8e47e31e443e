#ifndef ROSTER_API_REPLY_H
#define ROSTER_API_REPLY_H

#include "api/request.h"

/** Sends JSON; 500 instead when the request's arena has failed. */
void reply_json(struct request *request, unsigned http_status, const struct buffer *body);

/**
 * Sends the envelope of a failure: Status, Message (NULL: the status's own), Value null, Errors
 * (null, or those given), WasSuccessful false. Under compatibility = nexudus some of them are
 * bare (docs/api.md "bodies of 401, 403, 404, 405, 412, 413, 429, 500").
 */
void reply_failure(struct request *request, enum status status, const char *message,
                   const struct error *errors);

/** Sends a pair of tokens (RFC 6749 section 5.1). */
struct grant;
void reply_grant(struct request *request, const struct grant *grant);

/** Sends what the service says of a wrong e-mail address or password (docs/contract.md
 * section 6.6). */
void reply_wrong_password(struct request *request);

/** Sends 429 with Retry-After, to who asks too often. */
void reply_busy(struct request *request, int64_t wait_s);

/** Sends the body for invalid input (docs/contract.md section 1.3): it has no Status. */
void reply_invalid(struct request *request, const struct errors *errors);

/** Makes room for a reply_success; false when memory is short. To be called before the commit. */
bool reply_prepare(struct request *request) MUST_CHECK;

/** Sends the action envelope (docs/contract.md section 1.2) of what is committed, after a
 * reply_prepare. */
void reply_success(struct request *request, struct text message, int64_t id,
                   const struct author *by);

/** What an action came to: the envelope of docs/contract.md section 4.1, with eleven members. */
struct action {
    unsigned http_status; /* as `Status` says it; the reply itself is a 200 */
    struct text message;  /* `at` NULL: none */
    struct text value;    /* JSON; `at` NULL: null */
    struct author by;     /* `email.at` NULL: nobody */
    struct text errors;   /* likewise; any make the action fail */
};

/** Sends the envelope of an action that is no change of one record. */
void reply_action(struct request *request, const struct action *action);

/** Sends a challenge (RFC 6750 section 3); `error` NULL when no credentials came. */
void reply_unauthenticated(struct request *request, const char *error);

/** Sends 403 for a lacking permission (RFC 6750 section 3.1). */
void reply_forbidden(struct request *request, unsigned permission);

#endif

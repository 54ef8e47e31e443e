#ifndef ROSTER_API_REPLY_H
#define ROSTER_API_REPLY_H

#include "api/request.h"

/* Each function fills in the exchange's reply, on the request's I/O thread. The reply is sent when
 * the step returns. */

/**
 * Replies with JSON. When the request's arena has failed, the body may be wrong: the reply is 500
 * instead, or 503 if the memory of all requests was used up.
 */
void reply_json(struct request *request, unsigned http_status, const struct buffer *body);

/**
 * Replies with the envelope of a failure: Status, Message (NULL: that of the status), Value null,
 * Errors (NULL: null), WasSuccessful false. Under compatibility = nexudus some statuses have
 * another body, or none (docs/api.md "bodies of 401, 403, 404, 405, 412, 413, 429, 500").
 */
void reply_failure(struct request *request, enum status status, const char *message,
                   const struct error *errors);

/** Replies with a pair of tokens (RFC 6749 section 5.1). */
struct token_pair;
void reply_token_pair(struct request *request, const struct token_pair *pair);

/** Replies that the e-mail address or the password is wrong, as the hosted service does
 * (docs/contract.md section 6.6). */
void reply_wrong_password(struct request *request);

/** Replies 429 with Retry-After, in seconds. */
void reply_busy(struct request *request, int64_t wait_s);

/** Replies 400 with the errors on properties (docs/contract.md section 1.3). 500: they failed. */
void reply_invalid(struct request *request, const struct errors *errors);

/**
 * Reserves memory for reply_success. To be called before the commit, so that a committed change can
 * always be confirmed. False: no memory.
 */
bool reply_prepare(struct request *request) MUST_CHECK;

/** Replies with the action envelope (docs/contract.md section 1.2) of a committed change, after
 * reply_prepare. */
void reply_success(struct request *request, struct text message, int64_t id,
                   const struct author *by);

/** The result of an action: the envelope of docs/contract.md section 4.1, with eleven members. */
struct action {
    unsigned http_status; /* the member Status; the reply itself is a 200 */
    struct text message;  /* `at` NULL: none */
    struct text value;    /* JSON; `at` NULL: null */
    struct author by;     /* `email.at` NULL: nobody */
    struct text errors;   /* JSON; `at` NULL: null, else WasSuccessful is false */
};

/** Replies with the envelope of an action that is no change of one record. */
void reply_action(struct request *request, const struct action *action);

/** Replies 401 with challenges (RFC 6750 section 3). `error` NULL: there were no credentials. */
void reply_unauthenticated(struct request *request, const char *error);

/** Replies 403 and names the permission that is missing (RFC 6750 section 3.1). */
void reply_forbidden(struct request *request, unsigned permission);

#endif

#ifndef ROSTER_API_REQUEST_H
#define ROSTER_API_REQUEST_H

#include "api/app.h"
#include "api/routes.h"
#include "base/buffer.h"
#include "model/change.h"
#include "model/record.h"

/**
 * A request of the API: an exchange with its route and caller. It lives in the exchange's arena,
 * until the reply was sent. Only its I/O thread touches it; other threads resume its exchange.
 */
struct request {
    struct authority authority;
    struct app *app;
    struct exchange *exchange;
    struct arena *arena;
    struct worker *worker;         /* of the I/O thread that all steps run on */
    const struct route *route;     /* NULL: no route has this path and method */
    struct text path;              /* normalized by path_normal */
    int64_t id;                    /* of {id} in the path */
    struct principal principal;    /* the caller; user_id 0: none, or not authenticated yet */
    uint64_t needs;                /* the permissions that are needed, a bit for each */
    struct store_command *command; /* which it waits for */
    unsigned common_headers;       /* the first headers, which its reply has whatever it says */
    enum status refusal;           /* the last result of `authority` */
    enum status not_taken;         /* why the last hand-over of request_wait was refused; OK */
    const struct step *next_step;  /* of those in steps.h */
    void (*step)(struct exchange *exchange); /* after the command */
    struct store_command question;           /* of request_ask, one at a time */
    struct store_target target;              /* the record that questions load; a hint */
    enum status (*ask)(struct store_session *session, struct request *request);
    void (*answered)(struct request *request, enum status status);
    /* Replies when the credential was revoked before the command ran. NULL: 401. */
    void (*refuse)(struct request *request);
    bool is_unchecked; /* counted in app->unchecked */
    /* Of the piece of the reply's body that is sent, where that goes on (http.h): a handler empties
     * it before the next piece. Ends with the request. */
    struct arena piece;
    struct picture *picture; /* held for the reply, whose body it is */
};

/** Does the client prefer handling=strict (RFC 7240 section 4.4)? */
bool request_is_strict(const struct request *request);

/** Where the request comes from, for the log. Lives as long as the exchange. */
struct log_origin request_origin(const struct request *request);

/** A permission that the caller lacks, first of all the one of the route; -1: none. */
int request_lacking(const struct request *request) MUST_CHECK;

#endif

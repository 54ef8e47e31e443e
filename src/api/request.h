#ifndef ROSTER_API_REQUEST_H
#define ROSTER_API_REQUEST_H

#include "api/app.h"
#include "api/routes.h"
#include "base/buffer.h"
#include "model/change.h"
#include "model/record.h"

/** A request on its way through its handler; lives in the exchange's arena. */
struct request {
    struct authority authority; /* first; see request_authority */
    struct app *app;
    struct exchange *exchange;
    struct arena *arena;
    struct worker *worker;         /* of the I/O thread, the same through all steps */
    const struct route *route;     /* NULL: none fits */
    struct text path;              /* as path_normal has it */
    int64_t id;                    /* of {id} in the path */
    struct principal principal;    /* the caller; user_id 0: nobody, or not known yet */
    uint64_t needs;                /* the permissions that it was found to need: a bit for each */
    struct store_command *command; /* that it waits for */
    enum status refusal;           /* what the caller's authority said when it last was to run */
    enum status not_taken;         /* why the last hand-over of request_wait was refused; OK */
    const struct step *next_step;  /* of those in steps.h */
    void (*step)(struct exchange *exchange); /* after the command */
    struct store_command question;           /* of request_ask, one at a time */
    enum status (*ask)(struct store_view *session, struct request *request);
    void (*answered)(struct request *request, enum status status);
    /* Replies to a credential that ended before the command; NULL: as to a bearer token. */
    void (*refuse)(struct request *request);
    bool is_unchecked;       /* counted in app->unchecked */
    struct picture *picture; /* that the reply's body is; api/avatar.h */
};

/** Does the client prefer handling=strict (RFC 7240 section 4.4)? */
bool request_is_strict(const struct request *request);

/** A permission that the request needs and the caller lacks, the route's own first; -1: none. */
int request_lacking(const struct request *request) MUST_CHECK;

#endif

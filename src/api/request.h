#ifndef ROSTER_API_REQUEST_H
#define ROSTER_API_REQUEST_H

#include "api/app.h"
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
    void (*step)(struct exchange *exchange); /* after the command */
    struct store_command question;           /* of request_ask, one at a time */
    enum status (*ask)(struct store_view *session, struct request *request);
    void (*answered)(struct request *request, enum status status);
    /* Replies to a credential that ended before the command; NULL: as to a bearer token. */
    void (*refuse)(struct request *request);
    bool is_unchecked;       /* counted in app->unchecked */
    struct picture *picture; /* that the reply's body is; api/avatar.h */
};

enum { ROUTE_OPEN = -1, ROUTE_CALLER = -2 };

struct route {
    enum method method;
    struct text path; /* with {id} for an id */
    int permission;   /* the caller must have it; ROUTE_OPEN: to all, ROUTE_CALLER: to any caller */
    void (*handler)(struct request *request);
    const struct resource *resource; /* of the handlers in resources.c */
    const char *summary;
};

/** All routes, from routes.def. */
extern const struct route routes[];
extern const unsigned route_count;

/* The handlers, each where its file name says. */
#define ROUTE(method, path, permission, handler, summary) void handler(struct request *request);
#define OF(name, method, path, operation, handler, summary) void handler(struct request *request);
#define RESOURCE(path, name)
#define READABLE(path, name)
#define DELETABLE(path, name)
#include "api/routes.def"
#undef ROUTE
#undef OF
#undef RESOURCE
#undef READABLE
#undef DELETABLE

/* The handlers of every resource: resources.c, search.c, commands.c. */
void resource_search(struct request *request);
void resource_get(struct request *request);
void resource_post(struct request *request);
void resource_put(struct request *request);
void resource_put_at(struct request *request); /* with the Id in the path */
void resource_patch(struct request *request);
void resource_delete(struct request *request);

void resource_commands(struct request *request);
void resource_run_command(struct request *request);

/**
 * May the route change something? All but GETs do, and a GET that needs more than Read or List: it
 * issues a one-time token.
 */
bool route_writes(const struct route *route);

/** Is what the route gives a page of records? */
bool route_searches(const struct route *route);

/** Does a search ask for a batch of records by their ids? It needs Read instead of List. */
bool search_is_batch(const struct request *request) MUST_CHECK;

/** What searches call a field: 0 is its name, 1 a shorter one that some have; `at` NULL: none. */
struct text search_name(const struct field *field, unsigned which);

/** Can a search go by the field? */
bool search_orders_by(const struct field *field) MUST_CHECK;

/**
 * A path in the form in which others that mean the same are equal (RFC 3986 section 6.2.2.2):
 * several slashes are one, and an escaped character that need not be escaped is itself. `at` NULL:
 * memory is short.
 */
struct text path_normal(struct text path, struct arena *arena) MUST_CHECK;

/** The methods that are offered at the request's path ("GET, HEAD, PUT"); `at` NULL: none. */
struct text route_methods(const struct request *request);

/**
 * Is the ETag, or `*`, in the list of If-Match (which compares strongly) or If-None-Match (weakly:
 * RFC 9110 section 8.8.3.2)? `etag.at` NULL, what is not there, is in none.
 */
enum etag_comparison { ETAG_STRONG, ETAG_WEAK };
bool etag_is_listed(struct text list, struct text etag, enum etag_comparison how);

/** Does the client prefer handling=strict (RFC 7240 section 4.4)? */
bool request_is_strict(const struct request *request);

/** Does the route ask for User-Read besides its own permission? What it does shows users. */
bool route_shows_users(const struct route *route);

/** A permission that the request needs and the caller lacks, the route's own first; -1: none. */
int request_lacking(const struct request *request) MUST_CHECK;

/**
 * On whose behalf the request's commands run: on the caller's, who is asked about again, credential
 * and permissions, just before each; on nobody's where the route is open and there is no caller.
 */
struct authority *request_authority(struct request *request);

/**
 * Suspends the request until its exchange is resumed; `step` then goes on with it. To be called
 * before the hand-over: afterwards the other thread may have finished already. The I/O thread only.
 */
void request_suspend(struct request *request, void (*step)(struct exchange *exchange));

/**
 * The same, and hands the command, whose `done` resumes the exchange, to the writer, on behalf of
 * the caller; request_read_on to a reader of store_read. When it is not taken, the step finds the
 * reason as its status. A caller who may not do it any more is refused without the step.
 */
void request_submit(struct request *request, struct store_command *command,
                    void (*step)(struct exchange *exchange));
void request_read_on(struct request *request, struct store_command *command,
                     void (*step)(struct exchange *exchange));

/**
 * Has `ask` read something short from the store, on behalf of the caller, and then calls `answered`
 * with what it returned. With SQLite both run before this call returns. Another engine may run
 * `ask` on a thread of its own; the request rests meanwhile, and `answered` runs on its I/O thread
 * in a later step. So `ask` keeps what it finds in `exchange->state`, and the call stands at the
 * end of a step. A caller who may not do it any more is refused, and neither is called for BUSY or
 * UNAVAILABLE but `answered`. request_ask_as: on somebody else's behalf.
 */
void request_ask(struct request *request,
                 enum status (*ask)(struct store_view *session, struct request *request),
                 void (*answered)(struct request *request, enum status status));
void request_ask_as(struct request *request, struct authority *authority,
                    enum status (*ask)(struct store_view *session, struct request *request),
                    void (*answered)(struct request *request, enum status status));

/** The same with a sign-in and its `result`. */
struct sign_in;
void request_sign_in(struct request *request, struct sign_in *sign_in,
                     void (*step)(struct exchange *exchange));

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

/**
 * Reads the body against a table: JSON, or a form, which is JSON of strings then. Names what it
 * ignores in the reply. STATUS_BAD_INPUT with one error on `Body`, or BROKEN: no memory.
 */
enum status request_body(struct request *request, const struct table *table, struct change *change,
                         struct errors *errors) MUST_CHECK;

/** The address that somebody signs in with, which a form may have brought (email_with_plus). */
struct text request_address(struct request *request, struct text given);

/**
 * Reads a small body against a table of its own. False: it is not valid, and that was replied.
 */
bool request_read(struct request *request, const struct table *table,
                  struct change *change) MUST_CHECK;

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

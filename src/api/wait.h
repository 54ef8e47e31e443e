#ifndef ROSTER_API_WAIT_H
#define ROSTER_API_WAIT_H

#include "api/request.h"

/**
 * On whose behalf the request's commands run. For a caller, credential and permissions are checked
 * again just before each command, on the thread that runs it. Without a caller, which only an open
 * route allows, there is nothing to check.
 */
struct authority *request_authority(struct request *request);

/**
 * Hands work to another thread, which resumes the exchange when the work is done. Returns OK. Any
 * other status: the work was not taken, and nobody will resume the exchange.
 */
typedef enum status hand_over(struct request *request, void *work);

/**
 * Suspends the request, hands work over, and calls `next` in a later turn of the I/O thread, once
 * the exchange was resumed. `next` is also called when the work is not taken; `not_taken` then says
 * why. Call this at the end of a step: the other thread may have finished, and the request may have
 * gone on, before the call returns. The request's I/O thread only.
 */
void request_wait(struct request *request, hand_over *give, void *work,
                  void (*next)(struct exchange *exchange));

/**
 * Waits for a command, whose `done` resumes the exchange. request_submit hands it to the writer
 * thread, request_read_on to a thread of store_read, on behalf of the caller. `step` then finds the
 * command's status, which is the reason if the command was not taken. When the caller has lost the
 * credential or a permission, the request is refused and `step` is not called; but a reply that
 * goes on (http.h) has been given already, and `step` finds UNAUTHENTICATED or FORBIDDEN.
 */
void request_submit(struct request *request, struct store_command *command,
                    void (*step)(struct exchange *exchange));
void request_read_on(struct request *request, struct store_command *command,
                     void (*step)(struct exchange *exchange));

/**
 * Refuses a request whose caller lacks a permission (request_lacking). The worker may remember a
 * caller who has got it since, through another process; so the store is asked before, and if the
 * caller has it, the route's handler runs from its begin. Call this at the end of a step, before
 * anything of a reply was made. The request's I/O thread only.
 */
void request_forbid(struct request *request);

/**
 * Runs a short read of the store on behalf of the caller, and then calls `answered` with its
 * result. With SQLite both run before this call returns. Another engine may run `ask` on a thread
 * of its own; the request waits meanwhile, and `answered` runs on the request's I/O thread in a
 * later turn. `ask` therefore leaves what it finds in `exchange->state`, and this call is made at
 * the end of a step. When the caller has lost the credential or a permission, the request is
 * refused and neither function is called. For TOO_MANY and UNAVAILABLE only `answered` is called.
 * request_ask_as does the same on behalf of somebody else.
 */
void request_ask(struct request *request,
                 enum status (*ask)(struct store_session *session, struct request *request),
                 void (*answered)(struct request *request, enum status status));
void request_ask_as(struct request *request, struct authority *authority,
                    enum status (*ask)(struct store_session *session, struct request *request),
                    void (*answered)(struct request *request, enum status status));

/**
 * Waits for a sign-in; `step` finds its `result`. An address with too many failed sign-ins gets
 * 429, and `step` is not called.
 */
struct sign_in;
void request_sign_in(struct request *request, struct sign_in *sign_in,
                     void (*step)(struct exchange *exchange));

#endif

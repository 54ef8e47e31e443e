#ifndef ROSTER_API_WAIT_H
#define ROSTER_API_WAIT_H

#include "api/request.h"

/**
 * On whose behalf the request's commands run: on the caller's, who is asked about again, credential
 * and permissions, just before each; on nobody's where the route is open and there is no caller.
 */
struct authority *request_authority(struct request *request);

/**
 * Gives work to another thread, which resumes the exchange when it is done. OK; else it was not
 * taken, and nobody resumes.
 */
typedef enum status hand_over(struct request *request, void *work);

/**
 * Suspends the request, hands the work over, and calls `next` once the exchange is resumed, in a
 * later turn. That is so too when the work is not taken: then `not_taken` says why. Another thread
 * may have finished, and the request gone on, before this call returns: it stands at the end of a
 * step. The I/O thread only.
 */
void request_wait(struct request *request, hand_over *give, void *work,
                  void (*next)(struct exchange *exchange));

/**
 * The same with a command, whose `done` resumes the exchange: hands it to the writer, on behalf of
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

#endif

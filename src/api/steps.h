#ifndef ROSTER_API_STEPS_H
#define ROSTER_API_STEPS_H

#include "api/wait.h"

/**
 * A request that needs the work of other threads goes its way in steps, which are the rows of one
 * table. Each row runs once, on the request's I/O thread; the last one sends the reply. The names
 * go to the log at debug level.
 */
struct step {
    const char *name;
    /* STATUS_OK: the next step begins at once. PENDING: the request waits, by steps_wait and the
     * like, and nothing of it may be touched any more. Anything else: only the reply is left. */
    enum status (*begin)(struct request *request);
    /* Runs when the wait is over, with its status, which is not OK if the other thread did not take
     * the work. Its result counts as that of `begin`, and is never PENDING. NULL: the status of
     * the wait counts. */
    enum status (*end)(struct request *request, enum status status);
    /* The last row's alone, which has neither of them: sends the reply. */
    void (*reply)(struct request *request, enum status status);
};

/** Begins with this row and goes on to the last one. On the request's I/O thread. */
void steps_start(struct request *request, const struct step *steps);

/** Leaves out all rows but the last one. For `begin` and `end`, which then return OK. */
void steps_finish(struct request *request);

/**
 * Waits as request_wait, request_submit and request_ask do, and then goes on with the row's `end`.
 * Returns STATUS_PENDING. For `begin`, which returns it at once.
 */
enum status steps_wait(struct request *request, hand_over *give, void *work) MUST_CHECK;
enum status steps_submit(struct request *request, struct store_command *command) MUST_CHECK;
enum status steps_ask(struct request *request,
                      enum status (*ask)(struct store_session *session,
                                         struct request *request)) MUST_CHECK;

#endif

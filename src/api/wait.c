/* On whose behalf a request acts, and how it waits for other threads. Work that was handed over may
 * be done, and the request may have gone on, before the call returns. request_wait therefore
 * touches the request again only if the work was not taken. */
#include "api/wait.h"

#include "api/reply.h"
#include "auth/sign_in.h"
#include "base/container_of.h"

#include <assert.h>

void request_wait(struct request *request, hand_over *give, void *work,
                  void (*next)(struct exchange *exchange)) {
    request->not_taken = STATUS_OK;
    request->exchange->next = next;
    exchange_suspend(request->exchange);
    enum status status = give(request, work);
    if (status == STATUS_OK)
        return;
    request->not_taken = status;
    exchange_resume(request->exchange);
}

/* ---- Authority ---- */

/* Runs on the thread, and with the session, that is about to act. */
static enum status confirm(struct store_session *session, struct authority *authority) {
    struct request *request = container_of(authority, struct request, authority);
    request->refusal =
        auth_confirm(&request->app->auth, session, request->arena, &request->principal);
    if (request->refusal == STATUS_OK && request_lacking(request) >= 0)
        request->refusal = STATUS_FORBIDDEN;
    return request->refusal;
}

struct authority *request_authority(struct request *request) {
    request->authority.confirm = confirm;
    if (request->principal.user_id)
        return &request->authority;
    assert(request->route->permission == ROUTE_OPEN);
    return &store_nobody;
}

static void reply_refusal(struct request *request) {
    if (request->refusal == STATUS_FORBIDDEN)
        reply_forbidden(request, (unsigned)request_lacking(request));
    else if (request->refuse)
        request->refuse(request);
    else
        reply_unauthenticated(request, "invalid_token");
}

/* Is the request to be refused because the command failed for its caller? If it was run again after
 * a rollback, the status is that of the last run. */
static bool is_refused(const struct request *request, enum status status) {
    return status == request->refusal && !request->exchange->reply.goes_on &&
           (status == STATUS_UNAUTHENTICATED || status == STATUS_FORBIDDEN);
}

/* The step replies to any other failure. */
static void go_on(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (request->not_taken != STATUS_OK)
        request->command->status = request->not_taken;
    if (is_refused(request, request->command->status))
        reply_refusal(request);
    else
        request->step(exchange);
}

/* ---- Questions ---- */

static struct request *of_question(struct store_command *question) {
    return container_of(question, struct request, question);
}

static enum status run_question(struct store_session *session, struct store_command *question) {
    struct request *request = of_question(question);
    return request->ask(session, request);
}

static void resume_question(struct store_command *question) {
    exchange_resume(of_question(question)->exchange);
}

static void take_answer(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (is_refused(request, request->question.status))
        reply_refusal(request);
    else
        request->answered(request, request->question.status);
}

void request_ask_as(struct request *request, struct authority *authority,
                    enum status (*ask)(struct store_session *session, struct request *request),
                    void (*answered)(struct request *request, enum status status)) {
    request->question = (struct store_command){ .on_behalf_of = authority,
                                                .target = request->target,
                                                .read = run_question,
                                                .done = resume_question };
    request->ask = ask;
    request->answered = answered;
    request->refusal = STATUS_OK;
    enum status status = store_ask(request->worker->session, &request->question);
    if (status == STATUS_PENDING) {
        request->exchange->next = take_answer;
        exchange_suspend(request->exchange);
        return;
    }
    request->question.status = status;
    take_answer(request->exchange);
}

void request_ask(struct request *request,
                 enum status (*ask)(struct store_session *session, struct request *request),
                 void (*answered)(struct request *request, enum status status)) {
    request_ask_as(request, request_authority(request), ask, answered);
}

/* ---- Permissions ---- */

static enum status confirm_caller(struct store_session *session, struct request *request) {
    return auth_confirm(&request->app->auth, session, request->arena, &request->principal);
}

static void run_or_forbid(struct request *request, enum status status) {
    int lacking = request_lacking(request);
    if (status == STATUS_UNAUTHENTICATED)
        reply_unauthenticated(request, "invalid_token");
    else if (status != STATUS_OK)
        reply_failure(request, status, NULL, NULL);
    else if (lacking >= 0)
        reply_forbidden(request, (unsigned)lacking);
    else
        request->route->handler(request);
}

void request_forbid(struct request *request) {
    request_ask_as(request, &store_nobody, confirm_caller, run_or_forbid);
}

/* ---- Commands ---- */

/* A search may take long. Before its result is sent, the caller's credential and permissions are
 * checked once more, by a question to the store. */
static enum status ask_nothing(struct store_session *session, struct request *request) {
    (void)session;
    (void)request;
    return STATUS_OK;
}

static void end_reading(struct request *request, enum status status) {
    request->command->status = status;
    request->step(request->exchange);
}

static void confirm_reading(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (request->not_taken == STATUS_OK && request->command->status == STATUS_OK)
        request_ask_as(request, request->command->on_behalf_of, ask_nothing, end_reading);
    else
        go_on(exchange);
}

static void expect(struct request *request, struct store_command *command,
                   void (*step)(struct exchange *exchange)) {
    request->refusal = STATUS_OK;
    request->command = command;
    request->step = step;
}

static enum status hand_to_writer(struct request *request, void *command) {
    return store_submit(request->app->store, command);
}

static enum status hand_to_reader(struct request *request, void *command) {
    return store_read(request->app->store, command);
}

/* Always taken: a sign-in that cannot begin has that as its result. */
static enum status hand_to_sign_in(struct request *request, void *sign_in) {
    sign_in_start(sign_in, request->worker->session);
    return STATUS_OK;
}

static void take_sign_in(struct exchange *exchange) {
    struct request *request = exchange->request;
    const struct sign_in *sign_in = container_of(request->command, struct sign_in, command);
    if (!sign_in->wait_s) {
        go_on(exchange);
        return;
    }
    app_note_refusal(request->app, REFUSAL_attempts);
    reply_busy(request, sign_in->wait_s);
}

void request_submit(struct request *request, struct store_command *command,
                    void (*step)(struct exchange *exchange)) {
    command->on_behalf_of = request_authority(request);
    expect(request, command, step);
    request_wait(request, hand_to_writer, command, go_on);
}

void request_read_on(struct request *request, struct store_command *command,
                     void (*step)(struct exchange *exchange)) {
    command->on_behalf_of = request_authority(request);
    expect(request, command, step);
    request_wait(request, hand_to_reader, command, confirm_reading);
}

void request_sign_in(struct request *request, struct sign_in *sign_in,
                     void (*step)(struct exchange *exchange)) {
    sign_in->origin = request_origin(request);
    expect(request, &sign_in->command, step);
    request_wait(request, hand_to_sign_in, sign_in, take_sign_in);
}

#include "api/steps.h"

#include "base/log.h"

static void log_step(const struct request *request, const struct step *step) {
    log_debug("connection %llu: %s", (unsigned long long)exchange_connection(request->exchange),
              step->name);
}

void steps_finish(struct request *request) {
    while (!request->next_step->reply)
        request->next_step++;
}

/* Once a step has handed the request over, another thread may have finished already. */
static void go_on_with_steps(struct request *request, enum status status) {
    while (status == STATUS_OK && !request->next_step->reply) {
        const struct step *step = request->next_step++;
        log_step(request, step);
        status = step->begin(request);
    }
    if (status == STATUS_PENDING)
        return;
    steps_finish(request);
    log_step(request, request->next_step);
    request->next_step->reply(request, status);
}

static void end_step(struct request *request, enum status status) {
    const struct step *step = request->next_step - 1;
    if (step->end)
        status = step->end(request, status);
    go_on_with_steps(request, status);
}

static void end_wait(struct exchange *exchange) {
    struct request *request = exchange->request;
    end_step(request, request->not_taken);
}

static void end_command(struct exchange *exchange) {
    struct request *request = exchange->request;
    end_step(request, request->command->status);
}

void steps_start(struct request *request, const struct step *steps) {
    request->next_step = steps;
    go_on_with_steps(request, STATUS_OK);
}

enum status steps_wait(struct request *request, hand_over *give, void *work) {
    request_wait(request, give, work, end_wait);
    return STATUS_PENDING;
}

enum status steps_submit(struct request *request, struct store_command *command) {
    request_submit(request, command, end_command);
    return STATUS_PENDING;
}

enum status steps_ask(struct request *request,
                      enum status (*ask)(struct store_session *session, struct request *request)) {
    request_ask(request, ask, end_step);
    return STATUS_PENDING;
}

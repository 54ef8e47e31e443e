/* How a request rests while others work for it. Once something is handed over it may be done, and
 * the request gone on, before the call returns: so only a refusal is still the caller's to tell. */
#include "api/request.h"

#include "auth/sign_in.h"
#include "base/time.h"

void request_suspend(struct request *request, void (*step)(struct exchange *exchange)) {
    request->exchange->next = step;
    exchange_suspend(request->exchange);
}

static void tell_refusal(struct request *request, struct store_command *command,
                         enum status status) {
    if (status == STATUS_OK)
        return;
    command->status = status;
    exchange_resume(request->exchange);
}

void request_submit(struct request *request, struct store_command *command,
                    void (*step)(struct exchange *exchange)) {
    request_suspend(request, step);
    tell_refusal(request, command, store_submit(request->app->store, command));
}

void request_read_on(struct request *request, struct store_command *command,
                     void (*step)(struct exchange *exchange)) {
    request_suspend(request, step);
    tell_refusal(request, command, store_read(request->app->store, command));
}

void request_sign_in(struct request *request, struct sign_in *sign_in,
                     void (*step)(struct exchange *exchange)) {
    sign_in->from = exchange_peer(request->exchange);
    struct attempts *attempts = sign_in->auth->attempts;
    int64_t wait_s = attempts_begin(attempts, sign_in->from, time_monotonic_ms());
    if (wait_s) {
        reply_busy(request, wait_s);
        return;
    }
    request_suspend(request, step);
    enum status status = sign_in_start(sign_in, request->worker->view);
    if (status == STATUS_OK)
        return;
    attempts_end(attempts, sign_in->from, false, time_monotonic_ms());
    sign_in->result = status == STATUS_BUSY ? SIGN_IN_BUSY : SIGN_IN_BROKEN;
    exchange_resume(request->exchange);
}

/* GET /healthz: is the server alive? GET /readyz: may it be sent requests? */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/wait.h"
#include "base/container_of.h"
#include "rules/messages.h"

void health_get(struct request *request) {
    struct buffer body;
    buffer_init(&body, request->arena, 64);
    buffer_add(&body, TEXT("{\"status\":\"ok\"}"));
    reply_json(request, 200, &body);
}

/* Tries whether the disk accepts writes again. */
struct probe {
    struct store_command command;
    struct request *request;
};

static enum status run_probe(struct store_tx *tx, struct store_command *command) {
    (void)command;
    return store_try_room(tx);
}

static void resume_probe(struct store_command *command) {
    exchange_resume(container_of(command, struct probe, command)->request->exchange);
}

static void probed(struct exchange *exchange) {
    struct probe *probe = exchange->state;
    if (probe->command.status == STATUS_OK)
        health_get(probe->request);
    else
        reply_failure(probe->request, STATUS_UNAVAILABLE, message_disk_refuses, NULL);
}

/* During --drain-delay, and once a newer version has changed the database, only this request is
 * refused. After that a server that is shutting down answers 503 to every request, before it gets
 * here. */
void ready_get(struct request *request) {
    const struct store *store = request->app->store;
    if (atomic_load_explicit(&request->app->is_leaving, memory_order_relaxed) ||
        store_is_outdated(store) || store_is_away(store)) {
        reply_failure(request, STATUS_UNAVAILABLE, NULL, NULL);
        return;
    }
    const struct store_stats stats = store_stats(request->app->store);
    if (stats.is_damaged) {
        reply_failure(request, STATUS_UNAVAILABLE, message_database_damaged, NULL);
        return;
    }
    if (!stats.refuses) {
        health_get(request);
        return;
    }
    struct probe *probe = arena_calloc(request->arena, 1, sizeof *probe);
    if (!probe) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    *probe =
        (struct probe){ .command = { .run = run_probe, .done = resume_probe }, .request = request };
    request->exchange->state = probe;
    request_submit(request, &probe->command, probed);
}

/* The workers: each I/O thread has its own session of the store, token cache and counters. */
#include "api/app.h"

#include "api/counters.h"
#include "api/routes.h"

#include "base/log.h"
#include "base/mutex.h"

#include <stdlib.h>

/* The threads belong to the listener, which knows nothing of workers. */
static _Thread_local struct worker *own;

static void worker_free(struct worker *worker) {
    store_session_close(worker->session);
    token_cache_free(worker->tokens);
    counters_free(worker->counters);
    free(worker);
}

static struct worker *worker_new(struct app *app) {
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker->session = store_session_open(app->store);
    worker->tokens = token_cache_new(&app->auth);
    worker->counters =
        counters_new(route_count + 1); /* the last one counts requests without a route */
    if (worker->session && worker->tokens && worker->counters)
        return worker;
    worker_free(worker);
    return NULL;
}

void app_note_refusal(struct app *app, enum refusal refusal) {
    atomic_fetch_add_explicit(&app->refused[refusal], 1, memory_order_relaxed);
}

void app_lock_workers(struct app *app) {
    mutex_lock(&app->workers_lock);
}

void app_unlock_workers(struct app *app) {
    mutex_unlock(&app->workers_lock);
}

struct worker *app_worker(struct app *app) {
    if (own)
        return own;
    own = worker_new(app);
    if (!own) {
        log_error("an I/O thread cannot open the database");
        return NULL;
    }
    app_lock_workers(app);
    own->next = app->workers;
    app->workers = own;
    app_unlock_workers(app);
    return own;
}

void app_free_workers(struct app *app) {
    for (struct worker *worker = app->workers, *next; worker; worker = next) {
        next = worker->next;
        worker_free(worker);
    }
    app->workers = NULL;
}

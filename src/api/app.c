/* Each I/O thread's own connection to the store and memory of tokens. */
#include "api/app.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

/* The listener's threads know nothing of workers, so each thread finds its own here. */
static _Thread_local struct worker *own;

static struct worker *worker_new(struct app *app) {
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker->view = store_view_open(app->store);
    worker->tokens = token_cache_new(&app->auth, worker->view);
    if (worker->view && worker->tokens)
        return worker;
    store_view_close(worker->view);
    token_cache_free(worker->tokens);
    free(worker);
    return NULL;
}

struct worker *app_worker(struct app *app) {
    if (own)
        return own;
    own = worker_new(app);
    if (!own) {
        log_error("an I/O thread cannot open the database");
        return NULL;
    }
    int failed = pthread_mutex_lock(&app->workers_lock);
    assert(!failed);
    own->next = app->workers;
    app->workers = own;
    failed = pthread_mutex_unlock(&app->workers_lock);
    assert(!failed);
    (void)failed;
    return own;
}

void app_free_workers(struct app *app) {
    for (struct worker *worker = app->workers, *next; worker; worker = next) {
        next = worker->next;
        store_view_close(worker->view);
        token_cache_free(worker->tokens);
        free(worker);
    }
    app->workers = NULL;
}

#ifndef ROSTER_API_APP_H
#define ROSTER_API_APP_H

#include "api/ops/upkeep.h"
#include "api/ui/first_run.h"
#include "api/ui/shown_settings.h"
#include "auth/auth.h"
#include "base/buffer.h"
#include "fetch/fetch.h"
#include "http/http.h"
#include "webhooks/deliver.h"

#include <pthread.h>

/** Reasons for refusals that no queue counts by itself; /metrics shows them. */
enum refusal {
    REFUSAL_body,       /* too large for a caller without credentials */
    REFUSAL_large_body, /* too many large bodies whose Basic password was not checked yet */
    REFUSAL_rate,
    REFUSAL_attempts, /* too many failed sign-ins from one address */
    REFUSALS
};

/**
 * The state that all requests share. server.c fills it in at the start; afterwards it is only read,
 * except for the counters and `workers`.
 */
struct app {
    struct store *store;
    struct auth auth;
    struct fetcher *fetcher;
    struct pool *pictures; /* a pool of its own: many pictures do not delay sign-ins */
    bool nexudus;          /* compatibility = nexudus */
    bool accepts_basic;
    const char *folder;        /* of the data */
    struct listener *listener; /* for its figures */
    unsigned connection_limit;
    int64_t started_ms;          /* when the process began to start */
    atomic_bool logs_requests;   /* a reload changes these four */
    atomic_int_fast64_t slow_us; /* requests that take as long are logged; 0: none */
    atomic_bool shows_metrics;
    _Atomic(const char *) cors_origins; /* a comma-separated list; empty: none */
    atomic_bool is_leaving; /* /readyz replies 503, so that proxies send requests elsewhere */
    struct delivery_counts deliveries;
    struct history *history;       /* of the figures, a day long */
    char host[65];                 /* the name of the machine */
    struct rate_limit *rate_limit; /* NULL: none */
    struct page_cursors *page_cursors;
    struct address_counts *address_counts; /* NULL: no limit of connections by address */
    struct arena memory;                   /* of what is made once, at the start */
    struct first_run first_run;
    struct shown_settings *shown_settings;
    struct upkeep *upkeep;     /* NULL: backup-dir is empty */
    struct buffer description; /* the body of GET /api/openapi.json, shared by all replies */
    atomic_uint unchecked; /* large bodies on their way whose Basic password was not checked yet */
    atomic_uint_fast64_t refused[REFUSALS];
    pthread_mutex_t workers_lock;
    struct worker *workers; /* one for each I/O thread that has served a request */
};

/** The things that an I/O thread owns. No other thread touches it, except for reading the counters.
 */
struct worker {
    struct worker *next;
    struct store_session *session;
    struct token_cache *tokens;
    struct counters *counters;
};

/**
 * The worker of the calling I/O thread, made at the thread's first request. NULL: no memory, or the
 * database cannot be opened; the log says so.
 */
struct worker *app_worker(struct app *app);

/** Counts a refusal. Any thread. */
void app_note_refusal(struct app *app, enum refusal refusal);

/** Around a loop over `workers`, to which an I/O thread may be adding its own. Any thread. */
void app_lock_workers(struct app *app);
void app_unlock_workers(struct app *app);

/** Frees all workers, once the I/O threads have ended. */
void app_free_workers(struct app *app);

#endif

#ifndef ROSTER_API_APP_H
#define ROSTER_API_APP_H

#include "auth/auth.h"
#include "base/buffer.h"
#include "fetch/fetch.h"
#include "http/http.h"

#include <pthread.h>

/** What is refused here, and not by a queue that counts by itself. */
enum refusal {
    REFUSAL_body,       /* of a stranger, and larger than one may send */
    REFUSAL_large_body, /* too many large ones come with a password that is not known yet */
    REFUSAL_rate,
    REFUSAL_attempts, /* to sign in, from one address */
    REFUSALS
};

/** What the handlers work with; filled in by main at start, then only read (but what is counted,
 * and `workers`). */
struct app {
    struct store *store;
    struct auth auth;
    struct fetcher *fetcher;
    struct pool *pictures; /* looked at apart from passwords: who sends many keeps nobody out */
    bool nexudus;          /* compatibility = nexudus */
    bool accepts_basic;
    bool shows_metrics;
    const char *cors_origins;      /* a comma-separated list; empty: none */
    struct rate_limit *rate_limit; /* NULL: none */
    struct page_cursors *page_cursors;
    struct address_counts *address_counts; /* NULL: connections are not counted by address */
    struct arena memory;                   /* of what is made once, at start */
    struct buffer description; /* what GET /api/openapi.json sends: as one, however many read it */
    atomic_uint unchecked;     /* large bodies of callers whose Basic password is not checked yet */
    atomic_uint_fast64_t refused[REFUSALS];
    pthread_mutex_t workers_lock;
    struct worker *workers; /* one for each I/O thread that has served a request */
};

/** What an I/O thread owns: nobody else touches it while that thread runs. */
struct worker {
    struct worker *next;
    struct store_view *view;
    struct token_cache *tokens;
    struct counters *counters;
};

/** The calling I/O thread's worker, made at its first request. NULL when the system refuses. */
struct worker *app_worker(struct app *app);

/** Counts what was refused. Any thread. */
void app_note_refusal(struct app *app, enum refusal refusal);

/** For whoever walks the list of workers. */
void app_lock_workers(struct app *app);
void app_unlock_workers(struct app *app);

/** Frees all workers, once the I/O threads have ended. */
void app_free_workers(struct app *app);

#endif

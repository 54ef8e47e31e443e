/* One thread takes what is due from the outbox, has it posted, and notes what became of it. It
 * looks when the outbox changed, when something it knows of becomes due, and when an attempt ended.
 */
#include "hooks/deliver.h"

#include "base/log.h"
#include "base/time.h"
#include "crypto/hmac.h"
#include "crypto/secret.h"
#include "model/tables.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_EVERY_MS = 100, /* at a counter in memory */
    ATTEMPTS_MAX = 10,
    POST_TIMEOUT_MS = 10000,
    REPLY_MAX = 1024 * 1024,
    BROKEN_PAUSE_MS = 1000,
};

struct deliverer {
    struct deliver_options options;
    struct store_view *view;
    struct fetcher *fetcher;
    pthread_t thread;
    struct queue ended; /* posts that came to an end */
    struct posting *running;
    atomic_bool is_stopping;
};

/* A delivery on its way; lies in its own arena. */
struct posting {
    struct fetch_job job; /* first */
    struct arena arena;
    struct deliverer *deliverer;
    struct delivery delivery;
    struct posting *next;
    char header[sizeof "X-Nexudus-Hook-Signature: " + HMAC_HEX_SIZE];
};

static void post_ended(struct fetch_job *job) {
    struct posting *posting = (struct posting *)job;
    bool put = queue_put(&posting->deliverer->ended, &job->item);
    assert(put); /* the queue is closed last */
    (void)put;
}

/* X-Nexudus-Hook-Signature: HMAC-SHA256 of the body under the shared secret (contract section 7).
 */
static bool sign(struct posting *posting) {
    const struct delivery *delivery = &posting->delivery;
    char hex[HMAC_HEX_SIZE + 1];
    if (!delivery->secret.len)
        return true;
    struct text place =
        seal_place(&web_hook_table, delivery->hook_id, WEB_HOOK_SharedSecret, &posting->arena);
    struct text secret =
        unseal(posting->deliverer->options.key, delivery->secret, place, &posting->arena);
    if (!place.at || !secret.at)
        return false;
    hmac_sha256_hex(secret, delivery->payload, hex);
    secret_wipe((char *)(uintptr_t)secret.at, secret.len);
    int len =
        snprintf(posting->header, sizeof posting->header, "X-Nexudus-Hook-Signature: %s", hex);
    assert(len > 0 && (size_t)len < sizeof posting->header);
    posting->job.header = posting->header;
    return true;
}

static bool copy(struct text *text, struct arena *arena) {
    if (text->at)
        *text = arena_text(arena, *text);
    else
        return true;
    return text->at != NULL;
}

/* NULL when memory is short, or the secret cannot be read: then it is tried again later. */
static struct posting *posting_new(struct deliverer *deliverer, const struct delivery *delivery) {
    struct arena arena = { 0 };
    struct posting *posting = arena_calloc(&arena, 1, sizeof *posting);
    if (!posting)
        return NULL;
    posting->delivery = *delivery;
    posting->deliverer = deliverer;
    posting->arena = arena;
    if (copy(&posting->delivery.url, &posting->arena) &&
        copy(&posting->delivery.secret, &posting->arena) &&
        copy(&posting->delivery.payload, &posting->arena) && sign(posting)) {
        posting->job.url = posting->delivery.url;
        posting->job.post = posting->delivery.payload;
        posting->job.arena = &posting->arena;
        posting->job.max_size = REPLY_MAX;
        posting->job.timeout_ms = POST_TIMEOUT_MS;
        posting->job.done = post_ended;
        return posting;
    }
    log_error("webhook %lld: a delivery cannot be prepared", (long long)delivery->hook_id);
    arena = posting->arena;
    arena_close(&arena);
    return NULL;
}

static void posting_free(struct posting *posting) {
    struct arena arena = posting->arena;
    arena_close(&arena);
}

static bool is_running(const struct deliverer *deliverer, int64_t delivery_id) {
    for (const struct posting *posting = deliverer->running; posting; posting = posting->next)
        if (posting->delivery.id == delivery_id)
            return true;
    return false;
}

static bool start_posting(struct deliverer *deliverer, const struct delivery *delivery) {
    struct posting *posting = posting_new(deliverer, delivery);
    if (!posting)
        return false;
    if (fetch_submit(deliverer->fetcher, &posting->job) != STATUS_OK) {
        posting_free(posting);
        return false;
    }
    posting->next = deliverer->running;
    deliverer->running = posting;
    return true;
}

/* Starts what is due. When to look again: as a moment of the wall clock. */
static int64_t start_due(struct deliverer *deliverer) {
    struct arena arena = { 0 };
    struct due_deliveries due;
    int64_t now_ms = time_now_ms(), next_ms = now_ms + BROKEN_PAUSE_MS;
    if (store_due_deliveries(deliverer->view, now_ms, &arena, &due) == STATUS_OK) {
        next_ms = due.next_ms;
        for (unsigned i = 0; i < due.count; i++)
            if (!is_running(deliverer, due.list[i].id) && !start_posting(deliverer, &due.list[i]))
                next_ms = now_ms + BROKEN_PAUSE_MS;
    }
    arena_close(&arena);
    return next_ms;
}

struct settling {
    struct store_command command; /* first */
    const struct posting *posting;
    struct attempt attempt;
};

static enum status settle(struct store_view *tx, struct store_command *command) {
    struct settling *settling = (struct settling *)command;
    const struct posting *posting = settling->posting;
    if (posting->job.outcome == FETCH_OK)
        return store_delivered(tx, &posting->delivery, settling->attempt.now_ms);
    return store_not_delivered(tx, &posting->delivery, &settling->attempt);
}

static void note_outcome(struct deliverer *deliverer, struct posting *posting) {
    struct settling settling = { .command = { .run = settle }, .posting = posting };
    struct attempt *attempt = &settling.attempt;
    int64_t attempts = posting->delivery.attempts + 1;
    attempt->now_ms = time_now_ms();
    attempt->limit = ATTEMPTS_MAX;
    if (attempts < ATTEMPTS_MAX)
        attempt->next_ms = attempt->now_ms + (deliverer->options.retry_ms << (attempts - 1));
    attempt->error = text_of(fetch_reason(posting->job.outcome));
    if (posting->job.outcome == FETCH_BAD_STATUS)
        attempt->error = arena_printf(&posting->arena, "its server answered with status %d",
                                      posting->job.http_status);
    /* One that was cut short by our own end is made again after the start. */
    if (posting->job.outcome == FETCH_STOPPED)
        return;
    if (store_run(deliverer->options.store, &settling.command) != STATUS_OK)
        log_error("webhook %lld: what became of a delivery could not be noted; it is repeated",
                  (long long)posting->delivery.hook_id);
}

static void take_ended(struct deliverer *deliverer, struct queue_item *item) {
    for (struct queue_item *next; item; item = next) {
        struct posting *posting = (struct posting *)item;
        next = item->next;
        note_outcome(deliverer, posting);
        struct posting **place = &deliverer->running;
        while (*place != posting)
            place = &(*place)->next;
        *place = posting->next;
        posting_free(posting);
    }
}

static void *run(void *argument) {
    struct deliverer *deliverer = argument;
    (void)pthread_setname_np(pthread_self(), "webhooks");
    int64_t next_ms = 0; /* what lay there before the start is due at once */
    uint64_t seen = 0;
    while (!atomic_load(&deliverer->is_stopping)) {
        uint64_t changes = store_outbox_changes(deliverer->options.store);
        if (changes != seen || time_now_ms() >= next_ms) {
            seen = changes;
            next_ms = start_due(deliverer);
        }
        int64_t left_ms = next_ms - time_now_ms();
        int wait_ms = left_ms < LOOK_EVERY_MS ? (int)(left_ms > 0 ? left_ms : 0) : LOOK_EVERY_MS;
        struct queue_item *ended = queue_take_all(&deliverer->ended, wait_ms);
        if (ended)
            next_ms = 0; /* what waited behind it may go */
        take_ended(deliverer, ended);
    }
    return NULL;
}

static void free_deliverer(struct deliverer *deliverer) {
    store_view_close(deliverer->view);
    fetcher_stop(deliverer->fetcher);
    take_ended(deliverer, queue_take_all(&deliverer->ended, 0));
    queue_destroy(&deliverer->ended);
    free(deliverer);
}

struct deliverer *deliverer_start(const struct deliver_options *options) {
    struct deliverer *deliverer = calloc(1, sizeof *deliverer);
    if (!deliverer || !queue_init(&deliverer->ended, 0)) {
        free(deliverer);
        return NULL;
    }
    deliverer->options = *options;
    deliverer->view = store_view_open(options->store);
    deliverer->fetcher = fetcher_start(&(struct fetch_options){ options->allowed_hosts });
    if (deliverer->view && deliverer->fetcher &&
        pthread_create(&deliverer->thread, NULL, run, deliverer) == 0)
        return deliverer;
    free_deliverer(deliverer);
    return NULL;
}

void deliverer_stop(struct deliverer *deliverer) {
    if (!deliverer)
        return;
    atomic_store(&deliverer->is_stopping, true);
    int failed = pthread_join(deliverer->thread, NULL);
    assert(!failed);
    (void)failed;
    free_deliverer(deliverer);
}

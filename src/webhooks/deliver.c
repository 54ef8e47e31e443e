/* One thread takes what is due from the outbox, has it posted, and notes what became of it, all
 * that ended meanwhile in one transaction. It looks when the outbox changed, when something it
 * knows of becomes due, and when an attempt ended.
 *
 * Each webhook has a few places of its own, so one that never answers fills only those. */
#include "webhooks/deliver.h"

#include "auth/auth.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/hmac.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "rules/webhook.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_EVERY_MS = 100, /* at a counter in memory */
    PLACES = 128,        /* for all webhooks */
    CANCEL_AT_ONCE = 500,
    POST_TIMEOUT_MS = 10000,
    REPLY_MAX = 1024 * 1024,
    BROKEN_PAUSE_MS = 1000,
    UNNOTED_PAUSE_MS = 10000, /* for the disk, or whoever makes room on it */
};

struct deliverer {
    struct deliver_options options;
    struct store_view *view;
    struct fetcher *fetcher;
    pthread_t thread;
    struct queue ended; /* posts that came to an end */
    struct posting *running;
    unsigned running_count;
    atomic_bool is_stopping;
};

/* A delivery on its way; lies in its own arena. */
struct posting {
    struct fetch_job job; /* first */
    struct arena arena;
    struct deliverer *deliverer;
    struct delivery delivery;
    struct posting *next;
    const char *obstacle; /* why it cannot be posted at all; NULL: it can */
    struct delivery_attempt attempt;
    char id_header[sizeof "X-Roster-Delivery: " + INT64_TEXT_MAX];
    char header[sizeof "X-Nexudus-Hook-Signature: " + HMAC_HEX_SIZE];
};

static void post_ended(struct fetch_job *job) {
    struct posting *posting = (struct posting *)job;
    bool put = queue_put(&posting->deliverer->ended, &job->item);
    assert(put); /* the queue is closed last */
    (void)put;
}

/* X-Nexudus-Hook-Signature: HMAC-SHA256 of the body under the shared secret (docs/contract.md
 * section 9). False when memory is short. */
static bool sign(struct posting *posting) {
    const struct delivery *delivery = &posting->delivery;
    struct arena *arena = &posting->arena;
    char hex[HMAC_HEX_SIZE + 1];
    if (!delivery->secret.len)
        return true;
    struct text place =
        seal_place(&web_hook_table, delivery->hook_id, WEB_HOOK_SharedSecret, arena);
    struct text secret = unseal(posting->deliverer->options.key, delivery->secret, place, arena);
    if (arena->failed)
        return false;
    if (!secret.at) {
        posting->obstacle = message_web_hook_secret;
        return true;
    }
    hmac_sha256_hex(secret, delivery->payload, hex);
    secret_wipe((char *)(uintptr_t)secret.at, secret.len);
    int len =
        snprintf(posting->header, sizeof posting->header, "X-Nexudus-Hook-Signature: %s", hex);
    assert(len > 0 && (size_t)len < sizeof posting->header);
    posting->job.headers[1] = posting->header;
    return true;
}

/* The same at each attempt, so that a receiver can tell what it has had already. */
static void name_delivery(struct posting *posting) {
    int len = snprintf(posting->id_header, sizeof posting->id_header, "X-Roster-Delivery: %lld",
                       (long long)posting->delivery.id);
    assert(len > 0 && (size_t)len < sizeof posting->id_header);
    posting->job.headers[0] = posting->id_header;
}

static bool copy(struct text *text, struct arena *arena) {
    if (text->at)
        *text = arena_text(arena, *text);
    else
        return true;
    return text->at != NULL;
}

/* NULL when memory is short: then it is tried again later. */
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
        name_delivery(posting);
        posting->job.url = posting->delivery.url;
        posting->job.post = posting->delivery.payload;
        posting->job.arena = &posting->arena;
        posting->job.max_size = REPLY_MAX;
        posting->job.timeout_ms = POST_TIMEOUT_MS;
        posting->job.done = post_ended;
        return posting;
    }
    log_error("webhook %lld: no memory for a delivery", (long long)delivery->hook_id);
    arena = posting->arena;
    arena_close(&arena);
    return NULL;
}

static void posting_free(struct posting *posting) {
    struct arena arena = posting->arena;
    arena_close(&arena);
}

/* Is something on its way to this webhook about the same user? */
static bool is_queue_busy(const struct deliverer *deliverer, const struct delivery *delivery) {
    for (const struct posting *posting = deliverer->running; posting; posting = posting->next)
        if (posting->delivery.hook_id == delivery->hook_id &&
            posting->delivery.entity_id == delivery->entity_id)
            return true;
    return false;
}

static unsigned running_to(const struct deliverer *deliverer, int64_t hook_id) {
    unsigned count = 0;
    for (const struct posting *posting = deliverer->running; posting; posting = posting->next)
        count += posting->delivery.hook_id == hook_id;
    return count;
}

/* Half of the places are for webhooks that have none yet. */
static bool has_place(const struct deliverer *deliverer, int64_t hook_id) {
    unsigned own = running_to(deliverer, hook_id);
    return own < DUE_MAX && deliverer->running_count < (own ? PLACES / 2 : PLACES);
}

static bool start_posting(struct deliverer *deliverer, const struct delivery *delivery) {
    struct posting *posting = posting_new(deliverer, delivery);
    if (!posting)
        return false;
    if (posting->obstacle) {
        log_error("webhook %lld: %s", (long long)delivery->hook_id, posting->obstacle);
        post_ended(&posting->job);
    } else if (fetch_submit(deliverer->fetcher, &posting->job) != STATUS_OK) {
        posting_free(posting);
        return false;
    }
    posting->next = deliverer->running;
    deliverer->running = posting;
    deliverer->running_count++;
    return true;
}

/* Starts what is due to one webhook, and says when to look again. A due delivery that cannot be
 * started has a running one in its queue, and of those there are fewer than DUE_MAX: so what the
 * store finds is enough to fill the places. */
static int64_t start_due_to(struct deliverer *deliverer, const struct due_query *query) {
    struct arena arena = { 0 }; /* not one for all webhooks: each has a few records in it */
    struct due_deliveries due;
    if (!has_place(deliverer, query->hook_id))
        return INT64_MAX; /* the end of one that runs is a reason to look */
    enum status status = store_due_deliveries(deliverer->view, query, &arena, &due);
    for (unsigned i = 0;
         status == STATUS_OK && i < due.count && has_place(deliverer, query->hook_id); i++)
        if (!is_queue_busy(deliverer, &due.list[i]) && !start_posting(deliverer, &due.list[i]))
            status = STATUS_BROKEN;
    arena_close(&arena);
    return status == STATUS_OK ? due.next_ms : query->now_ms + BROKEN_PAUSE_MS;
}

struct cancelling {
    struct store_command command; /* first */
    struct due_query query;
};

static enum status cancel(struct store_view *tx, struct store_command *command) {
    const struct due_query *query = &((struct cancelling *)command)->query;
    return store_cancel_deliveries(tx, query->hook_id, query->now_ms, CANCEL_AT_ONCE);
}

/* A part at a time, so that the writer serves others in between. */
static int64_t cancel_due_to(struct deliverer *deliverer, const struct due_query *query) {
    struct cancelling cancelling = { .command = { .on_behalf_of = &store_nobody, .run = cancel },
                                     .query = *query };
    if (store_run(deliverer->options.store, &cancelling.command) == STATUS_OK)
        return 0; /* there may be more */
    log_error("webhook %lld: what waits for it could not be cancelled", (long long)query->hook_id);
    return query->now_ms + BROKEN_PAUSE_MS;
}

static enum status may_tell(struct store_view *view, const struct waiting_hook *hook) {
    struct arena arena = { 0 };
    struct principal maker = { .user_id = hook->maker_id };
    enum status status = auth_decide_user(view, &arena, &maker);
    if (status == STATUS_OK && !webhook_may_tell(&maker))
        status = STATUS_UNAUTHENTICATED;
    arena_close(&arena);
    return status;
}

struct stopping {
    struct store_command command; /* first */
    const struct waiting_hook *hook;
};

static enum status stop_hook(struct store_view *tx, struct store_command *command) {
    const struct waiting_hook *hook = ((struct stopping *)command)->hook;
    enum status status = may_tell(tx, hook);
    if (status != STATUS_UNAUTHENTICATED)
        return status;
    return store_stop_hook(tx, hook, MESSAGE_TEXT(web_hook_maker));
}

/* Stops what tells more than its maker may read. When to look again; INT64_MAX: it may go on. */
static int64_t stop_if_it_may_not(struct deliverer *deliverer, const struct waiting_hook *hook,
                                  int64_t now_ms) {
    struct stopping stopping = { .command = { .on_behalf_of = &store_nobody, .run = stop_hook },
                                 .hook = hook };
    enum status status = may_tell(deliverer->view, hook);
    if (status == STATUS_OK)
        return INT64_MAX;
    if (status == STATUS_UNAUTHENTICATED)
        status = store_run(deliverer->options.store, &stopping.command);
    if (status == STATUS_OK)
        return 0; /* what waits for it is to be cancelled */
    log_error("webhook %lld: whether its maker may read users cannot be found out",
              (long long)hook->id);
    return now_ms + BROKEN_PAUSE_MS;
}

/* Whoever waits for longer began to while the clock was ahead. */
static int64_t longest_pause(const struct deliverer *deliverer) {
    return webhook_longest_pause(deliverer->options.retry_ms) + UNNOTED_PAUSE_MS;
}

/* Starts what is due. When to look again: as a moment of the wall clock. */
static int64_t start_due(struct deliverer *deliverer) {
    struct arena arena = { 0 };
    struct waiting_hooks waiting = { 0 };
    struct due_query query = { .now_ms = time_now_ms(),
                               .longest_pause_ms = longest_pause(deliverer) };
    int64_t next_ms = query.now_ms + query.longest_pause_ms;
    if (store_waiting_hooks(deliverer->view, &arena, &waiting) != STATUS_OK)
        next_ms = query.now_ms + BROKEN_PAUSE_MS;
    for (size_t i = 0; i < waiting.count; i++) {
        const struct waiting_hook *hook = &waiting.list[i];
        query.hook_id = hook->id;
        int64_t then_ms = INT64_MAX;
        if (hook->is_active)
            then_ms = stop_if_it_may_not(deliverer, hook, query.now_ms);
        if (hook->is_active && then_ms == INT64_MAX)
            then_ms = start_due_to(deliverer, &query);
        else if (!hook->is_active)
            then_ms = cancel_due_to(deliverer, &query);
        next_ms = then_ms < next_ms ? then_ms : next_ms;
    }
    arena_close(&arena);
    return next_ms;
}

/* All that ended, noted in one transaction. */
struct settling {
    struct store_command command; /* first */
    struct queue_item *ended;
};

static enum status settle_one(struct store_view *tx, const struct posting *posting) {
    if (!posting->obstacle && posting->job.outcome == FETCH_OK)
        return store_delivered(tx, &posting->delivery, posting->attempt.now_ms);
    /* One that was cut short by our own end is made again after the start. */
    if (!posting->obstacle && posting->job.outcome == FETCH_STOPPED)
        return STATUS_OK;
    return store_not_delivered(tx, &posting->delivery, &posting->attempt);
}

static enum status settle(struct store_view *tx, struct store_command *command) {
    enum status status = STATUS_OK;
    for (struct queue_item *item = ((struct settling *)command)->ended; item && status == STATUS_OK;
         item = item->next)
        status = settle_one(tx, (struct posting *)item);
    return status;
}

/* What is to be noted if it failed. */
static struct delivery_attempt attempt_of(struct posting *posting) {
    struct delivery_attempt attempt = { .now_ms = time_now_ms() };
    if (posting->obstacle) {
        attempt.error = text_of(posting->obstacle);
        return attempt;
    }
    attempt.next_ms = webhook_next_attempt(attempt.now_ms, posting->deliverer->options.retry_ms,
                                           posting->delivery.attempts + 1);
    attempt.error = text_of(fetch_reason(posting->job.outcome));
    if (posting->job.outcome == FETCH_BAD_STATUS)
        attempt.error =
            arena_printf(&posting->arena, message_web_hook_status, posting->job.http_status);
    return attempt;
}

static bool note_outcomes(struct deliverer *deliverer, struct queue_item *ended) {
    struct settling settling = { .command = { .on_behalf_of = &store_nobody, .run = settle },
                                 .ended = ended };
    for (struct queue_item *item = ended; item; item = item->next)
        ((struct posting *)item)->attempt = attempt_of((struct posting *)item);
    if (store_run(deliverer->options.store, &settling.command) == STATUS_OK)
        return true;
    log_error("what became of webhook deliveries could not be noted; they are repeated");
    return false;
}

/* False when what became of them could not be noted. */
static bool take_ended(struct deliverer *deliverer, struct queue_item *item) {
    bool noted = !item || note_outcomes(deliverer, item);
    for (struct queue_item *next; item; item = next) {
        struct posting *posting = (struct posting *)item;
        next = item->next;
        struct posting **place = &deliverer->running;
        while (*place != posting)
            place = &(*place)->next;
        *place = posting->next;
        deliverer->running_count--;
        posting_free(posting);
    }
    return noted;
}

static void *run(void *argument) {
    struct deliverer *deliverer = argument;
    (void)pthread_setname_np(pthread_self(), "webhooks");
    int64_t next_ms = 0; /* what lay there before the start is due at once */
    uint64_t seen = 0;
    while (!atomic_load(&deliverer->is_stopping)) {
        uint64_t changes = store_outbox_changes(deliverer->options.store);
        int64_t now_ms = time_now_ms();
        bool was_ahead = next_ms > now_ms + longest_pause(deliverer);
        if (changes != seen || now_ms >= next_ms || was_ahead) {
            seen = changes;
            next_ms = start_due(deliverer);
        }
        int64_t left_ms = next_ms - time_now_ms();
        int wait_ms = left_ms < LOOK_EVERY_MS ? (int)(left_ms > 0 ? left_ms : 0) : LOOK_EVERY_MS;
        struct queue_item *ended = queue_take_all(&deliverer->ended, wait_ms);
        if (!take_ended(deliverer, ended))
            next_ms = time_now_ms() + UNNOTED_PAUSE_MS; /* else they were posted over and over */
        else if (ended)
            next_ms = 0; /* what waited behind it may go */
    }
    return NULL;
}

static void free_deliverer(struct deliverer *deliverer) {
    store_view_close(deliverer->view);
    fetcher_stop(deliverer->fetcher);
    (void)take_ended(deliverer, queue_take_all(&deliverer->ended, 0)); /* it logs */
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
    deliverer->fetcher = fetcher_start(
        &(struct fetch_options){ .allowed_hosts = options->allowed_hosts, .jobs_max = PLACES });
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

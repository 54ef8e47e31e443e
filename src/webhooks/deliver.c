/* The thread that delivers webhooks.
 *
 * It takes due deliveries from the outbox, has a fetcher of its own post them, and stores how they
 * ended: all that ended meanwhile in one transaction. It asks the database when a counter in memory
 * has grown with the outbox, when the next delivery that it knows of becomes due, and when an
 * attempt has ended.
 *
 * Order: in the store, the pending deliveries of one user to one webhook form a queue, and only the
 * first of a queue is ever due.
 *
 * Slow receivers: a webhook has at most DUE_MAX deliveries in flight, and all webhooks together
 * have SLOTS. A receiver that never answers therefore fills its own few slots and no more.
 *
 * Several processes: only the one with the office of the database delivers (store_has_office). The
 * fetcher aborts what is in flight when this process has lost it.
 *
 * All functions run on this thread, except for post_ended (the fetcher's thread) and those that a
 * command runs (the writer's thread). */
#include "webhooks/deliver.h"

#include "auth/auth.h"
#include "base/container_of.h"
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
    LOOK_EVERY_MS = 100, /* at the counter of the outbox */
    SLOTS = 128,         /* deliveries in flight, to all webhooks */
    CANCEL_AT_ONCE = 500,
    POST_TIMEOUT_MS = 10000,
    REPLY_MAX = 1024 * 1024,
    BROKEN_PAUSE_MS = 1000,
    NOT_STORED_PAUSE_MS = 10000, /* while the disk refuses writes */
};

struct deliverer {
    struct deliver_options options;
    struct store_session *session;
    struct fetcher *fetcher;
    pthread_t thread;
    struct queue ended; /* of postings */
    struct posting *running;
    unsigned running_count;
    atomic_bool is_stopping;
};

/* A delivery in flight. It lies in its own arena. */
struct posting {
    struct fetch_job job;
    struct arena arena;
    struct deliverer *deliverer;
    struct delivery delivery;
    struct posting *next;
    const char *obstacle; /* why it can never be posted; NULL: it can */
    struct delivery_attempt attempt;
    char id_header[sizeof "X-Roster-Delivery: " + INT64_TEXT_MAX];
    char header[sizeof "X-Nexudus-Hook-Signature: " + HMAC_HEX_SIZE];
};

static struct posting *posting_of(struct queue_item *item) {
    return container_of(container_of(item, struct fetch_job, item), struct posting, job);
}

static void post_ended(struct fetch_job *job) {
    struct posting *posting = container_of(job, struct posting, job);
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
        seal_place(&web_hook_table, delivery->webhook_id, WEB_HOOK_SharedSecret, arena);
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

/* X-Roster-Delivery is the same at each attempt. By it a receiver knows a delivery again. */
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

/* NULL when memory is short; start_due_to then tries again later. */
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
    log_error("webhook %lld: no memory for a delivery", (long long)delivery->webhook_id);
    arena = posting->arena;
    arena_close(&arena);
    return NULL;
}

static void posting_free(struct posting *posting) {
    struct arena arena = posting->arena;
    arena_close(&arena);
}

/* Is another delivery of the same queue in flight? */
static bool is_queue_busy(const struct deliverer *deliverer, const struct delivery *delivery) {
    for (const struct posting *posting = deliverer->running; posting; posting = posting->next)
        if (posting->delivery.webhook_id == delivery->webhook_id &&
            posting->delivery.entity_id == delivery->entity_id)
            return true;
    return false;
}

static unsigned running_to(const struct deliverer *deliverer, int64_t webhook_id) {
    unsigned count = 0;
    for (const struct posting *posting = deliverer->running; posting; posting = posting->next)
        count += posting->delivery.webhook_id == webhook_id;
    return count;
}

/* Half of the slots are for webhooks that have no delivery in flight. */
static bool has_slot(const struct deliverer *deliverer, int64_t webhook_id) {
    unsigned own = running_to(deliverer, webhook_id);
    return own < DUE_MAX && deliverer->running_count < (own ? SLOTS / 2 : SLOTS);
}

static bool start_posting(struct deliverer *deliverer, const struct delivery *delivery) {
    struct posting *posting = posting_new(deliverer, delivery);
    if (!posting)
        return false;
    if (posting->obstacle) {
        log_error("webhook %lld: %s", (long long)delivery->webhook_id, posting->obstacle);
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

/* Starts the due deliveries of one webhook. Returns when to look at this webhook again, as a time
 * of the wall clock. The store returns up to DUE_MAX of them, which is enough to fill the slots:
 * one that cannot be started belongs to a queue in flight, and those are fewer. */
static int64_t start_due_to(struct deliverer *deliverer, const struct due_query *query) {
    struct arena arena = { 0 }; /* of this webhook alone, for a few records at a time */
    struct due_deliveries due;
    if (!has_slot(deliverer, query->webhook_id))
        return INT64_MAX; /* the thread looks again when one in flight has ended */
    enum status status = store_due_deliveries(deliverer->session, query, &arena, &due);
    for (unsigned i = 0;
         status == STATUS_OK && i < due.count && has_slot(deliverer, query->webhook_id); i++)
        if (!is_queue_busy(deliverer, &due.list[i]) && !start_posting(deliverer, &due.list[i]))
            status = STATUS_INTERNAL;
    arena_close(&arena);
    return status == STATUS_OK ? due.next_ms : query->now_ms + BROKEN_PAUSE_MS;
}

struct cancelling {
    struct store_command command;
    struct due_query query;
};

static enum status cancel_deliveries(struct store_tx *tx, struct store_command *command) {
    const struct due_query *query = &container_of(command, struct cancelling, command)->query;
    return store_cancel_deliveries(tx, query->webhook_id, query->now_ms, CANCEL_AT_ONCE);
}

/* Cancels some of the deliveries to an inactive webhook: a part at a time, so that the writer
 * serves others in between. Returns when to go on. */
static int64_t cancel_due_to(struct deliverer *deliverer, const struct due_query *query) {
    struct cancelling cancelling = {
        .command = { .on_behalf_of = &store_nobody, .run = cancel_deliveries }, .query = *query
    };
    if (store_run(deliverer->options.store, &cancelling.command) == STATUS_OK)
        return 0; /* there may be more */
    log_error("webhook %lld: its pending deliveries could not be cancelled",
              (long long)query->webhook_id);
    return query->now_ms + BROKEN_PAUSE_MS;
}

static enum status may_tell(struct store_session *session, const struct waiting_webhook *webhook) {
    struct arena arena = { 0 };
    struct principal maker = { .user_id = webhook->maker_id };
    enum status status = auth_decide_user(session, &arena, &maker);
    if (status == STATUS_OK && !webhook_may_tell(&maker))
        status = STATUS_UNAUTHENTICATED;
    arena_close(&arena);
    return status;
}

struct stopping {
    struct store_command command;
    const struct waiting_webhook *webhook;
};

static enum status stop_webhook(struct store_tx *tx, struct store_command *command) {
    const struct waiting_webhook *webhook =
        container_of(command, struct stopping, command)->webhook;
    enum status status = may_tell(tx->session, webhook);
    if (status != STATUS_UNAUTHENTICATED)
        return status;
    return store_stop_webhook(tx, webhook, MESSAGE_TEXT(web_hook_maker));
}

/* Makes a webhook inactive whose maker may no longer read users. Returns when to look at it again;
 * INT64_MAX: its maker may read them. */
static int64_t stop_if_it_may_not(struct deliverer *deliverer,
                                  const struct waiting_webhook *webhook, int64_t now_ms) {
    struct stopping stopping = { .command = { .on_behalf_of = &store_nobody, .run = stop_webhook },
                                 .webhook = webhook };
    enum status status = may_tell(deliverer->session, webhook);
    if (status == STATUS_OK)
        return INT64_MAX;
    if (status == STATUS_UNAUTHENTICATED)
        status = store_run(deliverer->options.store, &stopping.command);
    if (status == STATUS_OK)
        return 0; /* its pending deliveries are to be cancelled */
    log_error("webhook %lld: the permissions of its maker could not be read",
              (long long)webhook->id);
    return now_ms + BROKEN_PAUSE_MS;
}

/* A delivery that is to wait for longer than this was stored while the clock was ahead. */
static int64_t longest_pause(const struct deliverer *deliverer) {
    return webhook_longest_pause(deliverer->options.retry_ms) + NOT_STORED_PAUSE_MS;
}

/* Starts the due deliveries of all webhooks. Returns when to look again, by the wall clock. */
static int64_t start_due(struct deliverer *deliverer) {
    struct arena arena = { 0 };
    struct waiting_webhooks waiting = { 0 };
    struct due_query query = { .now_ms = time_now_ms(),
                               .longest_pause_ms = longest_pause(deliverer) };
    int64_t next_ms = query.now_ms + query.longest_pause_ms;
    if (store_waiting_webhooks(deliverer->session, &arena, &waiting) != STATUS_OK)
        next_ms = query.now_ms + BROKEN_PAUSE_MS;
    for (size_t i = 0; i < waiting.count; i++) {
        const struct waiting_webhook *webhook = &waiting.list[i];
        query.webhook_id = webhook->id;
        int64_t then_ms = INT64_MAX;
        if (webhook->is_active)
            then_ms = stop_if_it_may_not(deliverer, webhook, query.now_ms);
        if (webhook->is_active && then_ms == INT64_MAX)
            then_ms = start_due_to(deliverer, &query);
        else if (!webhook->is_active)
            then_ms = cancel_due_to(deliverer, &query);
        next_ms = then_ms < next_ms ? then_ms : next_ms;
    }
    arena_close(&arena);
    return next_ms;
}

/* Stores how all these deliveries ended, in one transaction. */
struct settling {
    struct store_command command;
    struct queue_item *ended;
};

static bool was_delivered(const struct posting *posting) {
    return !posting->obstacle && posting->job.outcome == FETCH_OK;
}

/* The end of this server, or of its office, aborted it. It stays pending, and is made again. */
static bool was_aborted(const struct posting *posting) {
    return !posting->obstacle && posting->job.outcome == FETCH_STOPPED;
}

static enum status settle_one(struct store_tx *tx, const struct posting *posting) {
    if (was_delivered(posting))
        return store_delivered(tx, &posting->delivery, posting->attempt.now_ms);
    if (was_aborted(posting))
        return STATUS_OK;
    return store_not_delivered(tx, &posting->delivery, &posting->attempt);
}

static enum status settle_all(struct store_tx *tx, struct store_command *command) {
    enum status status = STATUS_OK;
    for (struct queue_item *item = container_of(command, struct settling, command)->ended;
         item && status == STATUS_OK; item = item->next)
        status = settle_one(tx, posting_of(item));
    return status;
}

/* Describes the attempt for the store, in case it failed. */
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

static void count_outcome(struct delivery_counts *counts, const struct posting *posting) {
    if (was_delivered(posting))
        atomic_fetch_add(&counts->delivered, 1);
    else if (!was_aborted(posting))
        atomic_fetch_add(&counts->failed, 1);
}

static bool note_outcomes(struct deliverer *deliverer, struct queue_item *ended) {
    struct settling settling = { .command = { .on_behalf_of = &store_nobody, .run = settle_all },
                                 .ended = ended };
    for (struct queue_item *item = ended; item; item = item->next) {
        posting_of(item)->attempt = attempt_of(posting_of(item));
        count_outcome(deliverer->options.counts, posting_of(item));
    }
    if (store_run(deliverer->options.store, &settling.command) == STATUS_OK)
        return true;
    log_error("the outcomes of webhook deliveries could not be stored; they are delivered again");
    return false;
}

/* Frees the postings that ended. False when their outcomes could not be stored. */
static bool take_ended(struct deliverer *deliverer, struct queue_item *item) {
    bool noted = !item || note_outcomes(deliverer, item);
    for (struct queue_item *next; item; item = next) {
        struct posting *posting = posting_of(item);
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

static bool has_office(void *argument) {
    const struct deliverer *deliverer = argument;
    return store_has_office(deliverer->options.store);
}

static void *run_deliverer(void *argument) {
    struct deliverer *deliverer = argument;
    (void)pthread_setname_np(pthread_self(), "webhooks");
    int64_t next_ms = 0; /* the first look is for what lay there before the start */
    uint64_t seen = 0;
    while (!atomic_load(&deliverer->is_stopping)) {
        uint64_t changes = store_outbox_changes(deliverer->options.store);
        int64_t now_ms = time_now_ms();
        bool was_ahead = next_ms > now_ms + longest_pause(deliverer);
        if (!has_office(deliverer)) {
            next_ms = INT64_MAX; /* with the office again, it counts as too far ahead */
        } else if (changes != seen || now_ms >= next_ms || was_ahead) {
            seen = changes;
            next_ms = start_due(deliverer);
        }
        int64_t left_ms = next_ms - time_now_ms();
        int wait_ms = left_ms < LOOK_EVERY_MS ? (int)(left_ms > 0 ? left_ms : 0) : LOOK_EVERY_MS;
        struct queue_item *ended = queue_take_all(&deliverer->ended, wait_ms);
        if (!take_ended(deliverer, ended))
            next_ms =
                time_now_ms() + NOT_STORED_PAUSE_MS; /* else they would be posted over and over */
        else if (ended)
            next_ms = 0; /* the next ones of their queues may be due */
    }
    return NULL;
}

static void free_deliverer(struct deliverer *deliverer) {
    store_session_close(deliverer->session);
    fetcher_stop(deliverer->fetcher);
    (void)take_ended(deliverer, queue_take_all(&deliverer->ended, 0)); /* logs a failure */
    queue_destroy(&deliverer->ended);
    free(deliverer);
}

void deliverer_allow(struct deliverer *deliverer, const char *hosts) {
    fetcher_allow(deliverer->fetcher, hosts);
}

struct deliverer *deliverer_start(const struct deliver_options *options) {
    struct deliverer *deliverer = calloc(1, sizeof *deliverer);
    if (!deliverer || !queue_init(&deliverer->ended, 0)) {
        free(deliverer);
        return NULL;
    }
    deliverer->options = *options;
    deliverer->session = store_session_open(options->store);
    deliverer->fetcher = fetcher_start(&(struct fetch_options){
        .allowed_hosts = options->allowed_hosts,
        .jobs_max = SLOTS,
        .may_run = has_office,
        .argument = deliverer,
    });
    if (deliverer->session && deliverer->fetcher &&
        pthread_create(&deliverer->thread, NULL, run_deliverer, deliverer) == 0)
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

/* Logs sign-in events. Anybody can cause them without signing in, so lines are limited: repeated
 * events are counted into one line a second, and there are at most 100 lines a second in all. */
#include "auth/sign_in_log.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/network.h"
#include "base/time.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 256, AGAIN_MS = 1000, LINES_AT_ONCE = 100 };

struct log_entry {
    enum sign_in_event event;
    int64_t user_id;
    struct in6_addr key;
    char from[NETWORK_TEXT_MAX];
    char request[LOG_REQUEST_MAX + 1]; /* the Id of the last one's request; empty: none */
    int64_t since_ms;                  /* when its last line was written; 0: the place is free */
    unsigned more;                     /* further events since then */
};

struct sign_in_log {
    pthread_mutex_t lock;
    struct log_entry kept[KEPT];
    int64_t since_ms; /* when the second began whose lines are counted */
    unsigned lines, unlogged;
    atomic_uint_fast64_t counts[SIGN_IN_EVENTS];
};

static const struct {
    const char *name, *text;
} events[SIGN_IN_EVENTS] = {
#define EVENT(name, text) [SIGN_IN_EVENT_##name] = { #name, text },
#include "auth/sign_in_events.def"
#undef EVENT
};

const char *sign_in_event_name(enum sign_in_event event) {
    return events[event].name;
}

uint64_t sign_in_log_count(const struct sign_in_log *log, enum sign_in_event event) {
    return log ? atomic_load_explicit(&log->counts[event], memory_order_relaxed) : 0;
}

struct sign_in_log *sign_in_log_new(void) {
    struct sign_in_log *log = calloc(1, sizeof *log);
    if (log && pthread_mutex_init(&log->lock, NULL) == 0)
        return log;
    free(log);
    return NULL;
}

static void write_line(const struct log_entry *entry) {
    const char *what = events[entry->event].text;
    char user[32] = "no user", request[LOG_REQUEST_MAX + 16] = "", count[48] = "", line[512];
    if (entry->user_id)
        (void)snprintf(user, sizeof user, "user %lld", (long long)entry->user_id);
    if (*entry->request)
        (void)snprintf(request, sizeof request, ", request %s", entry->request);
    if (entry->more)
        (void)snprintf(count, sizeof count, ", and %u more before", entry->more);
    (void)snprintf(line, sizeof line, "%s; %s, from %s%s%s", what, user, entry->from, request,
                   count);
    const struct log_field fields[] = {
        { "message", LOG_text, .text = text_of(what) },
        { "reason", LOG_text, .text = text_of(events[entry->event].name) },
        { "user", entry->user_id ? LOG_number : LOG_none, .number = entry->user_id },
        { "address", LOG_text, .text = text_of(entry->from) },
        { "request", *entry->request ? LOG_text : LOG_none, .text = text_of(entry->request) },
        { "more_before", entry->more ? LOG_number : LOG_none, .number = entry->more },
    };
    log_event(LOG_LEVEL_info, "sign-in", line, fields, sizeof fields / sizeof fields[0]);
}

static void begin_second(struct sign_in_log *log, int64_t now_ms) {
    if (log->unlogged)
        log_info("sign-in: %u more events, of too many to tell one by one", log->unlogged);
    log->lines = log->unlogged = 0;
    log->since_ms = now_ms;
}

static void write_or_count(struct sign_in_log *log, struct log_entry *entry, int64_t now_ms) {
    if (now_ms - log->since_ms >= AGAIN_MS)
        begin_second(log, now_ms);
    if (log->lines < LINES_AT_ONCE) {
        log->lines++;
        write_line(entry);
    } else
        log->unlogged += 1 + entry->more;
    entry->since_ms = now_ms;
    entry->more = 0;
}

static bool is_same(const struct log_entry *a, const struct log_entry *b) {
    return a->since_ms && a->event == b->event && a->user_id == b->user_id &&
           memcmp(&a->key, &b->key, sizeof a->key) == 0;
}

/* Finds the place of the event, or the place whose last line is the oldest. */
static struct log_entry *find(struct sign_in_log *log, const struct log_entry *wanted) {
    struct log_entry *oldest = log->kept;
    for (int i = 0; i < KEPT; i++) {
        if (is_same(&log->kept[i], wanted))
            return &log->kept[i];
        if (log->kept[i].since_ms < oldest->since_ms)
            oldest = &log->kept[i];
    }
    return oldest;
}

void sign_in_log_add(struct sign_in_log *log, enum sign_in_event event, int64_t user_id,
                     const struct log_origin *origin) {
    struct log_entry wanted = { .event = event, .user_id = user_id };
    if (!log)
        return;
    atomic_fetch_add_explicit(&log->counts[event], 1, memory_order_relaxed);
    (void)network_key_of(origin->from, &wanted.key);
    (void)network_write_address(origin->from, wanted.from);
    (void)snprintf(wanted.request, sizeof wanted.request, "%s",
                   origin->request ? origin->request : "");
    int64_t now_ms = time_monotonic_ms();
    mutex_lock(&log->lock);
    struct log_entry *place = find(log, &wanted);
    if (is_same(place, &wanted) && now_ms - place->since_ms < AGAIN_MS) {
        place->more++;
        memcpy(place->request, wanted.request, sizeof place->request);
    } else {
        if (!is_same(place, &wanted) && place->more) {
            place->more--; /* one of them is the line */
            write_or_count(log, place, now_ms);
        }
        if (!is_same(place, &wanted))
            *place = wanted;
        memcpy(place->request, wanted.request, sizeof place->request);
        write_or_count(log, place, now_ms);
    }
    mutex_unlock(&log->lock);
}

static void flush(struct sign_in_log *log, int64_t before_ms, int64_t now_ms) {
    for (int i = 0; i < KEPT; i++) {
        struct log_entry *entry = &log->kept[i];
        if (!entry->more || entry->since_ms > before_ms)
            continue;
        entry->more--; /* one of them is the line */
        write_or_count(log, entry, now_ms);
    }
    if (log->since_ms <= before_ms)
        begin_second(log, now_ms);
}

void sign_in_log_flush(struct sign_in_log *log) {
    int64_t now_ms = time_monotonic_ms();
    mutex_lock(&log->lock);
    flush(log, now_ms - AGAIN_MS, now_ms);
    mutex_unlock(&log->lock);
}

void sign_in_log_free(struct sign_in_log *log) {
    if (!log)
        return;
    flush(log, INT64_MAX, time_monotonic_ms());
    (void)pthread_mutex_destroy(&log->lock);
    free(log);
}

/* Requests counted in windows of fixed length, for each caller. */
#include "api/rate_limit.h"

#include "base/mutex.h"

#include <stdlib.h>

static const struct {
    int64_t period_ms;
    int64_t most;
    bool only_writes;
} windows[] = {
#define LIMIT(period_ms, most, only_writes) { period_ms, most, only_writes },
#include "api/rate_limit.def"
#undef LIMIT
};
enum { WINDOWS = sizeof windows / sizeof windows[0], SHARDS = 64 };

struct caller {
    struct caller *next;
    int64_t user_id;
    int64_t window[WINDOWS]; /* the number of the period that is counted */
    int64_t count[WINDOWS];
};

/* Callers are users, so there are never more than there are users that signed in. */
struct limits {
    struct shard {
        pthread_mutex_t lock;
        struct caller *callers;
    } shards[SHARDS];
    int first; /* of the windows that hold */
};

struct limits *limits_new(enum limits_kind kind) {
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits)
        limits->first = kind == LIMITS_but_bursts;
    for (int i = 0; limits && i < SHARDS; i++)
        if (pthread_mutex_init(&limits->shards[i].lock, NULL) != 0) {
            free(limits);
            return NULL;
        }
    return limits;
}

void limits_free(struct limits *limits) {
    if (!limits)
        return;
    for (int i = 0; i < SHARDS; i++) {
        for (struct caller *caller = limits->shards[i].callers, *next; caller; caller = next) {
            next = caller->next;
            free(caller);
        }
        (void)pthread_mutex_destroy(&limits->shards[i].lock);
    }
    free(limits);
}

/* NULL when memory is short: then nobody is counted. */
static struct caller *find_caller(struct shard *shard, int64_t user_id) {
    struct caller *caller = shard->callers;
    while (caller && caller->user_id != user_id)
        caller = caller->next;
    if (caller)
        return caller;
    caller = calloc(1, sizeof *caller);
    if (caller) {
        caller->user_id = user_id;
        caller->next = shard->callers;
        shard->callers = caller;
    }
    return caller;
}

/* How many ms the caller has to wait for all windows; 0: none. */
static int64_t find_wait(struct caller *caller, int first, int64_t now_ms, bool is_write) {
    int64_t wait_ms = 0;
    for (int i = first; i < WINDOWS; i++) {
        int64_t window = now_ms / windows[i].period_ms;
        if (caller->window[i] != window) {
            caller->window[i] = window;
            caller->count[i] = 0;
        }
        int64_t left_ms = windows[i].period_ms - now_ms % windows[i].period_ms;
        if ((is_write || !windows[i].only_writes) && caller->count[i] >= windows[i].most &&
            left_ms > wait_ms)
            wait_ms = left_ms;
    }
    return wait_ms;
}

int64_t limits_count(struct limits *limits, int64_t user_id, bool is_write, int64_t now_ms) {
    if (!limits)
        return 0;
    struct shard *shard = &limits->shards[(uint64_t)user_id % SHARDS];
    mutex_lock(&shard->lock);
    struct caller *caller = find_caller(shard, user_id);
    int64_t wait_ms = caller ? find_wait(caller, limits->first, now_ms, is_write) : 0;
    for (int i = 0; caller && !wait_ms && i < WINDOWS; i++)
        caller->count[i] += is_write || !windows[i].only_writes;
    mutex_unlock(&shard->lock);
    return (wait_ms + 999) / 1000;
}

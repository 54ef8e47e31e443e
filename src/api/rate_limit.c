/* Counts the requests of each caller in windows of fixed length: each window begins at a multiple
 * of its period, and the counts of a window that has ended are dropped. */
#include "api/rate_limit.h"

#include "base/mutex.h"

#include <stdlib.h>

static const struct {
    int64_t period_ms;
    int64_t most; /* requests in one period */
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
    int64_t window[WINDOWS]; /* the number of the period that `count` belongs to */
    int64_t count[WINDOWS];
};

/* Callers are users, so there are at most as many as there are users. The shards spread them over
 * locks. */
struct rate_limit {
    struct shard {
        pthread_mutex_t lock;
        struct caller *callers;
    } shards[SHARDS];
    int first; /* the first of `windows` that applies */
};

struct rate_limit *rate_limit_new(enum rate_limit_kind kind) {
    struct rate_limit *rate_limit = calloc(1, sizeof *rate_limit);
    if (rate_limit)
        rate_limit->first = kind == RATE_LIMIT_but_bursts;
    for (int i = 0; rate_limit && i < SHARDS; i++)
        if (pthread_mutex_init(&rate_limit->shards[i].lock, NULL) != 0) {
            free(rate_limit);
            return NULL;
        }
    return rate_limit;
}

void rate_limit_free(struct rate_limit *rate_limit) {
    if (!rate_limit)
        return;
    for (int i = 0; i < SHARDS; i++) {
        for (struct caller *caller = rate_limit->shards[i].callers, *next; caller; caller = next) {
            next = caller->next;
            free(caller);
        }
        (void)pthread_mutex_destroy(&rate_limit->shards[i].lock);
    }
    free(rate_limit);
}

/* Makes a caller at the first request. NULL: no memory; the request is then served uncounted. */
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

/* How many ms the caller has to wait until every window has room; 0: it has. */
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

int64_t rate_limit_count(struct rate_limit *rate_limit, int64_t user_id, bool is_write,
                         int64_t now_ms) {
    if (!rate_limit)
        return 0;
    struct shard *shard = &rate_limit->shards[(uint64_t)user_id % SHARDS];
    mutex_lock(&shard->lock);
    struct caller *caller = find_caller(shard, user_id);
    int64_t wait_ms = caller ? find_wait(caller, rate_limit->first, now_ms, is_write) : 0;
    for (int i = 0; caller && !wait_ms && i < WINDOWS; i++)
        caller->count[i] += is_write || !windows[i].only_writes;
    mutex_unlock(&shard->lock);
    return (wait_ms + 999) / 1000;
}

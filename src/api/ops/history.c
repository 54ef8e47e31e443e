/* The samples of a day, as a ring. */
#include "api/ops/history.h"

#include "base/mutex.h"

#include <stdlib.h>

const struct history_column history_columns[HISTORY_COLUMNS] = {
#define COUNTED(name, value, help) { #name, help, HISTORY_COUNTED },
#define LEVEL(name, value, help) { #name, help, HISTORY_LEVEL },
#define P99(name, help) { #name, help, HISTORY_P99 },
#include "api/ops/history.def"
#undef COUNTED
#undef LEVEL
#undef P99
};

struct history {
    pthread_mutex_t lock;
    int64_t since_ms;             /* when the present sample began */
    struct history_totals before; /* at that time */
    unsigned first, count;
    struct history_sample samples[HISTORY_SAMPLES];
};

struct history *history_new(int64_t now_ms) {
    struct history *history = calloc(1, sizeof *history);
    if (!history)
        return NULL;
    history->since_ms = now_ms;
    if (pthread_mutex_init(&history->lock, NULL) == 0)
        return history;
    free(history);
    return NULL;
}

void history_free(struct history *history) {
    if (!history)
        return;
    (void)pthread_mutex_destroy(&history->lock);
    free(history);
}

/* 0: the sample that began at `before` was begun after `now` was read, on another thread. */
static uint64_t grown(uint64_t now, uint64_t before) {
    return now > before ? now - before : 0;
}

/* Within the bucket that it falls into, the requests are taken to be evenly spread, as Prometheus'
 * histogram_quantile does. Of the last one only the lower bound is known. */
static int64_t p99_us(const uint64_t now[], const uint64_t before[]) {
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
        all += grown(now[i], before[i]);
    if (!all)
        return -1;
    double rank = 0.99 * (double)all;
    for (unsigned i = 0; i < COUNTERS_BUCKETS; i++) {
        uint64_t in = grown(now[i], before[i]);
        double from = i ? (double)counters_bound_us[i - 1] : 0, to = (double)counters_bound_us[i];
        if (in && (double)(seen + in) >= rank)
            return (int64_t)(from + (to - from) * (rank - (double)seen) / (double)in);
        seen += in;
    }
    return counters_bound_us[COUNTERS_BUCKETS - 1];
}

/* The present sample, as if it ended now. Runs with the lock held. */
static struct history_sample present(const struct history *history, int64_t now_ms,
                                     const struct history_totals *totals) {
    int64_t length_ms = now_ms - history->since_ms;
    struct history_sample sample = { .until_ms = now_ms,
                                     .length_ms = length_ms > 0 ? length_ms : 0 };
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++)
        switch (history_columns[i].kind) {
        case HISTORY_COUNTED:
            sample.values[i] =
                (int64_t)grown((uint64_t)totals->values[i], (uint64_t)history->before.values[i]);
            break;
        case HISTORY_LEVEL:
            sample.values[i] = totals->values[i] < 0 ? -1 : totals->values[i];
            break;
        case HISTORY_P99:
            sample.values[i] = p99_us(totals->buckets, history->before.buckets);
            break;
        }
    return sample;
}

bool history_is_due(struct history *history, int64_t now_ms) {
    mutex_lock(&history->lock);
    bool is_due = now_ms - history->since_ms >= HISTORY_PERIOD_MS;
    mutex_unlock(&history->lock);
    return is_due;
}

void history_add(struct history *history, int64_t now_ms, const struct history_totals *totals) {
    mutex_lock(&history->lock);
    unsigned place = (history->first + history->count) % HISTORY_SAMPLES;
    history->samples[place] = present(history, now_ms, totals);
    if (history->count < HISTORY_SAMPLES)
        history->count++;
    else
        history->first = (history->first + 1) % HISTORY_SAMPLES;
    history->since_ms = now_ms;
    history->before = *totals;
    mutex_unlock(&history->lock);
}

unsigned history_read(struct history *history, int64_t now_ms, const struct history_totals *totals,
                      struct history_sample samples[HISTORY_SAMPLES + 1]) {
    unsigned count = 0;
    mutex_lock(&history->lock);
    for (unsigned i = 0; i < history->count; i++) {
        unsigned place = (history->first + i) % HISTORY_SAMPLES;
        if (now_ms - history->samples[place].until_ms < HISTORY_DAY_MS)
            samples[count++] = history->samples[place];
    }
    samples[count++] = present(history, now_ms, totals);
    mutex_unlock(&history->lock);
    return count;
}

#ifndef ROSTER_API_HISTORY_H
#define ROSTER_API_HISTORY_H

#include "api/counters.h"

/**
 * The figures of this process for the last day: samples of five minutes each, in memory of a fixed
 * size (32 KB), which is lost when the process ends. The times are those of a clock that nobody
 * sets (time_boot_ms), so a sample has its length whatever happens to the wall clock.
 */
struct history;

enum {
#define COUNTED(name, value, help) HISTORY_##name,
#define LEVEL(name, value, help) HISTORY_##name,
#define P99(name, help) HISTORY_##name,
#include "api/ops/history.def"
#undef COUNTED
#undef LEVEL
#undef P99
    HISTORY_COLUMNS
};

enum {
    HISTORY_PERIOD_MS = 5 * 60 * 1000,
    HISTORY_DAY_MS = 24 * 3600 * 1000,
    HISTORY_SAMPLES = HISTORY_DAY_MS / HISTORY_PERIOD_MS,
};

/** A column of the history. */
struct history_column {
    const char *name, *help;
    enum history_kind { HISTORY_COUNTED, HISTORY_LEVEL, HISTORY_P99 } kind;
};
extern const struct history_column history_columns[HISTORY_COLUMNS];

/** The figures that the columns are computed from, read together. The value of HISTORY_P99 stays 0.
 */
struct history_totals {
    int64_t values[HISTORY_COLUMNS];
    uint64_t buckets[COUNTERS_BUCKETS + 1]; /* requests by duration, since the start */
};

/** A sample. A value of -1 is not known. */
struct history_sample {
    int64_t until_ms, length_ms;
    int64_t values[HISTORY_COLUMNS];
};

/** An empty history, whose first sample begins now with totals of 0. NULL: no memory or lock. */
struct history *history_new(int64_t now_ms) MUST_CHECK;

/** Takes NULL. */
void history_free(struct history *history);

/** Has the present sample lasted for a period? Any thread. */
bool history_is_due(struct history *history, int64_t now_ms);

/** Ends the present sample, which takes the place of the oldest one of a day. Any thread. */
void history_add(struct history *history, int64_t now_ms, const struct history_totals *totals);

/**
 * Copies the samples that ended within the last day, the oldest first, and then the present one as
 * far as it has come. Returns their number, at least 1. Any thread.
 */
unsigned history_read(struct history *history, int64_t now_ms, const struct history_totals *totals,
                      struct history_sample samples[HISTORY_SAMPLES + 1]);

#endif

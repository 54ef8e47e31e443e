/* Samples the figures of the process, and replies with those of the last day (GET
 * /api/utils/figures). The present sample is computed for each reply, so what has just happened is
 * in it. */
#include "api/ops/sampling.h"

#include "api/handlers.h"
#include "api/ops/figures.h"
#include "api/ops/history.h"
#include "api/reply.h"
#include "auth/sign_in.h"
#include "base/time.h"
#include "json/json.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

/* ---- Sampling ---- */

struct traffic {
    uint64_t requests, errors;
    uint64_t buckets[COUNTERS_BUCKETS + 1];
};

enum { FIRST_ERROR = 500 };

static void add_traffic(struct traffic *traffic, const struct route_counts *counts) {
    for (unsigned i = 0; i < COUNTERS_STATUSES; i++)
        traffic->errors += i + COUNTERS_STATUS_FIRST >= FIRST_ERROR ? counts->replies[i] : 0;
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++) {
        traffic->buckets[i] += counts->buckets[i];
        traffic->requests += counts->buckets[i];
    }
}

/* Probes and scrapes come however little there is to do, and say nothing of how long clients wait.
 */
static struct traffic traffic_now(struct app *app) {
    struct traffic traffic = { 0 };
    struct route_counts counts;
    app_lock_workers(app);
    for (unsigned route = 0; route <= route_count; route++) {
        if (route < route_count && routes[route].is_vital)
            continue;
        figures_sum_route(app, route, &counts);
        add_traffic(&traffic, &counts);
    }
    app_unlock_workers(app);
    return traffic;
}

static uint64_t sign_ins(const struct figures *now) {
    return atomic_load_explicit(&now->app->auth.counts->of[SIGN_IN_OK], memory_order_relaxed);
}

/* Not those that need one more step: a code or a new password that is due. */
static uint64_t refused_sign_ins(const struct figures *now) {
    static const enum sign_in_event refusals[] = {
        SIGN_IN_EVENT_unknown, SIGN_IN_EVENT_password,  SIGN_IN_EVENT_locked,
        SIGN_IN_EVENT_code,    SIGN_IN_EVENT_admission, SIGN_IN_EVENT_address,
    };
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        count += sign_in_log_count(now->app->auth.log, refusals[i]);
    return count;
}

/* A figure that the store's engine has of its own. */
static int64_t store_figure(const struct figures *now, const char *name) {
    for (unsigned i = 0; i < now->store.own_count; i++)
        if (strcmp(now->store.own[i].name, name) == 0)
            return now->store.own[i].value;
    return -1;
}

static void add_totals(struct history_totals *totals, const struct figures *now,
                       const struct traffic *traffic) {
#define COUNTED(name, value, help) totals->values[HISTORY_##name] = (int64_t)(value);
#define LEVEL(name, value, help) totals->values[HISTORY_##name] = (int64_t)(value);
#define P99(name, help)
#include "api/ops/history.def"
#undef COUNTED
#undef LEVEL
#undef P99
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
        totals->buckets[i] = traffic->buckets[i];
}

static struct history_totals totals_of(const struct figures *now) {
    struct history_totals totals = { 0 };
    const struct traffic traffic = traffic_now(now->app);
    add_totals(&totals, now, &traffic);
    return totals;
}

bool sampling_start(struct app *app) {
    if (gethostname(app->host, sizeof app->host) != 0)
        app->host[0] = '\0';
    app->host[sizeof app->host - 1] = '\0';
    app->history = history_new(time_boot_ms());
    return app->history;
}

void sampling_run(struct app *app) {
    int64_t now_ms = time_boot_ms();
    if (!history_is_due(app->history, now_ms))
        return;
    const struct figures now = figures_now(app, 0);
    const struct history_totals totals = totals_of(&now);
    history_add(app->history, now_ms, &totals);
}

void sampling_stop(struct app *app) {
    history_free(app->history);
    app->history = NULL;
}

/* ---- The reply ---- */

/* Samples whose times are by time_boot_ms, and how far the wall clock is ahead of that. */
struct reading {
    struct history_sample *samples;
    unsigned count;
    int64_t ahead_ms;
};

static void add_time(struct buffer *body, int64_t ms) {
    char text[TIME_TEXT_MAX];
    buffer_printf(body, "\"%.*s\"", (int)time_format(ms, text), text);
}

static void add_times(struct buffer *body, const struct reading *reading) {
    buffer_add(body, TEXT("\"Until\":["));
    for (unsigned i = 0; i < reading->count; i++) {
        buffer_add(body, i ? TEXT(",") : TEXT(""));
        add_time(body, reading->samples[i].until_ms + reading->ahead_ms);
    }
    buffer_add(body, TEXT("],\"Seconds\":["));
    for (unsigned i = 0; i < reading->count; i++)
        buffer_printf(body, "%s%.3f", i ? "," : "", (double)reading->samples[i].length_ms / 1000);
    buffer_add_char(body, ']');
}

static void add_column(struct buffer *body, const struct reading *reading, unsigned column) {
    buffer_printf(body, ",\"%s\":[", history_columns[column].name);
    for (unsigned i = 0; i < reading->count; i++) {
        int64_t value = reading->samples[i].values[column];
        buffer_add(body, i ? TEXT(",") : TEXT(""));
        if (value < 0)
            buffer_add(body, TEXT("null"));
        else
            buffer_printf(body, "%lld", (long long)value);
    }
    buffer_add_char(body, ']');
}

static bool is_ready(const struct figures *now) {
    const struct store *store = now->app->store;
    return !now->store.refuses && !now->store.is_damaged && !store_is_broken(store) &&
           !store_is_outdated(store) && !store_is_away(store) &&
           !atomic_load(&now->app->is_leaving);
}

static void add_process(struct buffer *body, const struct figures *now) {
    buffer_add(body, TEXT("{\"Version\":\"" ROSTER_VERSION "\",\"Host\":"));
    json_add_string(body, text_of(now->app->host));
    buffer_printf(body, ",\"ProcessId\":%lld,\"StartedOn\":", (long long)getpid());
    add_time(body, now->app->started_ms);
    buffer_printf(body, ",\"IsReady\":%s,\"LastBackup\":", is_ready(now) ? "true" : "false");
    if (now->last_backup_s < 0)
        buffer_add(body, TEXT("null"));
    else
        add_time(body, (int64_t)now->last_backup_s * 1000);
    buffer_printf(body, ",\"PeriodSeconds\":%d", HISTORY_PERIOD_MS / 1000);
}

void figures_get(struct request *request) {
    struct app *app = request->app;
    struct buffer body;
    struct reading reading = {
        .samples = arena_calloc(request->arena, HISTORY_SAMPLES + 1, sizeof *reading.samples),
        .ahead_ms = time_now_ms() - time_boot_ms(),
    };
    if (!reading.samples) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    const struct figures now = figures_now(app, 0);
    const struct history_totals totals = totals_of(&now);
    reading.count = history_read(app->history, time_boot_ms(), &totals, reading.samples);
    buffer_init(&body, request->arena, (size_t)32 * 1024);
    add_process(&body, &now);
    buffer_add(&body, TEXT(",\"Figures\":{"));
    add_times(&body, &reading);
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++)
        add_column(&body, &reading, i);
    buffer_add(&body, TEXT("}}"));
    reply_json(request, 200, &body);
}

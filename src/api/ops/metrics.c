/* GET /metrics in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats). */
#include "api/ops/metrics.h"

#include "api/counters.h"
#include "api/handlers.h"
#include "api/ops/figures.h"
#include "api/reply.h"

#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/log.h"
#include "http/address_counts.h"
#include "version.h"

#include <stdatomic.h>
#include <stdio.h>

void metrics_count(struct exchange *exchange) {
    const struct request *request = exchange->request;
    if (!request || !request->worker)
        return; /* refused by the listener, or no memory for a request */
    unsigned route = request->route ? (unsigned)(request->route - routes) : route_count;
    counters_add_reply(request->worker->counters, route, exchange->reply.http_status,
                       exchange->replied_us - exchange->began_us);
}

void metrics_count_end(struct exchange *exchange, bool was_sent) {
    const struct request *request = exchange->request;
    if (!was_sent && request && request->worker)
        counters_add_unsent(request->worker->counters);
}

/* ---- The page ---- */

static void add_route(struct buffer *body, unsigned route) {
    if (route < route_count)
        buffer_printf(body, "{method=\"%s\",route=\"%s\"", method_name(routes[route].method),
                      routes[route].path.at);
    else
        buffer_printf(body, "{method=\"\",route=\"\"");
}

static void add_replies(struct buffer *body, const struct figures *now) {
    struct route_counts counts;
    for (unsigned route = 0; route <= route_count; route++) {
        figures_sum_route(now->app, route, &counts);
        for (unsigned i = 0; i < COUNTERS_STATUSES; i++) {
            if (!counts.replies[i])
                continue;
            buffer_printf(body, "roster_http_requests_total");
            add_route(body, route);
            buffer_printf(body, ",status=\"%u\"} %llu\n", i + COUNTERS_STATUS_FIRST,
                          (unsigned long long)counts.replies[i]);
        }
    }
}

static void add_times_of(struct buffer *body, const struct app *app, unsigned route) {
    struct route_counts counts;
    uint64_t count = 0;
    figures_sum_route(app, route, &counts);
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
        count += counts.buckets[i];
    if (!count)
        return;
    count = 0;
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++) {
        count += counts.buckets[i];
        buffer_printf(body, "roster_http_request_seconds_bucket");
        add_route(body, route);
        if (i < COUNTERS_BUCKETS)
            buffer_printf(body, ",le=\"%g\"} %llu\n", (double)counters_bound_us[i] / 1e6,
                          (unsigned long long)count);
        else
            buffer_printf(body, ",le=\"+Inf\"} %llu\n", (unsigned long long)count);
    }
    buffer_printf(body, "roster_http_request_seconds_sum");
    add_route(body, route);
    buffer_printf(body, "} %g\nroster_http_request_seconds_count", (double)counts.us / 1e6);
    add_route(body, route);
    buffer_printf(body, "} %llu\n", (unsigned long long)count);
}

static void add_times(struct buffer *body, const struct figures *now) {
    for (unsigned route = 0; route <= route_count; route++)
        add_times_of(body, now->app, route);
}

static void add_groups(struct buffer *body, const struct figures *now) {
    const struct store_stats *stats = &now->store;
    uint64_t count = 0;
    for (unsigned i = 0; i < STORE_GROUP_SIZES; i++) {
        char bound[16] = "+Inf";
        if (i < STORE_GROUP_SIZES - 1)
            (void)snprintf(bound, sizeof bound, "%u", 1U << i);
        count += stats->groups[i];
        buffer_printf(body, "roster_store_commit_commands_bucket{le=\"%s\"} %llu\n", bound,
                      (unsigned long long)count);
    }
    buffer_printf(body,
                  "roster_store_commit_commands_sum %llu\n"
                  "roster_store_commit_commands_count %llu\n",
                  (unsigned long long)stats->grouped, (unsigned long long)count);
}

/* Runs with the workers' lock held. */
static uint64_t count_unsent(const struct app *app) {
    uint64_t count = 0;
    for (const struct worker *worker = app->workers; worker; worker = worker->next)
        count += counters_unsent(worker->counters);
    return count;
}

/* Valid requests that were refused because of a limit. */
static void add_refusals(struct buffer *body, const struct figures *now) {
    struct app *app = now->app;
    const struct {
        const char *reason;
        uint64_t count;
    } rows[] = {
        { "memory", now->budget.refused },
        { "connections", address_counts_refused(app->address_counts) },
        { "body", atomic_load(&app->refused[REFUSAL_body]) },
        { "large_body", atomic_load(&app->refused[REFUSAL_large_body]) },
        { "rate", atomic_load(&app->refused[REFUSAL_rate]) },
        { "attempts", atomic_load(&app->refused[REFUSAL_attempts]) },
        { "changes", now->store.refused },
        { "searches", now->store.reads_refused },
        { "passwords", now->passwords.refused },
        { "dear_passwords", now->passwords.dear_refused },
        { "picture_fetches", fetch_stats(app->fetcher).refused },
        { "pictures", pool_refused(app->pictures) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        buffer_printf(body, "roster_refused_total{reason=\"%s\"} %llu\n", rows[i].reason,
                      (unsigned long long)rows[i].count);
}

static void add_sign_ins(struct buffer *body, const struct figures *now) {
    const struct sign_in_counts *counts = now->app->auth.counts;
    static const char *const labels[] = {
        [SIGN_IN_OK] = "ok",
        [SIGN_IN_WRONG] = "wrong",
        [SIGN_IN_TWO_FACTOR] = "two_factor",
        [SIGN_IN_MUST_RESET] = "must_reset",
        [SIGN_IN_BUSY] = "busy",
        [SIGN_IN_BROKEN] = "broken",
        [SIGN_IN_LOCKED] = "locked_out",
    };
    _Static_assert(sizeof labels / sizeof labels[0] == SIGN_IN_COUNTS, "a label each");
    for (unsigned i = 0; i < SIGN_IN_COUNTS; i++)
        buffer_printf(
            body, "roster_sign_ins_total{result=\"%s\"} %llu\n", labels[i],
            (unsigned long long)atomic_load_explicit(&counts->of[i], memory_order_relaxed));
}

static void add_sign_in_events(struct buffer *body, const struct figures *now) {
    for (enum sign_in_event event = 0; event < SIGN_IN_EVENTS; event++)
        buffer_printf(body, "roster_sign_in_events_total{event=\"%s\"} %llu\n",
                      sign_in_event_name(event),
                      (unsigned long long)sign_in_log_count(now->app->auth.log, event));
}

static void add_attempts(struct buffer *body, const struct figures *now) {
    const struct delivery_counts *counts = &now->app->deliveries;
    buffer_printf(body,
                  "roster_webhook_attempts_total{result=\"delivered\"} %llu\n"
                  "roster_webhook_attempts_total{result=\"failed\"} %llu\n",
                  (unsigned long long)atomic_load(&counts->delivered),
                  (unsigned long long)atomic_load(&counts->failed));
}

static void add_build(struct buffer *body, const struct figures *now) {
    (void)now;
    buffer_printf(body, "roster_build_info{version=\"%s\"} 1\n", ROSTER_VERSION);
}

/* ---- All of them ---- */

#define SERIES(...)
#define FIGURE(name, type, value, help)                                                            \
    static double value_of_##name(const struct figures *now) {                                     \
        (void)now;                                                                                 \
        return (double)(value);                                                                    \
    }
#include "api/ops/metrics.def"
#undef FIGURE
#undef SERIES

static const struct family {
    const char *name, *type, *help;
    double (*value)(const struct figures *now);                  /* NULL: `add` */
    void (*add)(struct buffer *body, const struct figures *now); /* NULL: `value` */
} families[] = {
#define FIGURE(name, type, value, help) { #name, #type, help, value_of_##name, NULL },
#define SERIES(name, type, function, help) { #name, #type, help, NULL, function },
#include "api/ops/metrics.def"
#undef FIGURE
#undef SERIES
};

/* Whole numbers without an exponent, as people read them. */
static void add_value(struct buffer *body, const char *name, double value) {
    if (value == (double)(int64_t)value)
        buffer_printf(body, "%s %lld\n", name, (long long)value);
    else
        buffer_printf(body, "%s %.6f\n", name, value);
}

static void add_head(struct buffer *body, const char *name, const char *type, const char *help) {
    buffer_printf(body, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_families(struct buffer *body, const struct figures *now) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *family = &families[i];
        double value = family->value ? family->value(now) : 0;
        if (value < 0)
            continue;
        add_head(body, family->name, family->type, family->help);
        if (family->value)
            add_value(body, family->name, value);
        else
            family->add(body, now);
    }
    for (unsigned i = 0; i < now->store.own_count; i++) {
        const struct store_figure *own = &now->store.own[i];
        add_head(body, own->name, own->type, own->help);
        add_value(body, own->name, (double)own->value);
    }
}

static enum status count_pending(struct store_session *session, struct request *request) {
    return store_count_pending(session, request->exchange->state);
}

static void reply_metrics(struct request *request, enum status status) {
    struct app *app = request->app;
    const int64_t *pending = request->exchange->state;
    struct buffer body;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_init(&body, request->arena, (size_t)32 * 1024);
    const struct figures now = figures_now(app, *pending);
    app_lock_workers(app);
    add_families(&body, &now);
    app_unlock_workers(app);
    reply_json(request, 200, &body);
    if (request->exchange->reply.http_status == 200)
        request->exchange->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
}

void metrics_get(struct request *request) {
    if (!request->app->shows_metrics && !exchange_is_monitoring(request->exchange)) {
        reply_failure(request, STATUS_NOT_FOUND, NULL, NULL);
        return;
    }
    int64_t *pending = arena_calloc(request->arena, 1, sizeof *pending);
    if (!pending) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    request->exchange->state = pending;
    request_ask(request, count_pending, reply_metrics);
}

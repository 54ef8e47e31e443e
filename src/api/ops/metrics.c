/* GET /metrics in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats). */
#include "api/ops/metrics.h"

#include "api/counters.h"
#include "api/handlers.h"
#include "api/reply.h"

#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/budget.h"
#include "base/log.h"
#include "http/address_counts.h"

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

/* Adds up what all threads counted for a route. Runs with the workers' lock held. */
static void sum(const struct app *app, unsigned route, struct route_counts *total) {
    *total = (struct route_counts){ 0 };
    for (const struct worker *worker = app->workers; worker; worker = worker->next)
        counters_sum(worker->counters, route, total);
}

static void add_route(struct buffer *body, unsigned route) {
    if (route < route_count)
        buffer_printf(body, "{method=\"%s\",route=\"%s\"", method_name(routes[route].method),
                      routes[route].path.at);
    else
        buffer_printf(body, "{method=\"\",route=\"\"");
}

static void add_head(struct buffer *body, const char *name, const char *type, const char *help) {
    buffer_printf(body, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_figure(struct buffer *body, const struct store_figure *figure) {
    add_head(body, figure->name, figure->type, figure->help);
    buffer_printf(body, "%s %llu\n", figure->name, (unsigned long long)figure->value);
}

static void add_replies(struct buffer *body, const struct app *app) {
    struct route_counts counts;
    add_head(body, "roster_http_requests_total", "counter", "Replies by route and status.");
    for (unsigned route = 0; route <= route_count; route++) {
        sum(app, route, &counts);
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
    sum(app, route, &counts);
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

static void add_times(struct buffer *body, const struct app *app) {
    add_head(body, "roster_http_request_seconds", "histogram",
             "From a whole request to its reply.");
    for (unsigned route = 0; route <= route_count; route++)
        add_times_of(body, app, route);
}

static void add_groups(struct buffer *body, const struct store_stats *stats) {
    uint64_t count = 0;
    add_head(body, "roster_store_commit_commands", "histogram", "Commands of one commit.");
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

static uint64_t count_unsent(struct app *app) {
    uint64_t count = 0;
    app_lock_workers(app);
    for (const struct worker *worker = app->workers; worker; worker = worker->next)
        count += counters_unsent(worker->counters);
    app_unlock_workers(app);
    return count;
}

static void add_stats(struct buffer *body, struct app *app, uint64_t pending) {
    struct store_stats stats = store_stats(app->store);
    struct password_stats passwords = passwords_stats(app->auth.passwords);
    struct budget_stats budget = budget_stats();
    const struct store_figure rows[] = {
        { "roster_http_unsent_total", "counter",
          "Requests whose client was gone before it had the reply.", count_unsent(app) },
        { "roster_log_dropped_total", "counter",
          "Lines that the log lost because its reader stood still.", log_dropped() },
        { "roster_request_memory_bytes", "gauge", "What all requests together hold.", budget.used },
        { "roster_request_memory_limit_bytes", "gauge", "What they may hold (--request-memory).",
          budget.limit },
        { "roster_unchecked_bodies", "gauge",
          "Large bodies that come before their password is checked.",
          atomic_load(&app->unchecked) },
        { "roster_store_commands_total", "counter", "Commands that the writer ran.",
          stats.commands },
        { "roster_store_commits_total", "counter",
          "Groups of commands that were committed; commands / commits is the mean group.",
          stats.commits },
        { "roster_store_readings_total", "counter",
          "Times that a thread which only reads looked into the database.", stats.readings },
        { "roster_store_queue_length", "gauge", "Commands that wait for the writer.",
          stats.waiting },
        { "roster_search_queue_length", "gauge", "Searches that wait for a thread.",
          stats.reads_waiting },
        { "roster_password_queue_length", "gauge", "Passwords that wait to be looked at.",
          passwords.waiting },
        { "roster_passwords_total", "counter", "Passwords that were hashed or looked at.",
          passwords.done },
        { "roster_dear_password_queue_length", "gauge",
          "Passwords that wait to be compared with a dear imported hash.", passwords.dear_waiting },
        { "roster_dear_passwords_total", "counter",
          "Passwords that were compared with a dear imported hash.", passwords.dear_done },
        { "roster_password_work_microseconds_total", "counter",
          "What the hashes of passwords that were computed cost, reckoned from their parameters.",
          password_work_us() },
        { "roster_picture_queue_length", "gauge", "Pictures that wait to be looked at.",
          pool_waiting(app->pictures) },
        { "roster_picture_fetches", "gauge", "Pictures that are being fetched.",
          fetch_stats(app->fetcher).pending },
        { "roster_webhook_deliveries_pending", "gauge",
          "Deliveries to webhooks that are due or"
          " will be.",
          pending },
        { "roster_store_refuses", "gauge",
          "1 when the disk refused a change and took none of that size since.", stats.refuses },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_figure(body, &rows[i]);
    for (unsigned i = 0; i < stats.own_count; i++)
        add_figure(body, &stats.own[i]);
    add_groups(body, &stats);
}

/* Valid requests that were refused because of a limit. */
static void add_refusals(struct buffer *body, struct app *app) {
    const struct store_stats store = store_stats(app->store);
    const struct password_stats passwords = passwords_stats(app->auth.passwords);
    const struct {
        const char *reason;
        uint64_t count;
    } rows[] = {
        { "memory", budget_stats().refused },
        { "connections", address_counts_refused(app->address_counts) },
        { "body", atomic_load(&app->refused[REFUSAL_body]) },
        { "large_body", atomic_load(&app->refused[REFUSAL_large_body]) },
        { "rate", atomic_load(&app->refused[REFUSAL_rate]) },
        { "attempts", atomic_load(&app->refused[REFUSAL_attempts]) },
        { "changes", store.refused },
        { "searches", store.reads_refused },
        { "passwords", passwords.refused },
        { "dear_passwords", passwords.dear_refused },
        { "picture_fetches", fetch_stats(app->fetcher).refused },
        { "pictures", pool_refused(app->pictures) },
    };
    add_head(body, "roster_refused_total", "counter", "What was refused because it was too much.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        buffer_printf(body, "roster_refused_total{reason=\"%s\"} %llu\n", rows[i].reason,
                      (unsigned long long)rows[i].count);
}

static void add_sign_ins(struct buffer *body, const struct sign_in_counts *counts) {
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
    add_head(body, "roster_sign_ins_total", "counter", "Sign-ins by what came of them.");
    for (unsigned i = 0; i < SIGN_IN_COUNTS; i++)
        buffer_printf(
            body, "roster_sign_ins_total{result=\"%s\"} %llu\n", labels[i],
            (unsigned long long)atomic_load_explicit(&counts->of[i], memory_order_relaxed));
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
    app_lock_workers(app);
    add_replies(&body, app);
    add_times(&body, app);
    app_unlock_workers(app);
    add_stats(&body, app, (uint64_t)*pending);
    add_refusals(&body, app);
    add_sign_ins(&body, app->auth.counts);
    reply_json(request, 200, &body);
    if (request->exchange->reply.http_status == 200)
        request->exchange->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
}

void metrics_get(struct request *request) {
    if (!request->app->shows_metrics) {
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

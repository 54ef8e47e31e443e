/* Start and stop of a server.
 *
 * The table `parts`, at the end, is the one place that has the order. server_start goes down the
 * table; server_stop goes back up, from the part that was started last. A part may use those above
 * it. The functions stand in the same order.
 *
 * The addresses are opened before anything is made in the data folder, so that a start with a wrong
 * address leaves no trace. Clients can connect from then on, and wait. The listener's threads are
 * the last part: they serve once everything they use is there, and once the seccomp filter is
 * installed. */
#include "server/server.h"

#include "api/api.h"
#include "api/dispatch.h"
#include "api/ops/access_log.h"
#include "api/ops/metrics.h"
#include "api/ops/sampling.h"
#include "api/page_cursor.h"
#include "api/rate_limit.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/settings_rows.h"
#include "base/time.h"
#include "http/address_counts.h"
#include "http/peers.h"
#include "server/check_config.h"
#include "server/demo_guard.h"
#include "server/first_admin.h"
#include "server/seccomp.h"
#include "server/upkeep_helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    BODY_LIMIT = 1024 * 1024,
    PASSWORD_QUEUE = 256,
    PICTURE_THREADS = 1,
    PICTURE_QUEUE = 32,
    INHERITED_MAX = 64,
    OTHER_DESCRIPTORS = 256, /* of files, pools and requests to others, beside the connections */
    CONNECTIONS_MAX = 1000000,
    WHY_SIZE = 512,
    MIB = 1024 * 1024,
    PASSWORD_THREAD_BYTES = 20 * MIB, /* argon2id takes 19 MiB */
    IO_THREAD_BYTES = 4 * MIB,
    REQUEST_MEMORY_LEAST = 16 * MIB,
    REQUEST_MEMORY_MOST = 128 * MIB,
};

/* ---- Settings ---- */

/* The demo may run as root: its data are temporary, and people use it for a first try. */
static int check_user(const struct settings *settings) {
    if (geteuid() != 0 || settings->demo || settings->allow_root)
        return EX_OK;
    report_error("rosterd needs no root privileges: start it as a user of its own (as"
                 " dist/rosterd.service does), or add --allow-root");
    return EX_USAGE;
}

static int check_settings(struct server *server) {
    const struct settings *settings = &server->settings;
    int code = check_user(settings);
    server->machine = machine_read(""); /* before the seccomp filter is installed */
    return code == EX_OK ? check_config_values(settings) : code;
}

static int start_upkeep(struct server *server) {
    return upkeep_helper_start(&server->settings, &server->app.upkeep);
}

static void stop_upkeep(struct server *server) {
    upkeep_free(server->app.upkeep);
}

/* ---- Addresses and data ---- */

static enum http2 http2_of(const struct settings *settings) {
    if (strcmp(settings->http2, "off") == 0)
        return HTTP2_off;
    return strcmp(settings->http2, "clear") == 0 ? HTTP2_clear : HTTP2_tls;
}

/* check_config_values has taken the list before. */
static bool read_peers(const char *list, struct peers **peers) {
    char why[WHY_SIZE];
    *peers = peers_parse(list, why, sizeof why);
    if (!*peers)
        report_error("%s", why);
    return *peers;
}

/* The sockets that systemd passes (sd_listen_fds(3)). One is for redirection if its
 * FileDescriptorName is `redirect`. */
static int take_inherited(struct inherited_socket inherited[INHERITED_MAX], size_t *count) {
    char **names = NULL;
    int found = sd_listen_fds_with_names(1, &names);
    *count = found > 0 && found <= INHERITED_MAX ? (size_t)found : 0;
    for (size_t i = 0; i < *count; i++)
        inherited[i] = (struct inherited_socket){ SD_LISTEN_FDS_START + (int)i,
                                                  strcmp(names[i], "redirect") == 0 };
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
    if (found >= 0 && found <= INHERITED_MAX)
        return EX_OK;
    report_error("the sockets of the service manager cannot be taken: %s",
                 found < 0 ? strerror(-found) : "there are more than 64");
    return EX_OSERR;
}

static int check_inherited(const struct server *server) {
    const char *url;
    for (unsigned i = 0; (url = listener_url(server->listener, i)); i++) {
        int code = demo_guard_check_url(&server->settings, url);
        if (code != EX_OK)
            return code;
    }
    log_info("listening on the sockets of the service manager; --listen is not used");
    return EX_OK;
}

static int open_addresses(struct server *server) {
    struct inherited_socket inherited[INHERITED_MAX];
    size_t inherited_count;
    char why[WHY_SIZE];
    int code = take_inherited(inherited, &inherited_count);
    const struct settings *settings = &server->settings;
    const struct listen_addresses addresses = {
        .listen = settings->listen,
        .redirect = settings->redirect_listen,
        .metrics = settings->metrics_listen,
        .tls = { settings->tls_cert, settings->tls_key, http2_of(settings) != HTTP2_off },
        .unix_mode = (unsigned)settings->unix_mode,
        .unix_group = settings->unix_group,
        .inherited = inherited,
        .inherited_count = inherited_count,
    };
    if (code != EX_OK)
        return code;
    if (!read_peers(settings->proxy_protocol, &server->proxies) ||
        !read_peers(settings->trusted_proxies, &server->trusted))
        return EX_OSERR;
    server->listener = listener_open(&addresses, why, sizeof why, &code);
    if (server->listener)
        return inherited_count ? check_inherited(server) : EX_OK;
    settings_fault(settings, "%s", why);
    return code;
}

/* Stops the listener's threads, if they run, and closes its addresses. */
static void stop_listener(struct server *server) {
    listener_stop(server->listener);
    server->listener = NULL;
}

static void close_addresses(struct server *server) {
    stop_listener(server); /* it still has them if the start failed before its threads ran */
    peers_free(server->proxies);
    peers_free(server->trusted);
}

/* Also wipes the first administrator's password, which nothing needs after this. */
static int open_data(struct server *server) {
    int code = bootstrap_open(&server->data, &server->settings);
    first_admin_forget_password(&server->settings);
    server->app.store = server->data.store;
    return code;
}

static void close_data(struct server *server) {
    bootstrap_close(&server->data);
}

/* ---- What requests need ---- */

static void set_logging(struct server *server) {
    server->app.logs_requests = server->settings.access_log;
    server->app.slow_us = server->settings.log_slow * INT64_C(1000);
}

/* The choices that the settings make for requests, and the OpenAPI description. */
static int describe_app(struct server *server) {
    struct app *app = &server->app;
    const struct settings *settings = &server->settings;
    app->nexudus = strcmp(settings->compatibility, "nexudus") == 0;
    app->accepts_basic = settings->basic;
    app->cors_origins = settings->cors_origins;
    app->shows_metrics = settings->metrics;
    app->folder = server->data.path;
    if (server->data.awaits_administrator)
        first_run_begin(&app->first_run);
    set_logging(server);
    if (api_start(app))
        return EX_OK;
    report_error("there is no memory for the description of the API");
    return EX_OSERR;
}

static void free_description(struct server *server) {
    arena_close(&server->app.memory);
}

/* `auto` imitates the hosted service with its quirks, but spares clients the limit for 100 ms. */
static int start_limits(struct server *server) {
    struct app *app = &server->app;
    const char *chosen = server->settings.rate_limits;
    bool all = strcmp(chosen, "published") == 0;
    if (!all && !(app->nexudus && strcmp(chosen, "auto") == 0))
        return EX_OK;
    app->rate_limit = rate_limit_new(all ? RATE_LIMIT_all : RATE_LIMIT_but_bursts);
    if (app->rate_limit)
        return EX_OK;
    report_error("the system refuses memory or a lock for the rate limits");
    return EX_OSERR;
}

static void free_limits(struct server *server) {
    rate_limit_free(server->app.rate_limit);
}

static int show_settings(struct server *server) {
    server->app.shown_settings = shown_settings_new(&server->settings);
    if (server->app.shown_settings)
        return EX_OK;
    report_error("the system refuses memory or a lock for the settings that are shown");
    return EX_OSERR;
}

static void free_shown_settings(struct server *server) {
    shown_settings_free(server->app.shown_settings);
}

static int start_page_cursors(struct server *server) {
    server->app.page_cursors = page_cursors_new();
    if (server->app.page_cursors)
        return EX_OK;
    report_error("the system refuses memory or a lock for page cursors");
    return EX_OSERR;
}

static void free_page_cursors(struct server *server) {
    page_cursors_free(server->app.page_cursors);
}

static void set_lockout(struct server *server) {
    server->lockout.attempts = server->settings.lockout_attempts;
    server->lockout.ms = server->settings.lockout_minutes * INT64_C(60000);
}

static int start_auth(struct server *server) {
    const struct settings *settings = &server->settings;
    struct auth *auth = &server->app.auth;
    set_lockout(server);
    *auth = (struct auth){
        .store = server->data.store,
        .key = server->data.key,
        .token_lifetime_ms = settings->token_lifetime * INT64_C(1000),
        .refresh_lifetime_ms = settings->refresh_lifetime * INT64_C(1000),
        .lockout = &server->lockout,
        .throttle = login_throttle_new(settings->address_attempts, server->lockout.ms),
        .counts = &server->sign_in_counts,
        .log = sign_in_log_new(),
    };
    if (auth->log && auth->throttle)
        return EX_OK;
    report_error("the system refuses memory or a lock to count failed sign-ins");
    return EX_OSERR;
}

static void free_auth(struct server *server) {
    login_throttle_free(server->app.auth.throttle);
    sign_in_log_free(server->app.auth.log);
}

static int start_address_counts(struct server *server) {
    server->app.address_counts = address_counts_new((unsigned)server->settings.address_connections);
    if (server->app.address_counts)
        return EX_OK;
    report_error("the system refuses memory or a lock to count connections");
    return EX_OSERR;
}

static void free_address_counts(struct server *server) {
    address_counts_free(server->app.address_counts);
}

/* ---- Threads ---- */

static int thread_result(bool is_started) {
    if (is_started)
        return EX_OK;
    report_error("the system refuses to start a thread");
    return EX_OSERR;
}

/* An I/O thread makes its worker when it serves its first request. */
static int start_workers(struct server *server) {
    return thread_result(pthread_mutex_init(&server->app.workers_lock, NULL) == 0);
}

static void free_workers(struct server *server) {
    app_free_workers(&server->app);
}

static int start_sampling(struct server *server) {
    if (sampling_start(&server->app))
        return EX_OK;
    report_error("the system refuses memory or a lock for the history of figures");
    return EX_OSERR;
}

static void stop_sampling(struct server *server) {
    sampling_stop(&server->app);
}

static int start_pictures(struct server *server) {
    server->app.pictures = pool_start(PICTURE_THREADS, PICTURE_QUEUE);
    return thread_result(server->app.pictures);
}

static void stop_pictures(struct server *server) {
    pool_stop(server->app.pictures);
}

static int start_passwords(struct server *server) {
    unsigned threads = (unsigned)server->settings.password_threads;
    if (!threads)
        threads = machine_threads(&server->machine, PASSWORD_THREAD_BYTES);
    server->app.auth.passwords = passwords_start(threads, PASSWORD_QUEUE);
    return thread_result(server->app.auth.passwords);
}

static void stop_passwords(struct server *server) {
    passwords_stop(server->app.auth.passwords);
}

static int start_fetcher(struct server *server) {
    server->app.fetcher =
        fetcher_start(&(struct fetch_options){ .allowed_hosts = server->settings.avatar_hosts });
    return thread_result(server->app.fetcher);
}

static void stop_fetcher(struct server *server) {
    fetcher_stop(server->app.fetcher);
}

static int start_deliverer(struct server *server) {
    store_seek_office(server->data.store);
    server->deliverer = deliverer_start(&(struct deliver_options){
        .store = server->data.store,
        .key = server->data.key,
        .allowed_hosts = server->settings.webhook_hosts,
        .retry_ms = server->settings.webhook_retry,
        .counts = &server->app.deliveries,
    });
    return thread_result(server->deliverer);
}

static void stop_deliverer(struct server *server) {
    deliverer_stop(server->deliverer);
}

/* The server serves without it, too. */
static int start_operator(struct server *server) {
    server->operator_socket =
        operator_socket_start(server->data.path, server->data.store, server->app.auth.passwords);
    return EX_OK;
}

static void stop_operator(struct server *server) {
    operator_socket_stop(server->operator_socket);
}

/* ---- The listener ---- */

/* Before it, lines are written at once, so that they stand before the line that refuses a start. */
static int start_log(struct server *server) {
    (void)server;
    return thread_result(log_start());
}

static void stop_log(struct server *server) {
    (void)server;
    log_stop();
}

static int install_seccomp(struct server *server) {
    if (!server->settings.seccomp || seccomp_filter_install())
        return EX_OK;
    report_error("the system refuses a seccomp filter: %s; --no-seccomp starts without one",
                 strerror(errno));
    return EX_OSERR;
}

/* Each connection takes a descriptor. Raises the soft limit on descriptors to the hard one, and
 * leaves some for everything else. */
static unsigned connection_limit(void) {
    struct rlimit limit = { .rlim_cur = 1024 };
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = before;
    }
    if (limit.rlim_cur > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    return limit.rlim_cur / 2 > OTHER_DESCRIPTORS ? (unsigned)limit.rlim_cur - OTHER_DESCRIPTORS
                                                  : OTHER_DESCRIPTORS;
}

/* The listener knows neither metrics nor requests. */
static void end_exchange(struct exchange *exchange, bool was_sent) {
    access_log_add(exchange, was_sent);
    metrics_count_end(exchange, was_sent);
    dispatch_end(exchange);
}

/* A container with little memory has less for requests. */
static size_t request_memory(const struct server *server) {
    uint64_t wanted = (uint64_t)server->settings.request_memory * MIB;
    if (wanted)
        return wanted;
    wanted = server->machine.memory_bytes / 4;
    if (wanted > REQUEST_MEMORY_MOST)
        return REQUEST_MEMORY_MOST;
    return wanted < REQUEST_MEMORY_LEAST ? REQUEST_MEMORY_LEAST : wanted;
}

static int start_listener(struct server *server) {
    const struct settings *settings = &server->settings;
    budget_set(request_memory(server));
    server->app.connection_limit = connection_limit();
    server->app.listener = server->listener;
    struct listen_options options = {
        .threads = settings->io_threads ? (unsigned)settings->io_threads
                                        : machine_threads(&server->machine, IO_THREAD_BYTES),
        .connection_limit = server->app.connection_limit,
        .head_timeout_s = (unsigned)settings->head_timeout,
        .idle_timeout_s = (unsigned)settings->idle_timeout,
        .body_limit = BODY_LIMIT,
        .http2 = http2_of(settings),
        .address_counts = server->app.address_counts,
        .proxies = server->proxies,
        .trusted = server->trusted,
        .head = dispatch_head,
        .handler = dispatch,
        .is_vital = dispatch_is_vital,
        .refuse = dispatch_refusal,
        .replied = metrics_count,
        .ended = end_exchange,
        .app = &server->app,
    };
    if (listener_start(server->listener, &options) == STATUS_OK)
        return EX_OK;
    report_error("the system refuses memory or a thread for the listener");
    return EX_OSERR;
}

/* ---- All together ---- */

/* `start` returns EX_OK, or a code of sysexits.h after a line on standard error. `stop` also runs
 * when `start` of the same part has failed, so it must bear what is missing. NULL: there is nothing
 * to stop. */
static const struct part {
    int (*start)(struct server *server);
    void (*stop)(struct server *server);
} parts[] = {
    { check_settings, NULL },
    { start_upkeep, stop_upkeep }, /* a fork, so before any thread */
    { open_addresses, close_addresses },
    { open_data, close_data },
    { start_auth, free_auth },
    { start_address_counts, free_address_counts },
    { show_settings, free_shown_settings },
    { start_page_cursors, free_page_cursors },
    { describe_app, free_description },
    { start_limits, free_limits },
    { start_workers, free_workers },
    { start_sampling, stop_sampling },
    { start_pictures, stop_pictures },
    { start_passwords, stop_passwords },
    { start_fetcher, stop_fetcher },
    { start_deliverer, stop_deliverer },
    { start_operator, stop_operator },
    { start_log, stop_log },
    { install_seccomp, NULL },
    { start_listener, stop_listener },
};

enum { PARTS = sizeof parts / sizeof parts[0] };

int server_start(struct server *server) {
    int code = EX_OK;
    server->app.started_ms = time_now_ms();
    while (code == EX_OK && server->parts_started < PARTS)
        code = parts[server->parts_started++].start(server);
    return code;
}

void server_apply_settings(struct server *server) {
    const struct settings *settings = &server->settings;
    struct app *app = &server->app;
    log_set_level_named(settings->log_level);
    shown_settings_set(app->shown_settings, settings);
    set_logging(server);
    app->cors_origins = settings->cors_origins;
    app->shows_metrics = settings->metrics;
    set_lockout(server);
    login_throttle_set(app->auth.throttle, settings->address_attempts, server->lockout.ms);
    address_counts_set(app->address_counts, (unsigned)settings->address_connections);
    budget_set(request_memory(server));
    fetcher_allow(app->fetcher, settings->avatar_hosts);
    deliverer_allow(server->deliverer, settings->webhook_hosts);
}

void server_stop(struct server *server) {
    while (server->parts_started)
        if (parts[--server->parts_started].stop)
            parts[server->parts_started].stop(server);
}

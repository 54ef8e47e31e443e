/* rosterd: reads the settings, wires the rooms together, serves until it is told to stop. */
#include "api/dispatch.h"
#include "api/docs/openapi.h"
#include "api/ops/metrics.h"
#include "api/page_cursor.h"
#include "api/rate_limit.h"
#include "api/writing.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "fetch/strip.h"
#include "hooks/deliver.h"
#include "http/address_counts.h"
#include "http/peers.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/password.h"
#include "server/seccomp.h"
#include "service/seed.h"
#include "store/maintenance.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    BODY_LIMIT = 1024 * 1024,
    PASSWORD_QUEUE = 256,
    PICTURE_THREADS = 1,
    PICTURE_QUEUE = 32,
    SEARCHES_END_MS = 1000, /* so long those that run may go on after the signal to stop */
    DRAIN_LIMIT_MS = 60 * 1000,
    LOOK_EVERY_MS = 1000, /* whether all is well, and what is to be cleaned up */
    CLEAN_EVERY_MS = 600 * 1000,
    CLEAN_PAUSE_MS = 100,
    HEAP_KEPT = 4 * 1024 * 1024,
    CLEAN_AT_ONCE = 1000,
    OTHER_DESCRIPTORS = 256,
};

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

#define DEFAULT_DIRECTORY "./roster-data"

/* Everything that runs; zeroed, each part may be missing. */
struct server {
    struct settings settings;
    char directory[4096 - 16];
    bool is_throw_away;
    struct seal_key *key;
    struct app app;
    struct sign_in_counts sign_in_counts;
    struct peers *proxies;
    struct listener *listener;
    struct deliverer *deliverer;
};

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("rosterd: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

static bool is_loopback(struct text address) {
    return text_starts_nocase(address, TEXT("127.")) ||
           text_starts_nocase(address, TEXT("[::1]")) ||
           text_starts_nocase(address, TEXT("localhost:")) ||
           text_starts_nocase(address, TEXT("unix:"));
}

/* The demo's password is known to all: it is for this machine alone, unless told otherwise. */
static int check_demo(const struct settings *settings) {
    struct text rest = text_of(settings->listen), address;
    while (settings->demo && !settings->demo_public && text_next(&rest, &address)) {
        if (is_loopback(address))
            continue;
        complain("--demo on %.*s would let anyone in with a known password; add --demo-public if"
                 " that is meant",
                 (int)address.len, address.at);
        return EX_USAGE;
    }
    return EX_OK;
}

/* The first administrator's address in the form in which requests' are kept. `at` NULL: it is none.
 */
static struct text first_address(const struct settings *settings, struct arena *arena) {
    struct text email = email_normal(text_trim(text_of(settings->admin_email)), arena);
    if (!email.at || email.len > EMAIL_MAX || !email_is_valid(email))
        return (struct text){ 0 };
    return arena_printf(arena, "%.*s", (int)email.len, email.at);
}

static bool has_first_address(const struct settings *settings) {
    struct arena arena = { 0 };
    bool has_one = first_address(settings, &arena).at;
    arena_close(&arena);
    return has_one;
}

static int check_settings(const struct settings *settings) {
    if (strcmp(settings->database, "sqlite") != 0) {
        complain("--database %s: this version knows only sqlite", settings->database);
        return EX_USAGE;
    }
    if (!has_first_address(settings)) {
        complain("--admin-email must be an e-mail address");
        return EX_USAGE;
    }
    struct text password = text_of(settings->admin_password);
    if (password.len && password_judge(password, text_of(settings->admin_email),
                                       TEXT("Administrator")) != PASSWORD_FINE) {
        complain("ROSTER_ADMIN_PASSWORD must have 8 to 256 characters, and not be a common"
                 " password");
        return EX_USAGE;
    }
    return check_demo(settings);
}

static int choose_directory(struct server *server) {
    const char *wanted = server->settings.data;
    server->is_throw_away = server->settings.demo && !*wanted;
    if (server->is_throw_away)
        wanted = "/tmp/roster-demo-XXXXXX";
    else if (!*wanted)
        wanted = DEFAULT_DIRECTORY;
    int len = snprintf(server->directory, sizeof server->directory, "%s", wanted);
    if (len < 0 || (size_t)len >= sizeof server->directory) {
        complain("--data: the path is too long");
        return EX_USAGE;
    }
    bool made = server->is_throw_away ? mkdtemp(server->directory) != NULL
                                      : mkdir(server->directory, 0700) == 0 || errno == EEXIST;
    if (made)
        return EX_OK;
    complain("--data %s: %s; give a folder that can be made and written", server->directory,
             strerror(errno));
    server->is_throw_away = false;
    return EX_CANTCREAT;
}

static void remove_directory(const struct server *server) {
    static const char *const files[] = { "roster.db", "roster.db-wal", "roster.db-shm",
                                         "roster.key" };
    char path[4096];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", server->directory, files[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            log_warning("%s stays behind: %s", path, strerror(errno));
    }
    if (rmdir(server->directory) != 0)
        log_warning("%s stays behind: %s", server->directory, strerror(errno));
}

static void name_key(const struct server *server, char *path, size_t size) {
    (void)snprintf(path, size, "%s/roster.key", server->directory);
}

/* A key that is made last tells that there was a database once. Where it is alone, a folder is not
 * mounted, or only a part of it was copied: a new database in its place would hide that. */
static int open_store(struct server *server) {
    char why[PATH_MAX + 256], path[4096];
    int code;
    name_key(server, path, sizeof path);
    bool is_old = access(path, F_OK) == 0 && !server->settings.init, is_empty;
    struct store_options options = { .directory = server->directory,
                                     .must_exist = is_old,
                                     .checkpoint_after_ms = server->settings.checkpoint_after,
                                     .search_limit_ms = server->settings.search_limit,
                                     .user_tokens = server->settings.user_tokens,
                                     .clean_picture = image_strip };
    server->app.store = store_open(&options, why, sizeof why, &code);
    if (!server->app.store) {
        complain("%s", why);
        return code;
    }
    if (seed_is_due(server->app.store, &is_empty) != STATUS_OK) {
        complain("%s: the database cannot be read", server->directory);
        return EX_IOERR;
    }
    if (!is_old || !is_empty)
        return EX_OK;
    complain("%s/roster.db: has no users, though there is a key; was it copied without its log?"
             " --init begins anew",
             server->directory);
    return EX_NOINPUT;
}

/* Once the database has its first records: see open_store. */
static int open_key(struct server *server) {
    char why[512], path[4096];
    bool had_key;
    name_key(server, path, sizeof path);
    if (store_had_key(server->app.store, &had_key) != STATUS_OK) {
        complain("%s: the database cannot be read", server->directory);
        return EX_IOERR;
    }
    server->key = seal_key_open(path, !had_key, why, sizeof why);
    if (!server->key) {
        complain("%s", why);
        return EX_NOINPUT;
    }
    switch (store_claim_key(server->app.store, server->key)) {
    case STATUS_OK: return EX_OK;
    case STATUS_DENIED:
        complain("%s: is not the key of this database; put the key there that was beside it", path);
        return EX_NOINPUT;
    default: complain("%s: the key cannot be noted", server->directory); return EX_IOERR;
    }
}

/* The first administrator's password: given, the demo's, or made up here and shown once. */
static struct text first_password(const struct settings *settings, char made[TOKEN_TEXT_SIZE]) {
    if (*settings->admin_password)
        return text_of(settings->admin_password);
    if (settings->demo)
        return TEXT(DEMO_PASSWORD);
    token_generate(made);
    return (struct text){ made, 20 };
}

static int write_records(struct server *server, struct text email) {
    const struct settings *settings = &server->settings;
    char hash[PASSWORD_HASH_MAX], made[TOKEN_TEXT_SIZE] = "", room[PASSWORD_NORMAL_MAX];
    struct text password = first_password(settings, made);
    struct seed data = { .email = email, .with_demo = settings->demo };
    struct text normal = password_normal(password, room);
    bool is_hashed = normal.at && password_hash(normal, hash);
    secret_wipe(room, sizeof room);
    if (!is_hashed) {
        complain("there is no memory to hash the first password");
        return EX_OSERR;
    }
    data.password_hash = text_of(hash);
    if (seed_write(server->app.store, &data) != STATUS_OK) {
        complain("%s: the first records cannot be written", server->directory);
        return EX_IOERR;
    }
    log_info("%s: a new database was made", server->directory);
    if (password.at == made)
        (void)printf("rosterd: first administrator %s, password %.20s (shown only now)\n",
                     data.email.at, made);
    secret_wipe(made, sizeof made);
    return EX_OK;
}

static int write_seed(struct server *server) {
    const struct settings *settings = &server->settings;
    struct arena arena = { 0 };
    bool is_due = false;
    if (seed_is_due(server->app.store, &is_due) == STATUS_OK && !is_due)
        return EX_OK;
    bool has_own_email = !settings->demo || strcmp(settings->admin_email, "admin@localhost") != 0;
    struct text email = has_own_email ? first_address(settings, &arena) : TEXT(DEMO_EMAIL);
    int code = EX_OSERR;
    if (email.at)
        code = write_records(server, email);
    else
        complain("there is no memory for the first address");
    arena_close(&arena);
    return code;
}

static void wipe_text(const char *text) {
    if (text)
        secret_wipe((char *)(uintptr_t)text, strlen(text));
}

/* It has been told by now to whom it may concern: the database, as a hash. */
static void forget_first_password(const struct settings *settings) {
    wipe_text(settings->admin_password);
    wipe_text(getenv("ROSTER_ADMIN_PASSWORD"));
}

static unsigned cores(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

static int start_services(struct server *server) {
    struct app *app = &server->app;
    const struct settings *settings = &server->settings;
    app->nexudus = strcmp(settings->compatibility, "nexudus") == 0;
    app->accepts_basic = settings->basic;
    app->cors_origins = settings->cors_origins;
    bool all_limits = strcmp(settings->rate_limits, "published") == 0;
    bool limits = all_limits || (app->nexudus && strcmp(settings->rate_limits, "auto") == 0);
    if (limits)
        app->limits = limits_new(all_limits ? LIMITS_all : LIMITS_but_bursts);
    if (limits && !app->limits) {
        complain("no memory or locks for the rate limits");
        return EX_OSERR;
    }
    app->walks = walks_new();
    if (!app->walks) {
        complain("no memory or locks for the ends of pages");
        return EX_OSERR;
    }
    if (!app_describe(app)) {
        complain("no memory for the description of the API");
        return EX_OSERR;
    }
    app->shows_metrics = settings->metrics;
    app->fetcher =
        fetcher_start(&(struct fetch_options){ .allowed_hosts = settings->avatar_hosts });
    app->pictures = pool_start(PICTURE_THREADS, PICTURE_QUEUE);
    app->auth = (struct auth){
        .store = app->store,
        .key = server->key,
        .passwords = passwords_start(
            settings->password_threads ? (unsigned)settings->password_threads : cores(),
            PASSWORD_QUEUE),
        .token_lifetime_ms = settings->token_lifetime * INT64_C(1000),
        .refresh_lifetime_ms = settings->refresh_lifetime * INT64_C(1000),
        .lockout_attempts = settings->lockout_attempts,
        .counts = &server->sign_in_counts,
        .lockout_ms = settings->lockout_minutes * INT64_C(60000),
    };
    app->auth.log = sign_in_log_new();
    if (settings->address_attempts)
        app->auth.attempts =
            attempts_new(settings->address_attempts, settings->lockout_minutes * INT64_C(60000));
    if (!app->auth.log || (settings->address_attempts && !app->auth.attempts)) {
        complain("no memory or locks to count failed sign-ins by address");
        return EX_OSERR;
    }
    if (settings->address_connections)
        app->address_counts = address_counts_new((unsigned)settings->address_connections);
    if (settings->address_connections && !app->address_counts) {
        complain("no memory or locks to count connections by address");
        return EX_OSERR;
    }
    server->deliverer = deliverer_start(&(struct deliver_options){
        .store = app->store,
        .key = server->key,
        .allowed_hosts = settings->webhook_hosts,
        .retry_ms = settings->webhook_retry,
    });
    if (app->fetcher && server->deliverer && app->auth.passwords && app->pictures &&
        pthread_mutex_init(&app->workers_lock, NULL) == 0)
        return EX_OK;
    complain("the system refuses threads");
    return EX_OSERR;
}

/* As many connections as the system lets this process have descriptors. */
static unsigned connection_limit(void) {
    struct rlimit limit = { .rlim_cur = 1024 };
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = before;
    }
    if (limit.rlim_cur > 1000000)
        return 1000000;
    return limit.rlim_cur / 2 > OTHER_DESCRIPTORS ? (unsigned)limit.rlim_cur - OTHER_DESCRIPTORS
                                                  : OTHER_DESCRIPTORS;
}

static enum http2 http2_of(const struct settings *settings) {
    if (strcmp(settings->http2, "off") == 0)
        return HTTP2_off;
    return strcmp(settings->http2, "clear") == 0 ? HTTP2_clear : HTTP2_tls;
}

/* Before anything is made in the data folder: a wrong address should leave no trace. */
static int open_listener(struct server *server) {
    char why[512];
    int code;
    const struct settings *settings = &server->settings;
    const struct listen_addresses addresses = {
        .listen = settings->listen,
        .redirect = settings->redirect_listen,
        .tls = { settings->tls_cert, settings->tls_key, http2_of(settings) != HTTP2_off },
        .unix_mode = (unsigned)settings->unix_mode,
        .unix_group = settings->unix_group,
    };
    server->proxies = peers_parse(settings->proxy_protocol, why, sizeof why);
    if (!server->proxies) {
        complain("--proxy-protocol: %s", why);
        return EX_USAGE;
    }
    server->listener = listener_open(&addresses, why, sizeof why, &code);
    if (server->listener)
        return EX_OK;
    complain("%s", why);
    return code;
}

/* The demo's data are thrown away, and it is how people try a server for the first time. */
static int refuse_root(const struct settings *settings) {
    if (geteuid() != 0 || settings->demo || settings->allow_root)
        return EX_OK;
    complain(
        "no server needs to be root: start it as a user of its own (dist/rosterd.service does), or"
        " say --allow-root");
    return EX_USAGE;
}

/* Before the first client is heard. */
static int install_seccomp(const struct settings *settings) {
    if (!settings->seccomp || seccomp_filter_install())
        return EX_OK;
    complain("the system refuses a seccomp filter: %s; --no-seccomp serves without",
             strerror(errno));
    return EX_OSERR;
}

static void end_exchange(struct exchange *exchange, bool was_sent) {
    metrics_note_end(exchange, was_sent);
    dispatch_end(exchange);
}

static int start_listener(struct server *server) {
    const struct settings *settings = &server->settings;
    budget_set((size_t)settings->request_memory * 1024 * 1024);
    struct listen_options options = {
        .threads = settings->io_threads ? (unsigned)settings->io_threads : cores(),
        .connection_limit = connection_limit(),
        .idle_timeout_s = (unsigned)settings->idle_timeout,
        .body_limit = BODY_LIMIT,
        .http2 = http2_of(settings),
        .address_counts = server->app.address_counts,
        .proxies = server->proxies,
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
    complain("the system refuses threads or memory to listen");
    return EX_OSERR;
}

static void print_demo_lines(const char *url) {
    (void)printf(
        "\nTry it:\n"
        "  TOKEN=$(curl -s %s/api/token -d grant_type=password -d username=" DEMO_EMAIL
        " -d password=" DEMO_PASSWORD " | jq -r .access_token)\n"
        "  curl -s -X PUT %s/api/sys/users -H \"Authorization: Bearer $TOKEN\""
        " -d '{\"Id\":%d,\"FullName\":\"Ada Lovelace\",\"Email\":\"ada@example.com\","
        "\"Language\":1,\"PasswordSalt\":\"\",\"LastHelpVisited\":0,\"InvalidLoginAttempts\":0}'\n"
        "  curl -s %s/api/sys/users/%d -H \"Authorization: Bearer $TOKEN\"\n\n",
        url, url, DEMO_USER_ID, url, DEMO_USER_ID);
}

static void announce(const struct server *server) {
    const char *url, *first = NULL; /* that curl can be given as it is */
    for (unsigned i = 0; (url = listener_url(server->listener, i)); i++) {
        (void)printf("rosterd: listening on %s\n", url);
        if (!first && strncmp(url, "http", 4) == 0)
            first = url;
    }
    if (server->settings.demo && first)
        print_demo_lines(first);
    (void)fflush(stdout);
    (void)sd_notify(0, "READY=1");
}

struct cleaning {
    struct store_command command; /* first */
    const struct settings *settings;
    bool more;
};

static enum status clean(struct store_view *tx, struct store_command *command) {
    struct cleaning *cleaning = (struct cleaning *)command;
    int64_t now_ms = time_now_ms(), audit_days = cleaning->settings->audit_days;
    const struct outdated outdated = {
        .tokens_ms = now_ms,
        .deliveries_ms = now_ms - cleaning->settings->webhook_log_days * DAY_MS,
        .repeats_ms = now_ms - WRITING_REPEAT_MS,
        .audit_ms = audit_days ? now_ms - audit_days * DAY_MS : INT64_MIN,
        .now_ms = now_ms,
    };
    return store_drop_outdated(tx, &outdated, CLEAN_AT_ONCE, &cleaning->more);
}

/* Takes away a part of what nobody needs any more; is there more of it? */
static bool clean_up(struct server *server) {
    struct cleaning cleaning = { .command = { .on_behalf_of = &store_nobody, .run = clean },
                                 .settings = &server->settings };
    if (store_run(server->app.store, &cleaning.command) == STATUS_OK)
        return cleaning.more;
    log_warning("what is expired or old could not be taken away");
    return false;
}

/* SIGHUP: certificates are read again. Broken ones leave those in use that are. */
static void reload(const struct server *server) {
    char why[512];
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)time_monotonic_us());
    if (!*server->settings.tls_cert)
        log_info("SIGHUP: there are no certificates to read again");
    else if (!listener_reload(server->listener, why, sizeof why))
        log_error("the certificates stay as they were: %s", why);
    else
        log_info("the certificates were read again");
    (void)sd_notify(0, "READY=1");
}

/* What many requests left behind is full of holes: the C library keeps it, unless it is told. */
static void give_memory_back(void) {
    if (budget_has_fallen(HEAP_KEPT))
        (void)malloc_trim(HEAP_KEPT); /* 0: there was nothing to give back */
}

/* Waits for a signal for so long; 0: none came. */
static int wait_for_signal(const sigset_t *signals, int ms) {
    const struct timespec period = { ms / 1000, ms % 1000 * 1000000L };
    int caught = sigtimedwait(signals, NULL, &period);
    return caught > 0 ? caught : 0;
}

/* Waits for SIGTERM or SIGINT, reloads on SIGHUP, and cleans up now and then. A database that takes
 * no more changes ends it too: who started it starts it again. The code to end with. */
static int serve(struct server *server, const sigset_t *signals) {
    bool more = clean_up(server);
    int64_t cleaned_ms = time_monotonic_ms();
    announce(server);
    for (int caught = 0; caught != SIGTERM && caught != SIGINT;) {
        caught = wait_for_signal(signals, more ? CLEAN_PAUSE_MS : LOOK_EVERY_MS);
        sign_in_log_flush(server->app.auth.log);
        if (caught == SIGHUP)
            reload(server);
        if (store_is_broken(server->app.store)) {
            log_error("stopping: only a restart can tell what is on the disk");
            return EX_IOERR;
        }
        give_memory_back();
        if (!caught && (more || time_monotonic_ms() - cleaned_ms >= CLEAN_EVERY_MS)) {
            more = clean_up(server);
            cleaned_ms = time_monotonic_ms();
        }
    }
    return EX_OK;
}

static void drain(struct server *server) {
    (void)sd_notify(0, "STOPPING=1");
    listener_drain(server->listener);
    int64_t began = time_monotonic_ms(), took = 0;
    for (; listener_in_flight(server->listener) && took < DRAIN_LIMIT_MS;
         took = time_monotonic_ms() - began) {
        if (took > SEARCHES_END_MS)
            store_end_reading(server->app.store);
        (void)usleep(2000);
    }
    if (!listener_in_flight(server->listener))
        return;
    log_error("%u requests did not end in time", listener_in_flight(server->listener));
    _exit(EX_SOFTWARE); /* what is committed is safe; the rest cannot be waited for */
}

static void stop(struct server *server) {
    listener_stop(server->listener);
    peers_free(server->proxies);
    deliverer_stop(server->deliverer);
    fetcher_stop(server->app.fetcher);
    passwords_stop(server->app.auth.passwords);
    pool_stop(server->app.pictures);
    app_free_workers(&server->app);
    arena_close(&server->app.memory);
    limits_free(server->app.limits);
    walks_free(server->app.walks);
    attempts_free(server->app.auth.attempts);
    address_counts_free(server->app.address_counts);
    sign_in_log_free(server->app.auth.log);
    store_close(server->app.store);
    seal_key_free(server->key);
    if (server->is_throw_away)
        remove_directory(server);
    settings_free(&server->settings);
}

static int start(struct server *server) {
    int code = check_settings(&server->settings);
    if (code == EX_OK)
        code = open_listener(server);
    if (code == EX_OK)
        code = choose_directory(server);
    if (code == EX_OK)
        code = open_store(server);
    if (code == EX_OK)
        code = write_seed(server);
    forget_first_password(&server->settings);
    if (code == EX_OK)
        code = open_key(server);
    if (code == EX_OK)
        code = start_services(server);
    if (code == EX_OK)
        code = install_seccomp(&server->settings);
    return code == EX_OK ? start_listener(server) : code;
}

static void set_log_level(const char *name) {
    static const char *const names[] = { "error", "warning", "info", "debug" };
    for (int level = 0; level < 4; level++)
        if (strcmp(name, names[level]) == 0)
            log_set_level((enum log_level)level);
}

/* Signals that would end a process, and say nothing that a server does not learn otherwise: from
 * write, as EPIPE or EFBIG. SIGHUP is waited for once there is something to reload. */
static bool ignore_signals(void) {
    static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGHUP };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (signal(ignored[i], SIG_IGN) == SIG_ERR)
            return false;
    return true;
}

/* Threads inherit the mask, so that the signals wait for `serve` alone. */
static bool block_signals(sigset_t *signals) {
    return sigemptyset(signals) == 0 && sigaddset(signals, SIGTERM) == 0 &&
           sigaddset(signals, SIGINT) == 0 && sigaddset(signals, SIGHUP) == 0 &&
           pthread_sigmask(SIG_BLOCK, signals, NULL) == 0;
}

static void say(const char *line) {
    (void)fprintf(stderr, "rosterd: %s\n", line);
}

/* `check`, `backup FILE` and `restore FILE`. */
static int run_command(const struct settings *settings) {
    const char *directory = *settings->data ? settings->data : DEFAULT_DIRECTORY;
    if (!crypto_start()) {
        complain("the system gives no random numbers");
        return EX_OSERR;
    }
    if (strcmp(settings->command, "check") == 0)
        return store_check(directory, say);
    bool is_backup = strcmp(settings->command, "backup") == 0;
    if (settings->operand)
        return is_backup ? store_backup(directory, settings->operand, say)
                         : store_restore(directory, settings->operand, say);
    complain("%s: name the file to be %s", settings->command, is_backup ? "written" : "read");
    return EX_USAGE;
}

/* A core would hold keys and tokens in clear. Where cores go to a program instead of a file, the
 * limit does not count, but this does. */
static void leave_no_core(void) {
    const struct rlimit none = { 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        log_warning("core dumps cannot be switched off: %s", strerror(errno));
}

int main(int argc, char **argv) {
    static struct server server;
    sigset_t signals;
    /* What one request gives back the next one takes: to trim in between is wasted. */
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT); /* fails for unknown parameters only */
    bool is_ready = ignore_signals();
    int code = settings_read(&server.settings, argc, argv);
    if (code != EX_OK)
        return code;
    set_log_level(server.settings.log_level);
    leave_no_core();
    if (server.settings.command) {
        code = run_command(&server.settings);
        settings_free(&server.settings);
        return code;
    }
    code = refuse_root(&server.settings);
    if (code != EX_OK) {
        settings_free(&server.settings);
        return code;
    }
    if (!crypto_start() || !is_ready || !block_signals(&signals)) {
        complain("the system gives no random numbers or no signals");
        return EX_OSERR;
    }
    code = start(&server);
    if (code == EX_OK) {
        code = serve(&server, &signals);
        drain(&server);
    }
    stop(&server);
    return code;
}

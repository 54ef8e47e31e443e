/* The main thread, while the others serve: announces the server, waits for signals, and does what
 * is due from time to time. */
#include "server/main_loop.h"

#include "api/ops/sampling.h"
#include "api/ui/files.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/time.h"
#include "model/tables.h"
#include "server/cleanup.h"
#include "server/reload.h"
#include "service/seed.h"
#include "version.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    ROUND_MS = 1000,
    CLEANUP_EVERY_MS = 600 * 1000,
    CLEANUP_PAUSE_MS = 100, /* between two batches, in which requests' writes have their turn */
};

static void print_demo_lines(const char *url) {
    if (ui_is_built())
        (void)printf(
            "\nOpen %s in a browser, and sign in as " DEMO_EMAIL " with " DEMO_PASSWORD ".\n", url);
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

/* The secret stands behind the #, which a browser sends to nobody. `url` NULL: none that a browser
 * opens. */
static void print_link(const struct first_run *first_run, const char *url) {
    (void)printf(
        "rosterd: there is no administrator yet. Within %d minutes, this link makes one, once"
        " (from elsewhere, with the server's address there):\n  %s/admin/#/first/%.*s\n",
        FIRST_RUN_MINUTES, url ? url : "https://SERVER", TOKEN_TEXT_SIZE, first_run->secret);
}

/* Describes the server for an operator who reads the log later. */
static void log_start_line(const struct server *server) {
    int64_t users = 0;
    struct store_session *session = store_session_open(server->data.store);
    if (!session || store_count(session, &user_table, &users) != STATUS_OK)
        log_warning("the users could not be counted");
    store_session_close(session);
    log_info("started: version " ROSTER_VERSION ", process %d, data in %s, %lld users, seccomp %s,"
             " at most %u connections",
             (int)getpid(), server->data.path, (long long)users,
             server->settings.seccomp ? "on" : "off", server->app.connection_limit);
}

static void log_stop_line(const struct server *server, int caught) {
    log_info("stopping: SIG%s, %u requests in progress", sigabbrev_np(caught),
             listener_in_flight(server->listener));
}

static void announce(const struct server *server) {
    const char *url, *first = NULL; /* the first that curl takes as it is, unlike a UNIX socket */
    for (unsigned i = 0; (url = listener_url(server->listener, i)); i++) {
        (void)printf("rosterd: listening on %s\n", url);
        if (!first && strncmp(url, "http", 4) == 0)
            first = url;
    }
    if (server->settings.demo && first)
        print_demo_lines(first);
    if (server->data.awaits_administrator)
        print_link(&server->app.first_run, first);
    (void)fflush(stdout);
    (void)sd_notify(0, "READY=1");
}

/* Many requests at once leave a heap full of holes. The C library keeps free memory inside the heap
 * until malloc_trim asks for it. */
static void give_memory_back(void) {
    if (budget_has_fallen(HEAP_KEPT_BYTES))
        (void)malloc_trim(HEAP_KEPT_BYTES); /* 0: there was nothing to give back */
}

/* Returns the signal that came within `ms`, or 0. */
static int wait_for_signal(const sigset_t *signals, int ms) {
    const struct timespec period = { ms / 1000, ms % 1000 * 1000000L };
    int caught = sigtimedwait(signals, NULL, &period);
    return caught > 0 ? caught : 0;
}

/* When to delete expired rows: at once when this process gets the office, then periodically. */
struct cleaning {
    bool has_more;
    int64_t next_ms;
};

static void clean(struct cleaning *cleaning, const struct server *server) {
    struct store *store = server->data.store;
    if (!store_has_office(store)) {
        *cleaning = (struct cleaning){ 0 };
        return;
    }
    if (!cleaning->has_more && time_monotonic_ms() < cleaning->next_ms)
        return;
    cleaning->has_more = cleanup_run(store, &server->settings);
    cleaning->next_ms = time_monotonic_ms() + CLEANUP_EVERY_MS;
}

int main_loop_run(struct server *server, const sigset_t *signals) {
    struct store *store = server->data.store;
    struct cleaning cleaning = { 0 };
    clean(&cleaning, server);
    announce(server);
    log_start_line(server);
    for (int caught = 0; caught != SIGTERM && caught != SIGINT;) {
        caught = wait_for_signal(signals, cleaning.has_more ? CLEANUP_PAUSE_MS : ROUND_MS);
        if (caught == SIGTERM || caught == SIGINT)
            log_stop_line(server, caught);
        sign_in_log_flush(server->app.auth.log);
        log_flush();
        if (caught == SIGHUP)
            reload_run(server);
        if (store_is_broken(store)) { /* the service manager is expected to start it again */
            log_error("stopping: after a failed write only a restart can find out what is on the"
                      " disk");
            return EX_IOERR;
        }
        if (store_is_outdated(store)) {
            log_error("stopping: a newer version of Roster has changed the database; start that"
                      " version here");
            return EX_CONFIG;
        }
        give_memory_back();
        sampling_run(&server->app);
        /* After a signal the next round cleans up: it may be the one to stop. */
        if (!caught)
            clean(&cleaning, server);
    }
    return EX_OK;
}

/* The end of serving, in up to three steps: proxies learn to send no more, then requests in
 * flight are answered, then slow clients are cut off. */
#include "server/drain.h"

#include "base/log.h"
#include "base/time.h"

#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    SEARCHES_END_MS = 1000, /* how long searches may go on after the signal to stop */
    WORK_LIMIT_MS = 60 * 1000,
    DRAIN_POLL_MS = 2,
    DELAY_POLL_MS = 100,
};

/* Waits for `ms`, or less if SIGTERM or SIGINT comes, which is true then. */
static bool is_asked_again(const sigset_t *signals, int ms) {
    const struct timespec period = { 0, ms * 1000000L };
    int caught = sigtimedwait(signals, NULL, &period);
    if (caught == SIGHUP)
        log_info("SIGHUP: nothing is reloaded, the server is stopping");
    return caught == SIGTERM || caught == SIGINT;
}

/* Serves on while /readyz replies 503. Each reply ends its connection, so that no client or proxy
 * keeps one that it could use just as it is closed. */
static void serve_on(struct server *server, const sigset_t *signals) {
    const int64_t end_ms = time_monotonic_ms() + server->settings.drain_delay * INT64_C(1000);
    if (!server->settings.drain_delay)
        return;
    atomic_store(&server->app.is_leaving, true);
    listener_end_kept(server->listener);
    while (time_monotonic_ms() < end_ms && !store_is_broken(server->app.store) &&
           !is_asked_again(signals, DELAY_POLL_MS))
        ;
}

/* Waits until nothing is in flight, but at most `limit_ms`, and not once a signal asks to stop if
 * `heeds_signals`. False: something still is. */
static bool wait_for_end(struct server *server, const sigset_t *signals, int64_t limit_ms,
                         bool heeds_signals) {
    const int64_t began_ms = time_monotonic_ms();
    while (listener_in_flight(server->listener)) {
        int64_t took_ms = time_monotonic_ms() - began_ms;
        if (took_ms > SEARCHES_END_MS)
            store_end_reading(server->app.store);
        if (took_ms >= limit_ms || (is_asked_again(signals, DRAIN_POLL_MS) && heeds_signals))
            return false;
    }
    return true;
}

void drain_run(struct server *server, const sigset_t *signals, bool may_delay) {
    const int64_t timeout_ms = server->settings.stop_timeout * INT64_C(1000);
    (void)sd_notify(0, "STOPPING=1");
    if (may_delay)
        serve_on(server, signals);
    listener_drain(server->listener);
    if (wait_for_end(server, signals, timeout_ms, true))
        return;
    log_warning("stopping: %u requests or connections had not ended and are cut off",
                listener_in_flight(server->listener));
    listener_cut(server->listener);
    if (wait_for_end(server, signals, WORK_LIMIT_MS, false))
        return;
    log_error("%u requests did not end in time", listener_in_flight(server->listener));
    log_stop(); /* writes the line */
    /* Not server_stop: it would wait for the threads that hang. */
    _exit(EX_SOFTWARE); /* commits are durable; nothing else is worth waiting for */
}

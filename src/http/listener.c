/* The listening addresses, and the acceptor: one thread that accepts all connections and gives each
 * to the I/O thread with the fewest. If the I/O threads accepted from one socket themselves, the
 * first to wake would take nearly all connections.
 *
 * The acceptor stops accepting when there are as many connections as the process may have
 * descriptors; new clients then wait in the kernel's backlog. It closes a new connection at once if
 * its address has as many as it may (address_counts.h).
 *
 * A reload replaces `tls`. Every connection keeps a reference to the certificates that it began
 * with, so connections that are open do not notice. */
#include "http/address_counts.h"
#include "http/client.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/peers.h"
#include "http/socket.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    NO_ROOM_PAUSE_MS = 20,
    AT_ONCE = 64 /* connections accepted from one socket before the others get their turn */
};

struct listener {
    struct listen_addresses wanted;
    struct listen_options options;
    struct loop **loops;
    pthread_t acceptor;
    bool accepts;
    uint64_t taken;       /* number of accepted connections; only the acceptor uses it */
    int stop;             /* an eventfd that ends the acceptor */
    struct pollfd *waits; /* only the acceptor uses it: `stop`, then all sockets, door by door */
    struct sockets sockets[DOORS];
    uint16_t https_port;
    pthread_mutex_t tls_lock;
    struct tls_context *tls; /* certificates for new connections; a reload replaces them */
    struct stopping stopping;
};

/* ---- taking connections ---- */

static const struct protocols protocols = { &h1_protocol, &h2_protocol };

/* The thread with the fewest connections; NULL if all threads together have as many as allowed. */
static struct loop *find_room(struct listener *listener) {
    struct loop *found = listener->loops[0];
    unsigned total = 0;
    for (unsigned i = 0; i < listener->options.threads; i++) {
        total += loop_connections(listener->loops[i]);
        if (loop_connections(listener->loops[i]) < loop_connections(found))
            found = listener->loops[i];
    }
    return total < listener->options.connection_limit ? found : NULL;
}

static struct tls_context *share_tls(struct listener *listener) {
    (void)pthread_mutex_lock(&listener->tls_lock);
    struct tls_context *tls = tls_context_share(listener->tls);
    (void)pthread_mutex_unlock(&listener->tls_lock);
    return tls;
}

static void take(struct listener *listener, enum door door, struct loop *loop, int fd,
                 const struct sockaddr_storage *from) {
    bool proxy_speaks = peers_include(listener->options.proxies, (const struct sockaddr *)from);
    bool is_trusted = peers_include(listener->options.trusted, (const struct sockaddr *)from);
    bool is_counted = !proxy_speaks && !is_trusted; /* otherwise it stands for many clients */
    struct address_counts *counts = is_counted ? listener->options.address_counts : NULL;
    if (!address_counts_enter(counts, (const struct sockaddr *)from)) {
        (void)close(fd);
        return;
    }
    struct client_options options = {
        .loop = loop,
        .protocols = &protocols,
        .fd = fd,
        .number = ++listener->taken,
        .from = from,
        .door = door,
        .https_port = listener->https_port,
        .tls = door == DOOR_tls ? share_tls(listener) : NULL,
        .proxy_speaks = proxy_speaks,
        .is_trusted = is_trusted,
        .is_counted = is_counted,
    };
    struct client *client = client_new(&options);
    tls_context_release(options.tls);
    if (client) {
        loop_give(loop, client);
        return;
    }
    address_counts_leave(counts, (const struct sockaddr *)from);
    (void)close(fd);
    log_warning("a connection could not be taken: the system is short of memory");
}

enum taking { TOOK, NONE_WAITS, NO_ROOM };

static enum taking accept_one(struct listener *listener, enum door door, int socket) {
    struct sockaddr_storage from = { 0 };
    socklen_t size = sizeof from;
    struct loop *loop = find_room(listener);
    if (!loop)
        return NO_ROOM;
    int fd = accept4(socket, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN)
        return NONE_WAITS;
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR ? TOOK : NO_ROOM;
    take(listener, door, loop, fd, &from);
    return TOOK;
}

/* Accepts what waits at one socket, at most AT_ONCE connections. False if there is no room for
 * more. */
static bool accept_some(struct listener *listener, enum door door, int socket) {
    enum taking taking = TOOK;
    for (int i = 0; i < AT_ONCE && taking == TOOK; i++)
        taking = accept_one(listener, door, socket);
    return taking != NO_ROOM;
}

/* Accepts what waits at all sockets that poll found ready. */
static bool accept_all(struct listener *listener) {
    const struct pollfd *wait = listener->waits + 1;
    bool has_room = true;
    for (enum door door = 0; door < DOORS; door++)
        for (size_t i = 0; i < listener->sockets[door].count; i++, wait++)
            if (wait->revents && has_room)
                has_room = accept_some(listener, door, wait->fd);
    return has_room;
}

static size_t socket_count(const struct listener *listener) {
    size_t count = 0;
    for (enum door door = 0; door < DOORS; door++)
        count += listener->sockets[door].count;
    return count;
}

static bool prepare_waits(struct listener *listener) {
    listener->waits = calloc(1 + socket_count(listener), sizeof *listener->waits);
    if (!listener->waits)
        return false;
    struct pollfd *wait = listener->waits;
    *wait++ = (struct pollfd){ .fd = listener->stop, .events = POLLIN };
    for (enum door door = 0; door < DOORS; door++)
        for (size_t i = 0; i < listener->sockets[door].count; i++)
            *wait++ = (struct pollfd){ .fd = listener->sockets[door].at[i].fd, .events = POLLIN };
    return true;
}

static void *run_acceptor(void *argument) {
    struct listener *listener = argument;
    size_t count = 1 + socket_count(listener);
    while (!listener->waits[0].revents) {
        if (poll(listener->waits, count, -1) < 0)
            continue; /* a signal; none is meant for this thread */
        /* Clients that cannot be accepted now (no room, no descriptors) stay in the backlog. */
        if (!accept_all(listener))
            (void)poll(listener->waits, 1, NO_ROOM_PAUSE_MS);
    }
    return NULL;
}

static void stop_accepting(struct listener *listener) {
    if (listener->accepts) {
        uint64_t one = 1;
        ssize_t written = write(listener->stop, &one, sizeof one);
        assert(written == sizeof one);
        (void)written;
        int failed = pthread_join(listener->acceptor, NULL);
        assert(!failed);
        (void)failed;
        listener->accepts = false;
    }
    for (enum door door = 0; door < DOORS; door++)
        socket_close(&listener->sockets[door]);
}

/* ---- the life of a listener ---- */

/* Frees what listener_open made; there may be no threads yet. */
static void release(struct listener *listener) {
    for (enum door door = 0; door < DOORS; door++)
        socket_close(&listener->sockets[door]);
    free(listener->loops);
    free(listener->waits);
    tls_context_release(listener->tls);
    if (listener->stop >= 0)
        (void)close(listener->stop);
    free(listener);
}

/* UNIX sockets never speak TLS: their clients are on this machine. */
static bool open_list(struct listener *listener, const char *list, const char *setting,
                      struct socket_failure *failure) {
    const struct socket_options options = { .setting = setting,
                                            .unix_mode = listener->wanted.unix_mode,
                                            .unix_group = listener->wanted.unix_group };
    struct text rest = text_of(list), item;
    while (text_next(&rest, &item)) {
        enum door door = DOOR_plain;
        if (list == listener->wanted.redirect)
            door = DOOR_redirect;
        else if (list == listener->wanted.metrics)
            door = DOOR_metrics;
        else if (listener->tls && !text_starts_nocase(item, TEXT("unix:")))
            door = DOOR_tls;
        if (!socket_listen(item, &options, &listener->sockets[door], failure))
            return false;
    }
    return true;
}

static bool adopt_all(struct listener *listener, struct socket_failure *failure) {
    for (size_t i = 0; i < listener->wanted.inherited_count; i++) {
        const struct inherited_socket *inherited = &listener->wanted.inherited[i];
        enum door door = DOOR_plain;
        if (inherited->redirects)
            door = DOOR_redirect;
        else if (listener->tls && !socket_is_unix(inherited->fd))
            door = DOOR_tls;
        if (!socket_adopt(inherited->fd, &listener->sockets[door], failure))
            return false;
    }
    return true;
}

/* Turns the URLs of TLS sockets into https, since socket.c knows nothing of TLS. */
static void note_https(struct listener *listener) {
    struct sockets *sockets = &listener->sockets[DOOR_tls];
    for (size_t i = 0; i < sockets->count; i++) {
        char *url = sockets->at[i].url;
        char with_tls[SOCKET_URL_MAX + 1];
        (void)snprintf(with_tls, sizeof with_tls, "https%s", url + strlen("http"));
        memcpy(url, with_tls, SOCKET_URL_MAX - 1);
        if (i == 0)
            listener->https_port = (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10);
    }
}

static const char redirects_nowhere[] =
    "--redirect-listen sends clients to HTTPS: give an address for it to --listen, with --tls-cert"
    " and --tls-key";

static const char listens_nowhere[] = "--listen names no address";

static bool refuse_settings(struct socket_failure *failure, const char *why) {
    (void)snprintf(failure->why, sizeof failure->why, "%s", why);
    failure->exit_code = EX_USAGE;
    return false;
}

static bool open_all(struct listener *listener, struct socket_failure *failure) {
    const struct listen_addresses *wanted = &listener->wanted;
    if (*wanted->tls.certificates || *wanted->tls.keys) {
        listener->tls = tls_context_load(&wanted->tls, failure->why, sizeof failure->why);
        failure->exit_code = EX_NOINPUT;
        if (!listener->tls)
            return false;
    }
    if (wanted->inherited_count
            ? !adopt_all(listener, failure)
            : !open_list(listener, wanted->listen, "--listen", failure) ||
                  !open_list(listener, wanted->redirect, "--redirect-listen", failure))
        return false;
    note_https(listener);
    if (listener->sockets[DOOR_redirect].count && !listener->sockets[DOOR_tls].count)
        return refuse_settings(failure, redirects_nowhere);
    if (!socket_count(listener))
        return refuse_settings(failure, listens_nowhere);
    return open_list(listener, wanted->metrics, "--metrics-listen", failure);
}

/* The function that takes mistakes, and its context. */
struct fault_list {
    listen_fault *fault;
    void *context;
};

/* Returns the number of addresses; `speak_tls`: only of those that could speak TLS. */
static size_t check_list(const struct listen_addresses *addresses, const char *setting,
                         const char *list, const struct fault_list *faults, bool speak_tls) {
    size_t count = 0;
    struct text rest = text_of(list), item;
    const struct socket_options options = { setting, addresses->unix_mode, addresses->unix_group };
    while (text_next(&rest, &item)) {
        struct socket_failure failure;
        if (!socket_check(item, &options, &failure))
            faults->fault(faults->context, failure.exit_code, failure.why);
        count += !speak_tls || !text_starts_nocase(item, TEXT("unix:"));
    }
    return count;
}

static bool is_empty(const char *list) {
    struct text rest = text_of(list), item;
    return !text_next(&rest, &item);
}

void listener_check(const struct listen_addresses *addresses, listen_fault *fault, void *context) {
    const struct fault_list faults = { fault, context };
    const struct tls_options *tls = &addresses->tls;
    const bool wants_tls = *tls->certificates || *tls->keys;
    struct tls_context *loaded = NULL;
    char why[512];
    if (wants_tls && !(loaded = tls_context_load(tls, why, sizeof why)))
        fault(context, EX_NOINPUT, why);
    tls_context_release(loaded);
    size_t count = check_list(addresses, "--listen", addresses->listen, &faults, wants_tls);
    size_t redirects =
        check_list(addresses, "--redirect-listen", addresses->redirect, &faults, false);
    (void)check_list(addresses, "--metrics-listen", addresses->metrics, &faults, false);
    if (!redirects && is_empty(addresses->listen))
        fault(context, EX_USAGE, listens_nowhere);
    if (redirects && (!wants_tls || !count))
        fault(context, EX_USAGE, redirects_nowhere);
}

struct listener *listener_open(const struct listen_addresses *addresses, char *why, size_t why_size,
                               int *exit_code) {
    struct listener *listener = calloc(1, sizeof *listener);
    struct socket_failure failure = { EX_OSERR, "no memory or descriptors to listen" };
    if (listener) {
        listener->wanted = *addresses;
        listener->stop = eventfd(0, EFD_CLOEXEC);
        if (listener->stop >= 0 && pthread_mutex_init(&listener->tls_lock, NULL) == 0) {
            if (open_all(listener, &failure))
                return listener;
            (void)pthread_mutex_destroy(&listener->tls_lock);
        }
        release(listener);
    }
    (void)snprintf(why, why_size, "%s", failure.why);
    *exit_code = failure.exit_code;
    return NULL;
}

enum status listener_start(struct listener *listener, const struct listen_options *options) {
    listener->options = *options;
    listener->loops = calloc(options->threads, sizeof(struct loop *));
    if (!listener->loops || !prepare_waits(listener))
        return STATUS_INTERNAL;
    for (unsigned i = 0; i < options->threads; i++) {
        listener->loops[i] = loop_start(&listener->options, &listener->stopping);
        if (!listener->loops[i])
            return STATUS_INTERNAL;
    }
    listener->accepts = pthread_create(&listener->acceptor, NULL, run_acceptor, listener) == 0;
    return listener->accepts ? STATUS_OK : STATUS_INTERNAL;
}

bool listener_reload(struct listener *listener, char *why, size_t why_size) {
    if (!listener->tls)
        return true;
    struct tls_context *fresh = tls_context_load(&listener->wanted.tls, why, why_size);
    if (!fresh)
        return false;
    (void)pthread_mutex_lock(&listener->tls_lock);
    struct tls_context *before = listener->tls;
    listener->tls = fresh;
    (void)pthread_mutex_unlock(&listener->tls_lock);
    tls_context_release(before);
    return true;
}

const char *listener_url(const struct listener *listener, unsigned at) {
    for (enum door door = 0; door < DOORS; door++) {
        if (at < listener->sockets[door].count)
            return listener->sockets[door].at[at].url;
        at -= (unsigned)listener->sockets[door].count;
    }
    return NULL;
}

void listener_end_kept(struct listener *listener) {
    atomic_store(&listener->stopping.ends_kept, true);
}

/* The acceptor ends first: what it has taken is served. */
void listener_drain(struct listener *listener) {
    stop_accepting(listener);
    atomic_store(&listener->stopping.ends_kept, true);
    atomic_store(&listener->stopping.is_draining, true);
    for (unsigned i = 0; i < listener->options.threads; i++)
        loop_drain(listener->loops[i]);
}

void listener_cut(struct listener *listener) {
    for (unsigned i = 0; i < listener->options.threads; i++)
        loop_cut(listener->loops[i]);
}

unsigned listener_connections(const struct listener *listener) {
    unsigned count = 0;
    for (unsigned i = 0; i < listener->options.threads; i++)
        count += loop_connections(listener->loops[i]);
    return count;
}

unsigned listener_in_flight(const struct listener *listener) {
    unsigned count = 0;
    for (unsigned i = 0; i < listener->options.threads; i++)
        count += loop_in_flight(listener->loops[i]);
    return count;
}

void listener_stop(struct listener *listener) {
    if (!listener)
        return;
    stop_accepting(listener);
    for (unsigned i = 0; listener->loops && i < listener->options.threads; i++)
        loop_stop(listener->loops[i]);
    (void)pthread_mutex_destroy(&listener->tls_lock);
    release(listener);
}

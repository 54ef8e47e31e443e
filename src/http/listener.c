/* An address, and the one thread that takes all connections to it and deals them out. Were the I/O
 * threads to take them from one socket, the first to wake would take them all. */
#include "http/io.h"
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

enum { NO_ROOM_PAUSE_MS = 20, AT_ONCE = 64 /* before it is looked whether to stop */ };

struct listener {
    struct listen_options options;
    struct io **threads;
    pthread_t acceptor;
    bool accepts;
    uint64_t taken; /* connections; the acceptor's own */
    int stop;       /* an eventfd that ends the acceptor */
    struct sockets sockets;
    atomic_bool is_draining;
};

/* The thread with the fewest connections; NULL when all have as many together as there may be. */
static struct io *find_room(struct listener *listener) {
    struct io *found = listener->threads[0];
    unsigned total = 0;
    for (unsigned i = 0; i < listener->options.threads; i++) {
        total += io_connections(listener->threads[i]);
        if (io_connections(listener->threads[i]) < io_connections(found))
            found = listener->threads[i];
    }
    return total < listener->options.connection_limit ? found : NULL;
}

enum taking { TOOK, NONE_WAITS, NO_ROOM };

static enum taking accept_one(struct listener *listener) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    struct io *io = find_room(listener);
    if (!io)
        return NO_ROOM;
    int fd = accept4(listener->sockets.at->fd, (struct sockaddr *)&from, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN)
        return NONE_WAITS;
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR ? TOOK : NO_ROOM;
    if (!io_give(io, fd, ++listener->taken, &from, size))
        log_warning("a connection could not be taken: the system is short of memory");
    return TOOK;
}

static void *run_acceptor(void *argument) {
    struct listener *listener = argument;
    struct pollfd waits[] = { { .fd = listener->stop, .events = POLLIN },
                              { .fd = listener->sockets.at->fd, .events = POLLIN } };
    while (!waits[0].revents) {
        if (poll(waits, 2, -1) < 0)
            continue; /* a signal: none is meant for this thread */
        enum taking taking = TOOK;
        for (int i = 0; i < AT_ONCE && taking == TOOK && !waits[0].revents; i++)
            taking = accept_one(listener);
        /* Clients that cannot be taken now (no room, no descriptors) stay in the backlog. */
        if (taking == NO_ROOM)
            (void)poll(waits, 1, NO_ROOM_PAUSE_MS);
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
    socket_close(&listener->sockets);
}

/* An empty list has the empty address, which is refused as any that cannot be read. */
static bool open_all(struct listener *listener, const char *addresses,
                     struct socket_failure *failure) {
    const struct socket_options options = { .setting = "--listen", .unix_mode = 0660 };
    struct text rest = text_of(addresses), address;
    bool is_open;
    (void)text_next(&rest, &address);
    do
        is_open = socket_listen(address, &options, &listener->sockets, failure);
    while (is_open && text_next(&rest, &address));
    if (!is_open || listener->sockets.count == 1)
        return is_open;
    failure->exit_code = EX_USAGE;
    (void)snprintf(failure->why, sizeof failure->why,
                   "--listen %s: these are several addresses, and one can be served", addresses);
    return false;
}

struct listener *listener_open(const char *addresses, char *why, size_t why_size, int *exit_code) {
    struct socket_failure failure = { EX_OSERR, "no memory or descriptors to listen" };
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener)
        listener->stop = eventfd(0, EFD_CLOEXEC);
    if (listener && listener->stop >= 0 && open_all(listener, addresses, &failure))
        return listener;
    (void)snprintf(why, why_size, "%s", failure.why);
    *exit_code = failure.exit_code;
    if (!listener)
        return NULL;
    socket_close(&listener->sockets);
    if (listener->stop >= 0)
        (void)close(listener->stop);
    free(listener);
    return NULL;
}

enum status listener_start(struct listener *listener, const struct listen_options *options) {
    listener->options = *options;
    listener->threads = calloc(options->threads, sizeof(struct io *));
    if (!listener->threads)
        return STATUS_BROKEN;
    for (unsigned i = 0; i < options->threads; i++) {
        listener->threads[i] = io_start(&listener->options, &listener->is_draining);
        if (!listener->threads[i])
            return STATUS_BROKEN;
    }
    listener->accepts = pthread_create(&listener->acceptor, NULL, run_acceptor, listener) == 0;
    return listener->accepts ? STATUS_OK : STATUS_BROKEN;
}

const char *listener_url(const struct listener *listener) {
    return listener->sockets.at->url;
}

void listener_drain(struct listener *listener) {
    atomic_store(&listener->is_draining, true);
    stop_accepting(listener);
}

unsigned listener_in_flight(const struct listener *listener) {
    unsigned count = 0;
    for (unsigned i = 0; i < listener->options.threads; i++)
        count += atomic_load(&listener->threads[i]->in_flight);
    return count;
}

void listener_stop(struct listener *listener) {
    if (!listener)
        return;
    stop_accepting(listener);
    for (unsigned i = 0; listener->threads && i < listener->options.threads; i++)
        io_stop(listener->threads[i]);
    free(listener->threads);
    (void)close(listener->stop);
    free(listener);
}

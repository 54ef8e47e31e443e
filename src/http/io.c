/* The I/O threads. Each has its own connections and its own instance of the HTTP library, which it
 * drives itself: so a thread is woken once for all replies that a group commit made ready, and
 * nothing of a connection is shared. */
#include "http/io.h"

#include "base/log.h"
#include "base/time.h"

#include <assert.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* The library's own timeout ends a connection that moves no byte at all. These end one that moves
 * a byte now and then: how many times that timeout a whole head, body and reply may take. */
enum { HEAD_TIMES = 2, BODY_TIMES = 4, REPLY_TIMES = 10, LOOK_EVERY_MS = 1000 };

enum { IO_NICE = -5 }; /* the writer's, for which all changes wait, is lower */

void io_post(struct io *io, struct errand *errand) {
    atomic_fetch_add(&io->posting, 1);
    errand->next = atomic_load_explicit(&io->errands, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&io->errands, &errand->next, errand))
        ;
    /* Either the thread sees the errand before it sleeps, or it is seen to sleep here. */
    if (atomic_load(&io->sleeps) && atomic_exchange(&io->sleeps, false)) {
        uint64_t one = 1;
        ssize_t written = write(io->wake, &one, sizeof one);
        assert(written == sizeof one); /* short of 2^64 calls it cannot fail */
        (void)written;
    }
    atomic_fetch_sub(&io->posting, 1); /* the last touch: now it may be freed */
}

static void run_errands(struct io *io) {
    struct errand *last = atomic_exchange(&io->errands, NULL), *first = NULL;
    while (last) {
        struct errand *before = last->next;
        last->next = first;
        first = last;
        last = before;
    }
    for (struct errand *next; first; first = next) {
        next = first->next;
        first->run(first);
    }
}

static void enlist(struct client **list, struct client *client) {
    client->next = *list;
    client->link = list;
    if (client->next)
        client->next->link = &client->next;
    *list = client;
}

static void unlist(struct client *client) {
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
}

void io_end_client(struct client *client) {
    struct io *io = client->io;
    unlist(client);
    free(client);
    atomic_fetch_add_explicit(&io->gone, 1, memory_order_relaxed);
}

static struct client *find_joining(struct io *io, int fd) {
    struct client *client = io->joining;
    while (client && client->fd != fd)
        client = client->next;
    return client;
}

static void warn_of_refusal(void) {
    log_warning("a connection could not be taken: the system is short of memory");
}

/* libmicrohttpd 0.9.75 begins the connection within this call, 1.0.1 in the next MHD_run. */
static void join(struct errand *errand) {
    struct client *client = (struct client *)errand;
    struct io *io = client->io;
    int fd = client->fd;
    enlist(&io->joining, client);
    if (MHD_add_connection(io->daemon, fd, (struct sockaddr *)&client->from, client->from_size) ==
        MHD_YES)
        return;
    warn_of_refusal();
    client = find_joining(io, fd);
    if (client)
        io_end_client(client); /* else it began, and the library told of its end */
}

/* Ends those whose connection the library closed without a notice. */
static void end_joining(struct io *io) {
    for (struct client *client = io->joining, *next; client; client = next) {
        next = client->next;
        io_end_client(client);
    }
}

bool io_give(struct io *io, int fd, uint64_t number, const struct sockaddr_storage *from,
             socklen_t from_size) {
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        (void)close(fd);
        return false;
    }
    client->errand.run = join;
    client->io = io;
    client->fd = fd;
    client->number = number;
    client->from = *from;
    client->from_size = from_size;
    io->given++;
    io_post(io, &client->errand);
    return true;
}

unsigned io_connections(const struct io *io) {
    return io->given - atomic_load_explicit(&io->gone, memory_order_relaxed);
}

void client_enter(struct client *client, enum phase phase) {
    client->phase = phase;
    client->since_ms = client->io->now_ms;
}

struct client *io_begin_client(struct io *io, int fd) {
    struct client *client = find_joining(io, fd);
    assert(client);
    unlist(client);
    enlist(&io->clients, client);
    client_enter(client, PHASE_head);
    return client;
}

static bool is_late(const struct client *client) {
    const struct io *io = client->io;
    unsigned times = 0;
    switch (client->phase) {
    case PHASE_head: times = HEAD_TIMES; break;
    case PHASE_body: times = BODY_TIMES; break;
    case PHASE_reply: times = REPLY_TIMES; break;
    case PHASE_work: return false; /* that is the server's own time */
    }
    return io->now_ms - client->since_ms > times * INT64_C(1000) * io->options->idle_timeout_s;
}

static void look_at_deadlines(struct io *io) {
    if (io->now_ms < io->look_ms)
        return;
    io->look_ms = io->now_ms + LOOK_EVERY_MS;
    for (struct client *client = io->clients; client; client = client->next)
        if (is_late(client))
            (void)shutdown(client->fd, SHUT_RDWR); /* the library sees its end and does the rest */
}

/* Sleeps until a connection is ready, an errand came, or a deadline is to be looked at. */
static void wait_for_work(struct io *io, int library) {
    MHD_UNSIGNED_LONG_LONG due;
    int timeout_ms = io->clients ? LOOK_EVERY_MS : -1;
    if (MHD_get_timeout(io->daemon, &due) == MHD_YES && due < LOOK_EVERY_MS)
        timeout_ms = (int)due;
    if (timeout_ms == 0)
        return;
    struct pollfd waits[] = { { .fd = io->wake, .events = POLLIN },
                              { .fd = library, .events = POLLIN } };
    atomic_store(&io->sleeps, true);
    bool has_errand = atomic_load(&io->errands) || atomic_load(&io->is_stopping);
    int found = poll(waits, 2, has_errand ? 0 : timeout_ms);
    atomic_store(&io->sleeps, false);
    uint64_t woken;
    if (found > 0 && waits[0].revents)
        (void)!read(io->wake, &woken, sizeof woken); /* only to have it sleep again */
}

/* Clients on the same machine, and whatever else runs there, are woken by each reply. Woken in the
 * middle of many replies they would interrupt the thread at each of them, and it them at each of
 * their requests: so it goes before them, but is none that interrupts (SCHED_BATCH). The system may
 * refuse the former (it takes CAP_SYS_NICE or RLIMIT_NICE); then it is served like all others. */
static void work_in_batches(void) {
    const struct sched_param none = { 0 };
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), IO_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *run(void *argument) {
    struct io *io = argument;
    work_in_batches();
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(io->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int library = info->epoll_fd;
    while (!atomic_load_explicit(&io->is_stopping, memory_order_acquire)) {
        wait_for_work(io, library);
        io->now_us = time_monotonic_us();
        io->now_ms = io->now_us / 1000;
        run_errands(io);
        (void)MHD_run(io->daemon); /* fails only when it is stopped */
        if (io->joining)
            warn_of_refusal();
        end_joining(io);
        look_at_deadlines(io);
    }
    run_errands(io); /* a client that came meanwhile is closed with all others */
    MHD_stop_daemon(io->daemon);
    end_joining(io);
    return NULL;
}

static void nothing(struct errand *errand) {
    (void)errand;
}

static bool start(struct io *io) {
    io->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->wake < 0)
        return false;
    io->daemon = serve_daemon(io);
    if (!io->daemon)
        return false;
    io->runs = pthread_create(&io->thread, NULL, run, io) == 0;
    if (!io->runs)
        MHD_stop_daemon(io->daemon);
    return io->runs;
}

struct io *io_start(const struct listen_options *options, const atomic_bool *is_draining) {
    struct io *io = aligned_alloc(_Alignof(struct io), sizeof *io);
    if (!io)
        return NULL;
    memset(io, 0, sizeof *io);
    io->options = options;
    io->is_draining = is_draining;
    if (start(io)) {
        (void)pthread_setname_np(io->thread, "io"); /* for those who look at a running server */
        return io;
    }
    io_stop(io);
    return NULL;
}

void io_stop(struct io *io) {
    if (!io)
        return;
    if (io->runs) {
        struct errand wake_up = { .run = nothing };
        atomic_store(&io->is_stopping, true);
        io_post(io, &wake_up);
        int failed = pthread_join(io->thread, NULL);
        assert(!failed);
        (void)failed;
    }
    while (atomic_load(&io->posting))
        (void)sched_yield(); /* for the few instructions that are left to them */
    if (io->wake >= 0)
        (void)close(io->wake);
    free(io);
}

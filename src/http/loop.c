/* The I/O threads. Each thread runs an event loop with its own epoll and its own share of the
 * connections, so nothing of a connection is shared between threads.
 *
 * Other threads never touch a connection. They post an io_task: loop_post puts it on a lock-free
 * list and wakes the thread through an eventfd, but only if the thread sleeps. When the writer
 * commits a group, it thus wakes each thread once for all replies that the commit made ready.
 *
 * Each connection is in one phase (enum phase) and in the list of that phase, ordered by when its
 * bytes last moved. Twice a second the thread checks the fronts of these lists for connections that
 * are past their deadline. A connection that keeps its deadline costs nothing but its place in a
 * list.
 *
 * A connection that still has work after its share of a turn waits in `again`; one that is closed
 * waits in `over`, until nothing in the current round can refer to it, and is then freed. */
#include "http/loop.h"

#include "base/budget.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 500, /* how often deadlines are checked */
    EVENTS = 256,        /* taken from epoll at once */
    IO_NICE = -5, /* the writer, for which all changes wait, has a higher priority (lower value) */
    SHORT_QUIET_MS =
        2000, /* limits of a reply while requests are refused because memory is short */
    SHORT_WHOLE_MS = 10000,
    FRESH_MS = 2000,  /* how long a stopping server waits for a first request */
    KEPT_CHUNKS = 80, /* arena chunks that a thread keeps for the next requests */
};

/* A client can leave its replies unread at no cost. While memory is short, such replies must not
 * keep other clients out for long. */
static struct limit reply_limit(const struct loop *loop, int64_t usual_ms) {
    if (loop->is_short && usual_ms > SHORT_QUIET_MS)
        return (struct limit){ SHORT_QUIET_MS, SHORT_WHOLE_MS };
    return (struct limit){ usual_ms, 10 * usual_ms };
}

/* Deadlines follow --idle-timeout, capped for each phase (docs/http.md lists them). A head is
 * short, so it must arrive as a whole within its time. A body or a reply may pause, but also has a
 * limit for the whole, which ends clients that move one byte now and then. */
struct limit loop_limit(const struct loop *loop, enum phase phase) {
    const int64_t idle_ms = loop->options->idle_timeout_s * INT64_C(1000);
    const int64_t head_ms = loop->options->head_timeout_s * INT64_C(1000);
    const int64_t brief_ms = idle_ms < head_ms ? idle_ms : head_ms;
    const int64_t usual_ms = idle_ms < 30000 ? idle_ms : 30000;
    switch (phase) {
    case PHASE_handshake:
    case PHASE_head: return (struct limit){ brief_ms, brief_ms };
    case PHASE_idle:
        return (struct limit){ atomic_load(&loop->has_drained) && idle_ms > FRESH_MS ? FRESH_MS
                                                                                     : idle_ms,
                               0 };
    case PHASE_body: return (struct limit){ usual_ms, 4 * usual_ms };
    case PHASE_reply:
    case PHASE_window: return reply_limit(loop, usual_ms);
    case PHASE_linger: return (struct limit){ 2000, 2000 };
    case PHASE_work:
    case PHASES: break; /* the server's own time has no limit here */
    }
    return (struct limit){ 0 };
}

/* ---- tasks from other threads ---- */

void loop_post(struct loop *loop, struct io_task *io_task) {
    atomic_fetch_add(&loop->posting, 1);
    io_task->next = atomic_load_explicit(&loop->io_tasks, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&loop->io_tasks, &io_task->next, io_task))
        ;
    /* The thread sets `sleeps` before it looks at the list, and this function adds to the list
     * before it looks at `sleeps`. So one of the two sees the other. */
    if (atomic_load(&loop->sleeps) && atomic_exchange(&loop->sleeps, false)) {
        uint64_t one = 1;
        ssize_t written = write(loop->wake, &one, sizeof one);
        assert(written == sizeof one); /* an eventfd takes any number below 2^64 - 1 */
        (void)written;
    }
    atomic_fetch_sub(&loop->posting, 1); /* the last access: from here on the loop may be freed */
}

static void run_io_tasks(struct loop *loop) {
    struct io_task *last = atomic_exchange(&loop->io_tasks, NULL), *first = NULL;
    while (last) {
        struct io_task *before = last->next;
        last->next = first;
        first = last;
        last = before;
    }
    for (struct io_task *next; first; first = next) {
        next = first->next;
        first->run(first);
    }
}

/* ---- the lists of clients ---- */

static void append(struct loop *loop, struct client *client) {
    struct phase_list *list = &loop->phases[client->phase];
    client->next = NULL;
    client->before = list->last;
    *(list->last ? &list->last->next : &list->first) = client;
    list->last = client;
}

static void take_out(struct loop *loop, struct client *client) {
    struct phase_list *list = &loop->phases[client->phase];
    *(client->before ? &client->before->next : &list->first) = client->next;
    *(client->next ? &client->next->before : &list->last) = client->before;
}

bool loop_note(struct loop *loop, struct client *client, enum phase phase, bool moved) {
    const struct limit limit = loop_limit(loop, phase);
    bool is_new = phase != client->phase || client->advanced;
    client->advanced = false;
    if (is_new)
        client->since_ms = loop->now_ms;
    /* If the limits of the phase for a pause and for the whole are equal, the list stays in the
     * order in which connections entered the phase. */
    if (is_new || (moved && limit.quiet_ms != limit.whole_ms)) {
        take_out(loop, client);
        client->phase = phase;
        client->moved_ms = loop->now_ms;
        append(loop, client);
    }
    return !limit.whole_ms || loop->now_ms - client->since_ms <= limit.whole_ms;
}

void loop_again(struct loop *loop, struct client *client) {
    if (client->is_again)
        return;
    client->is_again = true;
    client->next_again = loop->again;
    loop->again = client;
}

void loop_forget(struct loop *loop, struct client *client) {
    take_out(loop, client);
    struct client **link = &loop->again;
    while (client->is_again && *link != client)
        link = &(*link)->next_again;
    if (client->is_again)
        *link = client->next_again;
    client->is_again = false;
    atomic_fetch_add_explicit(&loop->gone, 1, memory_order_relaxed);
}

/* Only this thread writes the counter, so a plain load and store suffice, without an atomic
 * addition. */
void loop_count(struct loop *loop, unsigned more) {
    unsigned now = atomic_load_explicit(&loop->in_flight, memory_order_relaxed);
    atomic_store(&loop->in_flight, now + more);
}

void loop_free_later(struct loop *loop, struct client *client) {
    if (client->is_over)
        return;
    client->is_over = true;
    client->next_again = loop->over;
    loop->over = client;
}

static void free_over(struct loop *loop) {
    for (struct client *client; (client = loop->over);) {
        loop->over = client->next_again;
        free(client);
    }
}

const char *loop_date(struct loop *loop) {
    int64_t now_s = time_coarse_ms() / 1000;
    if (now_s != loop->date_s) {
        const time_t now = (time_t)now_s;
        struct tm parts;
        loop->date_s = now_s;
        (void)gmtime_r(&now, &parts);
        /* English names: the program never leaves the C locale. */
        size_t size = strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        assert(size);
        (void)size;
    }
    return loop->date;
}

unsigned loop_in_flight(const struct loop *loop) {
    /* has_drained must be read first: when it is set, all requests that began before it are in
     * in_flight. */
    unsigned drains = atomic_load(&loop->stopping->is_draining) && !atomic_load(&loop->has_drained);
    return drains + atomic_load(&loop->in_flight);
}

static void join(struct io_task *io_task) {
    struct client *client = (struct client *)io_task;
    struct loop *loop = client->loop;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = client };
    client->phase = PHASE_idle;
    client->since_ms = client->moved_ms = loop->now_ms;
    append(loop, client);
    if (epoll_ctl(loop->poll, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        log_warning("a connection could not be taken: the system is short of memory");
        client->calls->end(client);
        return;
    }
    if (atomic_load_explicit(&loop->has_drained, memory_order_relaxed)) {
        client->is_drained = true;
        client->calls->drain(client);
        return;
    }
    client->calls->turn(client);
}

void loop_give(struct loop *loop, struct client *client) {
    client->io_task.run = join;
    atomic_fetch_add_explicit(&loop->given, 1, memory_order_relaxed);
    loop_post(loop, &client->io_task);
}

unsigned loop_connections(const struct loop *loop) {
    return atomic_load_explicit(&loop->given, memory_order_relaxed) -
           atomic_load_explicit(&loop->gone, memory_order_relaxed);
}

/* ---- the thread ---- */

static void look_at_deadlines(struct loop *loop) {
    if (loop->now_ms < loop->look_ms)
        return;
    loop->look_ms = loop->now_ms + LOOK_EVERY_MS;
    uint64_t refused = budget_stats().refused;
    loop->is_short = refused != loop->refused;
    loop->refused = refused;
    for (enum phase phase = 0; phase < PHASES; phase++) {
        int64_t quiet_ms = loop_limit(loop, phase).quiet_ms;
        struct client *client, *last = NULL;
        /* A client that stays at the front of the list is asked only once. */
        while (quiet_ms && (client = loop->phases[phase].first) && client != last &&
               loop->now_ms - client->moved_ms > quiet_ms) {
            last = client;
            client->calls->late(client);
        }
    }
}

static void run_again(struct loop *loop) {
    struct client *client = loop->again;
    loop->again = NULL;
    for (struct client *c = client; c; c = c->next_again)
        c->is_again = false;
    while (client) {
        struct client *next = client->next_again;
        client->calls->turn(client);
        client = next;
    }
}

/* Tells every client that the server stops: idle ones close. Moving each client to the end of its
 * list makes the walk safe while clients leave the lists. */
static void drain_all(struct loop *loop) {
    for (enum phase phase = 0; phase < PHASES; phase++)
        for (struct client *client; (client = loop->phases[phase].first) && !client->is_drained;) {
            take_out(loop, client);
            append(loop, client);
            client->is_drained = true;
            client->calls->drain(client);
        }
}

static bool has_timed(const struct loop *loop) {
    for (enum phase phase = 0; phase < PHASES; phase++)
        if (phase != PHASE_work && loop->phases[phase].first)
            return true;
    return false;
}

/* Sleeps until a connection is ready, a task was posted, or it is time to check deadlines. */
static int wait_for_work(struct loop *loop, struct epoll_event *events) {
    int timeout_ms = loop->again ? 0 : has_timed(loop) ? LOOK_EVERY_MS : -1;
    atomic_store(&loop->sleeps, true);
    if (atomic_load(&loop->io_tasks) || atomic_load(&loop->is_stopping))
        timeout_ms = 0;
    int found = epoll_wait(loop->poll, events, EVENTS, timeout_ms);
    atomic_store(&loop->sleeps, false);
    return found;
}

static void take_event(struct loop *loop, const struct epoll_event *event) {
    struct client *client = event->data.ptr;
    if (!client) {
        uint64_t woken;
        (void)!read(loop->wake, &woken,
                    sizeof woken); /* resets the eventfd; its value does not matter */
        return;
    }
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        client->ready.can_read = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        client->ready.can_write = true;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        client->ready.has_ended = true;
    client->calls->turn(client);
}

/* Sets the thread's scheduling. Each reply wakes a client; on the same machine that client would
 * preempt this thread in the middle of many replies, and this thread would preempt it with each
 * request. A lower nice value keeps the thread running through its replies, and SCHED_BATCH keeps
 * it from preempting others. The system may refuse the nice value (it needs CAP_SYS_NICE or
 * RLIMIT_NICE); the thread then runs at normal priority. */
static void work_in_batches(void) {
    const struct sched_param none = { 0 };
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), IO_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static void run_once(struct loop *loop) {
    struct epoll_event events[EVENTS];
    int found = wait_for_work(loop, events);
    loop->now_us = time_monotonic_us();
    loop->now_ms = loop->now_us / 1000;
    for (int i = 0; i < found; i++)
        take_event(loop, &events[i]);
    run_io_tasks(loop);
    run_again(loop);
    if (!atomic_load_explicit(&loop->has_drained, memory_order_relaxed) &&
        atomic_load_explicit(&loop->stopping->is_draining, memory_order_relaxed)) {
        drain_all(loop);
        atomic_store(&loop->has_drained, true);
    }
    look_at_deadlines(loop);
    free_over(loop);
}

static void end_all(struct loop *loop) {
    for (enum phase phase = 0; phase < PHASES; phase++)
        for (struct client *client; (client = loop->phases[phase].first);)
            client->calls->end(client);
}

static void *run_loop(void *argument) {
    struct loop *loop = argument;
    work_in_batches();
    arena_keep_chunks(KEPT_CHUNKS);
    while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire))
        run_once(loop);
    run_io_tasks(loop); /* so that clients handed over meanwhile are closed with the others */
    end_all(loop);
    free_over(loop);
    arena_keep_chunks(0);
    return NULL;
}

static void nothing(struct io_task *io_task) {
    (void)io_task;
}

static bool start(struct loop *loop) {
    struct epoll_event event = { .events = EPOLLIN };
    loop->in = malloc(LOOP_BUFFER);
    loop->out = malloc(LOOP_BUFFER);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->poll = epoll_create1(EPOLL_CLOEXEC);
    if (!loop->in || !loop->out || loop->wake < 0 || loop->poll < 0 ||
        epoll_ctl(loop->poll, EPOLL_CTL_ADD, loop->wake, &event) != 0)
        return false;
    loop->runs = pthread_create(&loop->thread, NULL, run_loop, loop) == 0;
    return loop->runs;
}

struct loop *loop_start(const struct listen_options *options, const struct stopping *stopping) {
    struct loop *loop = aligned_alloc(_Alignof(struct loop), sizeof *loop);
    if (!loop)
        return NULL;
    memset(loop, 0, sizeof *loop);
    loop->options = options;
    loop->stopping = stopping;
    loop->wake = loop->poll = -1;
    if (start(loop)) {
        (void)pthread_setname_np(loop->thread, "io"); /* the name shows in ps and debuggers */
        return loop;
    }
    loop_stop(loop);
    return NULL;
}

/* An empty task wakes the thread, which then sees `stopping`. */
void loop_drain(struct loop *loop) {
    loop->draining.run = nothing;
    loop_post(loop, &loop->draining);
}

static void cut(struct io_task *io_task) {
    end_all(container_of(io_task, struct loop, cutting));
}

void loop_cut(struct loop *loop) {
    loop->cutting.run = cut;
    loop_post(loop, &loop->cutting);
}

void loop_stop(struct loop *loop) {
    if (!loop)
        return;
    if (loop->runs) {
        struct io_task wake_up = { .run = nothing };
        atomic_store(&loop->is_stopping, true);
        loop_post(loop, &wake_up);
        int failed = pthread_join(loop->thread, NULL);
        assert(!failed);
        (void)failed;
    }
    while (atomic_load(&loop->posting))
        (void)sched_yield(); /* they are a few instructions from their end */
    if (loop->wake >= 0)
        (void)close(loop->wake);
    if (loop->poll >= 0)
        (void)close(loop->poll);
    free(loop->in);
    free(loop->out);
    free(loop);
}

/* bare_epoll SIZE: the least that a server of this machine can do, as the limit for the HTTP layer.
 * It does not parse: it counts the empty lines that end a head, and sends for each the same head
 * and SIZE bytes as fixed_reply. The number of threads, their priority and the dealing of
 * connections are those of the I/O threads (src/http/io.c, src/http/listener.c). When it is
 * stopped, it prints how many replies it gave. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 64 * 1024,
    EVENTS = 128,
    AT_ONCE = 64, /* replies in one send */
    BACKLOG = 4096,
    IO_NICE = -5,
    HEAD_END = 4, /* the length of CR LF CR LF */
    TAIL_MAX = HEAD_END - 1
};

struct client {
    int fd;
    size_t owed;         /* bytes of replies that the system has not taken yet */
    char tail[TAIL_MAX]; /* the last bytes that came: a head's end may begin in them */
    size_t tail_size;
};

/* Each has cache lines of its own. */
struct worker {
    alignas(64) int epoll;
    atomic_uint clients;
    atomic_ullong replies;           /* only its thread writes */
    char room[TAIL_MAX + READ_SIZE]; /* a client's tail, and behind it what comes */
};

static struct worker *workers;
static unsigned worker_count;

/* The reply AT_ONCE times, `size` bytes each. */
static struct {
    char *bytes;
    size_t size;
} replies;

static void check(bool ok, const char *what) {
    if (ok)
        return;
    (void)fprintf(stderr, "bare_epoll: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* How many heads end in the `got` bytes that came. */
static size_t count_heads(struct worker *worker, struct client *client, size_t got) {
    char *from = worker->room + TAIL_MAX - client->tail_size;
    const char *end = worker->room + TAIL_MAX + got;
    size_t count = 0;
    memcpy(from, client->tail, client->tail_size);
    for (char *found; (found = memmem(from, (size_t)(end - from), "\r\n\r\n", HEAD_END)); count++)
        from = found + HEAD_END;
    size_t left = (size_t)(end - from);
    client->tail_size = left < TAIL_MAX ? left : TAIL_MAX;
    memcpy(client->tail, end - client->tail_size, client->tail_size);
    return count;
}

static void receive(struct worker *worker, struct client *client, size_t got) {
    size_t heads = count_heads(worker, client, got);
    unsigned long long before = atomic_load_explicit(&worker->replies, memory_order_relaxed);
    client->owed += heads * replies.size;
    atomic_store_explicit(&worker->replies, before + heads, memory_order_relaxed);
}

/* False when the client is gone. Bytes that the system does not take now are sent later. */
static bool send_owed(struct client *client) {
    while (client->owed) {
        size_t begun = (replies.size - client->owed % replies.size) % replies.size;
        size_t most = AT_ONCE * replies.size - begun;
        ssize_t sent = send(client->fd, replies.bytes + begun,
                            client->owed < most ? client->owed : most, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN;
        client->owed -= (size_t)sent;
    }
    return true;
}

/* False when the client is gone. A read that did not fill the room took all there was, and whatever
 * comes after it is an event of its own; the end of the stream may have come before. */
static bool serve(struct worker *worker, struct client *client, bool is_ending) {
    for (bool has_more = true;;) {
        if (!send_owed(client))
            return false;
        if (client->owed || !has_more)
            return true;
        ssize_t got = recv(client->fd, worker->room + TAIL_MAX, READ_SIZE, 0);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        receive(worker, client, (size_t)got);
        has_more = got == READ_SIZE || is_ending;
    }
}

/* As in src/http/io.c. */
static void work_in_batches(void) {
    const struct sched_param none = { 0 };
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), IO_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    struct epoll_event events[EVENTS];
    work_in_batches();
    for (;;) {
        int count = epoll_wait(worker->epoll, events, EVENTS, -1);
        check(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (serve(worker, client, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                continue;
            (void)close(client->fd);
            free(client);
            atomic_fetch_sub_explicit(&worker->clients, 1, memory_order_relaxed);
        }
    }
    return NULL;
}

static struct worker *least_busy(void) {
    struct worker *found = &workers[0];
    for (unsigned i = 1; i < worker_count; i++)
        if (atomic_load(&workers[i].clients) < atomic_load(&found->clients))
            found = &workers[i];
    return found;
}

static void *run_acceptor(void *argument) {
    const int *listener = argument;
    for (;;) {
        int fd = accept4(*listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        check(fd >= 0, "accept4");
        struct client *client = calloc(1, sizeof *client);
        check(client != NULL, "a client");
        struct worker *worker = least_busy();
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                     .data.ptr = client };
        client->fd = fd;
        atomic_fetch_add_explicit(&worker->clients, 1, memory_order_relaxed);
        check(epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
    return NULL;
}

/* The head has the length of fixed_reply's, so that clients have the same to read. */
static void make_replies(size_t body) {
    char head[256];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: "
                       "application/json; charset=utf-8\r\nETag: \"200000001-1\"\r\n"
                       "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n",
                       body);
    check(len > 0 && (size_t)len < sizeof head, "the head");
    replies.size = (size_t)len + body;
    replies.bytes = malloc(AT_ONCE * replies.size);
    check(replies.bytes != NULL, "the replies");
    memset(replies.bytes, 'x', AT_ONCE * replies.size);
    for (size_t i = 0; i < AT_ONCE; i++)
        memcpy(replies.bytes + i * replies.size, head, (size_t)len);
}

static int start_listening(void) {
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof name;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
              bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, BACKLOG) == 0 &&
              getsockname(fd, (struct sockaddr *)&name, &size) == 0,
          "listening");
    (void)printf("http://127.0.0.1:%u\n", ntohs(name.sin_port));
    check(fflush(stdout) == 0, "output");
    return fd;
}

static void start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, run, argument);
    check(errno == 0, "a thread");
}

int main(int argc, char **argv) {
    unsigned long long total = 0;
    sigset_t stop;
    int caught;
    size_t body = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (!body)
        return 64;
    make_replies(body);
    check(sigemptyset(&stop) == 0 && sigaddset(&stop, SIGTERM) == 0, "signals");
    check((errno = pthread_sigmask(SIG_BLOCK, &stop, NULL)) == 0, "signals");
    worker_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    workers = aligned_alloc(alignof(struct worker), worker_count * sizeof *workers);
    check(workers != NULL, "the workers");
    memset(workers, 0, worker_count * sizeof *workers);
    for (unsigned i = 0; i < worker_count; i++) {
        workers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
        check(workers[i].epoll >= 0, "epoll_create1");
        start_thread(run_worker, &workers[i]);
    }
    int listener = start_listening();
    start_thread(run_acceptor, &listener);
    check((errno = sigwait(&stop, &caught)) == 0, "sigwait");
    for (unsigned i = 0; i < worker_count; i++)
        total += atomic_load_explicit(&workers[i].replies, memory_order_relaxed);
    (void)printf("%llu replies\n", total);
    return fflush(stdout) == 0 ? 0 : 1;
}

#ifndef ROSTER_TESTS_FUZZ_TURNS_H
#define ROSTER_TESTS_FUZZ_TURNS_H

/* An I/O loop whose turns a fuzzer takes one by one, with a clock that stands still, and clients
 * over socket pairs. Defines functions: one file of a program includes it, which has
 * time_monotonic_us wrapped, and `options`. */

#include "fuzz.h"

#include "base/budget.h"
#include "crypto/secret.h"
#include "http/client.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/serve.h"

#include "http/loop.c"

#include <netinet/in.h>
#include <sys/ioctl.h>

enum {
    TURNS_SEND_BUFFER = 4096, /* of the server, so that replies go out in parts */
    TURNS_PEER_BUFFER =
        1024 * 1024, /* holds a PROXY header, which is only looked at, byte by byte */
    TURNS_STEP_US = 10 * 1000 * 1000,
    TURNS_STEPS_MAX = 60,    /* longer than a connection may be silent at whatever */
    TURNS_SLACK = 128 * 1024 /* bytes that a thread may keep taken of the account of memory */
};

static struct listen_options options;
static struct stopping stopping;
static int64_t clock_us;

/* In place of the clock (ld --wrap). */
int64_t __wrap_time_monotonic_us(void);
int64_t __wrap_time_monotonic_us(void) {
    return clock_us;
}

/* Bytes that grow. */
struct bytes {
    char *at;
    size_t size, capacity;
};

static void append_bytes(struct bytes *bytes, const char *more, size_t size) {
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->at = realloc(bytes->at, bytes->capacity);
        require(bytes->at != NULL);
    }
    if (size)
        memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

static struct loop *turns_loop(void) {
    static struct loop loop = { .options = &options, .stopping = &stopping };
    static char in[LOOP_BUFFER], out[LOOP_BUFFER];
    if (!loop.in) {
        loop.in = in;
        loop.out = out;
        loop.wake = -1;
        loop.poll = epoll_create1(EPOLL_CLOEXEC);
        require(loop.poll >= 0);
    }
    return &loop;
}

/* A task keeps it from sleeping. */
static void turns_take(void) {
    struct io_task io_task = { .run = nothing };
    loop_post(turns_loop(), &io_task);
    run_once(turns_loop());
}

static const struct protocols protocols = { &h1_protocol, &h2_protocol };

/* A connection as the acceptor makes it; the rest of `wanted` is the caller's. Returns the client's
 * end. */
static int turns_connect(struct client_options wanted) {
    const struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(4711) };
    struct sockaddr_storage storage = { 0 };
    const int size = TURNS_SEND_BUFFER, peer_size = TURNS_PEER_BUFFER;
    int ends[2];
    memcpy(&storage, &from, sizeof from);
    require(crypto_start()); /* the Ids of requests are hashes */
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    require(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    require(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &peer_size, sizeof peer_size) == 0);
    require(ioctl(ends[1], FIONBIO, &(int){ 1 }) == 0);
    wanted.loop = turns_loop();
    wanted.protocols = &protocols;
    wanted.fd = ends[1];
    wanted.number = 1;
    wanted.from = &storage;
    atomic_store(&stopping.is_draining, false);
    turns_loop()->has_drained = false;
    struct client *client = client_new(&wanted);
    require(client != NULL);
    loop_give(turns_loop(), client);
    turns_take();
    return ends[0];
}

static void turns_drain(void) {
    atomic_store(&stopping.is_draining, true);
    turns_take();
}

/* A client that says nothing more is rid of in the end, whatever it was at. `settle` has the server
 * do all that it can. */
static void turns_outlive(void (*settle)(void)) {
    for (unsigned i = 0; i < TURNS_STEPS_MAX && loop_connections(turns_loop()); i++) {
        clock_us += TURNS_STEP_US;
        settle();
    }
    const struct loop *loop = turns_loop();
    require(!loop_connections(loop) && !atomic_load(&loop->in_flight) && !loop->again);
    require(budget_stats().used <= TURNS_SLACK); /* what leaks adds up from one input to the next */
    for (enum phase phase = 0; phase < PHASES; phase++)
        require(!loop->phases[phase].first && !loop->phases[phase].last);
}

#endif

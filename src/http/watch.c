/* Deadlines for whole heads, bodies and replies. The I/O threads only count their steps; one
 * other thread looks now and then which counter stood still too long. */
#include "http/watch.h"

#include <stdlib.h>
#include <sys/socket.h>

enum {
    HEAD_S = 30, /* on top of the time that a connection may be idle between two requests */
    BODY_S = 120,
    REPLY_S = 300, /* a large picture on a slow line */
    DRAIN_S = 10,
};

bool watch_init(struct watch *watch, unsigned idle_timeout_s) {
    watch->clients = NULL;
    watch->idle_timeout_s = idle_timeout_s;
    atomic_init(&watch->count, 0);
    return pthread_mutex_init(&watch->lock, NULL) == 0;
}

void watch_close(struct watch *watch) {
    (void)pthread_mutex_destroy(&watch->lock);
}

static void lock(struct watch *watch) {
    (void)pthread_mutex_lock(&watch->lock); /* fails for uninitialised locks only */
}

static void unlock(struct watch *watch) {
    (void)pthread_mutex_unlock(&watch->lock);
}

struct client *watch_client(struct watch *watch, int fd) {
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->fd = fd;
    client->seen_steps = PHASE_work; /* not a step that there is: the first look sets the time */
    atomic_init(&client->steps, PHASE_head);
    lock(watch);
    client->next = watch->clients;
    client->link = &watch->clients;
    if (client->next)
        client->next->link = &client->next;
    watch->clients = client;
    unlock(watch);
    atomic_fetch_add_explicit(&watch->count, 1, memory_order_relaxed);
    return client;
}

void watch_forget(struct watch *watch, struct client *client) {
    if (!client)
        return;
    lock(watch);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    unlock(watch);
    free(client);
    atomic_fetch_sub_explicit(&watch->count, 1, memory_order_relaxed);
}

static enum phase phase_of(unsigned steps) {
    return (enum phase)(steps % 4);
}

/* One writer, so that adding needs no lock on the bus. */
void client_enter(struct client *client, enum phase phase) {
    unsigned steps = atomic_load_explicit(&client->steps, memory_order_relaxed);
    atomic_store_explicit(&client->steps, (steps / 4 + 1) * 4 + phase, memory_order_release);
}

unsigned watch_count(const struct watch *watch) {
    return atomic_load_explicit(&watch->count, memory_order_relaxed);
}

unsigned watch_busy(struct watch *watch) {
    unsigned busy = 0;
    lock(watch);
    for (struct client *client = watch->clients; client; client = client->next) {
        unsigned steps = atomic_load_explicit(&client->steps, memory_order_acquire);
        busy += phase_of(steps) != PHASE_head;
    }
    unlock(watch);
    return busy;
}

/* In seconds; 0: as long as it takes. */
static unsigned limit_of(const struct watch *watch, enum phase phase, bool is_draining) {
    switch (phase) {
    case PHASE_head: return watch->idle_timeout_s + HEAD_S;
    case PHASE_body: return is_draining ? DRAIN_S : BODY_S;
    case PHASE_reply: return is_draining ? DRAIN_S : REPLY_S;
    case PHASE_work: break; /* that is the server's own time */
    }
    return 0;
}

void watch_look(struct watch *watch, int64_t now_ms, bool is_draining) {
    lock(watch);
    for (struct client *client = watch->clients; client; client = client->next) {
        unsigned steps = atomic_load_explicit(&client->steps, memory_order_relaxed);
        unsigned limit_s = limit_of(watch, phase_of(steps), is_draining);
        if (steps != client->seen_steps) {
            client->seen_steps = steps;
            client->seen_ms = now_ms;
        } else if (limit_s && now_ms - client->seen_ms > limit_s * INT64_C(1000)) {
            (void)shutdown(client->fd, SHUT_RDWR); /* its I/O thread does the rest */
        }
    }
    unlock(watch);
}

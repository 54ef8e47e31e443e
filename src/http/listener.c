/* libmicrohttpd, and nobody else knows it. A request becomes a `struct exchange` when its first
 * line is there, goes to the handler when its body is whole, and dies when its reply was sent or
 * its connection is gone. */
#include "http/guard.h"
#include "http/http.h"
#include "http/socket.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    ARENA_LIMIT = 64 * 1024 * 1024,
    CONNECTION_MEMORY = 32 * 1024, /* a head must fit in; it is only touched as far as it fills */
    READ_AT_ONCE = 4096,
    NO_ROOM_PAUSE_MS = 20,
    DROPPED_MAX = 16 * 1024 * 1024, /* bytes of a chunked body that is too large already */
};

struct listener {
    struct listen_options options;
    struct MHD_Daemon *daemon;
    pthread_t acceptor;
    bool accepts;
    int fd, stop; /* an eventfd that ends the acceptor */
    char url[SOCKET_URL_MAX];
    atomic_uint in_flight;
    atomic_bool is_draining;
};

/* An exchange with what only this file needs; lies in its own arena. */
struct served {
    struct exchange exchange; /* first */
    struct arena arena;
    struct listener *listener;
    struct MHD_Connection *connection;
    struct text query;
    size_t body_capacity;
    uint64_t seen; /* bytes of the body */
    bool has_head, is_suspended, must_close, is_late;
};

static struct served *served_of(const struct exchange *exchange) {
    return (struct served *)(uintptr_t)exchange;
}

/* Called with the first line, before the library takes it apart. */
static void *begin(void *context, const char *uri, struct MHD_Connection *connection) {
    struct arena arena;
    arena_init(&arena, ARENA_LIMIT);
    struct served *served = arena_calloc(&arena, 1, sizeof *served);
    if (!served)
        return NULL;
    const char *query = strchr(uri, '?');
    if (query)
        served->query = arena_text(&arena, text_of(query + 1));
    served->arena = arena;
    served->listener = context;
    served->connection = connection;
    served->exchange.arena = &served->arena;
    served->exchange.app = served->listener->options.app;
    /* Either this request is seen by who waits for the last one to end, or it sees that it came too
     * late and must not rest on a connection that is about to be closed. */
    atomic_fetch_add(&served->listener->in_flight, 1);
    served->is_late = atomic_load(&served->listener->is_draining);
    return served;
}

static void end(void *context, struct MHD_Connection *connection, void **own,
                enum MHD_RequestTerminationCode how) {
    struct served *served = *own;
    (void)context;
    (void)connection;
    (void)how;
    if (!served)
        return;
    *own = NULL;
    atomic_fetch_sub_explicit(&served->listener->in_flight, 1, memory_order_release);
    struct arena arena = served->arena;
    arena_close(&arena);
}

static enum method method_of(const char *name) {
    static const struct {
        const char *name;
        enum method method;
    } methods[] = {
        { "GET", METHOD_GET },         { "PUT", METHOD_PUT },     { "POST", METHOD_POST },
        { "HEAD", METHOD_GET },        { "PATCH", METHOD_PATCH }, { "DELETE", METHOD_DELETE },
        { "OPTIONS", METHOD_OPTIONS },
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return METHOD_OTHER;
}

static struct MHD_Response *response_of(const struct reply *reply) {
    return MHD_create_response_from_buffer(reply->body.len, (void *)(uintptr_t)reply->body.at,
                                           MHD_RESPMEM_PERSISTENT);
}

/* MHD_NO makes the library close the connection: all that is left when there is no memory. */
static enum MHD_Result send_reply(struct served *served) {
    const struct reply *reply = &served->exchange.reply;
    struct MHD_Response *response = response_of(reply);
    enum MHD_Result ok = response ? MHD_YES : MHD_NO;
    if (ok && reply->content_type)
        ok = MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (unsigned i = 0; ok && i < reply->header_count; i++)
        ok = MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (ok && (served->must_close ||
               atomic_load_explicit(&served->listener->is_draining, memory_order_relaxed)))
        ok = MHD_add_response_header(response, "Connection", "close");
    if (ok)
        ok = MHD_queue_response(served->connection, reply->http_status, response);
    if (response)
        MHD_destroy_response(response);
    return ok;
}

static enum MHD_Result refuse(struct served *served, enum status status, const char *reason) {
    served->must_close = true;
    served->listener->options.refuse(&served->exchange, status, reason);
    return send_reply(served);
}

static enum MHD_Result show_header(void *guard, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
    (void)kind;
    guard_see(guard, text_of(name), text_of(value));
    return MHD_YES;
}

static enum MHD_Result take_head(struct served *served, const char *path, const char *method) {
    struct guard guard = { 0 };
    const char *reason;
    served->has_head = true;
    served->exchange.path = text_of(path);
    served->exchange.method = method_of(method);
    (void)MHD_get_connection_values(served->connection, MHD_HEADER_KIND, show_header, &guard);
    enum status status = guard_judge(&guard, served->listener->options.body_limit, &reason);
    if (status != STATUS_OK)
        return refuse(served, status, reason);
    served->body_capacity = guard.length;
    if (guard.length) {
        served->exchange.body.at = arena_alloc(&served->arena, guard.length);
        if (!served->exchange.body.at)
            return refuse(served, STATUS_BROKEN, NULL);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct served *served, const char *bytes, size_t size) {
    struct text *body = &served->exchange.body;
    served->seen += size;
    if (served->seen > served->listener->options.body_limit) {
        /* The library takes no reply before the end of the body, so what comes is dropped until
         * then; but not for ever. */
        return served->seen > DROPPED_MAX ? MHD_NO : MHD_YES;
    }
    if (size > served->body_capacity - body->len) {
        size_t capacity = 2 * served->body_capacity + size;
        void *at = arena_grow(&served->arena, (void *)(uintptr_t)body->at, served->body_capacity,
                              capacity);
        if (!at)
            return MHD_NO;
        body->at = at;
        served->body_capacity = capacity;
    }
    memcpy((char *)(uintptr_t)body->at + body->len, bytes, size);
    body->len += size;
    return MHD_YES;
}

/* The library calls this with the head, with each piece of the body, when all is there, and again
 * after a suspended connection was resumed. */
// NOLINTNEXTLINE(readability-function-size): the library's own eight
static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *path,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **own) {
    struct served *served = *own;
    (void)context;
    (void)connection;
    (void)version;
    if (!served)
        return MHD_NO;
    if (!served->has_head)
        return take_head(served, path, method);
    if (*upload_size) {
        size_t size = *upload_size;
        *upload_size = 0;
        return served->must_close ? MHD_YES : take_body(served, upload, size);
    }
    if (served->must_close)
        return MHD_YES; /* refused already */
    if (served->seen > served->listener->options.body_limit)
        return refuse(served, STATUS_TOO_LARGE, NULL);
    if (served->is_late)
        return refuse(served, STATUS_UNAVAILABLE, NULL);
    void (*step)(struct exchange *) =
        served->exchange.next ? served->exchange.next : served->listener->options.handler;
    served->exchange.next = NULL;
    served->is_suspended = false;
    step(&served->exchange);
    /* From here on a suspended exchange may be on its way in another thread; is_suspended is only
     * written by this one. */
    return served->is_suspended ? MHD_YES : send_reply(served);
}

void exchange_suspend(struct exchange *exchange) {
    struct served *served = served_of(exchange);
    served->is_suspended = true;
    MHD_suspend_connection(served->connection);
}

void exchange_resume(struct exchange *exchange) {
    MHD_resume_connection(served_of(exchange)->connection);
}

struct text exchange_header(const struct exchange *exchange, const char *name) {
    return text_of(
        MHD_lookup_connection_value(served_of(exchange)->connection, MHD_HEADER_KIND, name));
}

struct text exchange_query(const struct exchange *exchange) {
    return served_of(exchange)->query;
}

void reply_header(struct exchange *exchange, const char *name, const char *value) {
    struct reply *reply = &exchange->reply;
    assert(reply->header_count < REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct reply_header){ name, value };
}

/* Percent-decoding is for those who know what a text means. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static unsigned connections(struct listener *listener) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* Takes one connection that waits. False when there is none, or no room: then it waits on. */
static bool accept_one(struct listener *listener) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    if (connections(listener) >= listener->options.connection_limit)
        return false;
    int fd = accept4(listener->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR;
    if (MHD_add_connection(listener->daemon, fd, (struct sockaddr *)&from, size) != MHD_YES)
        log_warning("a connection could not be taken: the system is short of memory");
    return true;
}

/* One thread takes all connections and deals them out in turn. Were the I/O threads to take them
 * from one socket, the first to wake would take them all, and the others would idle. */
static void *run_acceptor(void *argument) {
    struct listener *listener = argument;
    struct pollfd waits[] = { { .fd = listener->stop, .events = POLLIN },
                              { .fd = listener->fd, .events = POLLIN } };
    while (!waits[0].revents) {
        if (poll(waits, 2, -1) < 0)
            continue; /* a signal: none is meant for this thread */
        while (!waits[0].revents && accept_one(listener))
            ;
        /* Clients that cannot be taken now (no room, no descriptors) stay in the backlog. */
        if (waits[1].revents && errno != EAGAIN)
            (void)poll(waits, 1, NO_ROOM_PAUSE_MS);
        errno = EAGAIN;
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
    if (listener->fd >= 0)
        (void)close(listener->fd);
    listener->fd = -1;
}

struct listener *listener_open(const char *address, char *why, size_t why_size, int *exit_code) {
    struct listener *listener = calloc(1, sizeof *listener);
    *exit_code = EX_OSERR;
    (void)snprintf(why, why_size, "no memory or descriptors to listen");
    if (!listener)
        return NULL;
    listener->stop = eventfd(0, EFD_CLOEXEC);
    listener->fd = -1;
    if (listener->stop >= 0)
        listener->fd = socket_listen(address, listener->url, why, why_size, exit_code);
    if (listener->fd >= 0)
        return listener;
    if (listener->stop >= 0)
        (void)close(listener->stop);
    free(listener);
    return NULL;
}

enum status listener_start(struct listener *listener, const struct listen_options *options) {
    listener->options = *options;
    /* The library's own limit is a share for each thread, so it gets more than the acceptor's. */
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
            MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, serve, listener, MHD_OPTION_THREAD_POOL_SIZE,
        options->threads > 1 ? options->threads : 0, MHD_OPTION_CONNECTION_LIMIT,
        options->connection_limit + options->threads, MHD_OPTION_CONNECTION_TIMEOUT,
        options->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)READ_AT_ONCE, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_NOTIFY_COMPLETED, end, NULL, MHD_OPTION_URI_LOG_CALLBACK, begin, listener,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
    if (!listener->daemon)
        return STATUS_BROKEN;
    listener->accepts = pthread_create(&listener->acceptor, NULL, run_acceptor, listener) == 0;
    return listener->accepts ? STATUS_OK : STATUS_BROKEN;
}

const char *listener_url(const struct listener *listener) {
    return listener->url;
}

void listener_drain(struct listener *listener) {
    atomic_store(&listener->is_draining, true);
    stop_accepting(listener);
}

unsigned listener_in_flight(const struct listener *listener) {
    return atomic_load(&listener->in_flight);
}

void listener_stop(struct listener *listener) {
    if (!listener)
        return;
    stop_accepting(listener);
    if (listener->daemon)
        MHD_stop_daemon(listener->daemon);
    (void)close(listener->stop);
    if (strncmp(listener->url, "unix:", 5) == 0)
        (void)unlink(listener->url + 5);
    free(listener);
}

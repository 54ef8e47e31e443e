/* Requests. One becomes a `struct exchange` when its first line is there, goes to the handler when
 * its body is whole, and dies when its reply was sent or its connection is gone. */
#include "http/guard.h"
#include "http/io.h"

#include <assert.h>
#include <microhttpd.h>

enum {
    ARENA_LIMIT = 64 * 1024 * 1024,
    CONNECTION_MEMORY = 16 * 1024, /* a head must fit in; wiped whole after each request */
    READ_AT_ONCE = 4096,
    DROPPED_MAX = 16 * 1024 * 1024, /* bytes of a body that is too large already */
};

/* An exchange with what only this file needs; lies in its own arena. */
struct served {
    struct exchange exchange; /* first */
    struct arena arena;
    struct errand errand; /* being resumed */
    struct io *io;
    struct client *client;
    struct MHD_Connection *connection;
    struct text query;
    size_t body_capacity;
    uint64_t seen;   /* bytes of the body */
    uint64_t length; /* as the head announces it; UINT64_MAX: not at all */
    bool has_head, must_close, is_late;
    bool is_at_rest; /* the library does not read on before it calls again */
    bool is_last;    /* on its connection: what follows might be a body that nobody announced */
};

static struct served *served_of(const struct exchange *exchange) {
    return (struct served *)(uintptr_t)exchange;
}

/* Only its own thread writes the counter, so that adding needs no lock on the bus. */
static void count_in_flight(struct io *io, unsigned more) {
    unsigned now = atomic_load_explicit(&io->in_flight, memory_order_relaxed);
    atomic_store(&io->in_flight, now + more);
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
    served->io = context;
    served->client =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    served->connection = connection;
    served->client->serving = served;
    served->exchange.arena = &served->arena;
    served->exchange.app = served->io->options->app;
    served->exchange.began_us = served->io->now_us;
    /* Either this request is seen by who waits for the last one to end, or it sees that it came too
     * late and must not rest on a connection that is about to be closed. */
    count_in_flight(served->io, 1);
    served->is_late = atomic_load(served->io->is_draining);
    return served;
}

static void end_served(struct served *served) {
    struct client *client = served->client;
    count_in_flight(served->io, -1U);
    client->serving = NULL;
    client_enter(client, PHASE_head);
    struct arena arena = served->arena;
    arena_close(&arena);
}

static void end(void *context, struct MHD_Connection *connection, void **own,
                enum MHD_RequestTerminationCode how) {
    struct served *served = *own;
    (void)context;
    (void)connection;
    (void)how;
    *own = NULL;
    if (served)
        end_served(served);
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
    client_enter(served->client, PHASE_reply);
    served->io->options->replied(&served->exchange);
    if (ok && reply->content_type)
        ok = MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (unsigned i = 0; ok && i < reply->header_count; i++)
        ok = MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (ok && (served->must_close || served->is_last ||
               atomic_load_explicit(served->io->is_draining, memory_order_relaxed)))
        ok = MHD_add_response_header(response, "Connection", "close");
    if (ok)
        ok = MHD_queue_response(served->connection, reply->http_status, response);
    if (response)
        MHD_destroy_response(response);
    return ok;
}

static enum MHD_Result refuse(struct served *served, enum status status, const char *reason) {
    served->must_close = true;
    served->io->options->refuse(&served->exchange, status, reason);
    return send_reply(served);
}

// NOLINTNEXTLINE(readability-function-size): the library's own six
static enum MHD_Result show_header(void *guard, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    (void)kind;
    guard_see(guard, (struct text){ name, name_size }, (struct text){ value, value_size });
    return MHD_YES;
}

/* RFC 9112 section 3.2.2: `GET http://host/path` is the same as `GET /path`. */
static struct text path_of(const char *target) {
    struct text path = text_of(target), scheme = { 0 };
    if (*target == '/')
        return path;
    if (text_starts_nocase(path, TEXT("http://")))
        scheme = TEXT("http://");
    else if (text_starts_nocase(path, TEXT("https://")))
        scheme = TEXT("https://");
    const char *start = scheme.len ? strchr(target + scheme.len, '/') : target;
    return start ? text_of(start) : TEXT("/");
}

/* Who has begun to send a body reads no reply before its end, and sees a reset connection instead
 * of one. So what is not very much too large is taken and dropped, unless the client asked first.
 */
static bool is_worth_dropping(const struct served *served, uint64_t length) {
    struct text expect = exchange_header(&served->exchange, "Expect");
    return length <= DROPPED_MAX && !text_equal_nocase(expect, TEXT("100-continue"));
}

static enum MHD_Result take_head(struct served *served, const char *path, const char *method) {
    struct guard guard = { 0 };
    const char *reason;
    served->has_head = true;
    client_enter(served->client, PHASE_body);
    served->exchange.path = path_of(path);
    served->exchange.method = method_of(method);
    (void)MHD_get_connection_values_n(served->connection, MHD_HEADER_KIND, show_header, &guard);
    bool may_have_body = served->exchange.method == METHOD_POST ||
                         served->exchange.method == METHOD_PUT ||
                         served->exchange.method == METHOD_PATCH;
    served->is_last = served->exchange.method == METHOD_OTHER ||
                      (may_have_body && !guard.lengths && !guard.codings);
    enum status status = guard_judge(&guard, served->io->options->body_limit, &reason);
    bool is_dropped = status == STATUS_TOO_LARGE && is_worth_dropping(served, guard.length);
    if (status != STATUS_OK && !is_dropped)
        return refuse(served, status, reason);
    served->length = guard.lengths ? guard.length : UINT64_MAX;
    if (guard.length && !is_dropped) {
        served->body_capacity = guard.length;
        served->exchange.body.at = arena_alloc(&served->arena, guard.length);
        if (!served->exchange.body.at)
            return refuse(served, STATUS_BROKEN, NULL);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct served *served, const char *bytes, size_t size) {
    struct text *body = &served->exchange.body;
    size_t limit = served->io->options->body_limit;
    bool is_announced = served->length != UINT64_MAX && served->length > limit;
    served->seen += size;
    /* The library takes no reply before the end of the body, so what comes is dropped until then;
     * but not for ever. */
    if (served->seen > limit || is_announced)
        return served->seen > DROPPED_MAX ? MHD_NO : MHD_YES;
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
 * in its next turn, or after a suspended connection was resumed, when it got no reply. */
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
    if (served->seen > served->io->options->body_limit)
        return refuse(served, STATUS_TOO_LARGE, NULL);
    /* A length that the library did not understand as we did: what follows is of the body. */
    if (served->length != UINT64_MAX && served->seen != served->length)
        return refuse(served, STATUS_BAD_INPUT, "The body is not as long as Content-Length says.");
    if (served->is_late)
        return refuse(served, STATUS_UNAVAILABLE, NULL);
    void (*step)(struct exchange *) =
        served->exchange.next ? served->exchange.next : served->io->options->handler;
    served->exchange.next = NULL;
    client_enter(served->client, PHASE_work);
    step(&served->exchange);
    /* What was put off or suspended has a next step. From here on it may be on its way in another
     * thread; `next` is only written by this one. */
    return served->exchange.next ? MHD_YES : send_reply(served);
}

void exchange_put_off(struct exchange *exchange, void (*step)(struct exchange *exchange)) {
    struct served *served = served_of(exchange);
    exchange->next = step;
    served->is_at_rest = true;
}

void exchange_suspend(struct exchange *exchange) {
    struct served *served = served_of(exchange);
    assert(served->is_at_rest && exchange->next);
    MHD_suspend_connection(served->connection);
}

static void resume(struct errand *errand) {
    struct served *served = (struct served *)((char *)errand - offsetof(struct served, errand));
    MHD_resume_connection(served->connection);
}

void exchange_resume(struct exchange *exchange) {
    struct served *served = served_of(exchange);
    served->errand.run = resume;
    io_post(served->io, &served->errand);
}

struct text exchange_header(const struct exchange *exchange, const char *name) {
    return text_of(
        MHD_lookup_connection_value(served_of(exchange)->connection, MHD_HEADER_KIND, name));
}

struct text exchange_query(const struct exchange *exchange) {
    return served_of(exchange)->query;
}

const struct sockaddr *exchange_peer(const struct exchange *exchange) {
    return (const struct sockaddr *)&served_of(exchange)->client->from;
}

uint64_t exchange_connection(const struct exchange *exchange) {
    return served_of(exchange)->client->number;
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

/* The library tells that a connection begins or ended. */
static void notice(void *io, struct MHD_Connection *connection, void **client,
                   enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *client = io_begin_client(io, info->connect_fd);
        return;
    }
    /* Of a head that has no room, the library tells the begin but not the end. */
    struct client *closed = *client;
    if (closed->serving)
        end_served(closed->serving);
    io_end_client(closed);
}

struct MHD_Daemon *serve_daemon(struct io *io) {
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0,
                            NULL, NULL, serve, io, MHD_OPTION_CONNECTION_LIMIT,
                            io->options->connection_limit, MHD_OPTION_CONNECTION_TIMEOUT,
                            io->options->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
                            (size_t)READ_AT_ONCE, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_NOTIFY_CONNECTION, notice, io, MHD_OPTION_NOTIFY_COMPLETED,
                            end, NULL, MHD_OPTION_URI_LOG_CALLBACK, begin, io,
                            MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
}

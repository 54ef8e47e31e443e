/* The life of an exchange, the same for HTTP/1.1 and HTTP/2.
 *
 * The protocol begins an exchange (serve_begin), reads the head, and hands it to serve_head, which
 * checks the head, finds out whose request it is (take_client), and shows the head to the
 * application, which may already answer, for example 401 before the body comes. Then the protocol
 * adds the body piece by piece (serve_body) and has the handler run (serve_run).
 *
 * A handler, and the application's look at the head, may suspend: another thread works for the
 * exchange and resumes it on its I/O thread later. Only `is_suspended` tells whether another thread
 * may be using the exchange.
 *
 * Every way ends in give_reply: with a reply of the application, or with a refusal by the listener
 * (serve_refuse). The protocol sends the reply and ends the exchange with serve_sent. If the
 * connection closes first, serve_gone ends it: now, or when the other thread lets go.
 *
 * A reply whose body goes on goes that way for each piece: when the protocol has got rid of one, it
 * calls serve_next_piece, which posts the exchange's `next` to the thread. Other connections of the
 * thread therefore have their turns between two pieces. */
#include "http/serve.h"

#include "base/container_of.h"
#include "http/address_counts.h"
#include "http/client.h"
#include "http/forwarded.h"

#include "base/budget.h"
#include "base/buffer.h"
#include "base/time.h"

#include <assert.h>
#include <stdio.h>

enum {
    ARENA_LIMIT = 64 * 1024 * 1024,
    FIRST_UNKNOWN = 4 * 1024, /* first room for a body of unknown length, */
    FIRST_KNOWN = 16 * 1024, /* and the most for an announced one, since announcing costs nothing */
    GROWTH = 4,
    DROPPED_BODY_MAX = 64 * 1024, /* longest body that is read and dropped to keep a connection */
};

static struct served *served_of(const struct exchange *exchange) {
    return container_of(exchange, struct served, exchange);
}

struct served *serve_begin(struct client *client) {
    struct arena arena;
    arena_init_counted(&arena, ARENA_LIMIT);
    struct served *served = arena_calloc(&arena, 1, sizeof *served);
    if (!served)
        return NULL;
    served->arena = arena;
    served->client = client;
    served->from = &client->from;
    served->head.arena = &served->arena;
    client->exchanges++;
    served->exchange.arena = &served->arena;
    served->exchange.app = client->loop->options->app;
    served->exchange.began_us = client->loop->now_us;
    served->exchange.method = METHOD_OTHER;
    served->exchange.path = TEXT("");
    request_id_make(client->loop, client->loop->begun++, served->made_id);
    served->exchange.request_id = served->made_id;
    /* loop_count comes before the look at has_drained: either the server's stop waits for this
     * request, or the request sees that it is too late and is refused. */
    loop_count(client->loop, 1);
    served->is_late = !client->is_awaited &&
                      atomic_load_explicit(&client->loop->has_drained, memory_order_relaxed);
    client_stop_waiting(client); /* the request is counted itself */
    return served;
}

static void end_served(struct served *served, bool was_sent) {
    struct client *client = served->client;
    if (!served->exchange.replied_us) /* the client was gone before */
        served->exchange.replied_us = time_monotonic_us();
    if (client->loop->options->ended)
        client->loop->options->ended(&served->exchange, was_sent);
    if (served->is_counted)
        address_counts_leave(client->loop->options->address_counts,
                             (const struct sockaddr *)served->from);
    loop_count(client->loop, -1U);
    struct arena arena = served->arena;
    arena_close(&arena);
    client_release(client);
}

static void give_reply(struct served *served) {
    struct reply *reply = &served->exchange.reply;
    served->state = SERVING_reply;
    if (served->is_gone) {
        end_served(served, false);
        return;
    }
    served->is_in_pieces |= reply->goes_on;
    if (served->head.is_head)
        reply->goes_on = false;
    assert(reply->goes_on ? reply->body.len > 0 : served->pieces == 0 || reply->body.len == 0);
    served->exchange.replied_us = time_monotonic_us();
    served->given += serve_body_of(served).len;
    if (served->pieces++ == 0)
        served->client->loop->options->replied(&served->exchange);
    served->client->protocol->reply(served);
}

void serve_next_piece(struct served *served) {
    served->state = SERVING_work;
    exchange_suspend(&served->exchange);
    exchange_resume(&served->exchange);
}

void serve_refuse(struct served *served, enum status status, const char *reason) {
    served->is_last = true;
    served->exchange.reply = (struct reply){ 0 };
    served->client->loop->options->refuse(&served->exchange, status, reason);
    give_reply(served);
}

/* Redirects to the same URL over HTTPS (308, RFC 9110 section 15.4.9). */
static void redirect(struct served *served) {
    struct exchange *exchange = &served->exchange;
    struct text host = head_value(&served->head, TEXT("Host")), name = host;
    size_t end = host.len && host.at[0] == '['
                     ? (size_t)((const char *)memchr(host.at, ']', host.len) - host.at)
                     : 0;
    while (end < host.len && host.at[end] != ':')
        end++;
    name.len = end;
    char port[8] = "";
    if (served->client->https_port != 443)
        (void)snprintf(port, sizeof port, ":%u", served->client->https_port);
    struct text query = served->head.query;
    struct text url = arena_printf(exchange->arena, "https://%.*s%s%.*s%s%.*s", (int)name.len,
                                   name.at, port, (int)exchange->path.len, exchange->path.at,
                                   query.at ? "?" : "", (int)query.len, query.at ? query.at : "");
    bool is_url = name.len && exchange->path.at[0] == '/'; /* the target "*" is no path */
    if (!is_url || !url.at) {
        serve_refuse(served, is_url ? serve_lack(served) : STATUS_BAD_INPUT,
                     "This server is to be asked over HTTPS.");
        return;
    }
    exchange->reply.http_status = 308;
    reply_header(exchange, "Location", url.at);
    give_reply(served);
}

/* Some headers also decide what becomes of the connection. */
static void note_connection(struct served *served, const struct head_check *check) {
    enum method method = served->exchange.method;
    bool may_have_body = method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
    bool keeps = check->minor > 0 || check->says_keep_alive;
    /* Without a length the body is empty, but a careless client may send one: those bytes must not
     * be read as the next request. */
    served->is_last =
        check->says_close || !keeps || (may_have_body && !check->lengths && !check->codings);
    served->is_old = check->minor == 0;
    served->says_keep_alive = served->is_old && !served->is_last;
    served->ends_if_early =
        check->is_chunked || check->length > DROPPED_BODY_MAX || check->expects_continue;
}

/* Gives a reply before the body has come. A short body is then read and dropped, so that the
 * connection can stay open. */
static void give_early_reply(struct served *served) {
    served->is_last |= served->ends_if_early;
    give_reply(served);
}

/* A trusted proxy carries many clients on one connection. Each request is therefore counted for the
 * client that its headers name, in place of the connection. */
static enum status take_client(struct served *served, const char **reason) {
    const struct listen_options *options = served->client->loop->options;
    if (!served->client->is_trusted)
        return STATUS_OK;
    struct sockaddr_storage *from = arena_alloc(&served->arena, sizeof *from);
    if (!from)
        return serve_lack(served);
    *from = served->client->from;
    enum forwarded forwarded = forwarded_find(&served->head, options->trusted, from);
    if (forwarded == FORWARDED_conflict) {
        *reason = "Forwarded and X-Forwarded-For name different clients. A proxy that maintains one"
                  " of them must remove the other one.";
        return STATUS_BAD_INPUT;
    }
    served->from = from;
    if (forwarded == FORWARDED_proxy)
        return STATUS_OK;
    served->is_counted =
        address_counts_enter(options->address_counts, (const struct sockaddr *)from);
    return served->is_counted ? STATUS_OK : STATUS_TOO_MANY;
}

/* The proxy's connection stays open, since other clients use it too. */
static void refuse_busy(struct served *served) {
    served->client->loop->options->refuse(
        &served->exchange, STATUS_TOO_MANY,
        "Too many requests of your address are in progress. Wait 1 second and try again.");
    give_early_reply(served);
}

enum status serve_lack(const struct served *served) {
    return served->arena.is_over_budget ? STATUS_FULL : STATUS_INTERNAL;
}

/* True if the request is refused because all requests together hold too much memory. Requests that
 * have begun go on, and so do vital ones, by which an operator watches the server. */
static bool has_no_room(struct served *served) {
    const struct listen_options *options = served->client->loop->options;
    if (!budget_is_full())
        return false;
    served->arena.is_vital = options->is_vital && options->is_vital(&served->exchange);
    if (served->arena.is_vital)
        return false;
    budget_note_refusal();
    return true;
}

bool serve_body_room(struct served *served, size_t size) {
    if (size <= served->body_capacity)
        return true;
    void *at = arena_grow(&served->arena, (void *)(uintptr_t)served->exchange.body.at,
                          served->body_capacity, size);
    if (!at) {
        serve_refuse(served, serve_lack(served), NULL);
        return false;
    }
    served->exchange.body.at = at;
    served->body_capacity = size;
    return true;
}

/* The application has decided on the head. */
static bool admit_body(struct served *served) {
    struct exchange *exchange = &served->exchange;
    size_t announced = exchange->announced;
    if (exchange->reply.http_status) {
        give_early_reply(served);
        return false;
    }
    if (announced > exchange->body_limit) {
        serve_refuse(served, STATUS_TOO_LARGE, NULL);
        return false;
    }
    served->body_most = announced ? announced : exchange->body_limit;
    return serve_body_room(served, announced < FIRST_KNOWN ? announced : FIRST_KNOWN);
}

/* Shows the head to the application, which may answer before the body comes or suspend. */
static bool show_head(struct served *served, const struct head_check *check) {
    const struct listen_options *options = served->client->loop->options;
    bool has_body = check->is_chunked || check->length;
    served->exchange.body_limit = options->body_limit;
    served->exchange.announced = check->length;
    if (has_body && options->head)
        options->head(&served->exchange);
    if (!served->is_suspended)
        return admit_body(served);
    served->state = SERVING_head;
    return false;
}

/* May the request go on, by its head and the state of the server? */
static enum status check_head(struct served *served, const struct head_check *check,
                              const char **reason) {
    enum status status =
        head_check_result(check, served->client->loop->options->body_limit, reason);
    if (status == STATUS_OK && served->is_late)
        return STATUS_UNAVAILABLE;
    if (status == STATUS_OK && has_no_room(served))
        return STATUS_FULL;
    return status == STATUS_OK ? take_client(served, reason) : status;
}

bool serve_head(struct served *served, const struct head_check *check) {
    const char *reason;
    served->exchange.method = served->head.method;
    served->exchange.path = served->head.path;
    const char *request_id = request_id_find(&served->head);
    if (request_id)
        served->exchange.request_id = request_id;
    note_connection(served, check);
    enum status status = check_head(served, check, &reason);
    if (status == STATUS_TOO_MANY) {
        refuse_busy(served);
        return false;
    }
    if (status != STATUS_OK) {
        serve_refuse(served, status, reason);
        return false;
    }
    if (served->client->door == DOOR_tls && !served->client->tls) {
        serve_refuse(served, STATUS_BAD_INPUT,
                     "This address speaks HTTPS, and the request came without TLS.");
        return false;
    }
    if (served->client->door == DOOR_redirect) {
        served->is_last = true;
        redirect(served);
        return false;
    }
    return show_head(served, check);
}

bool serve_body_fits(struct served *served, uint64_t size) {
    if (size <= served->body_most - served->exchange.body.len)
        return true;
    serve_refuse(served, STATUS_TOO_LARGE, NULL);
    return false;
}

/* Memory is taken as the body arrives, not as announced, which costs a client nothing. It grows by
 * large steps, since each step copies the body. */
static size_t next_capacity(const struct served *served, size_t wanted) {
    size_t capacity = served->body_capacity ? served->body_capacity : FIRST_UNKNOWN;
    while (capacity < wanted)
        capacity *= GROWTH;
    return capacity < served->body_most ? capacity : served->body_most;
}

bool serve_body(struct served *served, const char *bytes, size_t size) {
    struct text *body = &served->exchange.body;
    size_t wanted = body->len + size;
    if (!serve_body_fits(served, size))
        return false;
    if (wanted > served->body_capacity && !serve_body_room(served, next_capacity(served, wanted)))
        return false;
    memcpy((char *)(uintptr_t)body->at + body->len, bytes, size);
    body->len += size;
    return true;
}

static void begin_body(struct served *served) {
    served->state = SERVING_body;
    if (served->is_gone)
        end_served(served, false);
    else if (admit_body(served))
        served->client->protocol->go_on(served);
}

static void run_step(struct served *served, void (*step)(struct exchange *)) {
    served->is_suspended = false;
    if (served->is_gone && served->pieces) { /* nobody takes the pieces that are left */
        end_served(served, false);
        return;
    }
    step(&served->exchange);
    if (served->is_suspended) /* another thread may have it; only this thread uses `is_suspended` */
        return;
    if (served->state == SERVING_head)
        begin_body(served);
    else
        give_reply(served);
}

void serve_run(struct served *served) {
    served->state = SERVING_work;
    run_step(served, served->client->loop->options->handler);
}

bool serve_has_length(const struct served *served) {
    unsigned status = served->exchange.reply.http_status;
    return status >= 200 && status != 204 && status != 304 && !served->is_in_pieces;
}

struct text serve_body_of(const struct served *served) {
    struct text none = { 0 };
    bool has_body = !served->head.is_head && (served->is_in_pieces || serve_has_length(served));
    return has_body ? served->exchange.reply.body : none;
}

void serve_gone(struct served *served) {
    served->is_gone = true;
    if (!served->is_suspended)
        end_served(served, false);
}

void serve_sent(struct served *served, bool was_sent) {
    end_served(served, was_sent);
}

void exchange_suspend(struct exchange *exchange) {
    struct served *served = served_of(exchange);
    assert(exchange->next && !served->is_suspended);
    served->is_suspended = true;
}

static void resume_exchange(struct io_task *io_task) {
    struct served *served = container_of(io_task, struct served, io_task);
    struct client *client = served->client;
    void (*step)(struct exchange *) = served->exchange.next;
    served->exchange.next = NULL;
    run_step(served, step);
    if (client->fd >= 0)
        loop_again(client->loop,
                   client); /* one turn serves all exchanges of the client that resume now */
}

void exchange_resume(struct exchange *exchange) {
    struct served *served = served_of(exchange);
    served->io_task.run = resume_exchange;
    loop_post(served->client->loop, &served->io_task);
}

struct text exchange_header(const struct exchange *exchange, const char *name) {
    return head_value(&served_of(exchange)->head, text_of(name));
}

struct text exchange_header_list(const struct exchange *exchange, const char *name,
                                 unsigned *count) {
    const struct head *head = &served_of(exchange)->head;
    struct text first = exchange_header(exchange, name);
    struct buffer list;
    *count = 0;
    buffer_init(&list, exchange->arena, 0);
    for (unsigned i = 0; first.at && i < head->count; i++) {
        if (!text_equal_nocase(head->headers[i].name, text_of(name)))
            continue;
        if ((*count)++ == 1) /* nearly always there is but one, which is not copied */
            buffer_add(&list, first);
        if (*count > 1) {
            buffer_add(&list, TEXT(", "));
            buffer_add(&list, head->headers[i].value);
        }
    }
    if (list.failed)
        return (struct text){ 0 };
    return *count > 1 ? buffer_text(&list) : first;
}

bool exchange_is_head(const struct exchange *exchange) {
    return served_of(exchange)->head.is_head;
}

size_t exchange_body_size(const struct exchange *exchange) {
    return served_of(exchange)->given;
}

struct text exchange_query(const struct exchange *exchange) {
    return served_of(exchange)->head.query;
}

const struct sockaddr *exchange_peer(const struct exchange *exchange) {
    return (const struct sockaddr *)served_of(exchange)->from;
}

bool exchange_is_monitoring(const struct exchange *exchange) {
    return served_of(exchange)->client->door == DOOR_metrics;
}

bool exchange_is_secure(const struct exchange *exchange) {
    return served_of(exchange)->client->tls != NULL;
}

uint64_t exchange_connection(const struct exchange *exchange) {
    return served_of(exchange)->client->number;
}

void reply_header(struct exchange *exchange, const char *name, const char *value) {
    struct reply *reply = &exchange->reply;
    assert(reply->header_count < REPLY_HEADERS_MAX && !strpbrk(value, "\r\n"));
    reply->headers[reply->header_count++] = (struct reply_header){ name, value };
}

/* HTTP/2 (RFC 9113). nghttp2 parses and writes frames, compresses heads, and decides the order in
 * which streams send. This file turns each stream into an exchange, decides how much a client may
 * send, keeps the deadlines of streams, and ends connections of clients that cause work without
 * asking for anything.
 *
 * Two lists hold the exchanges of a connection. `first` to `last` are streams that have not ended.
 * `ended_first` to `ended_last` are exchanges whose last byte nghttp2 has written but the socket
 * has not taken yet: the bytes are kept in `unsent`, and serve_sent is called only when the socket
 * has taken them all.
 *
 * Bodies: every stream has a small window. A body that needs more waits until the connection has
 * room for the whole of it (`room`), so every body that has begun also ends. Replies: when too many
 * bytes wait for the client, further requests are held back (`is_held`) and run later.
 *
 * Within a callback of nghttp2 the session must not be freed. Callbacks therefore return an error
 * through give_up, and feed or flush end the session. */
#include "http/h2.h"

#include "http/client.h"
#include "http/h2_flood.h"
#include "http/h2_head.h"
#include "http/serve.h"

#include "base/budget.h"
#include "crypto/secret.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

enum {
    STREAMS_AT_ONCE = 100,
    /* Exchanges of one connection that are worked on, including those of streams that the client
     * has reset meanwhile. */
    EXCHANGES_AT_ONCE = 2 * STREAMS_AT_ONCE,

    /* Limits on the bodies that a client sends, in bytes. Each stream has a small window, which
     * is enough for most bodies. A larger body waits until the connection has room for the whole
     * of it; its window is then opened at once. It therefore arrives without a pause, and every
     * body that was begun is finished, however many there are. A connection holds at most 100 *
     * 16 KiB + 2 MiB of bodies, and at most its first MiB until the client has acknowledged the
     * small windows. */
    STREAM_WINDOW = 16 * 1024,
    ROOM = 2 * 1024 * 1024,
    CONNECTION_WINDOW = 1024 * 1024,

    /* Bytes of replies that wait for the client. Above this, the connection's further requests are
     * not started. */
    REPLIES_WAITING = 4 * 1024 * 1024,

    /* Bytes of a list of fields (RFC 9113 section 6.5.2). Above HEAD_MAX the request is refused.
     * Above this limit the connection ends, because a few bytes of references decompress to
     * megabytes. */
    LISTED_MAX = 256 * 1024,

    FRAME_MAX = H2_FRAME_HEAD + 16 * 1024, /* the largest frame that nghttp2 writes */
    LOOK_EVERY_MS = 1000,                  /* how often stream deadlines are checked */
    /* How long a client has, after it was sent the reply, to end its request before the rest is
     * refused. Some clients take a refusal that arrives while they send for an error, and drop the
     * reply. */
    UNWANTED_MS = 1000,
    ROUND_TRIP_MS = 1000, /* how long a client has to answer PING before the second GOAWAY */
};

/* Both lists are in the order in which the streams began. */
struct h2 {
    nghttp2_session *session; /* NULL: the connection is about to end */
    struct served *first, *last;
    struct served *ended_first, *ended_last;
    struct field_list fields; /* of the head that is arriving */
    struct floods floods;
    char *unsent; /* bytes that the socket has not taken yet */
    size_t unsent_at, unsent_size;
    size_t room;      /* the part of ROOM that is given to bodies */
    size_t replies;   /* bytes of reply bodies that wait for the client */
    size_t held_back; /* bytes whose window is returned once the client acknowledges SETTINGS */
    int32_t newest;   /* the last stream that the client began */
    int64_t look_ms;  /* when the deadlines are checked next */
    int64_t data_ms;  /* when the last DATA frame was written */
    int64_t drain_ms; /* when the drain began */
    uint32_t fault; /* error code with which a callback ends the connection (RFC 9113 section 7) */
    bool has_reset; /* this side has reset a stream */
    bool has_acknowledged; /* the client has acknowledged our SETTINGS */
    bool looks_for_room;   /* a body needs room, or room has become free */
    bool has_held;         /* some exchange is held */
    bool drains;           /* the server stops and waits for this connection */
    bool has_heard;        /* the client has answered the PING that followed the first GOAWAY */
    bool is_told_last;     /* the second GOAWAY, which names the last stream, is submitted */
};

static const uint8_t draining[8] = "draining";
static const char cut_off[] = "The body ends before its announced end.";

static struct served *stream_of(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

static int64_t now_ms(const struct client *client) {
    return client->loop->now_ms;
}

/* Ends the connection from within a callback of nghttp2. */
static int give_up(struct h2 *h2, uint32_t fault) {
    h2->fault = fault;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- the lists of exchanges ---- */

static void append(struct h2 *h2, struct served *served) {
    served->next = NULL;
    served->h2.before = h2->last;
    *(h2->last ? &h2->last->next : &h2->first) = served;
    h2->last = served;
}

static void take_out(struct h2 *h2, struct served *served) {
    *(served->h2.before ? &served->h2.before->next : &h2->first) = served->next;
    *(served->next ? &served->next->h2.before : &h2->last) = served->h2.before;
    served->next = NULL;
}

static void drop_early(struct h2_stream *stream) {
    budget_give(stream->early_size);
    secret_free(stream->early, stream->early_size);
    stream->early = NULL;
    stream->early_size = 0;
}

/* The stream has ended, for whatever reason. Its exchange ends now, or, if its reply is written but
 * not yet taken by the socket, with end_ended. */
static void end_stream(struct h2 *h2, struct served *served) {
    take_out(h2, served);
    drop_early(&served->h2);
    h2->room -= served->h2.room;
    h2->looks_for_room = true;
    if (served->state != SERVING_reply) {
        serve_gone(served);
        return;
    }
    h2->replies -= serve_body_of(served).len;
    if (!served->h2.is_ended) {
        serve_sent(served, false);
        return;
    }
    *(h2->ended_last ? &h2->ended_last->next : &h2->ended_first) = served;
    h2->ended_last = served;
}

/* Ends the exchanges whose replies were written: the socket has taken them, or the connection is
 * gone. */
static void end_ended(struct client *client, bool were_sent) {
    struct h2 *h2 = client->h2;
    for (struct served *served; (served = h2->ended_first);) {
        h2->ended_first = served->next;
        floods_earn(&h2->floods);
        client->advanced = true;
        serve_sent(served, were_sent);
    }
    h2->ended_last = NULL;
}

/* Frees the nghttp2 session and ends all streams. Must not run within a callback. */
static void drop_session(struct h2 *h2) {
    nghttp2_session_del(h2->session);
    h2->session = NULL;
    while (h2->first)
        end_stream(h2, h2->first);
    fields_drop(&h2->fields);
}

/* ---- bodies ---- */

/* True if the body may be larger than its stream's window. If its length was not announced, that is
 * assumed as soon as half of the window is used. */
static bool wants_room(const struct served *served) {
    const struct h2_stream *stream = &served->h2;
    bool is_large = stream->length > STREAM_WINDOW ||
                    (!stream->length && served->exchange.body.len > STREAM_WINDOW / 2);
    return served->state == SERVING_body && !stream->is_whole && !stream->room && is_large;
}

static int give_room(struct client *client, struct served *served, size_t room) {
    struct h2 *h2 = client->h2;
    int32_t id = served->h2.id, window = (int32_t)room;
    if (served->h2.length && !serve_body_room(served, room))
        return 0;
    served->h2.room = room;
    served->h2.since_ms = served->h2.moved_ms = now_ms(client);
    h2->room += room;
    int failed = nghttp2_session_consume_stream(h2->session, id, served->exchange.body.len);
    if (!failed && window > nghttp2_session_get_stream_effective_local_window_size(h2->session, id))
        failed = nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, id, window);
    return failed;
}

/* Gives room in the order in which the streams began, so that each gets its turn. */
static int give_rooms(struct client *client) {
    struct h2 *h2 = client->h2;
    int failed = 0;
    h2->looks_for_room = false;
    for (struct served *served = h2->first; served && !failed; served = served->next) {
        if (!wants_room(served))
            continue;
        size_t room = served->h2.length ? (size_t)served->h2.length : served->exchange.body_limit;
        if (h2->room && h2->room + room > ROOM)
            break;
        failed = give_room(client, served, room);
    }
    return failed;
}

/* ---- requests ---- */

static int send_continue(struct h2 *h2, const struct served *served) {
    static const nghttp2_nv field = { (uint8_t *)(uintptr_t) ":status",
                                      (uint8_t *)(uintptr_t) "100", 7, 3, NGHTTP2_NV_FLAG_NONE };
    return nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, served->h2.id, NULL, &field, 1,
                                  NULL);
}

/* Runs the handler, which may reply at once, unless too many replies wait for the client. */
static void run_request(struct h2 *h2, struct served *served) {
    served->h2.is_held = h2->replies > REPLIES_WAITING;
    h2->has_held |= served->h2.is_held;
    if (!served->h2.is_held)
        serve_run(served);
}

static void run_held(struct h2 *h2) {
    h2->has_held = false;
    for (struct served *served = h2->first; served; served = served->next)
        if (served->h2.is_held)
            run_request(h2, served);
}

static void end_request(struct h2 *h2, struct served *served) {
    served->h2.is_whole = true;
    if (served->state == SERVING_body)
        run_request(h2, served);
}

static int reset_unanswered(struct h2 *h2, struct served *served, uint32_t code) {
    int32_t id = served->h2.id;
    int failed = nghttp2_session_set_stream_user_data(h2->session, id, NULL);
    end_stream(h2, served);
    return failed ? failed : nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code);
}

/* The head is accepted: waits for the body, or runs the handler if there is none. */
static int begin_body(struct h2 *h2, struct served *served) {
    if (served->h2.is_whole) {
        run_request(h2, served);
        return 0;
    }
    h2->looks_for_room |= wants_room(served);
    return served->wants_continue ? send_continue(h2, served) : 0;
}

/* Takes the bytes of the body that arrived while another thread decided on the head. They are at
 * most one stream window. */
static bool take_early(struct served *served) {
    struct h2_stream *stream = &served->h2;
    bool ok = serve_body(served, stream->early, stream->early_size);
    if (ok) /* otherwise the stream may have ended already */
        drop_early(stream);
    return ok;
}

static void go_on(struct served *served) {
    struct client *client = served->client;
    if (served->h2.early && !take_early(served))
        return;
    if (client->is_finished && !served->h2.is_whole)
        serve_refuse(served, STATUS_BAD_INPUT, cut_off);
    else if (begin_body(client->h2, served) != 0)
        client->is_broken = true;
}

/* Keeps bytes of the body while another thread decides on the head. They cannot go into the
 * exchange's arena, which that thread may be using. */
static int keep_early(struct h2 *h2, struct served *served, struct text bytes) {
    struct h2_stream *stream = &served->h2;
    size_t size = stream->early_size + bytes.len;
    char *early = NULL;
    if (budget_take(bytes.len)) {
        early = secret_grow(stream->early, stream->early_size, size);
        if (!early)
            budget_give(bytes.len);
    }
    if (!early)
        return reset_unanswered(h2, served, NGHTTP2_REFUSED_STREAM);
    memcpy(early + stream->early_size, bytes.at, bytes.len);
    stream->early = early;
    stream->early_size = size;
    return 0;
}

/* In HTTP/2 a body needs no announced length: without one it is treated like a chunked body. */
static int check_head(struct client *client, struct served *served, struct head_check *check) {
    check->is_chunked = !served->h2.is_whole && !check->lengths;
    served->h2.length = check->length;
    served->wants_continue = check->expects_continue;
    return serve_head(served, check) ? begin_body(client->h2, served) : 0;
}

/* All fields of a request's head have arrived: checks them and begins the exchange. */
static int take_head(struct client *client, struct served *served) {
    struct h2 *h2 = client->h2;
    struct head_check check = { 0 };
    bool is_too_large = fields_are_too_many(&h2->fields);
    enum status status = fields_read(&h2->fields, &served->head, &check);
    served->exchange.method = served->head.method;
    fields_drop(&h2->fields);
    if (is_too_large)
        status = STATUS_HEAD_TOO_LARGE;
    if (status == STATUS_BAD_INPUT)
        return reset_unanswered(h2, served, NGHTTP2_PROTOCOL_ERROR); /* RFC 9113 8.1.1 */
    if (status == STATUS_OK)
        return check_head(client, served, &check);
    serve_refuse(served, status, NULL);
    return 0;
}

static int begin_request(struct client *client, const nghttp2_frame *frame) {
    struct h2 *h2 = client->h2;
    int32_t id = frame->hd.stream_id;
    h2->newest = id;
    if (client->exchanges > EXCHANGES_AT_ONCE) {
        fields_drop(&h2->fields);
        return nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    struct served *served = serve_begin(client);
    if (!served)
        return NGHTTP2_ERR_NOMEM;
    if (h2->drains)
        served->is_late =
            false; /* the server's stop waits for this connection, so the request is in time */
    served->h2.id = id;
    served->h2.since_ms = served->h2.moved_ms = now_ms(client);
    served->h2.is_whole = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    append(h2, served);
    int failed = nghttp2_session_set_stream_user_data(h2->session, id, served);
    return failed ? failed : take_head(client, served);
}

/* ---- callbacks of nghttp2 for frames that come ---- */

/* Refuses two errors that nghttp2 does not report: PRIORITY on stream 0, and HEADERS on a stream
 * that has ended. A client may still use a stream that this side has reset, until it learns of the
 * reset. */
static int frame_begins(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) {
    struct h2 *h2 = ((struct client *)user)->h2;
    bool is_nowhere = head->type == NGHTTP2_PRIORITY && !head->stream_id; /* RFC 9113 section 6.3 */
    bool is_used = head->type == NGHTTP2_HEADERS && head->stream_id <= h2->newest &&
                   !nghttp2_session_find_stream(session, head->stream_id); /* section 5.1.1 */
    return is_nowhere || (is_used && !h2->has_reset) ? give_up(h2, NGHTTP2_PROTOCOL_ERROR) : 0;
}

static int fields_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    (void)frame;
    fields_drop(&((struct client *)user)->h2->fields);
    return 0;
}

// NOLINTNEXTLINE(readability-function-size): nghttp2's own eight
static int field_came(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                      size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                      void *user) {
    struct h2 *h2 = ((struct client *)user)->h2;
    (void)session;
    (void)frame; /* trailers are not used, but have the same size limit as a head */
    (void)flags;
    if (!fields_add(&h2->fields, (struct text){ (const char *)name, name_size },
                    (struct text){ (const char *)value, value_size }))
        return give_up(h2, NGHTTP2_INTERNAL_ERROR);
    return h2->fields.listed <= LISTED_MAX ? 0 : give_up(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int settings_were_acknowledged(struct h2 *h2) {
    size_t held_back = h2->held_back;
    h2->has_acknowledged = true;
    h2->held_back = 0;
    return nghttp2_session_consume_connection(h2->session, held_back);
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct client *client = user;
    struct h2 *h2 = client->h2;
    bool is_ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    int failed = 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            failed = begin_request(client, frame);
            break;
        }
        fields_drop(&h2->fields); /* fall through */
    case NGHTTP2_DATA: {
        struct served *served = stream_of(session, frame->hd.stream_id);
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            if (served)
                end_request(h2, served);
        } else if (frame->hd.length && frame->hd.length == frame->data.padlen &&
                   !floods_allow(&h2->floods, FLOOD_empty)) {
            return give_up(h2, NGHTTP2_ENHANCE_YOUR_CALM);
        }
        break;
    }
    case NGHTTP2_SETTINGS:
        if (is_ack && !h2->has_acknowledged)
            failed = settings_were_acknowledged(h2);
        break;
    case NGHTTP2_PING:
        h2->has_heard |=
            is_ack && h2->drains && memcmp(frame->ping.opaque_data, draining, sizeof draining) == 0;
        break;
    default: break;
    }
    return failed ? give_up(h2, NGHTTP2_INTERNAL_ERROR) : 0;
}

// NOLINTNEXTLINE(readability-function-size): nghttp2's own six
static int data_came(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                     size_t size, void *user) {
    struct client *client = user;
    struct h2 *h2 = client->h2;
    struct served *served = stream_of(session, id);
    int failed = 0;
    (void)flags;
    if (h2->has_acknowledged)
        failed = nghttp2_session_consume_connection(session, size);
    else
        h2->held_back += size;
    if (!failed && served && served->state == SERVING_body) {
        served->h2.moved_ms = now_ms(client);
        if (serve_body(served, (const char *)bytes, size) && served->h2.room)
            failed = nghttp2_session_consume_stream(session, id, size);
        h2->looks_for_room |= wants_room(served);
    } else if (!failed && served && served->state == SERVING_head) {
        failed = keep_early(h2, served, (struct text){ (const char *)bytes, size });
    }
    return failed ? give_up(h2, NGHTTP2_INTERNAL_ERROR) : 0;
}

static int stream_was_closed(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    struct served *served = stream_of(session, id);
    (void)code;
    if (served)
        end_stream(((struct client *)user)->h2, served);
    return 0;
}

/* ---- replies ---- */

enum { FIELDS_MAX = REPLY_HEADERS_MAX + 6, DATE_SIZE = 29 };

static nghttp2_nv field_of(const char *name, const char *value, size_t value_size) {
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                         value_size, NGHTTP2_NV_FLAG_NONE };
}

// NOLINTNEXTLINE(readability-function-size): nghttp2's own seven
static ssize_t body_is_wanted(nghttp2_session *session, int32_t id, uint8_t *bytes, size_t size,
                              uint32_t *flags, nghttp2_data_source *source, void *user) {
    struct client *client = user;
    struct served *served = source->ptr;
    struct text body = serve_body_of(served);
    if (served->state != SERVING_reply)
        return NGHTTP2_ERR_DEFERRED; /* the next piece is being made */
    size_t left = body.len - served->sent, part = left < size ? left : size;
    (void)session;
    (void)id;
    if (part) /* the last piece has none */
        memcpy(bytes, body.at + served->sent, part);
    if (!served->sent)
        served->h2.since_ms = now_ms(
            client); /* its time starts now: until here other streams may have been sent first */
    served->sent += part;
    served->h2.moved_ms = client->h2->data_ms = now_ms(client);
    if (served->sent < body.len)
        return (ssize_t)part;
    if (served->exchange.reply.goes_on) {
        client->h2->replies -= body.len;
        serve_next_piece(served);
    } else {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)part;
}

/* Has nghttp2 ask for the piece. Where it has not yet found out that there was none, it asks
 * anyway. */
static void go_on_with_body(struct served *served) {
    struct client *client = served->client;
    nghttp2_session *session = client->h2->session;
    served->sent = 0;
    served->h2.moved_ms = now_ms(client);
    client->h2->replies += serve_body_of(served).len;
    int failed = served->exchange.reply.is_cut
                     ? nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, served->h2.id,
                                                 NGHTTP2_INTERNAL_ERROR)
                     : nghttp2_session_resume_data(session, served->h2.id);
    if (failed && failed != NGHTTP2_ERR_INVALID_ARGUMENT)
        client->is_broken = true;
}

/* Hands the reply to nghttp2, which copies the fields and converts their names to lower case. */
static void give_head(struct served *served) {
    struct client *client = served->client;
    struct h2 *h2 = client->h2;
    const struct reply *reply = &served->exchange.reply;
    const nghttp2_data_provider provider = { { .ptr = served }, body_is_wanted };
    nghttp2_nv fields[FIELDS_MAX];
    size_t count = 0;
    char status[INT64_TEXT_MAX], length[INT64_TEXT_MAX];
    fields[count++] =
        field_of(":status", status, text_from_int64((int64_t)reply->http_status, status));
    fields[count++] = field_of("date", loop_date(client->loop), DATE_SIZE);
    const char *request_id = served->exchange.request_id;
    fields[count] = field_of("x-request-id", request_id, strlen(request_id));
    /* Each is new, so it would only push others out of the table of fields (RFC 7541
     * section 2.3.2). */
    fields[count++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    if (reply->content_type)
        fields[count++] =
            field_of("content-type", reply->content_type, strlen(reply->content_type));
    if (serve_has_length(served))
        fields[count++] =
            field_of("content-length", length, text_from_int64((int64_t)reply->body.len, length));
    for (unsigned i = 0; i < reply->header_count; i++)
        fields[count++] = field_of(reply->headers[i].name, reply->headers[i].value,
                                   strlen(reply->headers[i].value));
    if (client->tls)
        fields[count++] = field_of("strict-transport-security", SERVE_HSTS, strlen(SERVE_HSTS));
    served->h2.moved_ms = now_ms(client);
    h2->replies += serve_body_of(served).len;
    if (nghttp2_submit_response(h2->session, served->h2.id, fields, count,
                                serve_body_of(served).len ? &provider : NULL) != 0)
        client->is_broken = true;
}

static void reply(struct served *served) {
    if (served->pieces > 1)
        go_on_with_body(served);
    else
        give_head(served);
}

/* nghttp2 has written a frame into its output; the socket gets it later. */
static int frame_was_written(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct h2 *h2 = ((struct client *)user)->h2;
    h2->has_reset |= frame->hd.type == NGHTTP2_RST_STREAM;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        return floods_allow(&h2->floods, FLOOD_own_reset) ? 0
                                                          : give_up(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (frame->hd.type == NGHTTP2_DATA)
        floods_earn(&h2->floods);
    struct served *served = stream_of(session, frame->hd.stream_id);
    if (!served || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    served->h2.is_ended = true;
    served->h2.moved_ms = now_ms(user);
    return 0;
}

/* ---- begin and end of a connection ---- */

static void set_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, frame_begins);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, fields_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, field_came);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_came);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_was_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_was_written);
}

static bool begin_session(struct client *client) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool began = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;
    if (began) {
        set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        began = nghttp2_session_server_new2(&client->h2->session, callbacks, client, option) == 0;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return began;
}

static bool begin(struct client *client) {
    static const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_AT_ONCE },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 }, /* RFC 9218 section 2.1 */
    };
    struct h2 *h2 = calloc(1, sizeof *h2);
    client->h2 = h2;
    if (!h2)
        return false;
    h2->data_ms = now_ms(client);
    floods_begin(&h2->floods, now_ms(client));
    return begin_session(client) &&
           nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW) == 0;
}

/* The server's stop need not wait for this connection any longer. */
static void end_drain(struct client *client) {
    if (client->h2->drains)
        loop_count(client->loop, -1U);
    client->h2->drains = false;
}

static void end(struct client *client) {
    struct h2 *h2 = client->h2;
    if (!h2)
        return;
    drop_session(h2);
    end_ended(client, false);
    end_drain(client);
    budget_give(h2->unsent_size);
    secret_free(h2->unsent, h2->unsent_size);
    free(h2);
    client->h2 = NULL;
}

/* Keeps bytes that the socket does not take now. They were counted as a reply already, and are at
 * most what the thread writes at once. */
static void keep(struct client *client, const char *bytes, size_t size) {
    struct h2 *h2 = client->h2;
    budget_force(size);
    char *unsent = secret_grow(h2->unsent, h2->unsent_size, h2->unsent_size + size);
    if (!unsent) {
        budget_give(size);
        client->is_broken = true;
        return;
    }
    memcpy(unsent + h2->unsent_size, bytes, size);
    h2->unsent = unsent;
    h2->unsent_size += size;
}

static void write_number(uint8_t *at, uint32_t number) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Ends the connection with an error (RFC 9113 section 5.4.1). nghttp2 may have failed halfway and
 * then writes nothing more, so this function writes the GOAWAY frame itself. */
static void fail(struct client *client, uint32_t code) {
    struct h2 *h2 = client->h2;
    uint8_t goaway[H2_FRAME_HEAD + 8] = { 0, 0, 8, NGHTTP2_GOAWAY };
    write_number(goaway + H2_FRAME_HEAD,
                 (uint32_t)nghttp2_session_get_last_proc_stream_id(h2->session));
    write_number(goaway + H2_FRAME_HEAD + 4, h2->fault ? h2->fault : code);
    keep(client, (const char *)goaway, sizeof goaway);
    drop_session(h2);
    client->is_last = true;
}

/* ---- reading ---- */

static bool takes(const struct client *client) {
    return !client->is_last && !client->h2->unsent_size;
}

static uint32_t code_of(ssize_t error) {
    bool is_flood = error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    return is_flood                                ? NGHTTP2_ENHANCE_YOUR_CALM
           : error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                   : NGHTTP2_INTERNAL_ERROR;
}

static size_t feed(struct client *client, const char *bytes, size_t size) {
    struct h2 *h2 = client->h2;
    if (!floods_see(&h2->floods, bytes, size, now_ms(client))) {
        fail(client, NGHTTP2_ENHANCE_YOUR_CALM);
        return size;
    }
    ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes, size);
    if (used < 0)
        fail(client, code_of(used));
    return size;
}

/* ---- deadlines ---- */

static bool is_past(int64_t now, int64_t since, int64_t limit) {
    return limit && now - since > limit;
}

/* True if the client gives no window for the reply, on the stream or on the connection. */
static bool is_stuck(const struct h2 *h2, const struct served *served) {
    return nghttp2_session_get_stream_remote_window_size(h2->session, served->h2.id) <= 0 ||
           nghttp2_session_get_remote_window_size(h2->session) <= 0;
}

/* Since when the reply has been stuck. If only the connection's window is closed, the time counts
 * from the last DATA frame of any stream: other streams had their fair share meanwhile. */
static int64_t stuck_since(const struct client *client, const struct served *served) {
    const struct h2 *h2 = client->h2;
    if (nghttp2_session_get_stream_remote_window_size(h2->session, served->h2.id) <= 0)
        return served->h2.moved_ms;
    return is_stuck(h2, served) ? h2->data_ms : now_ms(client);
}

static bool waits_for_client(const struct client *client, const struct served *served) {
    if (served->state == SERVING_body)
        return !served->h2.is_whole && !wants_room(served);
    return served->state == SERVING_reply && !served->h2.is_ended && is_stuck(client->h2, served);
}

static void reset(struct client *client, const struct served *served, uint32_t code) {
    if (nghttp2_submit_rst_stream(client->h2->session, NGHTTP2_FLAG_NONE, served->h2.id, code) != 0)
        client->is_broken = true;
}

/* The client was sent the reply but still sends the request. After UNWANTED_MS the rest is refused
 * (RFC 9113 section 8.1). */
static void refuse_rest(struct client *client, const struct served *served) {
    bool is_over = client->h2->drains || client->is_last;
    if (is_over || is_past(now_ms(client), served->h2.moved_ms, UNWANTED_MS))
        reset(client, served, NGHTTP2_NO_ERROR);
}

/* True if the client takes too long to read the reply. A client that has closed its sending side
 * can open no window, so a stuck reply is late at once. */
static bool is_reply_late(const struct client *client, const struct served *served) {
    const struct limit limit = loop_limit(client->loop, PHASE_reply);
    int64_t now = now_ms(client);
    return (client->is_finished && is_stuck(client->h2, served)) ||
           is_past(now, stuck_since(client, served), limit.quiet_ms) ||
           (served->sent && is_past(now, served->h2.since_ms, limit.whole_ms));
}

/* Applies the deadlines to one stream. Traffic on other streams does not extend them. */
static void look_at_stream(struct client *client, struct served *served) {
    const struct limit body = loop_limit(client->loop, PHASE_body);
    int64_t now = now_ms(client);
    if (served->h2.is_ended)
        refuse_rest(client, served);
    else if (wants_room(served)) /* the stream waits for room that other streams hold */
        served->h2.since_ms = served->h2.moved_ms = now;
    else if (served->state == SERVING_body && !served->h2.is_whole &&
             (is_past(now, served->h2.moved_ms, body.quiet_ms) ||
              is_past(now, served->h2.since_ms, body.whole_ms)))
        serve_refuse(served, STATUS_TIMEOUT, NULL);
    else if (served->state == SERVING_reply && is_reply_late(client, served))
        reset(client, served, NGHTTP2_CANCEL);
}

static void look_at_streams(struct client *client) {
    struct h2 *h2 = client->h2;
    h2->look_ms = now_ms(client) + LOOK_EVERY_MS;
    for (struct served *served = h2->first; served; served = served->next)
        look_at_stream(client, served);
}

static void finish(struct client *client) {
    struct h2 *h2 = client->h2;
    for (struct served *served = h2->first; served; served = served->next)
        if (served->state == SERVING_body && !served->h2.is_whole)
            serve_refuse(served, STATUS_BAD_INPUT, cut_off);
    client->is_last = true;
    look_at_streams(client);
}

static void late(struct client *client) {
    struct h2 *h2 = client->h2;
    client->advanced = true; /* restarts the phase; otherwise it would be late again at once */
    if (!h2->session)
        client->is_broken = true;
    else if (h2->first)
        look_at_streams(client);
    else if (nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR) != 0)
        client->is_broken = true;
}

/* ---- the end of the server ---- */

/* Graceful shutdown (RFC 9113 section 6.8): the first GOAWAY refuses nothing. When the client has
 * answered the PING that follows it, everything that it sent before has arrived, and tell_last
 * sends the second GOAWAY, which names the last stream that is served. */
static void drain(struct client *client) {
    struct h2 *h2 = client->h2;
    if (!h2->session || client->is_last)
        return;
    h2->drains = true;
    h2->drain_ms = now_ms(client);
    loop_count(client->loop, 1);
    if (nghttp2_submit_shutdown_notice(h2->session) != 0 ||
        nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, draining) != 0)
        client->is_broken = true;
    look_at_streams(client);
}

static int tell_last(struct client *client) {
    struct h2 *h2 = client->h2;
    h2->is_told_last = true;
    return nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                                 nghttp2_session_get_last_proc_stream_id(h2->session),
                                 NGHTTP2_NO_ERROR, NULL, 0);
}

/* ---- writing ---- */

/* Does what is due by the clock, but only when all received bytes are read: among them may be what
 * the deadline waits for. */
static int keep_time(struct client *client) {
    struct h2 *h2 = client->h2;
    if (client->ready.can_read && !client->is_finished)
        return 0;
    if (h2->first && (client->is_finished || now_ms(client) >= h2->look_ms))
        look_at_streams(client);
    h2->has_heard |= h2->drains && now_ms(client) - h2->drain_ms >= ROUND_TRIP_MS;
    return h2->has_heard && !h2->is_told_last ? tell_last(client) : 0;
}

/* Prepares the writing of frames. False if the session was ended. */
static bool prepare_frames(struct client *client) {
    struct h2 *h2 = client->h2;
    int failed = keep_time(client);
    if (h2->has_held)
        run_held(h2);
    if (!failed && h2->looks_for_room)
        failed = give_rooms(client);
    if (failed)
        fail(client, NGHTTP2_INTERNAL_ERROR);
    return !failed;
}

/* Sends as many bytes as the socket takes now, and returns their number. */
static size_t send_bytes(struct client *client, const char *bytes, size_t size) {
    size_t all = 0, sent;
    do {
        const struct iovec piece = { (char *)(uintptr_t)bytes + all, size - all };
        sent = client_send(client, &piece, 1);
        all += sent;
    } while (sent && all < size);
    return all;
}

/* Sends kept bytes. True if none are left. */
static bool send_unsent(struct client *client) {
    struct h2 *h2 = client->h2;
    size_t size = h2->unsent_size - h2->unsent_at;
    h2->unsent_at += size ? send_bytes(client, h2->unsent + h2->unsent_at, size) : 0;
    if (h2->unsent_at < h2->unsent_size)
        return false;
    budget_give(h2->unsent_size);
    secret_free(h2->unsent, h2->unsent_size);
    h2->unsent = NULL;
    h2->unsent_at = h2->unsent_size = 0;
    end_ended(client, true);
    return true;
}

/* Has nghttp2 write as many frames as fit into the thread's buffer, and returns the number of
 * bytes. */
static size_t write_frames(struct client *client, ssize_t *error) {
    struct h2 *h2 = client->h2;
    const uint8_t *frame;
    size_t size = 0;
    *error = 0;
    while (size + FRAME_MAX <= LOOP_BUFFER) {
        ssize_t part = nghttp2_session_mem_send(h2->session, &frame);
        if (part <= 0) {
            *error = part;
            break;
        }
        assert(part <= FRAME_MAX);
        memcpy(client->loop->out + size, frame, (size_t)part);
        size += (size_t)part;
    }
    return size;
}

/* Writes and sends once. False if there was nothing to write or the socket takes no more. */
static bool write_some(struct client *client) {
    ssize_t error;
    size_t size = write_frames(client, &error);
    size_t sent = size ? send_bytes(client, client->loop->out, size) : 0;
    if (sent < size)
        keep(client, client->loop->out + sent, size - sent);
    secret_wipe(client->loop->out, size);
    if (error)
        fail(client, code_of(error));
    return size && send_unsent(client);
}

static bool is_flushed(const struct client *client) {
    const struct h2 *h2 = client->h2;
    return !h2->unsent_size && !h2->first && !h2->ended_first &&
           (!h2->session || !nghttp2_session_want_write(h2->session));
}

static void flush(struct client *client) {
    struct h2 *h2 = client->h2;
    /* A stream that ends may free room or let held requests run, so write again. */
    while (!client->is_broken && send_unsent(client) && h2->session && prepare_frames(client) &&
           write_some(client))
        ;
    /* nghttp2 has reported an error to the client, or GOAWAY was sent and all streams have
     * ended. */
    if (h2->session && !nghttp2_session_want_read(h2->session) &&
        !nghttp2_session_want_write(h2->session)) {
        drop_session(h2);
        client->is_last = true;
        (void)send_unsent(client); /* nothing else would end the answered streams that remained */
    }
    if (h2->is_told_last && !h2->unsent_size)
        end_drain(client);
}

static enum phase phase(const struct client *client) {
    const struct h2 *h2 = client->h2;
    bool has_work = false, has_body = false;
    if (h2->unsent_size)
        return PHASE_reply;
    for (const struct served *served = h2->first; served; served = served->next) {
        bool waits = waits_for_client(client, served);
        if (waits && served->state == SERVING_reply)
            return PHASE_window;
        has_body |= waits;
        has_work |= !served->h2.is_ended;
    }
    if (has_body || has_work)
        return has_body ? PHASE_body : PHASE_work;
    if (h2->first ||
        h2->drains) /* the rest of an answered request, or the answer to PING, is still to come */
        return PHASE_linger;
    return floods_is_within_frame(&h2->floods) ? PHASE_head : PHASE_idle;
}

/* Frames depend on those before them, so no further one can be understood. */
static void lose(struct client *client) {
    fail(client, NGHTTP2_INTERNAL_ERROR);
}

const struct protocol h2_protocol = { begin, takes, feed,  lose,  finish, flush, is_flushed,
                                      phase, late,  drain, go_on, reply,  end };

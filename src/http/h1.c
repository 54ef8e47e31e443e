/* HTTP/1.1 and 1.0 (RFC 9112): reads requests, writes replies in the order of their requests.
 *
 * head.c finds where a head ends and what it means; head_check.c refuses heads that could be read
 * in two ways. llhttp then reads the same head and frames the body, and must have found the same
 * end of the head and expect the same body (parser_agrees). llhttp alone never decides.
 *
 * A connection works on one request at a time. Replies queue up in `first` to `last` until the
 * socket takes them, so a client may send further requests meanwhile (pipelining); the limits below
 * end that. A reply whose body goes on is the last one in that queue: until its last piece is
 * there, its request counts as worked on. `next` says what the next bytes belong to. A request that
 * was answered before its body came has no `current` any more; its body is then read and dropped,
 * so that the connection can be kept.
 *
 * Bytes of an incomplete head are kept in `head`; a head that arrives whole is copied straight into
 * the arena of its exchange. */
#include "http/h1.h"

#include "http/client.h"
#include "http/serve.h"

#include "base/budget.h"
#include "crypto/secret.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REPLIES_AT_ONCE =
        64, /* replies that may wait for the socket; no further request is read then */
    REPLY_BYTES = 256 * 1024, /* bytes of waiting replies, likewise; the last one may exceed it */
    HELD_BYTES = 128 * 1024,  /* bytes that their exchanges may hold in all, likewise */
    FRAMING_MAX = 16 * 1024,  /* bytes of chunk heads, extensions and trailers, */
    FRAMING_FOR_EACH = 8,     /* and this many more for each byte of the body */
    HEAD_FIRST = 512,         /* first allocation for a head that arrives in pieces */
    CHUNK_HEAD_MAX = 32,      /* bytes of what frames a piece of a body */
    REPLY_HEAD_MAX =
        256 + REQUEST_ID_MAX + CHUNK_HEAD_MAX, /* of a reply's head besides its headers */
};

static const struct text continue_line = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };

static struct client *client_of(llhttp_t *parser) {
    return parser->data;
}

/* ---- callbacks of llhttp ---- */

static int head_is_complete(llhttp_t *parser) {
    client_of(parser)->h1.saw_head = true;
    parser->upgrade = 0; /* an Upgrade header is ignored (RFC 9110 section 7.8) */
    return 0;
}

static int body_came(llhttp_t *parser, const char *bytes, size_t size) {
    struct h1 *h1 = &client_of(parser)->h1;
    h1->body += size;
    if (!h1->current || serve_body(h1->current, bytes, size))
        return 0;
    h1->is_refused = true;
    return HPE_USER;
}

/* The head of a chunk has arrived. A chunk that is too large is refused before its bytes come. */
static int chunk_is_announced(llhttp_t *parser) {
    struct h1 *h1 = &client_of(parser)->h1;
    if (!h1->current || serve_body_fits(h1->current, parser->content_length))
        return 0;
    h1->is_refused = true;
    return -1;
}

static int message_is_complete(llhttp_t *parser) {
    client_of(parser)->h1.is_complete = true;
    return HPE_PAUSED;
}

static int name_came(llhttp_t *parser, const char *bytes, size_t size) {
    struct h1 *h1 = &client_of(parser)->h1;
    for (size_t i = 0; h1->saw_head && i < size; i++)
        if (h1->trailer_size < H1_TRAILER_MAX)
            h1->trailer[h1->trailer_size++] = bytes[i];
    return 0;
}

/* Trailers must not have fields that frame or route a message (RFC 9110 section 6.5.1). */
static int name_is_complete(llhttp_t *parser) {
    static const struct text forbidden[] = { { "Content-Length", 14 },
                                             { "Transfer-Encoding", 17 },
                                             { "Host", 4 } };
    struct h1 *h1 = &client_of(parser)->h1;
    struct text name = { h1->trailer, h1->trailer_size };
    h1->trailer_size = 0;
    for (size_t i = 0; h1->saw_head && i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (text_equal_nocase(name, forbidden[i]))
            return -1;
    return 0;
}

static const llhttp_settings_t callbacks = {
    .on_headers_complete = head_is_complete,
    .on_chunk_header = chunk_is_announced,
    .on_body = body_came,
    .on_message_complete = message_is_complete,
    .on_header_field = name_came,
    .on_header_field_complete = name_is_complete,
};

/* ---- reading ---- */

/* True while another thread decides on the head; the body must wait for that. */
static bool is_undecided(const struct h1 *h1) {
    return h1->current && h1->current->state == SERVING_head;
}

static bool takes(const struct client *client) {
    const struct h1 *h1 = &client->h1;
    return !client->is_last && h1->next != H1_work && !is_undecided(h1) &&
           h1->replies < REPLIES_AT_ONCE && h1->reply_bytes < REPLY_BYTES &&
           h1->held_bytes < HELD_BYTES;
}

static void drop_head(struct h1 *h1) {
    budget_give(h1->head_capacity);
    secret_free(h1->head, h1->head_size);
    h1->head = NULL;
    h1->head_size = h1->head_capacity = 0;
    h1->scan = (struct head_scan){ 0 };
}

/* There is no memory even for an exchange with a refusal, so the connection just ends. */
static void give_up(struct client *client) {
    client->is_broken = true;
}

/* Refuses a head that is malformed or incomplete; `bytes` are what came of it. */
static void refuse_head(struct client *client, struct text bytes, enum status status,
                        const char *reason) {
    struct served *served = serve_begin(client);
    struct text line = bytes;
    line.at += client->h1.scan.skipped;
    line.len -= client->h1.scan.skipped;
    if (served) /* a reply to HEAD has no body (RFC 9110 section 9.3.2) */
        served->head.is_head = line.len >= 5 && memcmp(line.at, "HEAD ", 5) == 0;
    drop_head(&client->h1);
    if (served)
        serve_refuse(served, status, reason);
    else
        give_up(client);
}

static void begin_request(struct h1 *h1) {
    h1->next = H1_head;
    h1->current = NULL;
    h1->body = h1->framing = 0;
    client_of(&h1->parser)->advanced = true;
}

/* The request is complete: runs its handler. */
static void run_current(struct client *client) {
    struct h1 *h1 = &client->h1;
    struct served *served = h1->current;
    if (!served) { /* it was answered before its body came */
        begin_request(h1);
        return;
    }
    h1->next = H1_work;
    serve_run(served);
}

/* True if llhttp has found the same end of the head and expects the same body. */
static bool parser_agrees(struct h1 *h1, struct text head, const struct head_check *check) {
    llhttp_t *parser = &h1->parser;
    llhttp_errno_t result = llhttp_get_errno(parser);
    bool has_body = check->is_chunked || check->length;
    if (!h1->saw_head || h1->is_complete == has_body)
        return false;
    if (h1->is_complete)
        return result == HPE_PAUSED && llhttp_get_error_pos(parser) == head.at + head.len;
    return result == HPE_OK && check->is_chunked == ((parser->flags & F_CHUNKED) != 0) &&
           (check->is_chunked || parser->content_length == check->length);
}

static void run_parser(struct client *client, struct text head) {
    struct h1 *h1 = &client->h1;
    llhttp_init(&h1->parser, HTTP_REQUEST, &callbacks);
    llhttp_set_lenient_version(
        &h1->parser, 1); /* later minor versions are treated as 1.1 (RFC 9110 section 2.5) */
    h1->parser.data = client;
    h1->saw_head = h1->is_complete = h1->is_refused = false;
    h1->trailer_size = 0;
    (void)llhttp_execute(&h1->parser, head.at, head.len); /* parser_agrees checks the result */
}

static void go_on(struct served *served) {
    struct h1 *h1 = &served->client->h1;
    if (h1->has_lost) {
        serve_refuse(served, STATUS_FULL, NULL);
        return;
    }
    if (!served->wants_continue)
        return;
    h1->continue_left = (uint32_t)continue_line.len;
    h1->gave_continue = false;
}

/* Begins the exchange of a complete head at `bytes`, which may be preceded by empty lines. */
static void take_head(struct client *client, const char *bytes, const struct head_scan *scan) {
    struct h1 *h1 = &client->h1;
    struct served *served = serve_begin(client);
    struct head_check check = { 0 };
    const char *reason = NULL;
    if (!served) {
        give_up(client);
        return;
    }
    struct text head = arena_text(
        &served->arena, (struct text){ bytes + scan->skipped, scan->scanned - scan->skipped });
    if (!head.at) {
        serve_refuse(served, serve_lack(served), NULL);
        return;
    }
    h1->current = served;
    h1->next = H1_body;
    run_parser(client, head);
    /* head_parse writes NULs into the head, so llhttp must have read it before. */
    enum status status = head_parse(&served->head, scan, head, &check, &reason);
    if (status != STATUS_OK) {
        serve_refuse(served, status, reason);
        return;
    }
    check.is_misread = !parser_agrees(h1, head, &check);
    served->wants_continue = check.expects_continue && check.minor > 0;
    bool goes_on = serve_head(served, &check);
    if (h1->is_complete && (goes_on || !client->is_last))
        run_current(client);
    else if (goes_on)
        go_on(served);
}

static enum status grow_head(struct h1 *h1, size_t size) {
    uint32_t before = h1->head_capacity, capacity = before ? before : HEAD_FIRST;
    while (capacity < size)
        capacity *= 2;
    if (!budget_take(capacity - before)) {
        budget_note_refusal();
        return STATUS_FULL;
    }
    char *head = secret_grow(h1->head, h1->head_size, capacity);
    if (!head) {
        budget_give(capacity - before);
        return STATUS_INTERNAL;
    }
    h1->head = head;
    h1->head_capacity = capacity;
    return STATUS_OK;
}

/* Keeps a part of a head until the rest comes. If memory is short, it keeps what fits, for the
 * refusal. */
static enum status keep_head(struct h1 *h1, const char *bytes, size_t size) {
    enum status status = STATUS_OK;
    if (h1->head_size + size > h1->head_capacity)
        status = grow_head(h1, h1->head_size + size);
    size_t room = h1->head_capacity - h1->head_size;
    if (size > room)
        size = room;
    if (size)
        memcpy(h1->head + h1->head_size, bytes, size);
    h1->head_size += (uint32_t)size;
    return status;
}

static size_t feed_head(struct client *client, const char *bytes, size_t size) {
    struct h1 *h1 = &client->h1;
    const char *reason = NULL, *all = bytes;
    enum status status = STATUS_OK;
    size_t before = h1->head_size, more = size < HEAD_MAX - before ? size : HEAD_MAX - before;
    if (before) {
        status = keep_head(h1, bytes, more);
        all = h1->head;
        if (status != STATUS_OK)
            more = h1->head_size - before;
    }
    if (status == STATUS_OK)
        status = head_scan(&h1->scan, all, before + more, &reason);
    if (status == STATUS_OK && !h1->scan.is_whole && !before)
        status = keep_head(h1, bytes, more);
    if (status != STATUS_OK) {
        refuse_head(client, (struct text){ all, before + more }, status, reason);
        return size;
    }
    if (!h1->scan.is_whole)
        return more;
    size_t used = h1->scan.scanned - before;
    take_head(client, all, &h1->scan);
    drop_head(h1);
    return used;
}

/* How many further bytes may be framing before the limit is exceeded. feed_body passes at most one
 * byte more to llhttp, so the count is exact however the network splits the bytes. */
static size_t framing_left(const struct h1 *h1) {
    return (size_t)(FRAMING_MAX + FRAMING_FOR_EACH * h1->body - h1->framing);
}

static size_t feed_body(struct client *client, const char *bytes, size_t size) {
    struct h1 *h1 = &client->h1;
    size_t left = framing_left(h1), slice = size <= left ? size : left + 1;
    uint64_t body = h1->body;
    llhttp_errno_t result = llhttp_execute(&h1->parser, bytes, slice);
    if (h1->is_refused)
        return size;
    size_t used =
        result == HPE_PAUSED ? (size_t)(llhttp_get_error_pos(&h1->parser) - bytes) : slice;
    h1->framing += used - (h1->body - body);
    const char *reason = NULL;
    if (result != HPE_OK && !h1->is_complete)
        reason = "The body's chunks are malformed.";
    else if (h1->framing > FRAMING_MAX + FRAMING_FOR_EACH * h1->body)
        reason = "The body's chunks have too much around them.";
    if (reason && h1->current)
        serve_refuse(h1->current, STATUS_BAD_INPUT, reason);
    else if (reason)
        client->is_last = true; /* its reply was sent already */
    else if (h1->is_complete)
        run_current(client);
    return used;
}

static size_t feed(struct client *client, const char *bytes, size_t size) {
    size_t used = 0;
    while (used < size && takes(client) && !client->is_broken) {
        size_t (*take)(struct client *, const char *, size_t) =
            client->h1.next == H1_head ? feed_head : feed_body;
        used += take(client, bytes + used, size - used);
    }
    return used;
}

static void finish(struct client *client) {
    struct h1 *h1 = &client->h1;
    if (h1->next == H1_body && h1->current)
        serve_refuse(h1->current, STATUS_BAD_INPUT, "The body ends before its announced end.");
    else if (h1->next == H1_head && h1->head_size > h1->scan.skipped)
        refuse_head(client, (struct text){ h1->head, h1->head_size }, STATUS_BAD_INPUT,
                    "The head ends before its empty line.");
    client->is_last = true;
}

/* ---- writing ---- */

static const char *reason_phrase(unsigned status) {
    switch (status) {
#define PHRASE(code, text)                                                                         \
    case code:                                                                                     \
        return text;
#include "http/phrases.def"
#undef PHRASE
    default: return ""; /* it may be empty (RFC 9112 section 4) */
    }
}

static size_t head_room(const struct reply *reply) {
    size_t room = REPLY_HEAD_MAX + (reply->content_type ? strlen(reply->content_type) : 0);
    for (unsigned i = 0; i < reply->header_count; i++)
        room += strlen(reply->headers[i].name) + strlen(reply->headers[i].value) + 4;
    return room;
}

static char *add(char *at, const char *text, size_t size) {
    memcpy(at, text, size);
    return at + size;
}

static char *add_header(char *at, const char *name, const char *value) {
    at = add(at, name, strlen(name));
    at = add(at, ": ", 2);
    at = add(at, value, strlen(value));
    return add(at, "\r\n", 2);
}

static char *add_status(char *at, unsigned status) {
    const char *phrase = reason_phrase(status);
    char line[] = "HTTP/1.1 200 ";
    line[9] = (char)('0' + status / 100);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    at = add(at, line, sizeof line - 1);
    at = add(at, phrase, strlen(phrase));
    return add(at, "\r\n", 2);
}

static char *add_length(char *at, size_t length) {
    at = add(at, "Content-Length: ", 16);
    at += text_from_int64((int64_t)length, at);
    return add(at, "\r\n", 2);
}

/* The end of the chunk before, and the head of this one (RFC 9112 section 7.1). */
static char *add_chunk(char *at, const struct served *served) {
    size_t size = served->exchange.reply.body.len;
    if (served->is_old)
        return at;
    if (served->pieces > 1)
        at = add(at, "\r\n", 2);
    at += snprintf(at, CHUNK_HEAD_MAX - 4, "%zx\r\n", size);
    return size ? at : add(at, "\r\n", 2);
}

/* Writes the frame of a further piece, in place of the head. */
static bool write_piece_head(struct served *served) {
    char *start = arena_alloc(&served->arena, CHUNK_HEAD_MAX);
    if (!start || served->exchange.reply.is_cut)
        return false;
    served->reply_head = (struct text){ start, (size_t)(add_chunk(start, served) - start) };
    return true;
}

/* Writes the head of the reply. False if there is no memory. */
static bool write_head(struct served *served) {
    const struct reply *reply = &served->exchange.reply;
    size_t room = head_room(reply);
    char *start = arena_alloc(&served->arena, room);
    if (!start) /* a first refusal opens the overdraft (arena.h) */
        start = arena_alloc(&served->arena, room);
    if (!start)
        return false;
    char *at = start;
    at = add_status(at, reply->http_status);
    at = add_header(at, "Date", loop_date(served->client->loop));
    at = add_header(at, "X-Request-Id", served->exchange.request_id);
    if (reply->content_type)
        at = add_header(at, "Content-Type", reply->content_type);
    if (serve_has_length(served))
        at = add_length(at, reply->body.len);
    else if (served->is_in_pieces && !served->is_old)
        at = add_header(at, "Transfer-Encoding", "chunked");
    for (unsigned i = 0; i < reply->header_count; i++)
        at = add_header(at, reply->headers[i].name, reply->headers[i].value);
    if (served->is_last)
        at = add_header(at, "Connection", "close");
    else if (served->says_keep_alive)
        at = add_header(at, "Connection", "keep-alive");
    if (served->client->tls)
        at = add_header(at, "Strict-Transport-Security", SERVE_HSTS);
    at = add(at, "\r\n", 2);
    if (reply->goes_on)
        at = add_chunk(at, served);
    served->reply_head = (struct text){ start, (size_t)(at - start) };
    return true;
}

/* Bytes of a whole reply. */
static size_t size_of(const struct served *served) {
    return served->reply_head.len + serve_body_of(served).len;
}

static void reply(struct served *served) {
    struct client *client = served->client;
    struct h1 *h1 = &client->h1;
    bool goes_on = served->exchange.reply.goes_on;
    served->is_last |=
        (goes_on && served->is_old) ||
        atomic_load_explicit(&client->loop->stopping->ends_kept, memory_order_relaxed);
    served->sent = 0;
    if (!(served->pieces > 1 ? write_piece_head(served) : write_head(served))) {
        client->is_broken = true;
        serve_sent(served, false);
        h1->current = NULL;
        return;
    }
    /* The final reply makes "100 Continue" needless. But once TLS was given those bytes, it has
     * encrypted them and will send them. */
    if (!h1->gave_continue)
        h1->continue_left = 0;
    if (h1->last)
        h1->last->next = served;
    else
        h1->first = served;
    h1->last = served;
    h1->replies++;
    h1->reply_bytes += size_of(served);
    h1->held_bytes += served->arena.counted; /* the arena takes nothing more until it is sent */
    h1->current = NULL;
    if (goes_on)
        return;
    client->is_last |= served->is_last;
    if (h1->next == H1_work)
        begin_request(h1);
}

/* Adds the part of `text` that is left after the first `*skip` bytes, which were sent already. */
static size_t add_piece(struct iovec *pieces, size_t count, struct text text, size_t *skip) {
    size_t skipped = *skip < text.len ? *skip : text.len;
    *skip -= skipped;
    if (skipped == text.len)
        return count;
    pieces[count] = (struct iovec){ (char *)(uintptr_t)text.at + skipped, text.len - skipped };
    return count + 1;
}

/* "100 Continue" is sent after all replies to earlier requests. Once its first bytes are sent, no
 * other reply can come before it. */
static bool continue_is_next(const struct h1 *h1) {
    return h1->continue_left && (!h1->first || h1->gave_continue);
}

static size_t gather(struct h1 *h1, struct iovec *pieces) {
    size_t count = 0, skip = continue_line.len - h1->continue_left;
    if (continue_is_next(h1))
        count = add_piece(pieces, count, continue_line, &skip);
    for (struct served *served = h1->first; served; served = served->next) {
        skip = served->sent;
        count = add_piece(pieces, count, served->reply_head, &skip);
        count = add_piece(pieces, count, serve_body_of(served), &skip);
    }
    return count;
}

static void note_sent(struct client *client, size_t sent) {
    struct h1 *h1 = &client->h1;
    if (continue_is_next(h1)) {
        size_t part = sent < h1->continue_left ? sent : h1->continue_left;
        h1->continue_left -= (uint32_t)part;
        sent -= part;
    }
    while (h1->first) {
        struct served *served = h1->first;
        size_t left = size_of(served) - served->sent;
        h1->reply_bytes -= sent < left ? sent : left;
        if (sent < left) {
            served->sent += sent;
            return;
        }
        sent -= left;
        h1->first = served->next;
        if (!h1->first)
            h1->last = NULL;
        h1->replies--;
        h1->held_bytes -= served->arena.counted;
        client->advanced = true;
        if (!served->exchange.reply.goes_on) {
            serve_sent(served, true);
            continue;
        }
        h1->current = served;
        serve_next_piece(served);
    }
}

static bool is_flushed(const struct client *client) {
    return !client->h1.first && !client->h1.continue_left;
}

static void flush(struct client *client) {
    struct iovec pieces[2 * REPLIES_AT_ONCE + 2];
    while (!is_flushed(client) && !client->is_broken) {
        client->h1.gave_continue = continue_is_next(&client->h1);
        size_t count = gather(&client->h1, pieces);
        size_t sent = count ? client_send(client, pieces, count) : 0;
        if (count && !sent) /* the empty end of a body without chunks needs no room */
            return;
        note_sent(client, sent);
    }
}

/* ---- the connection ---- */

static enum phase phase(const struct client *client) {
    const struct h1 *h1 = &client->h1;
    if (!is_flushed(client))
        return PHASE_reply;
    switch (h1->next) {
    case H1_head: return h1->head_size ? PHASE_head : PHASE_idle;
    case H1_body: return is_undecided(h1) ? PHASE_work : PHASE_body;
    case H1_work: return PHASE_work;
    }
    return PHASE_idle;
}

/* Refuses the request whose rest does not come, if one has begun, and reads no other. */
static void refuse_rest(struct client *client, enum status status) {
    struct h1 *h1 = &client->h1;
    if (h1->next == H1_head && h1->head_size)
        refuse_head(client, (struct text){ h1->head, h1->head_size }, status, NULL);
    else if (h1->next == H1_body && h1->current)
        serve_refuse(h1->current, status, NULL);
    client->is_last = true;
}

static void late(struct client *client) {
    refuse_rest(client, STATUS_TIMEOUT);
}

/* The request that is worked on is still answered, as the last one. */
static void lose(struct client *client) {
    struct h1 *h1 = &client->h1;
    if (h1->next != H1_work && !is_undecided(h1)) {
        refuse_rest(client, STATUS_FULL);
        return;
    }
    h1->has_lost = h1->next == H1_body;
    struct served *working = h1->current ? h1->current : h1->last; /* whose body goes on */
    working->is_last = true;
}

static void drain(struct client *client) {
    if (client->h1.next == H1_head && !client->h1.head_size)
        client->is_last = true;
}

static void end(struct client *client) {
    struct h1 *h1 = &client->h1;
    drop_head(h1);
    if (h1->current)
        serve_gone(h1->current);
    h1->current = NULL;
    for (struct served *served; (served = h1->first);) {
        h1->first = served->next;
        serve_sent(served, false);
    }
}

static bool begin(struct client *client) {
    (void)client; /* client_new has zeroed the connection */
    return true;
}

const struct protocol h1_protocol = { begin, takes, feed,  lose,  finish, flush, is_flushed,
                                      phase, late,  drain, go_on, reply,  end };

/* A whole HTTP/1.1 connection, from its first byte to its end, over a socket pair and an I/O loop
 * whose turns this file takes. The first line of the input says how it ends and how it is split
 * (see read_plan), the rest are the client's bytes. They are sent in one piece first, then split,
 * to a server whose clock stands still: requests and replies must be the same. */
#include "turns.h"

#include "api/status.h"
#include "base/buffer.h"
#include "base/container_of.h"

enum { BODY_LIMIT = 600, LONG_REPLY = 40 * 1024, REPLIES_MAX = 8192 };

enum ending { SILENT, HALF_CLOSED, DRAINED, CLOSED, DRAINED_EARLY };

/* The plan in the first line of the input. */
struct plan {
    enum ending ending;
    bool has_proxy, redirects, has_http2;
    struct text pieces; /* a byte for the size of each, over and over */
};

/* A reply as it must arrive. */
struct expected {
    unsigned status;
    size_t length; /* of the body as it is sent */
    uint64_t hash;
    bool closes, has_length;
    size_t announced;
};

/* One connection. */
struct run {
    int peer; /* the client's end; -1: closed */
    bool is_refused, is_over;
    struct exchange *resting;
    unsigned handled, sent, unsent;
    struct bytes got, said; /* as it came; without what may differ */
    struct expected expected[REPLIES_MAX];
    unsigned replies;
};

static struct run runs[2], *now;
static bool has_tab;

static uint64_t hash(struct text text) {
    uint64_t value = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < text.len; i++)
        value = (value ^ (unsigned char)text.at[i]) * UINT64_C(1099511628211);
    return value;
}

/* ---- the application ---- */

/* Does the path begin with `/` and this letter? It says how the request is answered. */
static bool asks_for(const struct exchange *exchange, char letter) {
    return exchange->path.len > 1 && exchange->path.at[1] == letter;
}

/* Says all that is known of the request. */
static void answer(struct exchange *exchange) {
    const struct head *head = &container_of(exchange, struct served, exchange)->head;
    const struct sockaddr_in *peer =
        (const struct sockaddr_in *)(const void *)exchange_peer(exchange);
    struct buffer said;
    buffer_init(&said, exchange->arena, 100);
    buffer_printf(&said, "%d %d %d\n", (int)exchange->method, peer->sin_family, peer->sin_port);
    buffer_add(&said, exchange->path);
    buffer_add(&said, exchange_query(exchange).at ? TEXT("?") : TEXT(""));
    buffer_add(&said, exchange_query(exchange));
    for (unsigned i = 0; i < head->count; i++) {
        struct header header = head->headers[i];
        require(header.name.at[header.name.len] == '\0' &&
                header.value.at[header.value.len] == '\0');
        buffer_printf(&said, "\n%s: %s", header.name.at, header.value.at);
    }
    buffer_add(&said, TEXT("\n\n"));
    buffer_add(&said, exchange->body);
    while (asks_for(exchange, 'b') && said.len < LONG_REPLY)
        buffer_add(&said, TEXT("a long reply "));
    require(!said.failed);
    struct reply *reply = &exchange->reply;
    reply->http_status = asks_for(exchange, 'n') ? 204 : asks_for(exchange, 'm') ? 304 : 200;
    reply->content_type = asks_for(exchange, 'n') ? NULL : "text/plain";
    reply->body = buffer_text(&said);
    if (asks_for(exchange, 'b'))
        reply_header(exchange, "X-Long", "yes");
}

/* Rests as many times as the path goes on with `s`. */
static void step(struct exchange *exchange) {
    size_t rests = (size_t)exchange->state;
    if (rests < exchange->path.len - 1 && exchange->path.at[rests + 1] == 's') {
        exchange->state = (void *)(rests + 1);
        exchange->next = step;
        exchange_suspend(exchange);
        require(!now->resting);
        now->resting = exchange;
        return;
    }
    answer(exchange);
}

static void handle(struct exchange *exchange) {
    require(!now->is_refused && !exchange->reply.http_status && exchange->path.len);
    require(exchange->body.len <= BODY_LIMIT && exchange->method != METHOD_OTHER);
    now->handled++;
    step(exchange);
}

static void answer_early(struct exchange *exchange) {
    require(!now->is_refused && !exchange->body.len);
    if (asks_for(exchange, 'e'))
        answer(exchange);
}

static void refuse(struct exchange *exchange, enum status status, const char *reason) {
    require(!now->is_refused && status != STATUS_OK && status != STATUS_INTERNAL);
    /* llhttp reads a head that head.c accepts likewise. But 9.2 takes no tab behind a
     * Content-Length.
     */
    require(has_tab || !reason || !strstr(reason, "more than one way"));
    now->is_refused = true;
    exchange->reply.http_status = status_http(status);
    exchange->reply.body = reason ? text_of(reason) : TEXT("");
}

static void note_reply(struct exchange *exchange) {
    const struct served *served = container_of(exchange, struct served, exchange);
    const struct reply *reply = &exchange->reply;
    struct text none = { 0 };
    require(now->replies < REPLIES_MAX && reply->http_status >= 200);
    bool has_length = reply->http_status != 204 && reply->http_status != 304;
    struct text body = has_length && !served->head.is_head ? reply->body : none;
    now->expected[now->replies++] =
        (struct expected){ .status = reply->http_status,
                           .length = body.len,
                           .hash = hash(body),
                           .closes = served->is_last || atomic_load(&stopping.is_draining),
                           .has_length = has_length,
                           .announced = reply->body.len };
}

static void note_end(struct exchange *exchange, bool was_sent) {
    require(now->resting != exchange);
    if (was_sent)
        now->sent++;
    else
        now->unsent++;
}

static struct listen_options options = { .threads = 1,
                                         .connection_limit = 1,
                                         .head_timeout_s = 10,
                                         .idle_timeout_s = 60,
                                         .body_limit = BODY_LIMIT,
                                         .http2 = HTTP2_off,
                                         .head = answer_early,
                                         .handler = handle,
                                         .refuse = refuse,
                                         .replied = note_reply,
                                         .ended = note_end };

/* ---- the client ---- */

/* Reads at most `limit` bytes of what is there. Did any come? */
static bool read_replies(size_t limit) {
    char bytes[16 * 1024];
    size_t all = 0;
    while (all < limit && now->peer >= 0 && !now->is_over) {
        size_t wanted = limit - all < sizeof bytes ? limit - all : sizeof bytes;
        ssize_t got = recv(now->peer, bytes, wanted, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0) {
            now->is_over = true;
            return true;
        }
        append_bytes(&now->got, bytes, (size_t)got);
        all += (size_t)got;
    }
    return all;
}

static bool resume_resting(void) {
    struct exchange *exchange = now->resting;
    if (exchange) {
        now->resting = NULL;
        exchange_resume(exchange);
    }
    return exchange;
}

/* Has the server do all that it can, and takes what it sends. */
static void settle(void) {
    for (unsigned idle = 0; idle < 2;) {
        turns_take();
        bool moved = read_replies(SIZE_MAX);
        moved |= resume_resting();
        idle = moved || turns_loop()->again ? 0 : idle + 1;
    }
}

/* A client that is settled reads, or has closed: so the socket is full once at most. */
static void send_piece(const char *bytes, size_t size) {
    bool was_full = false;
    while (size && !now->is_over) {
        ssize_t sent = send(now->peer, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        bool is_full = sent < 0 && errno == EAGAIN;
        require(sent != 0 && !(is_full && was_full));
        was_full = is_full;
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else {
            settle();
            require(is_full || now->is_over);
        }
    }
}

static void end_connection(enum ending ending) {
    switch (ending) {
    case SILENT: settle(); break;
    case HALF_CLOSED:
        (void)shutdown(now->peer, SHUT_WR);
        settle();
        require(now->is_over); /* all was answered, and nothing is to be waited for */
        break;
    case DRAINED:
        settle();
        turns_drain();
        settle();
        break;
    case DRAINED_EARLY: settle(); break;
    case CLOSED:
        turns_take();
        (void)close(now->peer);
        now->peer = -1;
        settle();
        require(!loop_connections(turns_loop()));
        break;
    }
    if (now->is_over && now->peer >= 0) { /* the server has sent all, the client sees the end */
        (void)shutdown(now->peer, SHUT_RDWR);
        settle();
        require(!loop_connections(turns_loop()));
    }
    turns_outlive(settle);
    if (now->peer >= 0) {
        require(now->is_over);
        (void)close(now->peer);
    }
    require(now->sent + now->unsent == now->replies || now->peer < 0);
}

/* The size of a piece by its byte in the plan: 1, 2, 3 ... for blank and the next, then faster. */
static size_t piece_size(struct text pieces, size_t at) {
    unsigned char byte = (unsigned char)pieces.at[at % pieces.len];
    size_t value = byte > ' ' ? (size_t)(byte - ' ') : 0;
    return 1 + (value < 16 ? value : value * value / 8);
}

static void run_split(const struct plan *plan, struct text bytes) {
    for (size_t i = 0; bytes.len && !now->is_over; i++) {
        size_t size = piece_size(plan->pieces, i);
        if (size > bytes.len)
            size = bytes.len;
        send_piece(bytes.at, size);
        bytes = (struct text){ bytes.at + size, bytes.len - size };
        turns_take();
        (void)read_replies(size * 16);
        if (i % 2)
            (void)resume_resting();
        if (i == 0 && plan->ending == DRAINED_EARLY)
            turns_drain();
    }
}

static void run_connection(const struct plan *plan, struct text bytes, bool is_split) {
    now = &runs[is_split];
    now->got.size = now->said.size = 0;
    now->is_refused = now->is_over = false;
    now->handled = now->sent = now->unsent = now->replies = 0;
    options.http2 = plan->has_http2 ? HTTP2_clear : HTTP2_off;
    now->peer = turns_connect((struct client_options){
        .door = plan->redirects ? DOOR_redirect : DOOR_plain,
        .https_port = 8443,
        .proxy_speaks = plan->has_proxy,
    });
    if (is_split)
        run_split(plan, bytes);
    else
        send_piece(bytes.at, bytes.len);
    end_connection(plan->ending);
}

/* ---- what came back ---- */

static struct text line_of(struct text *rest) {
    struct text line = text_cut(rest, '\n');
    require(rest->at && line.len && line.at[line.len - 1] == '\r');
    line.len--;
    return line;
}

static unsigned read_status(struct text line) {
    require(line.len >= 13 && memcmp(line.at, "HTTP/1.1 ", 9) == 0 && line.at[12] == ' ');
    return (unsigned)(100 * (line.at[9] - '0') + 10 * (line.at[10] - '0') + (line.at[11] - '0'));
}

/* Checks the next reply; all of it but the Date and the Id is kept. */
static void check_reply(struct text *rest, const struct expected *expected) {
    struct text line = line_of(rest);
    bool has_length = false, closes = false, has_date = false, has_id = false;
    require(read_status(line) == expected->status);
    append_bytes(&now->said, line.at, line.len);
    while ((line = line_of(rest)).len) {
        struct text value = line, name = text_cut(&value, ':');
        int64_t number;
        value = text_trim(value);
        require(name.len && value.at);
        if (text_equal(name, TEXT("Date"))) {
            require(!has_date && value.len == 29);
            has_date = true;
            continue;
        }
        if (text_equal(name, TEXT("X-Request-Id"))) {
            require(!has_id);
            has_id = true;
            continue;
        }
        append_bytes(&now->said, line.at, line.len);
        if (text_equal(name, TEXT("Content-Length"))) {
            require(!has_length && text_to_int64(value, &number) &&
                    number == (int64_t)expected->announced);
            has_length = true;
        }
        closes |= text_equal(name, TEXT("Connection")) && text_equal(value, TEXT("close"));
    }
    require(has_date && has_id && has_length == expected->has_length);
    require(closes || !expected->closes);
    require(rest->len >= expected->length);
    struct text body = { rest->at, expected->length };
    require(hash(body) == expected->hash);
    append_bytes(&now->said, body.at, body.len);
    *rest = (struct text){ rest->at + body.len, rest->len - body.len };
    require(!closes || !rest->len);
}

static void check_replies(void) {
    static const struct text go_on = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };
    struct text rest = { now->got.at, now->got.size };
    for (unsigned i = 0; i < now->replies; i++) {
        if (text_starts_nocase(rest, go_on))
            rest = (struct text){ rest.at + go_on.len, rest.len - go_on.len };
        check_reply(&rest, &now->expected[i]);
    }
    if (text_starts_nocase(rest, go_on)) /* and then the body never came */
        rest.len -= go_on.len;
    require(!rest.len && now->sent == now->replies);
}

/* ---- the input ---- */

/* The letters h, d, c, w at the begin: the client closes its side at the end, the server stops
 * then, the client goes away, the server stops after the first piece; else it falls silent. Then p:
 * a PROXY header comes first, r: all is sent to HTTPS, 2: HTTP/2 could come. Then the pieces. */
static struct plan read_plan(struct text line) {
    static const char letters[] = "hdcw";
    struct plan plan = { 0 };
    const char *found = line.len && line.at[0] ? strchr(letters, line.at[0]) : NULL;
    if (found)
        plan.ending = HALF_CLOSED + (enum ending)(found - letters);
    size_t at = found != NULL;
    bool *const flags[] = { &plan.has_proxy, &plan.redirects, &plan.has_http2 };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (at < line.len && line.at[at] == "pr2"[i]) {
            *flags[i] = true;
            at++;
        }
    plan.pieces = (struct text){ line.at + at, line.len - at };
    if (!plan.pieces.len)
        plan.pieces = TEXT(" ");
    return plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct text rest = { (const char *)bytes, size }, line = text_cut(&rest, '\n');
    struct plan plan = read_plan(line);
    has_tab = memchr(bytes, '\t', size) != NULL;
    if (!rest.at)
        return 0;
    if (plan.has_http2 && memmem(rest.at, rest.len, "PRI ", 4))
        return 0; /* another protocol, another fuzzer */
    for (int is_split = 0; is_split < 2; is_split++)
        run_connection(&plan, rest, is_split);
    if (plan.ending == CLOSED || plan.ending == DRAINED_EARLY)
        return 0;
    for (int is_split = 0; is_split < 2; is_split++) {
        now = &runs[is_split];
        check_replies();
    }
    require(runs[0].handled == runs[1].handled && runs[0].replies == runs[1].replies);
    require(
        runs[0].said.size == runs[1].said.size &&
        (!runs[0].said.size || memcmp(runs[0].said.at, runs[1].said.at, runs[0].said.size) == 0));
    return 0;
}

/* A whole HTTP/2 connection, from its first byte to its end, over a socket pair and an I/O loop
 * whose turns this file takes. The first line of the input says how it ends and how it is split
 * (see read_plan). The rest are frames, each a byte for its type, its flags, its stream and its
 * size (255: two bytes with the size follow), and its content; or the client's bytes as they are.
 * The server's answer must be valid frames: they are read as a client would read them. */
#include "turns.h"

#include "api/status.h"
#include "base/buffer.h"
#include "base/container_of.h"

#include <nghttp2/nghttp2.h>

enum {
    BODY_LIMIT = 40000, /* more than a stream's window */
    LONG_REPLY = 70000, /* more than a connection's first window */
    BODIES_MAX = 10 * 1024 * 1024,
    STREAMS_MAX = 256, /* those of the frames' one byte */
    FRAME_HEAD = 9
};

enum ending { SILENT, HALF_CLOSED, DRAINED, CLOSED };

struct plan {
    enum ending ending;
    bool is_raw;       /* the bytes are the client's, with its preface */
    bool acknowledges; /* SETTINGS are acknowledged at once */
    bool reads_late;   /* nothing is read before all is sent */
    struct text pieces;
};

/* A stream as its client sees it. */
struct seen {
    bool has_head, is_head, is_ended, is_reset, has_length;
    unsigned status;
    size_t size, length;
};

static struct run {
    int peer;
    bool is_over, is_told_to_go, waits;
    struct exchange *resting[STREAMS_MAX];
    unsigned rests, replied, ended;
    struct bytes got, wanted;
    struct seen seen[STREAMS_MAX];
} now;

/* ---- the application ---- */

static bool asks_for(const struct exchange *exchange, char letter) {
    return exchange->path.len > 1 && exchange->path.at[1] == letter;
}

static void answer(struct exchange *exchange) {
    const struct head *head = &container_of(exchange, struct served, exchange)->head;
    struct buffer said;
    buffer_init(&said, exchange->arena, 100);
    for (unsigned i = 0; i < head->count; i++) {
        struct header header = head->headers[i];
        require(strlen(header.name.at) == header.name.len &&
                strlen(header.value.at) == header.value.len);
    }
    buffer_add(&said, exchange->path);
    buffer_add(&said, exchange->body);
    while (asks_for(exchange, 'b') && said.len < LONG_REPLY)
        buffer_add(&said, TEXT("a long reply "));
    require(!said.failed);
    struct reply *reply = &exchange->reply;
    reply->http_status = asks_for(exchange, 'n') ? 204 : asks_for(exchange, 'm') ? 304 : 200;
    reply->content_type = "text/plain";
    reply->body = buffer_text(&said);
    if (asks_for(exchange, 'b'))
        reply_header(exchange, "X-Long", "yes");
}

static void handle(struct exchange *exchange) {
    require(!exchange->reply.http_status && exchange->path.len);
    require(exchange->body.len <= BODY_LIMIT && exchange->method != METHOD_OTHER);
    require(exchange_header(exchange, "Host").at != NULL);
    if (!asks_for(exchange, 's') || now.rests == STREAMS_MAX) {
        answer(exchange);
        return;
    }
    exchange->next = answer;
    exchange_suspend(exchange);
    now.resting[now.rests++] = exchange;
}

static void answer_early(struct exchange *exchange) {
    require(!exchange->body.len);
    if (asks_for(exchange, 'e'))
        answer(exchange);
}

static void refuse(struct exchange *exchange, enum status status, const char *reason) {
    require(status != STATUS_OK && status != STATUS_INTERNAL);
    exchange->reply.http_status = status_http(status);
    exchange->reply.body = reason ? text_of(reason) : TEXT("");
}

static void note_reply(struct exchange *exchange) {
    require(exchange->reply.http_status >= 200);
    now.replied++;
}

static void note_end(struct exchange *exchange, bool was_sent) {
    (void)exchange;
    (void)was_sent;
    now.ended++;
}

static struct listen_options options = { .threads = 1,
                                         .connection_limit = 1,
                                         .head_timeout_s = 10,
                                         .idle_timeout_s = 60,
                                         .body_limit = BODY_LIMIT,
                                         .http2 = HTTP2_clear,
                                         .head = answer_early,
                                         .handler = handle,
                                         .refuse = refuse,
                                         .replied = note_reply,
                                         .ended = note_end };

/* ---- the client ---- */

static bool read_some(size_t limit) {
    char bytes[16 * 1024];
    size_t all = 0;
    while (all < limit && now.peer >= 0 && !now.is_over) {
        ssize_t got = recv(now.peer, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0) {
            now.is_over = true;
            return true;
        }
        append_bytes(&now.got, bytes, (size_t)got);
        all += (size_t)got;
    }
    return all;
}

static bool resume_last(void) {
    if (!now.rests)
        return false;
    exchange_resume(now.resting[--now.rests]);
    return true;
}

static void settle(void) {
    for (unsigned idle = 0; idle < 2;) {
        turns_take();
        require(budget_stats().used <= BODIES_MAX);
        bool moved = !now.waits && read_some(SIZE_MAX);
        moved |= resume_last();
        idle = moved || turns_loop()->again ? 0 : idle + 1;
    }
}

static void send_piece(const char *bytes, size_t size) {
    while (size && !now.is_over) {
        ssize_t sent = send(now.peer, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
            continue;
        }
        bool is_full = errno == EAGAIN;
        now.waits = false;
        settle();
        if (!is_full)
            return;
    }
}

/* The size of a piece by its byte in the plan: 1, 2, 3 ... for blank and the next, then faster. */
static size_t piece_size(struct text pieces, size_t at) {
    unsigned char byte = (unsigned char)pieces.at[at % pieces.len];
    size_t value = byte > ' ' ? (size_t)(byte - ' ') : 0;
    return 1 + (value < 16 ? value : value * value);
}

static void send_all(const struct plan *plan, struct text bytes) {
    for (size_t i = 0; bytes.len && !now.is_over; i++) {
        size_t size = piece_size(plan->pieces, i);
        if (size > bytes.len)
            size = bytes.len;
        send_piece(bytes.at, size);
        bytes = (struct text){ bytes.at + size, bytes.len - size };
        turns_take();
        if (!now.waits)
            (void)read_some(16 * size);
        if (i % 2)
            (void)resume_last();
    }
    now.waits = false;
}

static void end_connection(enum ending ending) {
    settle();
    if (ending == HALF_CLOSED)
        (void)shutdown(now.peer, SHUT_WR);
    else if (ending == DRAINED)
        turns_drain();
    else if (ending == CLOSED) {
        (void)close(now.peer);
        now.peer = -1;
    }
    settle();
    require(ending != CLOSED || !loop_connections(turns_loop()));
    turns_outlive(settle);
    if (now.peer >= 0) {
        require(now.is_over);
        (void)close(now.peer);
    }
}

/* ---- what came back ---- */

static uint32_t read_number(const char *at, unsigned size) {
    uint32_t number = 0;
    for (unsigned i = 0; i < size; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

static void check_field(struct seen *seen, const nghttp2_nv *field, bool *is_interim) {
    struct text name = { (const char *)field->name, field->namelen };
    struct text value = { (const char *)field->value, field->valuelen };
    int64_t number = 0;
    if (text_equal(name, TEXT(":status"))) {
        require(text_to_int64(value, &number) && (number == 100 || number >= 200));
        *is_interim = number == 100;
        seen->status = (unsigned)number;
    } else if (text_equal(name, TEXT("content-length"))) {
        require(text_to_int64(value, &number) && !seen->has_length);
        seen->has_length = true;
        seen->length = (size_t)number;
    }
    require(!text_equal(name, TEXT("connection")));
    for (size_t i = 0; i < name.len; i++)
        require(name.at[i] == text_lower(name.at[i]));
}

static void check_head(nghttp2_hd_inflater *inflater, struct seen *seen, struct text block) {
    bool is_interim = false;
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, (const uint8_t *)block.at,
                                              block.len, 1);
        require(used >= 0);
        block = (struct text){ block.at + used, block.len - (size_t)used };
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            check_field(seen, &field, &is_interim);
    }
    require(nghttp2_hd_inflate_end_headers(inflater) == 0);
    require(!seen->has_head && seen->status);
    seen->has_head = !is_interim;
}

static void check_stream(nghttp2_hd_inflater *inflater, unsigned type, unsigned flags,
                         struct seen *seen, struct text content) {
    if (type == NGHTTP2_WINDOW_UPDATE) {
        require(!seen->is_reset && read_number(content.at, 4));
        return;
    }
    require(!seen->is_reset && (type == NGHTTP2_RST_STREAM || !seen->is_ended));
    if (type == NGHTTP2_HEADERS) {
        require(flags & NGHTTP2_FLAG_END_HEADERS);
        check_head(inflater, seen, content);
    } else if (type == NGHTTP2_DATA) {
        require(seen->has_head);
        seen->size += content.len;
    } else {
        require(type == NGHTTP2_RST_STREAM && content.len == 4);
        seen->is_reset = true;
        return;
    }
    if (flags & NGHTTP2_FLAG_END_STREAM) {
        require(seen->has_head);
        require(!seen->size || (seen->has_length && seen->size == seen->length));
        require(seen->status != 204 || (!seen->size && !seen->has_length));
        seen->is_ended = true;
    }
}

/* All of it, but what a client that went away did not read. */
static void check_frames(void) {
    struct text rest = { now.got.at, now.got.size };
    nghttp2_hd_inflater *inflater;
    require(nghttp2_hd_inflate_new(&inflater) == 0);
    for (bool is_first = true; rest.len >= FRAME_HEAD; is_first = false) {
        size_t size = read_number(rest.at, 3);
        unsigned type = (unsigned char)rest.at[3], flags = (unsigned char)rest.at[4];
        uint32_t stream = read_number(rest.at + 5, 4);
        if (size > rest.len - FRAME_HEAD)
            break;
        require(size <= 16384 && !now.is_told_to_go);
        require(!is_first || type == NGHTTP2_SETTINGS);
        struct text content = { rest.at + FRAME_HEAD, size };
        struct seen other = { 0 };
        if (stream >= STREAMS_MAX && type == NGHTTP2_HEADERS)
            check_head(inflater, &other, content);
        else if (stream && stream < STREAMS_MAX)
            check_stream(inflater, type, flags, &now.seen[stream], content);
        /* Behind an error nothing comes. */
        now.is_told_to_go =
            type == NGHTTP2_GOAWAY && read_number(content.at + 4, 4) != NGHTTP2_NO_ERROR;
        rest = (struct text){ content.at + size, rest.len - FRAME_HEAD - size };
    }
    nghttp2_hd_inflate_del(inflater);
    require(!rest.len || now.peer < 0);
}

/* ---- the input ---- */

/* The letters h, d, c at the begin: the client closes its side at the end, the server stops then,
 * the client goes away; else it falls silent. Then r: the bytes are as they are, a: SETTINGS are
 * acknowledged, l: nothing is read before all is sent. Then the pieces. */
static struct plan read_plan(struct text line) {
    static const char letters[] = "hdc";
    struct plan plan = { 0 };
    const char *found = line.len && line.at[0] ? strchr(letters, line.at[0]) : NULL;
    if (found)
        plan.ending = HALF_CLOSED + (enum ending)(found - letters);
    size_t at = found != NULL;
    bool *const flags[] = { &plan.is_raw, &plan.acknowledges, &plan.reads_late };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (at < line.len && line.at[at] == "ral"[i]) {
            *flags[i] = true;
            at++;
        }
    plan.pieces = (struct text){ line.at + at, line.len - at };
    if (!plan.pieces.len)
        plan.pieces = TEXT("~");
    return plan;
}

static void add_frame(unsigned type, unsigned flags, unsigned stream, struct text content) {
    const char head[FRAME_HEAD] = { (char)(content.len >> 16),
                                    (char)(content.len >> 8),
                                    (char)content.len,
                                    (char)type,
                                    (char)flags,
                                    0,
                                    0,
                                    0,
                                    (char)stream };
    append_bytes(&now.wanted, head, sizeof head);
    append_bytes(&now.wanted, content.at, content.len);
}

static void make_frames(const struct plan *plan, struct text rest) {
    if (plan->is_raw) {
        append_bytes(&now.wanted, rest.at, rest.len);
        return;
    }
    append_bytes(&now.wanted, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    add_frame(NGHTTP2_SETTINGS, 0, 0, TEXT(""));
    if (plan->acknowledges)
        add_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, TEXT(""));
    while (rest.len >= 4) {
        struct text content = { rest.at + 4, (unsigned char)rest.at[3] };
        size_t left = rest.len - 4;
        if (content.len == 255 && left >= 2) {
            content = (struct text){ content.at + 2, read_number(content.at, 2) };
            left -= 2;
        }
        if (content.len > left)
            content.len = left;
        add_frame((unsigned char)rest.at[0], (unsigned char)rest.at[1], (unsigned char)rest.at[2],
                  content);
        rest = (struct text){ content.at + content.len, left - content.len };
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct text rest = { (const char *)bytes, size }, line = text_cut(&rest, '\n');
    const struct plan plan = read_plan(line);
    if (!rest.at || (plan.is_raw && (rest.len < 4 || memcmp(rest.at, "PRI ", 4) != 0)))
        return 0;
    struct bytes got = now.got, wanted = now.wanted;
    now = (struct run){ .got = got, .wanted = wanted, .waits = plan.reads_late };
    now.got.size = now.wanted.size = 0;
    make_frames(&plan, rest);
    now.peer = turns_connect((struct client_options){ .door = DOOR_plain });
    send_all(&plan, (struct text){ now.wanted.at, now.wanted.size });
    end_connection(plan.ending);
    require(now.ended >= now.replied);
    check_frames();
    return 0;
}

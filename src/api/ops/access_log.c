/* One line for each request. It has the path without the query, where one-time tokens and the
 * values of searches are, and no header. */
#include "api/ops/access_log.h"

#include "api/request.h"
#include "base/log.h"
#include "base/network.h"

#include <stdio.h>

enum {
    SEGMENT_MAX =
        32, /* of the paths that are served; a longer one may be a token that went astray */
    PATH_MAX_SHOWN = 256,
};

/* Copies a path, and writes "..." for what is longer than any part of a path that is served. */
static struct text shown_path(struct text path, char out[PATH_MAX_SHOWN]) {
    size_t len = 0;
    while (path.len) {
        const char *end = memchr(path.at + 1, '/', path.len - 1);
        struct text segment = { path.at, end ? (size_t)(end - path.at) : path.len };
        struct text shown = segment.len <= SEGMENT_MAX + 1 ? segment : TEXT("/...");
        if (len + shown.len > PATH_MAX_SHOWN)
            break;
        memcpy(out + len, shown.at, shown.len);
        len += shown.len;
        path.at += segment.len;
        path.len -= segment.len;
    }
    return (struct text){ out, len };
}

static void add_line(const struct exchange *exchange, bool was_sent, bool is_slow) {
    char path[PATH_MAX_SHOWN], from[NETWORK_TEXT_MAX];
    const struct request *request = exchange->request;
    const struct reply *reply = &exchange->reply;
    int64_t user_id = request ? request->principal.user_id : 0;
    size_t from_len = network_write_address(exchange_peer(exchange), from);
    struct text method =
        exchange_is_head(exchange) ? TEXT("HEAD") : text_of(method_name(exchange->method));
    const struct log_field fields[] = {
        { "method", LOG_text, .text = method },
        { "path", LOG_text, .text = shown_path(exchange->path, path) },
        { "status", reply->http_status ? LOG_number : LOG_none, .number = reply->http_status },
        { "bytes", LOG_number, .number = (int64_t)exchange_body_size(exchange) },
        { "ms", LOG_ms, .number = exchange->replied_us - exchange->began_us },
        { "user", user_id ? LOG_number : LOG_none, .number = user_id },
        { "address", LOG_text, .text = { from, from_len } },
        { "request", LOG_text, .text = text_of(exchange->request_id) },
        { "unsent", was_sent ? LOG_none : LOG_number, .number = 1 },
    };
    log_event(is_slow ? LOG_LEVEL_warning : LOG_LEVEL_info, is_slow ? "slow request" : "request",
              NULL, fields, sizeof fields / sizeof fields[0]);
}

void access_log_add(const struct exchange *exchange, bool was_sent) {
    const struct app *app = exchange->app;
    int64_t slow_us = atomic_load_explicit(&app->slow_us, memory_order_relaxed);
    bool is_slow = slow_us && exchange->replied_us - exchange->began_us >= slow_us;
    if (is_slow || atomic_load_explicit(&app->logs_requests, memory_order_relaxed))
        add_line(exchange, was_sent, is_slow);
}

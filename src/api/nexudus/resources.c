/* The handlers that all resources share. */
#include "api/handlers.h"
#include "api/nexudus/write.h"
#include "api/reply.h"
#include "api/wait.h"

#include "rules/etag.h"

/* Bytes of most records; a longer one makes the buffer grow. */
enum { BODY_EXPECTED = 2800 };

/* A record on its way to the reply. */
struct shown {
    struct buffer body;
    int64_t version;
};

static enum status show(struct store_session *session, struct request *request) {
    struct shown *shown = request->exchange->state;
    return store_load_json(session, request->route->resource->table, request->id, &shown->body,
                           &shown->version);
}

static void reply_shown(struct request *request, enum status status) {
    const struct shown *shown = request->exchange->state;
    unsigned count;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    struct text etag = record_etag(request->id, shown->version, request->arena);
    if (etag.at)
        reply_header(request->exchange, "ETag", etag.at);
    /* RFC 9110 section 13.2.2: in this order */
    struct text wanted = exchange_header_list(request->exchange, "If-Match", &count);
    struct text known = exchange_header_list(request->exchange, "If-None-Match", &count);
    if (wanted.at && !etag_is_listed(wanted, etag, ETAG_STRONG))
        reply_failure(request, STATUS_PRECONDITION_FAILED, NULL, NULL);
    else if (etag_is_listed(known, etag, ETAG_WEAK))
        request->exchange->reply.http_status = 304;
    else
        reply_json(request, 200, &shown->body);
}

void resource_get(struct request *request) {
    struct shown *shown = arena_alloc(request->arena, sizeof *shown);
    if (!shown) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    buffer_init(&shown->body, request->arena, BODY_EXPECTED);
    request->exchange->state = shown;
    request->target = (struct store_target){ request->route->resource->table, request->id };
    request_ask(request, show, reply_shown);
}

void resource_post(struct request *request) {
    write_start(request, MUTATION_create);
}

void resource_put(struct request *request) {
    write_start(request, MUTATION_replace);
}

void resource_put_at(struct request *request) {
    write_start(request, MUTATION_replace);
}

void resource_patch(struct request *request) {
    write_start(request, MUTATION_patch);
}

void resource_delete(struct request *request) {
    write_start(request, MUTATION_delete);
}

/* A user's picture, as bytes; open to all, as the hosted service has it (contract section 2). */
#include "api/request.h"

void avatar_get(struct request *request) {
    struct avatar avatar;
    struct reply *reply = &request->exchange->reply;
    enum status status = store_avatar(request->worker->view, request->id, request->arena, &avatar);
    if (status == STATUS_BROKEN) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    reply->http_status = 200;
    if (status == STATUS_NOT_FOUND) {
        reply->content_type = "application/json; charset=utf-8";
        reply->body = TEXT("null");
        return;
    }
    reply->content_type = avatar.type.at;
    reply->body = avatar.content;
    /* The bytes come from a stranger's server: nothing may take them for a page. */
    reply_header(request->exchange, "X-Content-Type-Options", "nosniff");
    reply_header(request->exchange, "Content-Security-Policy", "default-src 'none'; sandbox");
}

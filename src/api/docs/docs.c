/* GET /api/docs: a page that shows the description of the API. It loads nothing from other servers.
 */
#include "api/handlers.h"
#include "api/reply.h"

static const char *const lines[] = {
#include "docs_html.inc"
};

void docs_get(struct request *request) {
    struct buffer page;
    struct reply *reply = &request->exchange->reply;
    struct text path = request->path;
    if (path.at[path.len - 1] == '/') { /* the page's relative links would lead to /api/docs/... */
        reply_header(request->exchange, "Location", "../docs");
        reply->http_status = 308;
        return;
    }
    buffer_init(&page, request->arena, (size_t)16 * 1024);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        buffer_add(&page, text_of(lines[i]));
    if (page.failed) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    reply->http_status = 200;
    reply->content_type = "text/html; charset=utf-8";
    reply->body = buffer_text(&page);
    reply_header(request->exchange, "Content-Security-Policy",
                 "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
                 " connect-src 'self'; base-uri 'none'; frame-ancestors 'none'");
    reply_header(request->exchange, "X-Content-Type-Options", "nosniff");
}

/* GET /api/docs: a page that shows the description of the API. It loads nothing from other servers.
 */
#include "api/handlers.h"
#include "api/reply.h"
#include "crypto/base64.h"
#include "crypto/token.h"

#include <assert.h>

static const char *const lines[] = {
#include "docs_html.inc"
};

/* The SHA-256 of what stands between two marks of the page, in base64url without padding. `at`
 * NULL: no memory. */
static struct text hash_between(struct text page, struct text start, struct text end,
                                struct arena *arena) {
    const char *from = memmem(page.at, page.len, start.at, start.len);
    assert(from);
    from += start.len;
    const char *to = memmem(from, (size_t)(page.at + page.len - from), end.at, end.len);
    assert(to);
    struct token_hash hash = token_hash((struct text){ from, (size_t)(to - from) });
    return base64url_encode((struct text){ (const char *)hash.bytes, sizeof hash.bytes }, arena);
}

/* The policy allows the page's own script and style by their hashes, and no others. `at` NULL: no
 * memory. */
static struct text policy_of(struct text page, struct arena *arena) {
    struct text script = hash_between(page, TEXT("<script>"), TEXT("</script>"), arena);
    struct text style = hash_between(page, TEXT("<style>"), TEXT("</style>"), arena);
    if (!script.at || !style.at)
        return (struct text){ 0 };
    return arena_printf(
        arena,
        "default-src 'none'; script-src 'sha256-%.*s='; style-src 'sha256-%.*s='; connect-src"
        " 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'",
        (int)script.len, script.at, (int)style.len, style.at);
}

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
    struct text policy = { 0 };
    if (!page.failed)
        policy = policy_of(buffer_text(&page), request->arena);
    if (!policy.at) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    reply->http_status = 200;
    reply->content_type = "text/html; charset=utf-8";
    reply->body = buffer_text(&page);
    reply_header(request->exchange, "Content-Security-Policy", policy.at);
    reply_header(request->exchange, "X-Content-Type-Options", "nosniff");
}

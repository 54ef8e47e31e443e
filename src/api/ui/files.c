/* GET /admin/ and what it loads: the admin UI, whose files are part of the program
 * (tools/embed-ui). Each file is there in three codings, and the client says which it takes.
 * Scripts and styles have names that change with their content, so browsers may keep them for ever;
 * the rest is asked for each time, and confirmed by its ETag. */
#include "api/ui/files.h"

#include "api/handlers.h"
#include "api/reply.h"

struct ui_file {
    const char *path, *type, *etag; /* the ETag without its quotes */
    struct text plain, gzip, brotli;
};

/* `files`, ended by one whose path is NULL. Without the UI there are none. */
#include "ui_files.inc"

/* Scripts and styles come from this server alone and from files alone. The framework's templates
 * pass through the one Trusted Types policy that may exist. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

static const struct ui_file *find(struct text path) {
    for (const struct ui_file *file = files; file->path; file++)
        if (text_equal(path, text_of(file->path)))
            return file;
    return NULL;
}

/* Is the weight in the parameters of a coding 0 (RFC 9110 section 12.4.2)? */
static bool is_refused(struct text parameters) {
    while (parameters.len) {
        struct text value = text_trim(text_cut(&parameters, ';'));
        struct text name = text_trim(text_cut(&value, '='));
        value = text_trim(value);
        if (!text_equal_nocase(name, TEXT("q")) || !value.len || value.at[0] != '0')
            continue;
        size_t zeros = 1;
        while (zeros < value.len && (value.at[zeros] == '0' || value.at[zeros] == '.'))
            zeros++;
        return zeros == value.len;
    }
    return false;
}

static bool takes(const struct request *request, struct text coding) {
    unsigned count;
    struct text list = exchange_header_list(request->exchange, "Accept-Encoding", &count), one;
    while (text_next(&list, &one))
        if (text_equal_nocase(text_trim(text_cut(&one, ';')), coding))
            return !is_refused(one);
    return false;
}

/* Does If-None-Match name the ETag? */
static bool is_known(const struct request *request, struct text etag) {
    unsigned count;
    struct text list = exchange_header_list(request->exchange, "If-None-Match", &count), one;
    while (text_next(&list, &one)) {
        if (text_starts_nocase(one, TEXT("W/")))
            one = (struct text){ one.at + 2, one.len - 2 };
        if (text_equal(one, etag) || text_equal(one, TEXT("*")))
            return true;
    }
    return false;
}

/* The build puts a hash of their content into the names of scripts and styles, and of no others. */
static bool is_lasting(const struct ui_file *file) {
    struct text type = text_of(file->type);
    return text_starts_nocase(type, TEXT("text/javascript")) ||
           text_starts_nocase(type, TEXT("text/css"));
}

static void add_headers(struct exchange *exchange, const struct ui_file *file) {
    reply_header(exchange, "Cache-Control",
                 is_lasting(file) ? "public, max-age=31536000, immutable" : "no-cache");
    reply_header(exchange, "Vary", "Accept-Encoding");
    reply_header(exchange, "Content-Security-Policy", policy);
    reply_header(exchange, "X-Content-Type-Options", "nosniff");
    reply_header(exchange, "Referrer-Policy", "no-referrer");
    reply_header(exchange, "Cross-Origin-Opener-Policy", "same-origin");
    reply_header(exchange, "Cross-Origin-Resource-Policy", "same-origin");
}

static void reply_file(struct request *request, const struct ui_file *file) {
    struct exchange *exchange = request->exchange;
    const struct {
        struct text body;
        const char *coding;
    } forms[] = { { file->brotli, "br" }, { file->gzip, "gzip" }, { file->plain, NULL } };
    unsigned form = 0;
    while (forms[form].coding && !takes(request, text_of(forms[form].coding)))
        form++;
    const char *coding = forms[form].coding;
    struct text etag = arena_printf(request->arena, "\"%s%s%s\"", file->etag, coding ? "-" : "",
                                    coding ? coding : "");
    if (!etag.at) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    add_headers(exchange, file);
    reply_header(exchange, "ETag", etag.at);
    exchange->reply.http_status = is_known(request, etag) ? 304 : 200;
    if (exchange->reply.http_status == 304)
        return;
    if (coding)
        reply_header(exchange, "Content-Encoding", coding);
    exchange->reply.content_type = file->type;
    exchange->reply.body = forms[form].body;
}

static void reply_if_there(struct request *request, struct text path) {
    const struct ui_file *file = find(path);
    if (file)
        reply_file(request, file);
    else
        reply_failure(request, STATUS_NOT_FOUND, NULL, NULL);
}

void admin_asset_get(struct request *request) {
    reply_if_there(request, request->path);
}

void admin_get(struct request *request) {
    struct text path = request->path;
    if (path.at[path.len - 1] != '/') { /* the page's relative links would lead elsewhere */
        reply_header(request->exchange, "Location", "admin/");
        request->exchange->reply.http_status = 308;
        return;
    }
    reply_if_there(request, TEXT("/admin/"));
}

bool ui_is_built(void) {
    return find(TEXT("/admin/")) != NULL;
}

void root_get(struct request *request) {
    reply_header(request->exchange, "Location", ui_is_built() ? "/admin/" : "/api/docs");
    request->exchange->reply.http_status = 302;
}

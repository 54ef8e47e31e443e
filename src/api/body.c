/* Reads bodies. A body is JSON whatever its Content-Type says, because `curl -d` declares every
 * body to be a form. It is a form if it is declared as one and does not begin like JSON. */
#include "api/body.h"
#include "api/form_body.h"
#include "api/ignored.h"
#include "api/reply.h"
#include "rules/email.h"
#include "rules/validate.h"

/* A form cannot begin with a bracket or brace: it escapes them in names. */
static bool is_form(const struct request *request, struct text body) {
    struct text type = exchange_header(request->exchange, "Content-Type");
    struct text media = text_trim(text_cut(&type, ';'));
    body = text_trim(body);
    return text_equal_nocase(media, TEXT("application/x-www-form-urlencoded")) && body.len &&
           !strchr("{[", body.at[0]);
}

/* In every reply, also an error: these members had no effect in any case. */
static void name_ignored(struct request *request, const struct change *change) {
    struct ignored ignored;
    ignored_init(&ignored, request->arena);
    for (const struct error *unknown = change->unknown; unknown; unknown = unknown->next)
        ignored_add(&ignored, unknown->property);
    ignored_reply(&ignored, request);
}

enum status request_body(struct request *request, const struct table *table, struct change *change,
                         struct errors *errors) {
    bool is_strict = request_is_strict(request);
    struct json_body body = { request->exchange->body, is_strict };
    struct text form = text_without_mark(body.text);
    enum status status = !is_strict && is_form(request, form)
                             ? form_read_change(form, table, request->arena, change, errors)
                             : json_read_change(&body, table, request->arena, change, errors);
    if (status == STATUS_OK)
        name_ignored(request, change);
    return status;
}

struct text request_address(struct request *request, struct text given) {
    return request_is_strict(request) ? given : email_with_plus(text_trim(given), request->arena);
}

bool request_read(struct request *request, const struct table *table, struct change *change) {
    struct errors errors = { 0 };
    struct rules rules = { .strict = request_is_strict(request) };
    enum status status = request_body(request, table, change, &errors);
    if (status == STATUS_OK)
        validate(change, &rules, request->arena, &errors);
    if (status == STATUS_OK && !errors.first && !errors.failed)
        return true;
    if (status == STATUS_INTERNAL)
        reply_failure(request, status, NULL, NULL);
    else
        reply_invalid(request, &errors);
    return false;
}

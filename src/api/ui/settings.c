/* GET /api/utils/settings: what the server runs with, for unrestricted administrators. */
#include "api/handlers.h"
#include "api/reply.h"

void settings_get(struct request *request) {
    struct buffer body;
    if (!request->principal.is_admin) {
        reply_failure(request, STATUS_FORBIDDEN, NULL, NULL);
        return;
    }
    const struct text text = shown_settings_body(request->app->shown_settings, request->arena);
    buffer_init(&body, request->arena, text.len + 1);
    buffer_add(&body, text);
    reply_json(request, 200, &body);
}

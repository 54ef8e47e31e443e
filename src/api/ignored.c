/* Names that the server ignored are listed in the reply, so that no client believes that they had
 * an effect. */
#include "api/ignored.h"

enum { NAMES_MAX = 1024 }; /* bytes of the header's value */

void ignored_init(struct ignored *ignored, struct arena *arena) {
    *ignored = (struct ignored){ 0 };
    buffer_init(&ignored->names, arena, 0);
}

static bool is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("_.-", c));
}

void ignored_add(struct ignored *ignored, struct text name) {
    static const struct text more = { ", ...", 5 };
    struct buffer *names = &ignored->names;
    if (ignored->is_cut)
        return;
    ignored->is_cut = names->len + 2 + name.len + more.len > NAMES_MAX;
    if (ignored->is_cut) {
        buffer_add(names, names->len ? more : TEXT("..."));
        return;
    }
    if (names->len)
        buffer_add(names, TEXT(", "));
    for (size_t i = 0; i < name.len; i++)
        buffer_add_char(names, is_plain(name.at[i]) ? name.at[i] : '?');
}

void ignored_reply(struct ignored *ignored, struct request *request) {
    if (!ignored->names.len)
        return;
    buffer_add_char(&ignored->names, '\0');
    if (!ignored->names.failed) /* otherwise the reply becomes 500 */
        reply_header(request->exchange, "X-Ignored-Parameters", ignored->names.at);
}

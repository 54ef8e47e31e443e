/* Lists of hosts and of origins. They are only ever compared with what a request names, so an item
 * that nothing can equal would be ignored for ever, without a word. */
#include "base/settings_items.h"

#include <string.h>

static bool has_only(struct text text, const char *not_these) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= ' ' || strchr(not_these, text.at[i]))
            return false;
    return text.len > 0;
}

/* A host as a URL has it, such as `[::1]`, with a port or without. */
static bool is_place(struct text place) {
    int64_t port;
    struct text host = place;
    const char *bracket = memchr(place.at, ']', place.len);
    if (place.len && place.at[0] == '[' && bracket) {
        host = (struct text){ place.at + 1, (size_t)(bracket - place.at - 1) };
        place = (struct text){ bracket + 1, place.len - host.len - 2 };
        if (!place.len)
            return has_only(host, "[/?#@*\"'");
        if (place.at[0] != ':' || !has_only(host, "[/?#@*\"'"))
            return false;
        (void)text_cut(&place, ':');
    } else {
        host = text_cut(&place, ':');
        if (!has_only(host, "[]/?#@*\"'"))
            return false;
    }
    return !place.at || (text_to_int64(place, &port) && port > 0 && port <= UINT16_MAX);
}

/* Browsers leave a default port out. */
static bool ends_in(struct text text, const char *end) {
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.at + text.len - len, end, len) == 0;
}

static bool is_origin(struct text origin) {
    const char *colon = memmem(origin.at, origin.len, "://", 3);
    if (text_equal(origin, TEXT("*")) || text_equal(origin, TEXT("null")))
        return true;
    if (!colon || (text_starts_nocase(origin, TEXT("https:")) && ends_in(origin, ":443")) ||
        (text_starts_nocase(origin, TEXT("http:")) && ends_in(origin, ":80")))
        return false;
    const struct text scheme = { origin.at, (size_t)(colon - origin.at) },
                      place = { colon + 3, origin.len - scheme.len - 3 };
    return has_only(scheme, ":/?#@*\"'") && is_place(place);
}

static const struct {
    const char *argument;
    bool (*takes)(struct text item);
    const char *refusal;
} kinds[] = {
    { "HOST,...", is_place,
      "must be hosts like 10.0.0.5, [fd00::5], app.internal or app.internal:8443" },
    { "ORIGIN,...", is_origin,
      "must be origins like https://app.example.com, without a path and a default port, or *" },
};

const char *settings_items_refusal(const char *argument, struct text list) {
    struct text item;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        while (strcmp(kinds[i].argument, argument) == 0 && text_next(&list, &item))
            if (!kinds[i].takes(item))
                return kinds[i].refusal;
    return NULL;
}

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

static bool is_port(struct text text) {
    int64_t port;
    return text_to_int64(text, &port) && port > 0 && port <= UINT16_MAX;
}

/* The length of the host, which is in brackets if it has colons. */
static size_t host_len(struct text place) {
    const char *end = memchr(place.at, ']', place.len);
    if (place.len && place.at[0] == '[' && end)
        return (size_t)(end - place.at) + 1;
    end = memchr(place.at, ':', place.len);
    return end ? (size_t)(end - place.at) : place.len;
}

/* A host as a URL has it, such as `[::1]`, with a port or without. */
static bool is_place(struct text place) {
    struct text host = { place.at, host_len(place) };
    const struct text rest = { place.at + host.len, place.len - host.len };
    if (rest.len && (rest.at[0] != ':' || !is_port((struct text){ rest.at + 1, rest.len - 1 })))
        return false;
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = (struct text){ host.at + 1, host.len - 2 };
    return has_only(host, "[]/?#@*\"'");
}

static bool ends_in(struct text text, const char *end) {
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.at + text.len - len, end, len) == 0;
}

/* Browsers leave a default port out. */
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

/* Normalizes paths: some clients have a base address that ends in a slash, and some libraries
 * escape more than necessary. */
#include "api/routes.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(int c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* The unreserved character that an escape at the start of `text` stands for; -1: none. */
static int escaped(struct text text) {
    if (text.len < 3 || text.at[0] != '%')
        return -1;
    int high = hex_digit(text.at[1]), low = hex_digit(text.at[2]);
    int c = high < 0 || low < 0 ? -1 : high << 4 | low;
    return is_unreserved(c) ? c : -1;
}

struct text path_normal(struct text path, struct arena *arena) {
    if (!memchr(path.at, '%', path.len) && !memmem(path.at, path.len, "//", 2))
        return path;
    char *out = arena_alloc(arena, path.len);
    size_t len = 0;
    for (size_t i = 0; out && i < path.len; i++) {
        int c = escaped((struct text){ path.at + i, path.len - i });
        if (path.at[i] == '/' && len && out[len - 1] == '/')
            continue;
        out[len++] = c < 0 ? path.at[i] : (char)c;
        i += c < 0 ? 0 : 2;
    }
    return (struct text){ out, len };
}

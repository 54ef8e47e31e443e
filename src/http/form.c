/* Decodes application/x-www-form-urlencoded as the URL standard does. */
#include "http/http.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static struct text decode(struct text encoded, struct arena *arena) {
    char *out = arena_alloc(arena, encoded.len + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < encoded.len; i++) {
        char c = encoded.at[i];
        if (c == '%') {
            int high = i + 2 < encoded.len ? hex_digit(encoded.at[i + 1]) : -1;
            int low = i + 2 < encoded.len ? hex_digit(encoded.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return (struct text){ 0 };
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[len++] = c == '+' && encoded.at[i] == '+' ? ' ' : c;
    }
    if (out)
        out[len] = '\0';
    return (struct text){ out, out ? len : 0 };
}

bool form_next(struct text *rest, struct arena *arena, struct text *name, struct text *value) {
    struct text pair = { 0 };
    while (rest->at && !pair.len)
        pair = text_cut(rest, '&');
    if (!pair.len)
        return false;
    struct text encoded_value = pair, encoded_name = text_cut(&encoded_value, '=');
    *name = decode(encoded_name, arena);
    *value = encoded_value.at ? decode(encoded_value, arena) : TEXT("");
    return true;
}

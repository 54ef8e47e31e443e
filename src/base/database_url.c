/* Finds passwords in the URL of a database, in each place where libpq would find one. */
#include "base/database_url.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The text between // and the first @. libpq ends it at a /, but then whoever wrote the URL may
 * have forgotten to encode one in a password. An @ among the parameters is none. */
static struct text user_of(struct text rest) {
    const char *at = memchr(rest.at, '@', rest.len);
    size_t len = at ? (size_t)(at - rest.at) : 0;
    bool is_parameter = len && memchr(rest.at, '/', len) && memchr(rest.at, '?', len);
    return is_parameter ? TEXT("") : (struct text){ rest.at, len };
}

/* The next character of a percent-encoded text, which is not empty. */
static int next_decoded(struct text *text) {
    char digits[3] = { 0 };
    if (text->len >= 3 && *text->at == '%') {
        char *end;
        memcpy(digits, text->at + 1, 2);
        long decoded = strtol(digits, &end, 16);
        if (end == digits + 2) {
            *text = (struct text){ text->at + 3, text->len - 3 };
            return (int)decoded;
        }
    }
    int plain = (unsigned char)*text->at;
    *text = (struct text){ text->at + 1, text->len - 1 };
    return plain;
}

static bool is_called(struct text encoded, const char *name) {
    while (encoded.len && *name)
        if (next_decoded(&encoded) != *name++)
            return false;
    return !encoded.len && !*name;
}

bool database_url_has_password(const char *url) {
    const char *begin = strstr(url, "://");
    struct text rest = text_of(begin ? begin + 3 : url);
    struct text user = user_of(rest);
    if (user.len && memchr(user.at, ':', user.len))
        return true;
    (void)text_cut(&rest, '?');
    while (rest.at) {
        struct text value = text_cut(&rest, '&'), name = text_cut(&value, '=');
        if (is_called(name, "password") || is_called(name, "sslpassword"))
            return true;
    }
    return false;
}

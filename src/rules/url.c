/* The outline of a URL that may be fetched. */
#include "rules/url.h"

static bool is_plain(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] == 0x7F || strchr("\"<>\\^`{|}", text.at[i]))
            return false;
    return true;
}

static bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~%", c);
}

static bool is_address_character(char c) {
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

static bool all_are(struct text text, bool (*is_right)(char)) {
    for (size_t i = 0; i < text.len; i++)
        if (!is_right(text.at[i]))
            return false;
    return text.len > 0;
}

static bool is_port(struct text port) {
    int64_t number;
    return text_to_int64(port, &number) && number >= 1 && number <= 65535;
}

static bool is_host_and_port(struct text authority) {
    struct text port = authority;
    if (authority.len && authority.at[0] == '[') {
        port = (struct text){ authority.at + 1, authority.len - 1 };
        struct text address = text_cut(&port, ']');
        if (!port.at || !all_are(address, is_address_character))
            return false;
        return port.len == 0 ||
               (port.at[0] == ':' && is_port((struct text){ port.at + 1, port.len - 1 }));
    }
    struct text host = text_cut(&port, ':');
    return all_are(host, is_host_character) && (!port.at || is_port(port));
}

bool url_is_http(struct text url) {
    struct text rest;
    if (text_starts_nocase(url, TEXT("http://")))
        rest = (struct text){ url.at + 7, url.len - 7 };
    else if (text_starts_nocase(url, TEXT("https://")))
        rest = (struct text){ url.at + 8, url.len - 8 };
    else
        return false;
    size_t len = 0;
    while (len < rest.len && !strchr("/?#", rest.at[len]))
        len++;
    return is_plain(url) && is_host_and_port((struct text){ rest.at, len });
}

/* The outline of a URL that may be fetched. */
#include "rules/url.h"

#include <arpa/inet.h>

enum { LABEL_MAX = 63, NAME_MAX_LEN = 253 };

/* ASCII without what RFC 3986 wants to see percent-encoded. */
static bool is_plain(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~' || strchr("\"<>\\^`{|}", text.at[i]))
            return false;
    return true;
}

static bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_'; /* the latter is in no host's name, but in many a container's */
}

static bool is_label(struct text label) {
    for (size_t i = 0; i < label.len; i++)
        if (!is_host_character(label.at[i]))
            return false;
    return label.len > 0 && label.len <= LABEL_MAX;
}

/* Also an IPv4 address: it is written as a name of four labels. */
static bool is_name(struct text host) {
    if (host.len > 1 && host.at[host.len - 1] == '.')
        host.len--; /* the root may be named */
    if (!host.len || host.len > NAME_MAX_LEN)
        return false;
    while (host.at)
        if (!is_label(text_cut(&host, '.')))
            return false;
    return true;
}

static bool is_ipv6(struct text address) {
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (address.len >= sizeof copy)
        return false;
    memcpy(copy, address.at, address.len);
    copy[address.len] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1;
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
        if (!port.at || !is_ipv6(address))
            return false;
        return port.len == 0 ||
               (port.at[0] == ':' && is_port((struct text){ port.at + 1, port.len - 1 }));
    }
    struct text host = text_cut(&port, ':');
    return is_name(host) && (!port.at || is_port(port));
}

bool url_is_http(struct text url) {
    struct text rest;
    if (text_starts_nocase(url, TEXT("http://")))
        rest = (struct text){ url.at + 7, url.len - 7 };
    else if (text_starts_nocase(url, TEXT("https://")))
        rest = (struct text){ url.at + 8, url.len - 8 };
    else
        return false;
    if (!is_plain(url))
        return false;
    size_t len = 0;
    while (len < rest.len && !strchr("/?#", rest.at[len]))
        len++;
    return is_host_and_port((struct text){ rest.at, len });
}

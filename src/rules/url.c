/* The form of URLs that may be fetched. */
#include "rules/url.h"

#include "base/buffer.h"
#include "rules/fold.h"
#include "rules/idna.h"

#include <arpa/inet.h>

enum { LABEL_MAX = 63, NAME_MAX_LEN = 253 };

/* ASCII without the characters that RFC 3986 demands to be percent-encoded. */
static bool is_plain(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~' || strchr("\"<>\\^`{|}", text.at[i]))
            return false;
    return true;
}

static bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_'; /* not valid in host names, but common in names of containers */
}

static bool is_label(struct text label) {
    for (size_t i = 0; i < label.len; i++)
        if (!is_host_character(label.at[i]))
            return false;
    return label.len > 0 && label.len <= LABEL_MAX;
}

/* True for IPv4 addresses too, which look like a name of four labels. */
static bool is_name(struct text host) {
    if (host.len > 1 && host.at[host.len - 1] == '.')
        host.len--; /* the dot of the root */
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

/* The host and port. `at` is NULL if the scheme is neither http nor https. */
static struct text authority_of(struct text url) {
    size_t scheme = text_starts_nocase(url, TEXT("http://"))    ? 7
                    : text_starts_nocase(url, TEXT("https://")) ? 8
                                                                : 0;
    size_t end = scheme;
    if (!scheme)
        return (struct text){ 0 };
    while (end < url.len && !strchr("/?#", url.at[end]))
        end++;
    return (struct text){ url.at + scheme, end - scheme };
}

bool url_is_http(struct text url) {
    struct text authority = authority_of(url);
    return authority.at && is_plain(url) && is_host_and_port(authority);
}

struct text url_picture(struct text url) {
    static const struct text start = { "data:image/", 11 }, end = { ";base64", 7 };
    struct text content = url, type = text_cut(&content, ',');
    if (!content.at || !text_starts_nocase(type, start) || type.len < start.len + end.len ||
        !text_equal_nocase((struct text){ type.at + type.len - end.len, end.len }, end))
        return (struct text){ 0 };
    return content;
}

static void add_encoded(struct buffer *out, struct text text) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        const char escape[] = { '%', hex[byte >> 4], hex[byte & 15] };
        if (byte < 0x80)
            buffer_add_char(out, (char)byte);
        else
            buffer_add(out, (struct text){ escape, sizeof escape });
    }
}

/* IDNA may convert other characters to a slash or an "@". Then it is not a host. */
static void add_host(struct buffer *out, struct text host) {
    char *ascii = memchr(host.at, '\0', host.len) ? NULL : idna_to_ascii(host);
    buffer_add(out, ascii && is_name(text_of(ascii)) ? text_of(ascii) : host);
    idna_free(ascii);
}

struct text url_of_iri(struct text iri, struct arena *arena) {
    struct buffer url;
    struct text authority = authority_of(iri), host = authority;
    if (!authority.at || fold_is_ascii(iri))
        return iri;
    buffer_init(&url, arena, 2 * iri.len);
    buffer_add(&url, (struct text){ iri.at, (size_t)(authority.at - iri.at) });
    const char *colon = memrchr(authority.at, ':', authority.len);
    if (colon)
        host.len = (size_t)(colon - authority.at);
    if (fold_is_ascii(host))
        buffer_add(&url, host);
    else
        add_host(&url, host);
    const char *rest = host.at + host.len;
    add_encoded(&url, (struct text){ rest, (size_t)(iri.at + iri.len - rest) });
    if (url.failed)
        return (struct text){ 0 };
    return buffer_text(&url);
}

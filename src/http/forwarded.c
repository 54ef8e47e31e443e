/* Forwarded (RFC 7239) and X-Forwarded-For, read from their right end. The list is never split from
 * the left: a quotation mark that a client leaves open on the left must not swallow the entries
 * that proxies appended on the right. */
#include "http/forwarded.h"

#include "http/bytes.h"
#include "http/peers.h"

#include "base/network.h"

#include <ctype.h>

static struct text skip(struct text text, size_t bytes) {
    return (struct text){ text.at + bytes, text.len - bytes };
}

static bool set_address(struct text text, int family, struct sockaddr_storage *hop) {
    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
    void *address = family == AF_INET ? (void *)&ipv4.sin_addr : (void *)&ipv6.sin6_addr;
    if (!network_read_address(text, family, address))
        return false;
    *hop = (struct sockaddr_storage){ 0 };
    if (family == AF_INET)
        memcpy(hop, &ipv4, sizeof ipv4);
    else
        memcpy(hop, &ipv6, sizeof ipv6);
    return true;
}

/* The text behind the colon of an address: digits, or an obfuscated port (RFC 7239 section 6.3).
 * The port itself is not used. */
static bool is_port(struct text port) {
    bool is_obfuscated = port.len > 1 && port.at[0] == '_';
    for (size_t i = is_obfuscated; i < port.len; i++) {
        unsigned char byte = (unsigned char)port.at[i];
        if (!isdigit(byte) && !(is_obfuscated && (isalpha(byte) || memchr("._-", byte, 3))))
            return false;
    }
    return is_obfuscated || (port.len && port.len <= 5);
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80" (RFC 7239 section 6). */
static bool read_node(struct text node, struct sockaddr_storage *hop) {
    struct text port = node, address;
    int family = AF_INET;
    if (node.len && node.at[0] == '[') {
        family = AF_INET6;
        port = skip(node, 1);
        address = text_cut(&port, ']');
        if (!port.at || (port.len && port.at[0] != ':'))
            return false;
        port = port.len ? skip(port, 1) : (struct text){ 0 };
    } else {
        address = text_cut(&port, ':');
    }
    return (!port.at || is_port(port)) && set_address(address, family, hop);
}

/* Besides the forms of a node, proxies write IPv6 addresses without brackets. */
static bool read_x_forwarded_for(struct text entry, struct sockaddr_storage *hop) {
    return set_address(entry, AF_INET6, hop) || read_node(entry, hop);
}

static bool cut_token(struct text *rest, struct text *value) {
    size_t end = 0;
    while (end < rest->len && !memchr("; \t", rest->at[end], 3))
        end++;
    *value = (struct text){ rest->at, end };
    *rest = skip(*rest, end);
    return value->len && bytes_are(*value, BYTES_token);
}

/* `value` is what lies between the quotation marks. Its escapes stay: no address needs any. */
static bool cut_quoted(struct text *rest, struct text *value) {
    size_t end = 1;
    for (; end < rest->len && rest->at[end] != '"'; end++)
        end += rest->at[end] == '\\';
    if (end >= rest->len)
        return false;
    *value = (struct text){ rest->at + 1, end - 1 };
    *rest = skip(*rest, end + 1);
    return true;
}

/* Cuts "NAME=VALUE" off the start of an element, and the white space behind it. */
static bool cut_pair(struct text *rest, struct text *name, struct text *value) {
    *name = text_cut(rest, '=');
    if (!bytes_are(*name, BYTES_token) || !name->len || !rest->len)
        return false;
    if (rest->at[0] == '"' ? !cut_quoted(rest, value) : !cut_token(rest, value))
        return false;
    *rest = text_trim(*rest);
    return !rest->len || rest->at[0] == ';';
}

/* An element of Forwarded (RFC 7239 section 4). It names an address only if the whole of it is well
 * formed. Some proxies write white space around the semicolons. */
static bool read_forwarded(struct text element, struct sockaddr_storage *hop) {
    struct text rest = element, name, value, node = { 0 };
    while (rest.len) {
        if (rest.at[0] == ';') {
            rest = text_trim(skip(rest, 1));
            continue;
        }
        if (!cut_pair(&rest, &name, &value))
            return false;
        if (!text_equal_nocase(name, TEXT("for")))
            continue;
        if (node.at)
            return false; /* a parameter must not occur twice */
        node = value;
    }
    return node.at && read_node(node, hop);
}

static const struct list_header {
    struct text name;
    bool has_quotes; /* a comma between quotation marks does not separate */
    bool (*read)(struct text entry, struct sockaddr_storage *hop);
} forwarded_header = { { "Forwarded", 9 }, true, read_forwarded },
  x_forwarded_for_header = { { "X-Forwarded-For", 15 }, false, read_x_forwarded_for };

/* Is the byte behind an odd number of backslashes? */
static bool is_escaped(struct text text, size_t at) {
    size_t first = at;
    while (first && text.at[first - 1] == '\\')
        first--;
    return (at - first) % 2 == 1;
}

/* Cuts the last entry off a list, without white space around it; `list` becomes what is on the left
 * of it, with `at` NULL when there is nothing. */
static struct text cut_last(struct text *list, bool has_quotes) {
    size_t start = list->len;
    bool is_quoted = false;
    for (; start && (is_quoted || list->at[start - 1] != ','); start--)
        if (has_quotes && list->at[start - 1] == '"' &&
            !(is_quoted && is_escaped(*list, start - 1)))
            is_quoted = !is_quoted;
    struct text entry = { list->at + start, list->len - start };
    *list = start ? (struct text){ list->at, start - 1 } : (struct text){ 0 };
    return text_trim(entry);
}

/* How far the walk through one header has come. */
struct walk {
    const struct peers *trusted;
    const struct list_header *header;
    struct sockaddr_storage *hop; /* the last address that is known */
    bool has_entries, is_over;
    enum forwarded result;
};

static void take_entry(struct walk *walk, struct text entry) {
    walk->has_entries = true;
    walk->is_over = !walk->header->read(entry, walk->hop);
    if (!walk->is_over && !peers_include(walk->trusted, (const struct sockaddr *)walk->hop)) {
        walk->is_over = true;
        walk->result = FORWARDED_client;
    }
}

/* From the last line of the header to its first. */
static void walk_back(struct walk *walk, const struct head *head) {
    for (unsigned i = head->count; i && !walk->is_over; i--) {
        const struct header *line = &head->headers[i - 1];
        if (!text_equal_nocase(line->name, walk->header->name))
            continue;
        struct text list = line->value;
        while (list.at && !walk->is_over) {
            struct text entry = cut_last(&list, walk->header->has_quotes);
            if (entry.len) /* RFC 9110 section 5.6.1.2: empty ones are ignored */
                take_entry(walk, entry);
        }
    }
}

enum forwarded forwarded_find(const struct head *head, const struct peers *trusted,
                              struct sockaddr_storage *hop) {
    struct sockaddr_storage other = *hop;
    struct walk standard = { .trusted = trusted, .header = &forwarded_header, .hop = hop };
    struct walk usual = { .trusted = trusted, .header = &x_forwarded_for_header, .hop = &other };
    walk_back(&standard, head);
    walk_back(&usual, head);
    if (!usual.has_entries)
        return standard.result;
    if (standard.has_entries && memcmp(hop, &other, sizeof other) != 0)
        return FORWARDED_conflict;
    *hop = other;
    return usual.result;
}

/* Networks, and the keys by which clients are counted. */
#include "base/network.h"

#include <arpa/inet.h>

bool network_includes(const struct network *network, const unsigned char *address) {
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->prefix, whole) != 0)
        return false;
    unsigned char mask = (unsigned char)(0xFF00U >> rest);
    return rest == 0 || ((address[whole] ^ network->prefix[whole]) & mask) == 0;
}

bool network_read_address(struct text text, int family, void *out) {
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    /* inet_pton stops at a NUL, so the text must not have one. */
    if (text.len >= sizeof copy || (text.len && memchr(text.at, '\0', text.len)))
        return false;
    if (text.len)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(family, copy, bytes) != 1)
        return false;
    memcpy(out, bytes, family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr));
    return true;
}

bool network_key_of(const struct sockaddr *from, struct in6_addr *key) {
    *key = (struct in6_addr){ 0 };
    if (from && from->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)from;
        key->s6_addr[10] = key->s6_addr[11] = 0xFF; /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */
        memcpy(key->s6_addr + 12, &four->sin_addr, 4);
    } else if (from && from->sa_family == AF_INET6) {
        *key = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    } else {
        return false;
    }
    if (IN6_IS_ADDR_LOOPBACK(key))
        return false;
    if (IN6_IS_ADDR_V4MAPPED(key))
        return memcmp(key->s6_addr + 12, "\x7F\0\0\1", 4) != 0;
    memset(key->s6_addr + 8, 0, 8);
    return true;
}

/* Each request of an access log has one, and inet_ntop is four times as slow. */
static size_t write_four(const struct in_addr *address, char *out) {
    const unsigned char *bytes = (const unsigned char *)&address->s_addr;
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        char digits[INT64_TEXT_MAX];
        size_t more = text_from_int64(bytes[i], digits);
        memcpy(out + len, digits, more);
        len += more;
        out[len++] = '.';
    }
    out[len - 1] = '\0';
    return len - 1;
}

size_t network_write_address(const struct sockaddr *from, char *out) {
    const char *other = from && from->sa_family == AF_UNIX ? "a UNIX socket" : "nowhere";
    if (from && from->sa_family == AF_INET)
        return write_four(&((const struct sockaddr_in *)(const void *)from)->sin_addr, out);
    if (from && from->sa_family == AF_INET6 &&
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, out,
                  NETWORK_TEXT_MAX))
        return strlen(out);
    memcpy(out, other, strlen(other) + 1);
    return strlen(other);
}

struct text network_address(const struct sockaddr *from, struct arena *arena) {
    char text[NETWORK_TEXT_MAX];
    const size_t len = network_write_address(from, text);
    return arena_text(arena, (struct text){ text, len });
}

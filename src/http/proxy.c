/* Parses headers of the PROXY protocol: a line of text (version 1) or a block of bytes (version
 * 2). */
#include "http/proxy.h"

#include "base/network.h"

#include <netinet/in.h>
#include <sys/un.h>

enum { V2_FIXED = 16, V2_COMMAND = 12, V2_KIND = 13, V2_LENGTH = 14 };
enum { VERSION_2 = 0x20, COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { TLV_HEAD = 3, TLV_CRC32C = 3, CRC_SIZE = 4, UNIX_PATH = 108 };

static const char v1_start[] = "PROXY ";
static const char v2_start[] = "\r\n\r\n\0\r\nQUIT\n";

/* Values of the 14th byte, and how many bytes the two addresses then have (section 2.2). The values
 * for datagrams are missing: nothing that arrives on a stream was sent as a datagram. */
struct kind {
    unsigned char byte;
    sa_family_t family;
    size_t size;
};

static const struct kind kinds[] = {
    { 0x00, AF_UNSPEC, 0 },
    { 0x11, AF_INET, 2 * sizeof(struct in_addr) + 2 * sizeof(in_port_t) },
    { 0x21, AF_INET6, 2 * sizeof(struct in6_addr) + 2 * sizeof(in_port_t) },
    { 0x31, AF_UNIX, (size_t)2 * UNIX_PATH },
};

/* True if the shorter of the two is the beginning of the other. */
static bool agree(struct text received, struct text start) {
    size_t size = received.len < start.len ? received.len : start.len;
    return size == 0 || memcmp(received.at, start.at, size) == 0;
}

/* The addresses are in network byte order, as the structures need them. */
static void set_ipv4(struct proxy_header *header, const void *address, in_port_t port) {
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = port };
    memcpy(&from.sin_addr, address, sizeof from.sin_addr);
    memcpy(&header->from, &from, sizeof from);
    header->from_size = sizeof from;
}

static void set_ipv6(struct proxy_header *header, const void *address, in_port_t port) {
    struct sockaddr_in6 from = { .sin6_family = AF_INET6, .sin6_port = port };
    memcpy(&from.sin6_addr, address, sizeof from.sin6_addr);
    memcpy(&header->from, &from, sizeof from);
    header->from_size = sizeof from;
}

static void set_unix(struct proxy_header *header, const void *path) {
    struct sockaddr_un from = { .sun_family = AF_UNIX };
    _Static_assert(sizeof from.sun_path == UNIX_PATH, "section 2.2 has Linux's size");
    memcpy(from.sun_path, path, sizeof from.sun_path);
    memcpy(&header->from, &from, sizeof from);
    header->from_size = sizeof from;
}

static bool read_port(struct text text, in_port_t *out) {
    int64_t port;
    if (!text_to_int64(text, &port) || port < 0 || port > 65535)
        return false;
    *out = htons((uint16_t)port);
    return true;
}

/* "ADDRESS ADDRESS PORT PORT", single blanks between them: the client's and the proxy's. */
static bool read_addresses(struct text line, int family, struct proxy_header *header) {
    struct in6_addr from, to;
    in_port_t from_port, to_port;
    if (!network_read_address(text_cut(&line, ' '), family, &from) ||
        !network_read_address(text_cut(&line, ' '), family, &to) ||
        !read_port(text_cut(&line, ' '), &from_port) || !read_port(line, &to_port))
        return false;
    if (family == AF_INET)
        set_ipv4(header, &from, from_port);
    else
        set_ipv6(header, &from, from_port);
    return true;
}

/* Section 2.1. */
static enum proxy_result read_v1(struct text received, struct proxy_header *header) {
    size_t seen = received.len < PROXY_LINE_MAX ? received.len : PROXY_LINE_MAX;
    const char *end = seen ? memmem(received.at, seen, "\r\n", 2) : NULL;
    if (!end)
        return seen < PROXY_LINE_MAX ? PROXY_MORE : PROXY_WRONG;
    header->size = (size_t)(end - received.at) + 2;
    const size_t start = sizeof v1_start - 1;
    struct text line = { received.at + start, header->size - 2 - start };
    struct text protocol = text_cut(&line, ' ');
    header->is_local = text_equal(protocol, TEXT("UNKNOWN"));
    if (header->is_local)
        return PROXY_DONE;
    int family = text_equal(protocol, TEXT("TCP4"))   ? AF_INET
                 : text_equal(protocol, TEXT("TCP6")) ? AF_INET6
                                                      : AF_UNSPEC;
    if (family == AF_UNSPEC || !read_addresses(line, family, header))
        return PROXY_WRONG;
    return PROXY_DONE;
}

static size_t read_16(const unsigned char *at) {
    return (size_t)at[0] << 8 | at[1];
}

/* CRC-32C (RFC 4960, Appendix B) of a header in which the four bytes at `hole` count as zeros. */
static uint32_t crc32c(const unsigned char *at, size_t size, size_t hole) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= i >= hole && i < hole + CRC_SIZE ? 0 : at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
    }
    return ~crc;
}

/* Section 2.2.3. */
static bool is_checksum(const unsigned char *at, size_t size, size_t hole) {
    uint32_t stated;
    memcpy(&stated, at + hole, sizeof stated);
    return ntohl(stated) == crc32c(at, size, hole);
}

/* The values from `next` to the end of the header. Two checksums cannot both be of a header in
 * which one is zeros. */
static bool values_are_right(const unsigned char *at, size_t size, size_t next) {
    size_t hole = 0;
    while (next < size) {
        if (size - next < TLV_HEAD)
            return false;
        size_t length = read_16(at + next + 1), value = next + TLV_HEAD;
        if (length > size - value)
            return false;
        if (at[next] == TLV_CRC32C) {
            if (hole || length != CRC_SIZE)
                return false;
            hole = value;
        }
        next = value + length;
    }
    return !hole || is_checksum(at, size, hole);
}

static void set_address(const unsigned char *at, sa_family_t family, struct proxy_header *header) {
    in_port_t port;
    if (family == AF_INET) {
        memcpy(&port, at + 2 * sizeof(struct in_addr), sizeof port);
        set_ipv4(header, at, port);
    } else if (family == AF_INET6) {
        memcpy(&port, at + 2 * sizeof(struct in6_addr), sizeof port);
        set_ipv6(header, at, port);
    } else {
        set_unix(header, at);
    }
}

/* The content of a header that names no client is skipped. Section 2.2 says to ignore even the 14th
 * byte of LOCAL. */
static const struct kind *find_kind(unsigned char command, unsigned char byte) {
    if (command == (VERSION_2 | COMMAND_LOCAL))
        return &kinds[0];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].byte == byte)
            return &kinds[i];
    return NULL;
}

/* Section 2.2. Each byte is checked as soon as it has arrived. */
static enum proxy_result read_v2(struct text received, struct proxy_header *header) {
    const unsigned char *at = (const unsigned char *)received.at;
    if (received.len > V2_COMMAND && at[V2_COMMAND] != (VERSION_2 | COMMAND_LOCAL) &&
        at[V2_COMMAND] != (VERSION_2 | COMMAND_PROXY))
        return PROXY_WRONG;
    const struct kind *kind =
        received.len > V2_KIND ? find_kind(at[V2_COMMAND], at[V2_KIND]) : &kinds[0];
    if (!kind)
        return PROXY_WRONG;
    if (received.len < V2_FIXED)
        return PROXY_MORE;
    header->size = V2_FIXED + read_16(at + V2_LENGTH);
    if (header->size > PROXY_HEADER_MAX || header->size < V2_FIXED + kind->size)
        return PROXY_WRONG;
    if (received.len < header->size)
        return PROXY_MORE;
    header->is_local = kind->family == AF_UNSPEC;
    if (header->is_local)
        return PROXY_DONE;
    if (!values_are_right(at, header->size, V2_FIXED + kind->size))
        return PROXY_WRONG;
    set_address(at + V2_FIXED, kind->family, header);
    return PROXY_DONE;
}

enum proxy_result proxy_read(struct text received, struct proxy_header *header) {
    *header = (struct proxy_header){ 0 };
    if (agree(received, (struct text){ v2_start, sizeof v2_start - 1 }))
        return read_v2(received, header);
    if (agree(received, (struct text){ v1_start, sizeof v1_start - 1 }))
        return read_v1(received, header);
    return PROXY_WRONG;
}

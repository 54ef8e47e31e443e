/* The addresses that an untrusted URL may lead to. IPv4: all except the special-purpose
 * networks. IPv6: the global unicast addresses, except the special-purpose networks among them. */
#include "fetch/ip_guard.h"

#include "base/network.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const struct network special_ipv4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* shared by carriers */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 31, 196 }, 24 }, /* AS112 */
    { { 192, 52, 193 }, 24 }, /* AMT */
    { { 192, 88, 99 }, 24 },  /* 6to4 relays */
    { { 192, 168 }, 16 },     /* private */
    { { 192, 175, 48 }, 24 }, /* AS112 */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, broadcast */
};

static const struct network global_ipv6 = { { 0x20 }, 3 };

static const struct network special_ipv6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },             /* protocol assignments, with Teredo and ORCHID */
    { { 0x20, 0x01, 0x0D, 0xB8 }, 32 },       /* documentation */
    { { 0x20, 0x02 }, 16 },                   /* 6to4 */
    { { 0x26, 0x20, 0x00, 0x4F, 0x80 }, 48 }, /* AS112 */
    { { 0x3F, 0xFF }, 20 },                   /* documentation */
};

/* ISATAP (RFC 5214 section 6.1): any prefix, and an interface identifier with an IPv4 address in
 * it. The bit 0x02 of its first byte says that the latter is unique. */
static bool is_isatap(const unsigned char *address) {
    return (address[8] & ~0x02U) == 0 && memcmp(address + 9, "\0\x5E\xFE", 3) == 0;
}

static bool is_in_any(const unsigned char *address, const struct network *networks, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (network_includes(&networks[i], address))
            return true;
    return false;
}

bool ip_guard_allows(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        return !is_in_any((const unsigned char *)&ipv4.sin_addr, special_ipv4,
                          sizeof special_ipv4 / sizeof special_ipv4[0]);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof ipv6);
        return network_includes(&global_ipv6, ipv6.sin6_addr.s6_addr) &&
               !is_isatap(ipv6.sin6_addr.s6_addr) &&
               !is_in_any(ipv6.sin6_addr.s6_addr, special_ipv6,
                          sizeof special_ipv6 / sizeof special_ipv6[0]);
    }
    return false;
}

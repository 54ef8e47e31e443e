/* Spellings of addresses, as the system's resolver reads them. */
#include "fuzz.h"

#include "fetch/ip_guard.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

/* An address that embeds a private IPv4 address is not public. */
static void try_embedded(const struct in_addr *four) {
    static const unsigned char prefixes[][12] = {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF }, /* mapped */
        { 0, 0x64, 0xFF, 0x9B },                      /* NAT64 */
    };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
        memcpy(&six.sin6_addr, prefixes[i], 12);
        memcpy((char *)&six.sin6_addr + 12, four, 4);
        require(!ip_guard_allows((struct sockaddr *)&six));
    }
}

static void try_address(const struct sockaddr *address) {
    bool is_public = ip_guard_allows(address);
    if (address->sa_family != AF_INET)
        return;
    uint32_t four = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
    unsigned first = four >> 24;
    require(!is_public || (first != 0 && first != 10 && first != 127 && first < 224));
    try_embedded(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char text[80] = "";
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
    if (size >= sizeof text)
        return 0;
    memcpy(text, bytes, size);
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return 0;
    for (const struct addrinfo *each = found; each; each = each->ai_next)
        try_address(each->ai_addr);
    freeaddrinfo(found);
    return 0;
}

/* Lists of addresses and networks. IPv4-mapped IPv6 addresses (::ffff:192.0.2.1) are stored and
 * compared as IPv4. */
#include "http/peers.h"

#include "base/network.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAPPED_BITS = 96, SHOWN = 80 /* characters of an item in a message */ };

static const struct network mapped = { { [10] = 0xFF, [11] = 0xFF }, MAPPED_BITS };

struct peer {
    sa_family_t family;
    struct network network; /* not of AF_UNIX */
};

struct peers {
    size_t count;
    struct peer at[];
};

static unsigned bits_of(sa_family_t family) {
    return family == AF_INET ? 32 : 128;
}

/* ADDRESS or ADDRESS/BITS. */
static bool read_network(struct text item, struct peer *peer) {
    struct text bits = item, address = text_cut(&bits, '/');
    peer->family = memchr(address.at, ':', address.len) ? AF_INET6 : AF_INET;
    int64_t count = bits_of(peer->family);
    if (bits.at && (!text_to_int64(bits, &count) || count < 0 || count > bits_of(peer->family)))
        return false;
    peer->network.bits = (unsigned)count;
    return network_read_address(address, peer->family, peer->network.prefix);
}

/* Clears the bits beyond the prefix. True if any was set. */
static bool clear_rest(struct peer *peer) {
    bool had_some = false;
    for (unsigned bit = peer->network.bits; bit < bits_of(peer->family); bit++) {
        unsigned char *byte = &peer->network.prefix[bit / 8],
                      mask = (unsigned char)(0x80 >> bit % 8);
        had_some |= (*byte & mask) != 0;
        *byte &= (unsigned char)~mask;
    }
    return had_some;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
static void unmap(struct peer *peer) {
    struct network *network = &peer->network;
    if (peer->family != AF_INET6 || network->bits < MAPPED_BITS ||
        !network_includes(&mapped, network->prefix))
        return;
    peer->family = AF_INET;
    network->bits -= MAPPED_BITS;
    memmove(network->prefix, network->prefix + MAPPED_BITS / 8, sizeof(struct in_addr));
}

static bool read_peer(struct text item, struct peer *peer, char *why, size_t why_size) {
    char meant[INET6_ADDRSTRLEN] = "";
    int shown = item.len < SHOWN ? (int)item.len : SHOWN;
    if (text_equal(item, TEXT("unix"))) {
        peer->family = AF_UNIX;
        return true;
    }
    if (!read_network(item, peer)) {
        (void)snprintf(why, why_size,
                       "%.*s: must be an address (192.0.2.1, ::1), a network (10.0.0.0/8, fd00::/8)"
                       " or the word unix",
                       shown, item.at);
        return false;
    }
    if (clear_rest(peer)) {
        (void)inet_ntop(peer->family, peer->network.prefix, meant, sizeof meant);
        (void)snprintf(why, why_size, "%.*s: did you mean %s/%u?", shown, item.at, meant,
                       peer->network.bits);
        return false;
    }
    unmap(peer);
    return true;
}

struct peers *peers_parse(const char *list, char *why, size_t why_size) {
    struct text rest = text_of(list), item;
    size_t most = 0;
    while (text_next(&rest, &item))
        most++;
    struct peers *peers = calloc(1, sizeof *peers + most * sizeof peers->at[0]);
    if (!peers) {
        (void)snprintf(why, why_size, "there is no memory for a list of addresses");
        return NULL;
    }
    rest = text_of(list);
    while (text_next(&rest, &item)) {
        if (!read_peer(item, &peers->at[peers->count++], why, why_size)) {
            peers_free(peers);
            return NULL;
        }
    }
    return peers;
}

/* Returns the family of the address, and its bytes in `out`; other families have no bytes. */
static sa_family_t take_address(const struct sockaddr *address, unsigned char out[16]) {
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    if (address->sa_family == AF_INET) {
        memcpy(&ipv4, address, sizeof ipv4);
        memcpy(out, &ipv4.sin_addr, sizeof ipv4.sin_addr);
        return AF_INET;
    }
    if (address->sa_family != AF_INET6)
        return address->sa_family;
    memcpy(&ipv6, address, sizeof ipv6);
    if (network_includes(&mapped, ipv6.sin6_addr.s6_addr)) {
        memcpy(out, ipv6.sin6_addr.s6_addr + MAPPED_BITS / 8, sizeof(struct in_addr));
        return AF_INET;
    }
    memcpy(out, &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
    return AF_INET6;
}

bool peers_include(const struct peers *peers, const struct sockaddr *address) {
    unsigned char bytes[16] = { 0 };
    sa_family_t family = take_address(address, bytes);
    for (size_t i = 0; peers && i < peers->count; i++)
        if (peers->at[i].family == family &&
            (family == AF_UNIX || network_includes(&peers->at[i].network, bytes)))
            return true;
    return false;
}

void peers_free(struct peers *peers) {
    free(peers);
}

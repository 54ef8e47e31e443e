#ifndef ROSTER_BASE_NETWORK_H
#define ROSTER_BASE_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>

/** The addresses of one family (IPv4 or IPv6) that begin with the same `bits` bits as `prefix`. */
struct network {
    unsigned char prefix[16]; /* of IPv4 the first four; bits beyond `bits` do not count */
    unsigned bits;            /* at most 32 or 128 */
};

/** Is the address in it? `address` has the 4 or 16 bytes of the network's family. */
bool network_includes(const struct network *network, const unsigned char *address);

/**
 * What a client is counted by: its IPv4 address in IPv6's form, or the /64 of its IPv6 address,
 * whose rest it chooses. False for 127.0.0.1, ::1, UNIX sockets and NULL, which are not counted: a
 * proxy on the same machine stands for all of its clients. Any thread.
 */
bool network_key_of(const struct sockaddr *from, struct in6_addr *key);

#endif

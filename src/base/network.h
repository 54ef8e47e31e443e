#ifndef ROSTER_BASE_NETWORK_H
#define ROSTER_BASE_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>

/** A network such as 10.0.0.0/8: all addresses of one family that share their first `bits` bits. */
struct network {
    unsigned char prefix[16]; /* IPv4 uses the first four bytes; bits after `bits` are ignored */
    unsigned bits;            /* 0 to 32 for IPv4, 0 to 128 for IPv6 */
};

/** True if the network includes `address`, the 4 or 16 bytes of an address of the same family. */
bool network_includes(const struct network *network, const unsigned char *address);

/**
 * The key under which limits count a client: its IPv4 address, mapped into IPv6, or the /64 of its
 * IPv6 address, because a client chooses the other 64 bits itself. False for 127.0.0.1, ::1, UNIX
 * sockets and NULL, which are not counted: they may be a proxy on the same machine, which stands
 * for all its clients. Any thread.
 */
bool network_key_of(const struct sockaddr *from, struct in6_addr *key);

#endif

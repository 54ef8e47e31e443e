#ifndef ROSTER_BASE_NETWORK_H
#define ROSTER_BASE_NETWORK_H

#include "base/arena.h"

#include <netinet/in.h>

/** A network such as 10.0.0.0/8: all addresses of one family that share their first `bits` bits. */
struct network {
    unsigned char prefix[16]; /* IPv4 uses the first four bytes; bits after `bits` are ignored */
    unsigned bits;            /* 0 to 32 for IPv4, 0 to 128 for IPv6 */
};

/** True if the network includes `address`, the 4 or 16 bytes of an address of the same family. */
bool network_includes(const struct network *network, const unsigned char *address);

/**
 * Reads an address of one family, AF_INET or AF_INET6, as inet_pton spells it: no port, no
 * brackets, no zone. `out` gets its 4 or 16 bytes in network byte order. False, with `out`
 * unchanged, when the text is anything else. Any thread.
 */
bool network_read_address(struct text text, int family, void *out)
    __attribute__((warn_unused_result));

/**
 * The key under which limits count a client: its IPv4 address, mapped into IPv6, or the /64 of its
 * IPv6 address, because a client chooses the other 64 bits itself. False for 127.0.0.1, ::1, UNIX
 * sockets and NULL, which are not counted: they may be a proxy on the same machine, which stands
 * for all its clients. Any thread.
 */
bool network_key_of(const struct sockaddr *from, struct in6_addr *key);

/**
 * Writes the address without its port: "192.0.2.7", "2001:db8::1", "a UNIX socket", or "nowhere"
 * for NULL. `out` has NETWORK_TEXT_MAX bytes and gets a NUL; returns the length. Any thread.
 */
enum { NETWORK_TEXT_MAX = INET6_ADDRSTRLEN };
size_t network_write_address(const struct sockaddr *from, char *out);

/** The same text in the arena. `at` NULL: the arena has failed. Any thread. */
struct text network_address(const struct sockaddr *from, struct arena *arena)
    __attribute__((warn_unused_result));

#endif

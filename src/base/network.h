#ifndef ROSTER_BASE_NETWORK_H
#define ROSTER_BASE_NETWORK_H

#include <stdbool.h>

/** The addresses of one family (IPv4 or IPv6) that begin with the same `bits` bits as `prefix`. */
struct network {
    unsigned char prefix[16]; /* of IPv4 the first four; bits beyond `bits` do not count */
    unsigned bits;            /* at most 32 or 128 */
};

/** Is the address in it? `address` has the 4 or 16 bytes of the network's family. */
bool network_includes(const struct network *network, const unsigned char *address);

#endif

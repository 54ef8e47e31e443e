/* Networks: addresses with a prefix in common. */
#include "base/network.h"

#include <string.h>

bool network_includes(const struct network *network, const unsigned char *address) {
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->prefix, whole) != 0)
        return false;
    unsigned char mask = (unsigned char)(0xFF00U >> rest);
    return rest == 0 || ((address[whole] ^ network->prefix[whole]) & mask) == 0;
}

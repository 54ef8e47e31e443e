#ifndef ROSTER_FETCH_ADDRESS_H
#define ROSTER_FETCH_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * Is this an address of the public internet (the IANA special-purpose registries of IPv4 and IPv6)?
 * What embeds an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP) is not, whatever it embeds.
 */
bool address_is_public(const struct sockaddr *address);

#endif

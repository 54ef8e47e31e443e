#ifndef ROSTER_FETCH_IP_GUARD_H
#define ROSTER_FETCH_IP_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

/**
 * Guards the server's own network against untrusted URLs (server-side request forgery). True if
 * `address` is an address of the public internet by the IANA special-purpose registries of IPv4 and
 * IPv6. IPv6 addresses that embed an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP) are
 * refused, whichever address they embed. Any thread, once for each address that is about to be
 * connected to.
 */
bool ip_guard_allows(const struct sockaddr *address);

#endif

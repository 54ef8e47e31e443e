#ifndef ROSTER_HTTP_PEERS_H
#define ROSTER_HTTP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/** Those who may connect with a right that others do not have: addresses and networks. */
struct peers;

/**
 * Reads a list, separated by commas: addresses (192.0.2.1, ::1), networks (10.0.0.0/8, fd00::/8)
 * and the word `unix`, which is whoever comes by a UNIX socket. An empty list includes nobody.
 * NULL when an item is none of these, or a network's address has bits beyond its prefix, with a
 * line in `why` that says what would be right; also when there is no memory. Any thread; to be
 * freed with peers_free.
 */
struct peers *peers_parse(const char *list, char *why, size_t why_size);

/**
 * Is the address among them? An IPv4 address may also come as IPv6 (RFC 4291 section 2.5.5.2),
 * which is how a socket for both shows it. Of NULL the answer is no. Any thread.
 */
bool peers_include(const struct peers *peers, const struct sockaddr *address);

/** Takes NULL. */
void peers_free(struct peers *peers);

#endif

#ifndef ROSTER_HTTP_PEERS_H
#define ROSTER_HTTP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/**
 * A list of addresses and networks whose connections have a right that others lack: to begin with a
 * PROXY header, or to name the client in Forwarded.
 */
struct peers;

/**
 * Parses a list separated by commas: addresses (192.0.2.1, ::1), networks (10.0.0.0/8, fd00::/8)
 * and the word `unix`, which stands for all UNIX sockets. An empty list includes nobody. NULL if an
 * item is none of these, if a network's address has bits beyond its prefix, or if there is no
 * memory; `why` then says in one line what would be right. The caller frees it with peers_free. Any
 * thread.
 */
struct peers *peers_parse(const char *list, char *why, size_t why_size);

/**
 * True if the list includes the address. An IPv4 address may also be given as IPv6 (RFC 4291
 * section 2.5.5.2), as a socket for both families shows it. False if `peers` is NULL. Any thread.
 */
bool peers_include(const struct peers *peers, const struct sockaddr *address);

/** Frees the list. Accepts NULL. */
void peers_free(struct peers *peers);

#endif

#ifndef ROSTER_HTTP_FORWARDED_H
#define ROSTER_HTTP_FORWARDED_H

#include "http/head.h"

#include <sys/socket.h>

struct peers;

/** The headers of a request that name the client for which a trusted proxy sends it. */
enum forwarded {
    FORWARDED_proxy,   /* nothing: the request counts for the last proxy that is known */
    FORWARDED_client,  /* the address of a client that is no trusted proxy */
    FORWARDED_conflict /* Forwarded and X-Forwarded-For disagree */
};

/**
 * Finds the client of a request whose connection comes from a trusted proxy. Each proxy appends the
 * address of its own peer to `Forwarded` (RFC 7239) or to `X-Forwarded-For`, so the lists are read
 * from their right end: an address that is trusted is another proxy, and the first one that is not
 * trusted is the client. Everything on its left was written by the client, and is never looked at.
 * Several lines of one header are one list.
 *
 * An entry that is no IPv4 or IPv6 address (malformed, `unknown`, an obfuscated name, an element of
 * Forwarded without `for`) ends the walk: the request then counts for the trusted proxy that wrote
 * it.
 *
 * A proxy usually maintains one of the two headers and hands the other one on as the client sent
 * it. Where both have entries they must therefore lead to the same address; else the result is
 * FORWARDED_conflict, and the request must be refused.
 *
 * `hop` holds the address of the connection's peer, which the caller has found to be trusted, and
 * gets the address that the request counts for (with port 0, unless it stays the peer's; undefined
 * on FORWARDED_conflict). Takes time linear in the size of the head. Any thread.
 */
enum forwarded forwarded_find(const struct head *head, const struct peers *trusted,
                              struct sockaddr_storage *hop) MUST_CHECK;

#endif

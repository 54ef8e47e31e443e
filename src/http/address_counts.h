#ifndef ROSTER_HTTP_ADDRESS_COUNTS_H
#define ROSTER_HTTP_ADDRESS_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/**
 * Limits how many connections each client address has, so that no address takes all of them.
 * Requests that come through trusted proxies count in place of their connections. IPv6 counts by
 * /64, which is what one customer gets. UNIX sockets, 127.0.0.1 and ::1 are not counted: they are
 * this machine, or a proxy on it. Any thread may call any of these functions.
 */
struct address_counts;

/** Allows `limit` connections for each address; 0: any number. NULL: no memory, or no lock. */
struct address_counts *address_counts_new(unsigned limit) __attribute__((warn_unused_result));

/** Changes the limit. Connections beyond it stay. */
void address_counts_set(struct address_counts *counts, unsigned limit);

/** Frees it. No other thread may be using it. Accepts NULL. */
void address_counts_free(struct address_counts *counts);

/**
 * Counts one more for the address. False if the address has as many as it may, or there is no
 * memory; then only the refusal is counted. `counts` NULL: no limit.
 */
bool address_counts_enter(struct address_counts *counts, const struct sockaddr *from)
    __attribute__((warn_unused_result));

/** Takes back what one successful address_counts_enter has counted. */
void address_counts_leave(struct address_counts *counts, const struct sockaddr *from);

/** The number of refusals so far. Accepts NULL. */
uint64_t address_counts_refused(struct address_counts *counts);

#endif

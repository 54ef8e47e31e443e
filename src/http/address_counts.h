#ifndef ROSTER_HTTP_ADDRESS_COUNTS_H
#define ROSTER_HTTP_ADDRESS_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/**
 * How many connections each address has, so that none has all of them. IPv6 counts by /64, which is
 * what one customer gets. UNIX sockets, 127.0.0.1 and ::1 are not counted: that is this machine, or
 * a proxy on it. Any thread may call any of these.
 */
struct address_counts;

/** At most `limit` connections an address. NULL: no memory or locks. */
struct address_counts *address_counts_new(unsigned limit) __attribute__((warn_unused_result));

/** Nobody may be using it. Takes NULL. */
void address_counts_free(struct address_counts *counts);

/**
 * Counts one more connection from there. False, and nothing is counted but the refusal, when it has
 * as many as it may, or there is no memory. `counts` NULL: any number may come.
 */
bool address_counts_enter(struct address_counts *counts, const struct sockaddr *from)
    __attribute__((warn_unused_result));

/** Takes back what a successful address_counts_enter from there counted. */
void address_counts_leave(struct address_counts *counts, const struct sockaddr *from);

/** How many were refused. Takes NULL. */
uint64_t address_counts_refused(struct address_counts *counts);

#endif

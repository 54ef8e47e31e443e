/* Counts connections, and requests through trusted proxies, by client address: a hash table with
 * chaining. An address has an entry only while something of it is counted, so there are never more
 * entries than connections and requests in progress. */
#include "http/address_counts.h"

#include "base/mutex.h"
#include "base/network.h"
#include "crypto/secret.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS = 4096 };

struct count {
    struct count *next;
    struct in6_addr address;
    unsigned connections;
};

struct address_counts {
    pthread_mutex_t lock;
    unsigned limit;
    uint64_t refused;
    struct count *lists[LISTS];
};

struct address_counts *address_counts_new(unsigned limit) {
    struct address_counts *counts = calloc(1, sizeof *counts);
    if (!counts || pthread_mutex_init(&counts->lock, NULL) != 0) {
        free(counts);
        return NULL;
    }
    counts->limit = limit;
    return counts;
}

void address_counts_set(struct address_counts *counts, unsigned limit) {
    mutex_lock(&counts->lock);
    counts->limit = limit;
    mutex_unlock(&counts->lock);
}

void address_counts_free(struct address_counts *counts) {
    if (!counts)
        return;
    for (unsigned i = 0; i < LISTS; i++)
        for (struct count *count = counts->lists[i], *next; count; count = next) {
            next = count->next;
            free(count);
        }
    (void)pthread_mutex_destroy(&counts->lock);
    free(counts);
}

/* The hash is keyed: clients choose their addresses, and must not be able to bring many into one
 * chain. */
static struct count **place_of(struct address_counts *counts, const struct in6_addr *key) {
    struct keyed_hash hash =
        keyed_hash(KEYED_ADDRESS, (struct text){ (const char *)key->s6_addr, sizeof key->s6_addr });
    struct count **place = &counts->lists[(hash.bytes[0] | (unsigned)hash.bytes[1] << 8) % LISTS];
    while (*place && memcmp(&(*place)->address, key, sizeof *key) != 0)
        place = &(*place)->next;
    return place;
}

static bool enter(struct address_counts *counts, const struct in6_addr *key) {
    struct count **place = place_of(counts, key);
    if (!*place) {
        *place = calloc(1, sizeof **place);
        if (!*place)
            return false;
        (*place)->address = *key;
    }
    if (counts->limit && (*place)->connections >= counts->limit)
        return false;
    (*place)->connections++;
    return true;
}

bool address_counts_enter(struct address_counts *counts, const struct sockaddr *from) {
    struct in6_addr key;
    if (!counts || !network_key_of(from, &key))
        return true;
    mutex_lock(&counts->lock);
    bool may = enter(counts, &key);
    counts->refused += !may;
    mutex_unlock(&counts->lock);
    return may;
}

void address_counts_leave(struct address_counts *counts, const struct sockaddr *from) {
    struct in6_addr key;
    if (!counts || !network_key_of(from, &key))
        return;
    mutex_lock(&counts->lock);
    struct count **place = place_of(counts, &key), *count = *place;
    assert(count && count->connections);
    if (--count->connections == 0) {
        *place = count->next;
        free(count);
    }
    mutex_unlock(&counts->lock);
}

uint64_t address_counts_refused(struct address_counts *counts) {
    if (!counts)
        return 0;
    mutex_lock(&counts->lock);
    uint64_t refused = counts->refused;
    mutex_unlock(&counts->lock);
    return refused;
}

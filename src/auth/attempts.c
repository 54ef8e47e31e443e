/* Counts failed sign-ins by client address, in a set-associative table of fixed size, so that no
 * number of addresses can fill the memory. When a set is full, the address with the fewest failures
 * is forgotten. */
#include "auth/attempts.h"

#include "base/mutex.h"
#include "base/network.h"
#include "crypto/secret.h"

#include <netinet/in.h>
#include <stdlib.h>

enum { SETS = 2048, WAYS = 8 };

struct counter {
    struct in6_addr address;
    int64_t since_ms; /* when the first attempt of the period began; 0: the place is free */
    int64_t failures;
    int64_t pending; /* attempts in progress */
};

struct attempts {
    pthread_mutex_t lock;
    int64_t limit, period_ms;
    struct counter sets[SETS][WAYS];
};

struct attempts *attempts_new(int64_t limit, int64_t period_ms) {
    struct attempts *attempts = calloc(1, sizeof *attempts);
    if (!attempts || pthread_mutex_init(&attempts->lock, NULL) != 0) {
        free(attempts);
        return NULL;
    }
    attempts->limit = limit;
    attempts->period_ms = period_ms;
    return attempts;
}

void attempts_free(struct attempts *attempts) {
    if (attempts)
        (void)pthread_mutex_destroy(&attempts->lock);
    free(attempts);
}

static int64_t weight(const struct counter *counter) {
    return counter->failures + counter->pending;
}

static void forget_old(struct counter *counter, int64_t period_ms, int64_t now_ms) {
    if (!counter->since_ms || now_ms - counter->since_ms < period_ms)
        return;
    counter->failures = 0;
    counter->since_ms = counter->pending ? now_ms : 0;
}

/* Finds the counter of the address, or takes over the one of its set with the least in it. */
static struct counter *find(struct attempts *attempts, const struct in6_addr *key, int64_t now_ms) {
    struct keyed_hash hash =
        keyed_hash(KEYED_ADDRESS, (struct text){ (const char *)key, sizeof *key });
    struct counter *set = attempts->sets[(hash.bytes[0] | hash.bytes[1] << 8) % SETS], *least = set;
    for (int i = 0; i < WAYS; i++) {
        struct counter *counter = &set[i];
        forget_old(counter, attempts->period_ms, now_ms);
        if (counter->since_ms && memcmp(&counter->address, key, sizeof *key) == 0)
            return counter;
        if (weight(counter) < weight(least))
            least = counter;
    }
    *least = (struct counter){ .address = *key, .since_ms = now_ms };
    return least;
}

/* Attempts in progress may all turn out right, so an address that is full because of them waits
 * only one second. */
int64_t attempts_begin(struct attempts *attempts, const struct sockaddr *from, int64_t now_ms) {
    struct in6_addr key;
    int64_t wait_ms = 0;
    if (!attempts || !network_key_of(from, &key))
        return 0;
    mutex_lock(&attempts->lock);
    struct counter *counter = find(attempts, &key, now_ms);
    if (counter->failures >= attempts->limit)
        wait_ms = counter->since_ms + attempts->period_ms - now_ms;
    else if (weight(counter) >= attempts->limit)
        wait_ms = 1000;
    else
        counter->pending++;
    mutex_unlock(&attempts->lock);
    return (wait_ms + 999) / 1000;
}

/* If the counter was taken over by another address meanwhile, a failure begins a new one. */
void attempts_end(struct attempts *attempts, const struct sockaddr *from, bool has_failed,
                  int64_t now_ms) {
    struct in6_addr key;
    if (!attempts || !network_key_of(from, &key))
        return;
    mutex_lock(&attempts->lock);
    struct counter *counter = find(attempts, &key, now_ms);
    counter->pending -= counter->pending > 0;
    counter->failures += has_failed;
    if (!weight(counter))
        *counter = (struct counter){ 0 };
    mutex_unlock(&attempts->lock);
}

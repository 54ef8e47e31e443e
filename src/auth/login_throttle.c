/* Counts failed sign-ins by client address, in a set-associative table of fixed size, so that no
 * number of addresses can fill the memory. When a set is full, the address with the fewest failures
 * is forgotten. */
#include "auth/login_throttle.h"

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

struct login_throttle {
    pthread_mutex_t lock;
    int64_t limit, period_ms;
    struct counter sets[SETS][WAYS];
};

struct login_throttle *login_throttle_new(int64_t limit, int64_t period_ms) {
    struct login_throttle *throttle = calloc(1, sizeof *throttle);
    if (!throttle || pthread_mutex_init(&throttle->lock, NULL) != 0) {
        free(throttle);
        return NULL;
    }
    throttle->limit = limit;
    throttle->period_ms = period_ms;
    return throttle;
}

void login_throttle_set(struct login_throttle *throttle, int64_t limit, int64_t period_ms) {
    mutex_lock(&throttle->lock);
    throttle->limit = limit;
    throttle->period_ms = period_ms;
    mutex_unlock(&throttle->lock);
}

struct login_limit login_throttle_limit(struct login_throttle *throttle) {
    mutex_lock(&throttle->lock);
    struct login_limit limit = { throttle->limit, throttle->period_ms };
    mutex_unlock(&throttle->lock);
    return limit;
}

void login_throttle_free(struct login_throttle *throttle) {
    if (throttle)
        (void)pthread_mutex_destroy(&throttle->lock);
    free(throttle);
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
static struct counter *find(struct login_throttle *throttle, const struct in6_addr *key,
                            int64_t now_ms) {
    struct keyed_hash hash =
        keyed_hash(KEYED_ADDRESS, (struct text){ (const char *)key, sizeof *key });
    struct counter *set = throttle->sets[(hash.bytes[0] | hash.bytes[1] << 8) % SETS], *least = set;
    for (int i = 0; i < WAYS; i++) {
        struct counter *counter = &set[i];
        forget_old(counter, throttle->period_ms, now_ms);
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
int64_t login_throttle_begin(struct login_throttle *throttle, const struct sockaddr *from,
                             int64_t now_ms) {
    struct in6_addr key;
    int64_t wait_ms = 0;
    if (!throttle || !network_key_of(from, &key))
        return 0;
    mutex_lock(&throttle->lock);
    struct counter *counter = find(throttle, &key, now_ms);
    const int64_t limit = throttle->limit ? throttle->limit : INT64_MAX;
    if (counter->failures >= limit)
        wait_ms = counter->since_ms + throttle->period_ms - now_ms;
    else if (weight(counter) >= limit)
        wait_ms = 1000;
    else
        counter->pending++;
    mutex_unlock(&throttle->lock);
    return (wait_ms + 999) / 1000;
}

/* If the counter was taken over by another address meanwhile, a failure begins a new one. */
void login_throttle_end(struct login_throttle *throttle, const struct sockaddr *from,
                        bool has_failed, int64_t now_ms) {
    struct in6_addr key;
    if (!throttle || !network_key_of(from, &key))
        return;
    mutex_lock(&throttle->lock);
    struct counter *counter = find(throttle, &key, now_ms);
    counter->pending -= counter->pending > 0;
    counter->failures += has_failed;
    if (!weight(counter))
        *counter = (struct counter){ 0 };
    mutex_unlock(&throttle->lock);
}

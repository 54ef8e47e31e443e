/* A table of fixed size: what is forgotten too early only costs the position being counted again.
 */
#include "api/walk.h"

#include "base/mutex.h"
#include "base/time.h"
#include "crypto/token.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 8192 };
#define KEPT_MS (INT64_C(10) * 60 * 1000)

struct place {
    struct keyed_hash walk;
    int64_t last_id;
    int64_t until_ms; /* 0: nothing is here */
};

struct walks {
    pthread_mutex_t lock;
    struct place places[PLACES];
};

struct walks *walks_new(void) {
    struct walks *walks = calloc(1, sizeof *walks);
    if (walks && pthread_mutex_init(&walks->lock, NULL) != 0) {
        free(walks);
        return NULL;
    }
    return walks;
}

void walks_free(struct walks *walks) {
    if (walks)
        (void)pthread_mutex_destroy(&walks->lock);
    free(walks);
}

static struct place *place_of(struct walks *walks, const struct keyed_hash *walk) {
    return &walks->places[(walk->bytes[0] | (unsigned)walk->bytes[1] << 8) % PLACES];
}

void walks_note(struct walks *walks, struct text walk, int64_t last_id) {
    struct place place = { .walk = keyed_hash(KEYED_WALK, walk),
                           .last_id = last_id,
                           .until_ms = time_monotonic_ms() + KEPT_MS };
    mutex_lock(&walks->lock);
    *place_of(walks, &place.walk) = place;
    mutex_unlock(&walks->lock);
}

bool walks_find(struct walks *walks, struct text walk, int64_t *last_id) {
    struct keyed_hash key = keyed_hash(KEYED_WALK, walk);
    mutex_lock(&walks->lock);
    const struct place *place = place_of(walks, &key);
    bool is_known = place->until_ms > time_monotonic_ms() &&
                    memcmp(place->walk.bytes, key.bytes, sizeof key.bytes) == 0;
    if (is_known)
        *last_id = place->last_id;
    mutex_unlock(&walks->lock);
    return is_known;
}

/* A table of fixed size: what is forgotten too early only costs the position being counted again.
 */
#include "api/page_cursor.h"

#include "base/mutex.h"
#include "base/time.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 8192 };
#define KEPT_MS (INT64_C(10) * 60 * 1000)

/* What the last Id is kept by: a search and a page of it, or a search and a connection. */
enum kind { BY_PAGE, BY_CONNECTION };

struct place {
    struct keyed_hash key;
    int64_t last_id;
    uint64_t page, connection; /* of that Id; one of them is in the key as well */
    int64_t until_ms;          /* 0: nothing is here */
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

static struct keyed_hash key_of(const struct keyed_hash *search, enum kind kind, uint64_t number) {
    struct {
        struct keyed_hash search;
        uint64_t kind, number;
    } whole = { *search, kind, number };
    return keyed_hash(KEYED_WALK, (struct text){ (const char *)&whole, sizeof whole });
}

static struct place *place_of(struct walks *walks, const struct keyed_hash *key) {
    return &walks->places[(key->bytes[0] | (unsigned)key->bytes[1] << 8) % PLACES];
}

/* NULL: it is not known, or not any more. */
static struct place *find(struct walks *walks, const struct keyed_hash *search, enum kind kind,
                          uint64_t number) {
    struct keyed_hash key = key_of(search, kind, number);
    struct place *place = place_of(walks, &key);
    bool is_known = place->until_ms > time_monotonic_ms() &&
                    memcmp(place->key.bytes, key.bytes, sizeof key.bytes) == 0;
    return is_known ? place : NULL;
}

void walks_note(struct walks *walks, const struct walk *walk, int64_t last_id) {
    struct keyed_hash search = keyed_hash(KEYED_WALK, walk->search);
    struct place place = { .last_id = last_id,
                           .page = (uint64_t)walk->page,
                           .connection = walk->connection,
                           .until_ms = time_monotonic_ms() + KEPT_MS };
    mutex_lock(&walks->lock);
    place.key = key_of(&search, BY_CONNECTION, place.connection);
    *place_of(walks, &place.key) = place;
    place.key = key_of(&search, BY_PAGE, place.page);
    *place_of(walks, &place.key) = place;
    mutex_unlock(&walks->lock);
}

/* Who goes on from what another connection read uses more than one: then that is no place of the
 * other connection's own, which a later walk would find there. */
static const struct place *find_before(struct walks *walks, const struct walk *walk) {
    struct keyed_hash search = keyed_hash(KEYED_WALK, walk->search);
    uint64_t page = (uint64_t)walk->page - 1;
    struct place *own = find(walks, &search, BY_CONNECTION, walk->connection);
    if (own && own->page == page)
        return own;
    struct place *last = find(walks, &search, BY_PAGE, page);
    own = last ? find(walks, &search, BY_CONNECTION, last->connection) : NULL;
    if (own && own->page == page)
        own->until_ms = 0;
    return last;
}

bool walks_find(struct walks *walks, const struct walk *walk, int64_t *last_id) {
    mutex_lock(&walks->lock);
    const struct place *before = find_before(walks, walk);
    if (before)
        *last_id = before->last_id;
    mutex_unlock(&walks->lock);
    return before != NULL;
}

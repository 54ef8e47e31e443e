/* The last Ids of pages, in a table of fixed size. A later entry may overwrite another one: the
 * next page of that search is then counted from the beginning, as every page would be without
 * cursors. */
#include "api/page_cursor.h"

#include "base/mutex.h"
#include "base/time.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 8192 };
#define KEPT_MS (INT64_C(10) * 60 * 1000)

/* The key of an entry: a search and the number of a page, or a search and a connection. */
enum kind { BY_PAGE, BY_CONNECTION };

struct entry {
    struct keyed_hash key;
    int64_t last_id;           /* of the page */
    uint64_t page, connection; /* on which it was read; one of them is in the key as well */
    int64_t until_ms;          /* of time_monotonic_ms; 0: the entry is empty */
};

struct page_cursors {
    pthread_mutex_t lock;
    struct entry entries[ENTRIES];
};

struct page_cursors *page_cursors_new(void) {
    struct page_cursors *cursors = calloc(1, sizeof *cursors);
    if (cursors && pthread_mutex_init(&cursors->lock, NULL) != 0) {
        free(cursors);
        return NULL;
    }
    return cursors;
}

void page_cursors_free(struct page_cursors *cursors) {
    if (cursors)
        (void)pthread_mutex_destroy(&cursors->lock);
    free(cursors);
}

static struct keyed_hash key_of(const struct keyed_hash *search, enum kind kind, uint64_t number) {
    struct {
        struct keyed_hash search;
        uint64_t kind, number;
    } whole = { *search, kind, number };
    return keyed_hash(KEYED_PAGE_CURSOR, (struct text){ (const char *)&whole, sizeof whole });
}

static struct entry *entry_of(struct page_cursors *cursors, const struct keyed_hash *key) {
    return &cursors->entries[(key->bytes[0] | (unsigned)key->bytes[1] << 8) % ENTRIES];
}

/* NULL: unknown, or expired. */
static struct entry *find_entry(struct page_cursors *cursors, const struct keyed_hash *search,
                                enum kind kind, uint64_t number) {
    struct keyed_hash key = key_of(search, kind, number);
    struct entry *entry = entry_of(cursors, &key);
    bool is_known = entry->until_ms > time_monotonic_ms() &&
                    memcmp(entry->key.bytes, key.bytes, sizeof key.bytes) == 0;
    return is_known ? entry : NULL;
}

void page_cursors_set(struct page_cursors *cursors, const struct page_cursor *cursor,
                      int64_t last_id) {
    struct keyed_hash search = keyed_hash(KEYED_PAGE_CURSOR, cursor->search);
    struct entry entry = { .last_id = last_id,
                           .page = (uint64_t)cursor->page,
                           .connection = cursor->connection,
                           .until_ms = time_monotonic_ms() + KEPT_MS };
    mutex_lock(&cursors->lock);
    entry.key = key_of(&search, BY_CONNECTION, entry.connection);
    *entry_of(cursors, &entry.key) = entry;
    entry.key = key_of(&search, BY_PAGE, entry.page);
    *entry_of(cursors, &entry.key) = entry;
    mutex_unlock(&cursors->lock);
}

/* A reader that continues from a page of another connection uses several connections. The other
 * connection's own entry is then removed, so that a later reader on it does not continue there. */
static const struct entry *find_before(struct page_cursors *cursors,
                                       const struct page_cursor *cursor) {
    struct keyed_hash search = keyed_hash(KEYED_PAGE_CURSOR, cursor->search);
    uint64_t page = (uint64_t)cursor->page - 1;
    struct entry *own = find_entry(cursors, &search, BY_CONNECTION, cursor->connection);
    if (own && own->page == page)
        return own;
    struct entry *last = find_entry(cursors, &search, BY_PAGE, page);
    own = last ? find_entry(cursors, &search, BY_CONNECTION, last->connection) : NULL;
    if (own && own->page == page)
        own->until_ms = 0;
    return last;
}

bool page_cursors_find(struct page_cursors *cursors, const struct page_cursor *cursor,
                       int64_t *last_id) {
    mutex_lock(&cursors->lock);
    const struct entry *before = find_before(cursors, cursor);
    if (before)
        *last_id = before->last_id;
    mutex_unlock(&cursors->lock);
    return before != NULL;
}

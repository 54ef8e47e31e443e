#ifndef ROSTER_BASE_ARENA_H
#define ROSTER_BASE_ARENA_H

#include "base/text.h"

struct arena_chunk;

/**
 * Memory that lives as long as one request and is freed in one go. Zeroed is a valid, empty arena
 * without a limit of its own. Not to be used from two threads at once.
 */
struct arena {
    struct arena_chunk *chunks;
    char *at;
    char *end;
    size_t used;  /* bytes taken from malloc so far */
    size_t limit; /* the most that `used` may become; 0: no limit */
    bool failed;  /* an allocation failed once: texts and records made since may be incomplete */
    /* The rest is for requests, whose memory counts in the shared budget (base/budget.h). */
    bool counts;         /* it counts there */
    bool is_over_budget; /* the budget refused an allocation once */
    size_t counted;      /* bytes counted there now */
    size_t overdraft;    /* bytes it may still take there although the budget is used up */
    bool is_vital;       /* it may use the reserve past the limit (budget_take_beyond) */
};

/** Makes an empty arena that takes at most `limit` bytes from malloc; 0: no limit. */
void arena_init(struct arena *arena, size_t limit);

/**
 * The same for a request. Its memory counts in the budget of all requests, which may refuse it. The
 * first page is granted in any case, and a few more after a refusal, so that there is memory for a
 * reply that says so.
 */
void arena_init_counted(struct arena *arena, size_t limit);

/** Wipes and frees all memory of the arena, which is then empty, as after arena_init. */
void arena_close(struct arena *arena);

/**
 * Makes the calling thread keep up to `count` wiped chunks of closed arenas for its next ones,
 * instead of freeing them. 0 frees the chunks that are kept; a thread that kept some must call it
 * with 0 before it ends.
 */
void arena_keep_chunks(unsigned count);

/**
 * Allocates `size` uninitialised bytes, aligned for any type. NULL when the limit, the budget or
 * the system refuses them.
 */
void *arena_alloc(struct arena *arena, size_t size)
    __attribute__((malloc, alloc_size(2), warn_unused_result));

/** Like arena_alloc for `count` zeroed elements of `size` bytes. NULL also on overflow. */
void *arena_calloc(struct arena *arena, size_t count, size_t size)
    __attribute__((malloc, alloc_size(2, 3), warn_unused_result));

/**
 * Makes sure that the next allocations, up to `size` bytes in all, cannot fail. For a reply that
 * has to be written after a step that cannot be undone. False when there is no memory.
 */
bool arena_reserve(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/**
 * Grows the allocation `old` of `old_size` bytes to `size`: in place if it was the last allocation
 * and there is room, otherwise by copying it. The memory of a large last allocation is wiped and
 * freed when it is copied. NULL as in arena_alloc; `old` stays valid then, and only then.
 */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
    __attribute__((warn_unused_result));

/** A copy of `text`, with a NUL after it that `len` does not count. `at` is NULL on failure. */
struct text arena_text(struct arena *arena, struct text text) __attribute__((warn_unused_result));

/** A formatted text, with a NUL after it that `len` does not count. `at` is NULL on failure. */
struct text arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

#endif

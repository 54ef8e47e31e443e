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
    size_t used;         /* bytes asked of malloc so far */
    size_t limit;        /* refuse to go past this many bytes; 0: no limit */
    bool failed;         /* it refused something once: what was made of it since may say anything */
    bool counts;         /* in the budget of all requests (base/budget.h), and then */
    bool is_over_budget; /* that refused it something once; */
    size_t counted;      /* bytes of it there; */
    size_t overdraft;    /* bytes that it may still take there in any case */
    bool is_vital;       /* it may take some past the bound too (budget_take_beyond) */
};

/** Makes an arena that takes at most `limit` bytes from the system. */
void arena_init(struct arena *arena, size_t limit);

/**
 * The same for a request: what it takes counts in the budget of all requests, which may refuse it.
 * Its first page, and a few more once it was refused, are given in any case: a client is to be
 * told.
 */
void arena_init_counted(struct arena *arena, size_t limit);

/** Wipes and frees all that was allocated; the arena is empty afterwards, as after arena_init. */
void arena_close(struct arena *arena);

/**
 * From here on the calling thread keeps up to `count` chunks that its arenas give back, wiped, for
 * the next ones, instead of asking the system for them each time. 0 frees those that are kept: a
 * thread that kept some calls it before it ends.
 */
void arena_keep_chunks(unsigned count);

/**
 * `size` bytes, uninitialised, aligned for any type. NULL past the limit or when memory is short.
 */
void *arena_alloc(struct arena *arena, size_t size)
    __attribute__((malloc, alloc_size(2), warn_unused_result));

/** Like arena_alloc for `count` zeroed elements of `size` bytes. NULL also on overflow. */
void *arena_calloc(struct arena *arena, size_t count, size_t size)
    __attribute__((malloc, alloc_size(2, 3), warn_unused_result));

/**
 * Sees to it that allocations of `size` bytes in all cannot fail next: for what has to be said
 * after a step that cannot be taken back. False when memory is short.
 */
bool arena_reserve(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/**
 * Grows the allocation `old` of `old_size` bytes to `size`, in place when it was the last one. A
 * large one that was the last is moved, and its old place wiped and freed. NULL as in arena_alloc;
 * `old` stays valid then, and only then.
 */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
    __attribute__((warn_unused_result));

/** A copy of `text` that ends in a NUL (not counted in len). `at` is NULL when memory is short. */
struct text arena_text(struct arena *arena, struct text text) __attribute__((warn_unused_result));

/** A formatted text, NUL-terminated. `at` is NULL when memory is short. */
struct text arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

#endif

/* A bump allocator in chunks: one request, one arena, one free.
 *
 * An allocation takes the next bytes of the newest chunk. A chunk has FIRST_CHUNK bytes; a large
 * allocation gets a chunk of its own. Closing the arena wipes and frees all chunks.
 *
 * In the arena of a request `end` is not the end of the chunk: it is as far as the budget has been
 * asked for. The kernel maps a chunk page by page as it is touched, so the budget is asked page by
 * page too, and an idle request costs one page instead of a chunk. `chunk->end` is the real end. */
#include "base/arena.h"

#include "base/budget.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    char *end;
    max_align_t memory[];
};

enum {
    FIRST_CHUNK = 16 * 1024 - 64,
    ALIGNMENT = sizeof(max_align_t),
    PAGE = 4096,
    OVERDRAFT = 4 * PAGE, /* enough for an error reply with its headers */
};
_Static_assert(FIRST_CHUNK / 4 + sizeof(struct arena_chunk) <= PAGE,
               "the first page of a chunk holds any small allocation");

/* Chunks of the usual size that this thread keeps for its next arenas. Without them the C library
 * returns the end of its heap to the system after each batch of requests, and the next batch pays
 * for it in page faults. */
static _Thread_local struct {
    struct arena_chunk *first;
    unsigned count, limit;
} kept;

void arena_keep_chunks(unsigned count) {
#if defined __SANITIZE_ADDRESS__
    count = 0; /* the sanitizer finds uses of freed memory only if it is freed */
#endif
    kept.limit = count;
    while (kept.count > count) {
        struct arena_chunk *chunk = kept.first;
        kept.first = chunk->next;
        kept.count--;
        free(chunk);
    }
}

static struct arena_chunk *new_chunk(size_t size) {
    struct arena_chunk *chunk = kept.first;
    if (!chunk || size != FIRST_CHUNK + sizeof(struct arena_chunk))
        return malloc(size);
    kept.first = chunk->next;
    kept.count--;
    return chunk;
}

/* `size` is that of the whole chunk. */
static void give_back(struct arena_chunk *chunk, size_t size) {
    if (kept.count >= kept.limit || size != FIRST_CHUNK + sizeof(struct arena_chunk)) {
        free(chunk);
        return;
    }
    chunk->next = kept.first;
    kept.first = chunk;
    kept.count++;
}

void arena_init(struct arena *arena, size_t limit) {
    *arena = (struct arena){ .limit = limit };
}

void arena_init_counted(struct arena *arena, size_t limit) {
    *arena = (struct arena){ .limit = limit, .counts = true, .overdraft = OVERDRAFT };
}

/* Passwords and tokens of a request lie in its arena, so its memory is wiped before anything else
 * gets it. Of the newest chunk only the part that was given out needs it. */
void arena_close(struct arena *arena) {
    char *end = arena->at;
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        explicit_bzero(chunk->memory, (size_t)(end - (char *)chunk->memory));
        give_back(chunk, (size_t)(chunk->end - (char *)chunk));
        end = next ? next->end : NULL;
    }
    if (arena->counted)
        budget_give(arena->counted);
    if (arena->counts)
        arena_init_counted(arena, arena->limit);
    else
        arena_init(arena, arena->limit);
}

/* Counts `size` more bytes in the budget. Past the budget's limit a request still gets its first
 * page, and after its first refusal the overdraft, in which its error reply is written. */
static bool count(struct arena *arena, size_t size) {
    if (!arena->counts)
        return true;
    if (!budget_take(size) && !(arena->is_vital && budget_take_beyond(size))) {
        bool is_owed = !arena->counted || (arena->failed && arena->is_over_budget);
        if (!is_owed || size > arena->overdraft) {
            if (!arena->is_over_budget)
                budget_note_refusal();
            arena->is_over_budget = true;
            return false;
        }
        arena->overdraft -= size;
        budget_force(size);
    }
    arena->counted += size;
    return true;
}

/* Moves `end` so that `size` bytes of the newest chunk are free and counted. False when the chunk
 * or the budget has no room. */
static bool extend(struct arena *arena, size_t size) {
    size_t room = (size_t)(arena->end - arena->at);
    if (size <= room)
        return true;
    if (!arena->chunks || size > (size_t)(arena->chunks->end - arena->at))
        return false;
    size_t left = (size_t)(arena->chunks->end - arena->end);
    size_t more = (size - room + PAGE - 1) / PAGE * PAGE;
    more = more < left ? more : left;
    if (!count(arena, more))
        return false;
    arena->end += more;
    return true;
}

static bool has_room(const struct arena *arena, size_t size) {
    return !arena->limit || (size <= arena->limit && arena->used <= arena->limit - size);
}

static bool add_chunk(struct arena *arena, size_t size) {
    bool is_large = size > FIRST_CHUNK / 4;
    size_t wanted = is_large ? size : FIRST_CHUNK;
    if (wanted > SIZE_MAX - sizeof(struct arena_chunk))
        return false;
    wanted += sizeof(struct arena_chunk);
    size_t counts = is_large || !arena->counts ? wanted : PAGE;
    if (!has_room(arena, wanted) || !count(arena, counts))
        return false;
    struct arena_chunk *chunk = new_chunk(wanted);
    if (!chunk)
        return false; /* arena_close gives back what was counted */
    arena->used += wanted;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = (char *)chunk->memory;
    arena->end = (char *)chunk + counts;
    chunk->end = (char *)chunk + wanted;
    return true;
}

static void *refuse(struct arena *arena) {
    arena->failed = true;
    return NULL;
}

bool arena_reserve(struct arena *arena, size_t size) {
    if (extend(arena, size) || add_chunk(arena, size))
        return true;
    (void)refuse(arena);
    return false;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT)
        return refuse(arena);
    if (!size)
        size = 1; /* NULL would look like a failure */
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!arena_reserve(arena, size))
        return NULL;
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return refuse(arena);
    void *memory = arena_alloc(arena, total);
    return memory ? memset(memory, 0, total) : NULL;
}

/* True if `memory`, of `taken` bytes, is a large allocation that has the newest chunk to itself. */
static bool is_alone(const struct arena *arena, const void *memory, size_t taken) {
    return memory && arena->chunks && memory == arena->chunks->memory &&
           (const char *)memory + taken == arena->at && taken > FIRST_CHUNK / 4;
}

/* Wipes and frees the chunk before the newest one. */
static void drop_second(struct arena *arena) {
    struct arena_chunk *chunk = arena->chunks->next;
    size_t size = (size_t)(chunk->end - (char *)chunk);
    arena->chunks->next = chunk->next;
    explicit_bzero(chunk->memory, (size_t)(chunk->end - (char *)chunk->memory));
    give_back(chunk, size);
    arena->used -= size;
    if (arena->counts) {
        arena->counted -= size;
        budget_give(size);
    }
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size) {
    size_t taken = (old_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (old && (char *)old + taken == arena->at) {
        if (size <= taken)
            return old;
        size_t more = size - taken;
        if (more <= SIZE_MAX - ALIGNMENT) {
            more = (more + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            if (extend(arena, more)) {
                arena->at += more;
                return old;
            }
        }
    }
    bool moves = is_alone(arena, old, taken) && arena->end == arena->chunks->end;
    void *memory = arena_alloc(arena, size);
    if (!memory || !old)
        return memory;
    memcpy(memory, old, old_size < size ? old_size : size);
    /* A growing body would otherwise keep all its former places until the request ends. */
    if (moves && memory == arena->chunks->memory)
        drop_second(arena);
    return memory;
}

struct text arena_text(struct arena *arena, struct text text) {
    char *copy = text.len < SIZE_MAX ? arena_alloc(arena, text.len + 1) : NULL;
    if (!copy)
        return (struct text){ 0 };
    if (text.len)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return (struct text){ copy, text.len };
}

struct text arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    /* Formats into the free end of the chunk. If the text fits, which is usual, arena_alloc then
     * gives out exactly that place. */
    size_t room = (size_t)(arena->end - arena->at);
    int len = vsnprintf(room ? arena->at : NULL, room, format, arguments);
    char *copy = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (copy && (size_t)len >= room && vsnprintf(copy, (size_t)len + 1, format, again) != len)
        copy = NULL;
    va_end(again);
    va_end(arguments);
    return (struct text){ copy, copy ? (size_t)len : 0 };
}

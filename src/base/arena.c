/* A bump allocator in chunks: one request, one arena, one free. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    char *end;
    max_align_t memory[];
};

enum { FIRST_CHUNK = 16 * 1024 - 64, ALIGNMENT = sizeof(max_align_t) };

/* Chunks of the usual size that this thread keeps for its next arenas. The C library gives the end
 * of its heap back to the system after a batch of requests; to get it again costs page faults. */
static _Thread_local struct {
    struct arena_chunk *first;
    unsigned count, limit;
} kept;

void arena_keep_chunks(unsigned count) {
#if defined __SANITIZE_ADDRESS__
    count = 0; /* or it would not see who uses memory that was given back */
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

/* Passwords and tokens of a request lie in its arena: nothing of it is left for what gets the
 * memory next. Of the newest chunk only what was given out can hold something. */
void arena_close(struct arena *arena) {
    char *end = arena->at;
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        explicit_bzero(chunk->memory, (size_t)(end - (char *)chunk->memory));
        give_back(chunk, (size_t)(chunk->end - (char *)chunk));
        end = next ? next->end : NULL;
    }
    arena_init(arena, arena->limit);
}

static bool add_chunk(struct arena *arena, size_t size) {
    size_t wanted = size > FIRST_CHUNK / 4 ? size : FIRST_CHUNK;
    if (wanted > SIZE_MAX - sizeof(struct arena_chunk))
        return false;
    wanted += sizeof(struct arena_chunk);
    if (arena->limit && (wanted > arena->limit || arena->used > arena->limit - wanted))
        return false;
    struct arena_chunk *chunk = new_chunk(wanted);
    if (!chunk)
        return false;
    arena->used += wanted;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = (char *)chunk->memory;
    arena->end = chunk->end = (char *)chunk + wanted;
    return true;
}

static void *refuse(struct arena *arena) {
    arena->failed = true;
    return NULL;
}

bool arena_reserve(struct arena *arena, size_t size) {
    if (size <= (size_t)(arena->end - arena->at) || add_chunk(arena, size))
        return true;
    (void)refuse(arena);
    return false;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT)
        return refuse(arena);
    if (!size)
        size = 1; /* nothing asked for is no failure: NULL would say that it is one */
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

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size) {
    size_t taken = (old_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (old && (char *)old + taken == arena->at) {
        if (size <= taken)
            return old;
        if (size - taken <= (size_t)(arena->end - arena->at)) {
            size_t more = (size - taken + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            if (more <= (size_t)(arena->end - arena->at)) {
                arena->at += more;
                return old;
            }
        }
    }
    void *memory = arena_alloc(arena, size);
    return memory && old ? memcpy(memory, old, old_size < size ? old_size : size) : memory;
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
    /* Mostly it fits into what is there, and is then where it will be. */
    size_t room = (size_t)(arena->end - arena->at);
    int len = vsnprintf(room ? arena->at : NULL, room, format, arguments);
    char *copy = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (copy && (size_t)len >= room && vsnprintf(copy, (size_t)len + 1, format, again) != len)
        copy = NULL;
    va_end(again);
    va_end(arguments);
    return (struct text){ copy, copy ? (size_t)len : 0 };
}

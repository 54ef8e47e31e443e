#ifndef ROSTER_BASE_BUFFER_H
#define ROSTER_BASE_BUFFER_H

#include "base/arena.h"

/**
 * Text that grows at its end, in an arena. A failed growth is remembered: later additions do
 * nothing, and whoever uses the result looks at `failed` once.
 */
struct buffer {
    struct arena *arena;
    char *at;
    size_t len;
    size_t capacity;
    bool failed;
};

/** An empty buffer with room for `capacity` bytes. */
void buffer_init(struct buffer *buffer, struct arena *arena, size_t capacity);

/** Makes room for `more` bytes after the end; false (and failed) when memory is short. */
bool buffer_reserve(struct buffer *buffer, size_t more);

void buffer_add(struct buffer *buffer, struct text text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_int64(struct buffer *buffer, int64_t number);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What was gathered. Valid as long as the arena, and until the next addition. */
static inline struct text buffer_text(const struct buffer *buffer) {
    return (struct text){ buffer->at, buffer->len };
}

#endif

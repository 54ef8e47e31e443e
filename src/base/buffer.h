#ifndef ROSTER_BASE_BUFFER_H
#define ROSTER_BASE_BUFFER_H

#include "base/arena.h"

/**
 * Text that grows at its end, in an arena. After an addition that found no memory `failed` is set
 * and further additions do nothing, so the caller checks `failed` once, when the text is complete.
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

/** Makes room for `more` bytes after the end. False, and `failed` is set, if there is no memory. */
bool buffer_reserve(struct buffer *buffer, size_t more);

/* These add at the end, or set `failed`. */
void buffer_add(struct buffer *buffer, struct text text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_int64(struct buffer *buffer, int64_t number);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The text so far. Valid until the next addition, and no longer than the arena. */
static inline struct text buffer_text(const struct buffer *buffer) {
    return (struct text){ buffer->at, buffer->len };
}

#endif

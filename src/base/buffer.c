/* Growing text in an arena. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_init(struct buffer *buffer, struct arena *arena, size_t capacity) {
    *buffer = (struct buffer){ .arena = arena };
    if (capacity)
        (void)buffer_reserve(buffer, capacity);
}

bool buffer_reserve(struct buffer *buffer, size_t more) {
    if (buffer->failed)
        return false;
    if (more <= buffer->capacity - buffer->len)
        return true;
    /* Growing by half each time keeps the cost of copying in proportion to the text's length. */
    size_t capacity = buffer->capacity + buffer->capacity / 2 + 64;
    if (more > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4)
        return !(buffer->failed = true);
    if (capacity < buffer->len + more)
        capacity = buffer->len + more;
    char *at = arena_grow(buffer->arena, buffer->at, buffer->capacity, capacity);
    if (!at)
        return !(buffer->failed = true);
    buffer->at = at;
    buffer->capacity = capacity;
    return true;
}

void buffer_add(struct buffer *buffer, struct text text) {
    if (!text.len || !buffer_reserve(buffer, text.len))
        return;
    memcpy(buffer->at + buffer->len, text.at, text.len);
    buffer->len += text.len;
}

void buffer_add_char(struct buffer *buffer, char c) {
    if (buffer_reserve(buffer, 1))
        buffer->at[buffer->len++] = c;
}

void buffer_add_int64(struct buffer *buffer, int64_t number) {
    if (buffer_reserve(buffer, INT64_TEXT_MAX))
        buffer->len += text_from_int64(number, buffer->at + buffer->len);
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = buffer->capacity - buffer->len; /* the first try: it often fits */
    int len = vsnprintf(room ? buffer->at + buffer->len : NULL, room, format, arguments);
    if (len < 0)
        buffer->failed = true;
    else if ((size_t)len < room && !buffer->failed)
        buffer->len += (size_t)len;
    else if (buffer_reserve(buffer, (size_t)len + 1))
        buffer->len += (size_t)vsnprintf(buffer->at + buffer->len, (size_t)len + 1, format, again);
    va_end(again);
    va_end(arguments);
}

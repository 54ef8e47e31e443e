/* Texts as pointer and length, and what all rooms do with them. */
#include "base/text.h"

bool text_starts_nocase(struct text whole, struct text start) {
    if (whole.len < start.len)
        return false;
    for (size_t i = 0; i < start.len; i++)
        if (whole.at[i] != start.at[i] && text_lower(whole.at[i]) != text_lower(start.at[i]))
            return false;
    return true;
}

bool text_equal_nocase(struct text a, struct text b) {
    return a.len == b.len && text_starts_nocase(a, b);
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text text) {
    while (text.len && is_blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

struct text text_without_mark(struct text text) {
    static const char mark[] = { '\xEF', '\xBB', '\xBF' };
    if (text.len < sizeof mark || memcmp(text.at, mark, sizeof mark) != 0)
        return text;
    return (struct text){ text.at + sizeof mark, text.len - sizeof mark };
}

struct text text_cut(struct text *rest, char separator) {
    struct text part = *rest;
    const char *found = part.len ? memchr(part.at, separator, part.len) : NULL;
    if (!found) {
        *rest = (struct text){ 0 };
        return part;
    }
    part.len = (size_t)(found - part.at);
    rest->at = found + 1;
    rest->len -= part.len + 1;
    return part;
}

bool text_next(struct text *list, struct text *item) {
    do
        *item = text_trim(text_cut(list, ','));
    while (!item->len && list->at);
    return item->len;
}

bool text_to_int64(struct text text, int64_t *out) {
    bool negative = text.len && text.at[0] == '-';
    size_t at = negative;
    if (text.len == at || (text.at[at] == '0' && text.len > 1))
        return false;
    int64_t number = 0; /* counts down: INT64_MIN has no positive counterpart */
    for (; at < text.len; at++) {
        if (text.at[at] < '0' || text.at[at] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, text.at[at] - '0', &number))
            return false;
    }
    if (!negative && number == INT64_MIN)
        return false;
    *out = negative ? number : -number;
    return true;
}

size_t text_from_int64(int64_t number, char *out) {
    char reversed[INT64_TEXT_MAX];
    size_t digits = 0, len = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        reversed[digits++] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        out[len++] = '-';
    while (digits)
        out[len++] = reversed[--digits];
    return len;
}

size_t text_characters(struct text utf8) {
    size_t characters = 0;
    for (size_t i = 0; i < utf8.len; i++)
        characters += ((unsigned char)utf8.at[i] & 0xC0) != 0x80;
    return characters;
}

bool text_take_brackets(struct text *name) {
    size_t at = name->len;
    if (at < 2 || name->at[at - 1] != ']')
        return false;
    for (at--; at && name->at[at - 1] >= '0' && name->at[at - 1] <= '9';)
        at--;
    if (at < 2 || name->at[at - 1] != '[')
        return false;
    name->len = at - 1;
    return true;
}

/* Base32, in which TOTP secrets are written. */
#include "rules/base32.h"

#include "rules/precis.h"

static int digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

size_t base32_decode(struct text text, unsigned char *out) {
    size_t digits = 0, bytes = 0;
    unsigned bits = 0, held = 0;
    text = text_trim(text);
    while (text.len && text.at[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        size_t blank = precis_blank_size((struct text){ text.at + i, text.len - i });
        if (blank) {
            i += blank - 1;
            continue;
        }
        int value = digit(text.at[i]);
        if (value < 0)
            return 0;
        digits++;
        bits = (bits << 5 | (unsigned)value) & 0xFFF;
        held += 5;
        if (held < 8)
            continue;
        held -= 8;
        if (out)
            out[bytes] = (unsigned char)(bits >> held);
        bytes++;
    }
    /* No number of bytes leaves 1, 3 or 6 digits after the last group of 8. */
    size_t left = digits % 8;
    return left == 1 || left == 3 || left == 6 ? 0 : bytes;
}

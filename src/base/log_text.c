/* The text of a line of the log. */
#include "base/log_text.h"

#include <string.h>

/* Escaped text leaves so many bytes free that the rest of the line, and the end of a JSON object,
 * has room in any case. */
enum { TAIL = 512, ESCAPED_MAX = 20 /* bytes of one character */ };

void log_text_add(struct log_text *line, struct text text) {
    size_t room = sizeof line->at - line->len, len = text.len < room ? text.len : room;
    if (len)
        memcpy(line->at + line->len, text.at, len);
    line->len += len;
}

void log_text_add_number(struct log_text *line, int64_t number) {
    char digits[INT64_TEXT_MAX];
    log_text_add(line, (struct text){ digits, text_from_int64(number, digits) });
}

void log_text_add_ms(struct log_text *line, int64_t us) {
    const int64_t rest = us % 1000;
    const char fraction[] = { '.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                              (char)('0' + rest % 10) };
    log_text_add_number(line, us / 1000);
    log_text_add(line, (struct text){ fraction, sizeof fraction });
}

/* The length of the UTF-8 sequence that begins at `at` (RFC 3629 section 4), and its code point; 0:
 * there is none. */
static size_t sequence(const char *at, size_t left, uint32_t *point) {
    const unsigned char *bytes = (const unsigned char *)at;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = bytes[0] < 0x80             ? 1
                 : (bytes[0] & 0xE0) == 0xC0 ? 2
                 : (bytes[0] & 0xF0) == 0xE0 ? 3
                 : (bytes[0] & 0xF8) == 0xF0 ? 4
                                             : 0;
    if (!len || len > left)
        return 0;
    *point = len == 1 ? bytes[0] : bytes[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        *point = *point << 6 | (bytes[i] & 0x3F);
    }
    bool is_surrogate = *point >= 0xD800 && *point <= 0xDFFF;
    return *point >= least[len] && *point <= 0x10FFFF && !is_surrogate ? len : 0;
}

/* Not the control characters of ASCII and Latin 1, the ends of lines, and the characters that turn
 * the direction of writing. */
static bool is_shown(uint32_t point) {
    return point >= 0x20 && !(point >= 0x7F && point < 0xA0) && point != 0x2028 &&
           point != 0x2029 && !(point >= 0x202A && point <= 0x202E) &&
           !(point >= 0x2066 && point <= 0x2069);
}

static bool has_room(const struct log_text *line, size_t size) {
    return line->len + size + TAIL <= sizeof line->at;
}

static void add_hex(struct log_text *line, unsigned char byte, bool quoted) {
    static const char digits[] = "0123456789abcdef";
    const char escape[] = { '\\', '\\', 'x', digits[byte >> 4], digits[byte & 15] };
    log_text_add(line, (struct text){ escape + !quoted, sizeof escape - !quoted });
}

/* The length of the printable ASCII that the text begins with: nearly always all of it. */
static size_t plain_length(struct text text, bool quoted) {
    size_t len = 0;
    while (len < text.len && text.at[len] >= 0x20 && text.at[len] < 0x7F &&
           !(quoted && (text.at[len] == '"' || text.at[len] == '\\')))
        len++;
    return len;
}

void log_text_add_escaped(struct log_text *line, struct text text, bool quoted) {
    for (size_t i = 0, len; i < text.len; i += len) {
        const struct text rest = { text.at + i, text.len - i };
        uint32_t point = 0;
        len = plain_length(rest, quoted);
        if (len && has_room(line, len)) {
            log_text_add(line, (struct text){ rest.at, len });
            continue;
        }
        if (!has_room(line, ESCAPED_MAX))
            return;
        len = sequence(rest.at, rest.len, &point);
        if (len && is_shown(point)) {
            if (quoted && (point == '"' || point == '\\'))
                log_text_add(line, TEXT("\\"));
            log_text_add(line, (struct text){ rest.at, len });
            continue;
        }
        len = len ? len : 1;
        for (size_t j = 0; j < len; j++)
            add_hex(line, (unsigned char)rest.at[j], quoted);
    }
}

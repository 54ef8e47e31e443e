#include "api/bulk/csv.h"

#include <string.h>

/* ---- Formulas ---- */

/* Does a cell, behind any apostrophes, begin like a formula? */
static bool is_formula(struct text text) {
    size_t at = 0;
    while (at < text.len && text.at[at] == '\'')
        at++;
    return at < text.len && memchr("=+-@\t\r", text.at[at], 6);
}

static struct text without_apostrophe(struct text cell) {
    if (cell.len && cell.at[0] == '\'' && is_formula(cell))
        return (struct text){ cell.at + 1, cell.len - 1 };
    return cell;
}

/* ---- Writing ---- */

static bool needs_quotes(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if (memchr(",\"\r\n", text.at[i], 4))
            return true;
    return text.len && (text.at[0] == ' ' || text.at[text.len - 1] == ' ');
}

void csv_add_cell(struct buffer *out, struct text text) {
    bool has_quotes = needs_quotes(text);
    if (has_quotes)
        buffer_add_char(out, '"');
    if (is_formula(text))
        buffer_add_char(out, '\'');
    for (const char *quote; has_quotes && (quote = memchr(text.at, '"', text.len));) {
        size_t size = (size_t)(quote - text.at) + 1;
        buffer_add(out, (struct text){ text.at, size });
        buffer_add_char(out, '"');
        text = (struct text){ text.at + size, text.len - size };
    }
    buffer_add(out, text);
    if (has_quotes)
        buffer_add_char(out, '"');
}

/* ---- Reading ---- */

static bool is_line_end(char one) {
    return one == '\n' || one == '\r';
}

static bool at_line_end(struct text rest) {
    return rest.len && is_line_end(rest.at[0]);
}

char csv_separator(struct text file) {
    static const char separators[] = { ',', ';', '\t' };
    size_t counts[sizeof separators] = { 0 };
    size_t most = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < file.len && (is_quoted || !is_line_end(file.at[i])); i++) {
        const char *found = memchr(separators, file.at[i], sizeof separators);
        is_quoted ^= file.at[i] == '"';
        if (found && !is_quoted)
            counts[found - separators]++;
    }
    for (size_t i = 1; i < sizeof separators; i++)
        if (counts[i] > counts[most])
            most = i;
    return separators[most];
}

static void skip(struct csv_reader *reader, size_t size) {
    reader->rest = (struct text){ reader->rest.at + size, reader->rest.len - size };
}

/* Takes one end of a line: CR LF, LF or CR. */
static void take_line_end(struct csv_reader *reader) {
    bool is_pair = reader->rest.len > 1 && reader->rest.at[0] == '\r' && reader->rest.at[1] == '\n';
    skip(reader, is_pair ? 2 : 1);
    reader->line++;
}

bool csv_next_row(struct csv_reader *reader) {
    while (at_line_end(reader->rest))
        take_line_end(reader);
    return reader->rest.len > 0;
}

/* Copies what is between quotes, whose first one was taken. False: the last one is missing. */
static bool take_quoted(struct csv_reader *reader, struct buffer *cell) {
    while (reader->rest.len) {
        struct text rest = reader->rest;
        if (rest.at[0] == '"' && (rest.len < 2 || rest.at[1] != '"')) {
            skip(reader, 1);
            return true;
        }
        bool is_pair = rest.len > 1 && rest.at[0] == '\r' && rest.at[1] == '\n';
        reader->line += at_line_end(rest) && !is_pair; /* a pair counts at its second half */
        buffer_add_char(cell, rest.at[0]);
        skip(reader, rest.at[0] == '"' ? 2 : 1);
    }
    return false;
}

static struct text take_plain(struct csv_reader *reader) {
    const char ends[] = { reader->separator, '\r', '\n' };
    size_t size = 0;
    while (size < reader->rest.len && !memchr(ends, reader->rest.at[size], sizeof ends))
        size++;
    struct text cell = { reader->rest.at, size };
    skip(reader, size);
    return cell;
}

/* Text behind the closing quote belongs to the cell, as spreadsheets read it. */
static bool take_cell(struct csv_reader *reader, struct arena *arena, struct text *cell) {
    struct buffer quoted;
    if (!reader->rest.len || reader->rest.at[0] != '"') {
        *cell = take_plain(reader);
        return true;
    }
    skip(reader, 1);
    buffer_init(&quoted, arena, 64);
    if (!take_quoted(reader, &quoted))
        return false;
    buffer_add(&quoted, take_plain(reader));
    *cell = buffer_text(&quoted);
    if (quoted.failed)
        *cell = (struct text){ 0 };
    return true;
}

enum csv_result csv_next(struct csv_reader *reader, struct arena *arena, struct text *cell) {
    if (!take_cell(reader, arena, cell))
        return CSV_unclosed;
    *cell = without_apostrophe(*cell);
    if (reader->rest.len && reader->rest.at[0] == reader->separator) {
        skip(reader, 1);
        return CSV_cell;
    }
    if (at_line_end(reader->rest))
        take_line_end(reader);
    return CSV_last;
}

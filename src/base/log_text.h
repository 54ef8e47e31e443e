#ifndef ROSTER_BASE_LOG_TEXT_H
#define ROSTER_BASE_LOG_TEXT_H

#include "base/text.h"

enum { LOG_TEXT_MAX = 4096 }; /* PIPE_BUF: what a pipe takes in one piece */

/**
 * A line of the log that is being written. Text that does not fit is cut, but escaped text always
 * leaves 512 bytes. `len` begins as 0.
 */
struct log_text {
    size_t len;
    char at[LOG_TEXT_MAX];
};

/** Adds text of our own, as it is. */
void log_text_add(struct log_text *line, struct text text);

/** Adds a number. */
void log_text_add_number(struct log_text *line, int64_t number);

/** Adds microseconds as milliseconds: "12.345". */
void log_text_add_ms(struct log_text *line, int64_t us);

/**
 * Adds text from anywhere. Control characters, bytes that are no UTF-8, and characters that break
 * or turn a line (U+2028, U+202E and the like) become \xNN, so no text can forge a line. With
 * `quoted` also escapes `"` and `\`, for a string of JSON.
 */
void log_text_add_escaped(struct log_text *line, struct text text, bool quoted);

#endif

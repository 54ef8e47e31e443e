/* The log: one event is one line, and one write(2), so that lines of several threads do not mix. */
#include "base/log.h"

#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level highest = LOG_LEVEL_info;

void log_set_level(enum log_level level) {
    highest = level;
}

/* Writes line breaks and other control characters as \xNN: text from outside could otherwise forge
 * a line of the log. Returns the length. */
static size_t escape(const char *text, char *out, size_t room) {
    size_t len = 0;
    for (; *text && len + 5 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7F)
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, 5, "\\x%02x", c);
    }
    return len;
}

void report_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("rosterd: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

void log_line(enum log_level level, const char *format, ...) {
    static const char *const names[] = { "error", "warning", "info", "debug" };
    if (level > highest)
        return;
    char message[2048], line[4096];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        return;
    size_t len = time_format(time_now_ms(), line);
    len += (size_t)snprintf(line + len, 16, " %s: ", names[level]);
    len += escape(message, line + len, sizeof line - len - 1);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* if standard error is gone there is no place left to report it */
}

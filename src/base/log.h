#ifndef ROSTER_BASE_LOG_H
#define ROSTER_BASE_LOG_H

enum log_level { LOG_LEVEL_error, LOG_LEVEL_warning, LOG_LEVEL_info, LOG_LEVEL_debug };

/** Drops lines above `level` from here on. Once, before threads start. */
void log_set_level(enum log_level level);

/**
 * Writes one line to standard error, with time and level, in one write(2). Escapes control
 * characters. Must not be given secrets or bytes of a request's body. Any thread.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Writes "rosterd: " and one line to standard error, for the person who starts the program: what is
 * wrong and what to do. Not for the log of a running server. Any thread.
 */
void report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...) log_line(LOG_LEVEL_error, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_warning, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_info, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_debug, __VA_ARGS__)

#endif

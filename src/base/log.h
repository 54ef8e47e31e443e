#ifndef ROSTER_BASE_LOG_H
#define ROSTER_BASE_LOG_H

enum log_level { LOG_LEVEL_error, LOG_LEVEL_warning, LOG_LEVEL_info, LOG_LEVEL_debug };

/** Lines of a higher level than this are dropped. Set once, before threads start. */
void log_set_level(enum log_level level);

/**
 * Writes one line to standard error, with time and level, in one write: any thread. Control
 * characters in the text are escaped. Never hand it a secret, or bytes of a request's body.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Writes "rosterd: " and one line to standard error: for the person who starts the program and has
 * to change something, not for the log. Any thread.
 */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...) log_line(LOG_LEVEL_error, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_warning, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_info, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_debug, __VA_ARGS__)

#endif

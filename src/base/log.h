#ifndef ROSTER_BASE_LOG_H
#define ROSTER_BASE_LOG_H

#include "base/text.h"

enum log_level { LOG_LEVEL_error, LOG_LEVEL_warning, LOG_LEVEL_info, LOG_LEVEL_debug };

/** Drops lines above `level` from here on. Any thread. */
void log_set_level(enum log_level level);

/** The same by the name of the level, as --log-level has it; any other name changes nothing. */
void log_set_level_named(const char *name);

/** Are lines of this level logged? Any thread. */
bool log_takes(enum log_level level);

/** Writes lines as JSON objects instead of text. Once, before other threads start. */
void log_use_json(void);

/**
 * From here on a thread of its own writes the lines, and log_line never waits for what reads them:
 * lines are dropped, and counted, while 512 KiB of them wait. The same line, if it is an error or a
 * warning, is then written at most once a second. Before it, and after log_stop, lines are written
 * at once, and a line waits for at most a second. False if the system refuses a thread.
 */
bool log_start(void) __attribute__((warn_unused_result));

/** Writes what waits, for at most a second. Once, after all other threads have ended; or before an
 * exit in which threads are left behind. */
void log_stop(void);

/**
 * Writes the counts of lines that came again and were not written. To be called about once a
 * second, on any thread.
 */
void log_flush(void);

/** How many lines were dropped because what reads the log stood still. Any thread. */
uint64_t log_dropped(void);

/**
 * Writes one line to standard error, with time and level. Escapes what is not printable. Must not
 * be given secrets or bytes of a request's body. Any thread.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The kind of a field's value. LOG_none leaves the field out. */
enum log_kind { LOG_none, LOG_text, LOG_number, LOG_ms };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct text text; /* LOG_text */
    int64_t number;   /* LOG_number; LOG_ms: microseconds, written as milliseconds */
};

/**
 * Writes a line of an event. JSON has the fields as members. In text format the line is
 * "event: text"; with `text` NULL it is "event: name=value name=value". Never counted as a
 * repetition. Otherwise as log_line. Any thread.
 */
void log_event(enum log_level level, const char *event, const char *text,
               const struct log_field *fields, unsigned count);

/**
 * Writes "rosterd: " and one line to standard error, for the person who starts the program: what is
 * wrong and what to do. A reload reports mistakes of the settings in the same way: while the log's
 * thread runs, it writes the line, so that no line of the log stands within it, and in a log of
 * JSON it is JSON. Any thread.
 */
void report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...) log_line(LOG_LEVEL_error, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_warning, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_info, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_debug, __VA_ARGS__)

#endif

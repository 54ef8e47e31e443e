/* The log: one event is one line, as text or as an object of JSON.
 *
 * log_text.c escapes what lines contain, log_output.c takes them to standard error. While a server
 * runs, the same error or warning is one line a second: a full disk would otherwise fill the log,
 * and with it another disk. The further ones are counted, and the count stands in the next line
 * of that kind, or by log_flush once they have stopped. */
#include "base/log.h"

#include "base/log_output.h"
#include "base/log_text.h"
#include "base/mutex.h"
#include "base/time.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum { MESSAGE_MAX = 2048, KEPT = 32, AGAIN_MS = 1000 };

static const char *const names[] = { "error", "warning", "info", "debug" };
static atomic_uint highest = LOG_LEVEL_info;
static bool is_json;

void log_set_level(enum log_level level) {
    atomic_store(&highest, level);
}

bool log_takes(enum log_level level) {
    return level <= atomic_load_explicit(&highest, memory_order_relaxed);
}

void log_use_json(void) {
    is_json = true;
}

void log_set_level_named(const char *name) {
    for (unsigned level = LOG_LEVEL_error; level <= LOG_LEVEL_debug; level++)
        if (strcmp(name, names[level]) == 0)
            log_set_level((enum log_level)level);
}

/* ---- lines ---- */

static void begin_line(struct log_text *line, enum log_level level) {
    line->len = time_format(time_now_ms(), line->at + (is_json ? 9 : 0));
    if (is_json) {
        memcpy(line->at, "{\"time\":\"", 9);
        line->len += 9;
        log_text_add(line, TEXT("\",\"level\":\""));
        log_text_add(line, text_of(names[level]));
        log_text_add(line, TEXT("\""));
    } else {
        log_text_add(line, TEXT(" "));
        log_text_add(line, text_of(names[level]));
        log_text_add(line, TEXT(": "));
    }
}

static void end_line(struct log_text *line, enum log_level level) {
    log_text_add(line, is_json ? TEXT("}\n") : TEXT("\n"));
    log_output_add((struct text){ line->at, line->len }, level <= LOG_LEVEL_warning);
}

static void add_member(struct log_text *line, const char *name) {
    log_text_add(line, TEXT(",\""));
    log_text_add(line, text_of(name));
    log_text_add(line, TEXT("\":"));
}

static void add_string_member(struct log_text *line, const char *name, struct text text) {
    add_member(line, name);
    log_text_add(line, TEXT("\""));
    log_text_add_escaped(line, text, true);
    log_text_add(line, TEXT("\""));
}

static void add_value(struct log_text *line, const struct log_field *field) {
    if (field->kind == LOG_ms)
        log_text_add_ms(line, field->number);
    else if (field->kind == LOG_number)
        log_text_add_number(line, field->number);
    else
        log_text_add_escaped(line, field->text, false);
}

static void add_field(struct log_text *line, const struct log_field *field) {
    if (is_json && field->kind == LOG_text) {
        add_string_member(line, field->name, field->text);
        return;
    }
    if (is_json) {
        add_member(line, field->name);
    } else {
        log_text_add(line, TEXT(" "));
        log_text_add(line, text_of(field->name));
        log_text_add(line, TEXT("="));
    }
    add_value(line, field);
}

void log_event(enum log_level level, const char *event, const char *text,
               const struct log_field *fields, unsigned count) {
    struct log_text line;
    if (!log_takes(level))
        return;
    begin_line(&line, level);
    if (is_json) {
        add_string_member(&line, "event", text_of(event));
    } else {
        log_text_add(&line, text_of(event));
        log_text_add(&line, text ? TEXT(": ") : TEXT(":"));
        log_text_add_escaped(&line, text_of(text), false);
    }
    for (unsigned i = 0; i < count; i++)
        if (fields[i].kind != LOG_none && (is_json || !text))
            add_field(&line, &fields[i]);
    end_line(&line, level);
}

static void write_message(enum log_level level, const char *message, unsigned more) {
    struct log_text line;
    begin_line(&line, level);
    if (is_json)
        add_string_member(&line, "message", text_of(message));
    else
        log_text_add_escaped(&line, text_of(message), false);
    if (more && is_json) {
        add_member(&line, "more_before");
        log_text_add_number(&line, more);
    } else if (more) {
        log_text_add(&line, TEXT(", and "));
        log_text_add_number(&line, more);
        log_text_add(&line, TEXT(" more before"));
    }
    end_line(&line, level);
}

/* Its lines are marked in the same way whether the log's thread runs or not. */
static void write_report(const char *message) {
    struct log_text line = { .len = 0 };
    if (is_json) {
        write_message(LOG_LEVEL_error, message, 0);
        return;
    }
    log_text_add(&line, TEXT("rosterd: "));
    log_text_add_escaped(&line, text_of(message), false);
    end_line(&line, LOG_LEVEL_error);
}

void report_error(const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    if (log_output_runs()) {
        if (vsnprintf(message, sizeof message, format, arguments) >= 0)
            write_report(message);
    } else {
        (void)fputs("rosterd: ", stderr);
        (void)vfprintf(stderr, format, arguments);
        (void)fputc('\n', stderr);
    }
    va_end(arguments);
}

/* ---- repetitions ---- */

struct kept {
    enum log_level level;
    int64_t since_ms; /* when its last line was written; 0: the place is free */
    unsigned more;    /* further ones since then */
    char message[MESSAGE_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct kept kept[KEPT];
} repetitions = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Finds the place of the message, or the place whose last line is the oldest. */
static struct kept *find(const char *message, bool *is_same) {
    struct kept *oldest = repetitions.kept;
    for (int i = 0; i < KEPT; i++) {
        struct kept *kept = &repetitions.kept[i];
        *is_same = kept->since_ms && strcmp(kept->message, message) == 0;
        if (*is_same)
            return kept;
        if (kept->since_ms < oldest->since_ms)
            oldest = kept;
    }
    return oldest;
}

/* Writes the count of a place that repeats no longer. */
static void tell_count(struct kept *kept, int64_t now_ms) {
    if (!kept->more)
        return;
    write_message(kept->level, kept->message, kept->more - 1); /* one of them is the line */
    kept->more = 0;
    kept->since_ms = now_ms;
}

static void write_or_count(enum log_level level, const char *message) {
    int64_t now_ms = time_monotonic_ms();
    bool is_same;
    mutex_lock(&repetitions.lock);
    struct kept *kept = find(message, &is_same);
    if (is_same && now_ms - kept->since_ms < AGAIN_MS) {
        kept->more++;
    } else {
        unsigned more = is_same ? kept->more : 0;
        if (!is_same)
            tell_count(kept, now_ms);
        (void)snprintf(kept->message, sizeof kept->message, "%s", message);
        kept->level = level;
        kept->since_ms = now_ms;
        kept->more = 0;
        write_message(level, message, more);
    }
    mutex_unlock(&repetitions.lock);
}

static void flush(int64_t before_ms) {
    mutex_lock(&repetitions.lock);
    for (int i = 0; i < KEPT; i++)
        if (repetitions.kept[i].since_ms <= before_ms)
            tell_count(&repetitions.kept[i], time_monotonic_ms());
    mutex_unlock(&repetitions.lock);
}

void log_flush(void) {
    uint64_t unreported = log_output_take_unreported();
    flush(time_monotonic_ms() - AGAIN_MS);
    if (unreported)
        log_warning("log: %llu lines were dropped, because what reads the log stood still",
                    (unsigned long long)unreported);
}

/* ---- all together ---- */

bool log_start(void) {
    return log_output_start();
}

void log_stop(void) {
    log_flush();
    flush(INT64_MAX);
    log_output_stop();
}

uint64_t log_dropped(void) {
    return log_output_dropped();
}

void log_line(enum log_level level, const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list arguments;
    if (!log_takes(level))
        return;
    va_start(arguments, format);
    int wanted = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        return;
    if (level <= LOG_LEVEL_warning && log_output_runs())
        write_or_count(level, message);
    else
        write_message(level, message, 0);
}

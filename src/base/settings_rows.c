/* The rows of settings.def, and the values of their types. */
#include "base/settings_rows.h"

#include "base/database_url.h"
#include "base/log.h"
#include "base/settings_items.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_string(value)                                                                      \
    { .text = value }
#define INITIAL_url(value)                                                                         \
    { .text = value }
#define INITIAL_secret(value)                                                                      \
    { .text = value }
#define INITIAL_list(value)                                                                        \
    { .text = value }
#define INITIAL_choice(value)                                                                      \
    { .text = value }
#define INITIAL_flag(value)                                                                        \
    { .number = value }
#define INITIAL_number(value)                                                                      \
    { .number = value }
#define INITIAL_mode(value)                                                                        \
    { .number = value }

const struct setting setting_rows[] = {
#define ROW(member, type, option, initial, least, most, argument, help, is_reloadable)             \
    { option,                                                                                      \
      SETTING_##type,                                                                              \
      offsetof(struct settings, member),                                                           \
      INITIAL_##type(initial),                                                                     \
      least,                                                                                       \
      most,                                                                                        \
      argument,                                                                                    \
      help,                                                                                        \
      is_reloadable },
#define SETTING(...) ROW(__VA_ARGS__, false)
#define RELOADABLE(...) ROW(__VA_ARGS__, true)
#include "base/settings.def"
#undef SETTING
#undef ROW
};

const struct setting_rename setting_renames[] = { { "sandbox", "seccomp" } };

/* ---- Values ---- */

bool setting_is_text(const struct setting *row) {
    return row->type == SETTING_string || row->type == SETTING_url || row->type == SETTING_secret ||
           row->type == SETTING_list || row->type == SETTING_choice;
}

union setting_value setting_value_of(const struct settings *settings, const struct setting *row) {
    const char *member = (const char *)settings + row->offset;
    union setting_value value = { 0 };
    if (setting_is_text(row))
        memcpy(&value.text, member, sizeof value.text);
    else if (row->type == SETTING_flag)
        value.number = *(const bool *)member;
    else
        memcpy(&value.number, member, sizeof value.number);
    return value;
}

/* Members have the C type of their setting's type: see settings.h. */
void setting_store(struct settings *settings, const struct setting *row,
                   union setting_value value) {
    char *member = (char *)settings + row->offset;
    switch (row->type) {
    case SETTING_string:
    case SETTING_url:
    case SETTING_secret:
    case SETTING_list:
    case SETTING_choice: memcpy(member, &value.text, sizeof value.text); break;
    case SETTING_flag: *(bool *)member = value.number; break;
    case SETTING_number:
    case SETTING_mode: memcpy(member, &value.number, sizeof value.number); break;
    }
}

static bool is_choice(const struct setting *row, const char *text) {
    struct text choices = text_of(row->argument);
    while (choices.at)
        if (text_equal(text_cut(&choices, '|'), text_of(text)))
            return true;
    return false;
}

static bool take_flag(const char *text, long *flag) {
    *flag = strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;
    return *flag || strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || strcmp(text, "no") == 0;
}

/* The default is valid even if it lies outside the bounds: 0 can then stand for a computed value.
 */
static bool take_number(const struct setting *row, const char *text, long *number) {
    int64_t wide;
    if (!text_to_int64(text_of(text), &wide))
        return false;
    if (wide != row->initial.number && (wide < row->least || wide > row->most))
        return false;
    *number = (long)wide;
    return true;
}

/* Three or four octal digits. */
static bool take_mode(const struct setting *row, const char *text, long *mode) {
    size_t digits = strspn(text, "01234567");
    if (text[digits] || digits < 3 || digits > 4)
        return false;
    *mode = strtol(text, NULL, 8);
    return *mode >= row->least && *mode <= row->most;
}

static bool take_list(const struct setting *row, const char *text,
                      char message[SETTING_SOURCE_MAX]) {
    const char *refusal = settings_items_refusal(row->argument, text_of(text));
    (void)snprintf(message, SETTING_SOURCE_MAX, "%s", refusal ? refusal : "");
    return !refusal;
}

bool setting_parse(const struct setting *row, const char *text, union setting_value *value,
                   char message[SETTING_SOURCE_MAX]) {
    switch (row->type) {
    case SETTING_string:
    case SETTING_secret: break;
    case SETTING_list: return take_list(row, text, message);
    case SETTING_url:
        (void)snprintf(message, SETTING_SOURCE_MAX, DATABASE_URL_PASSWORD);
        return !database_url_has_password(text);
    case SETTING_choice:
        (void)snprintf(message, SETTING_SOURCE_MAX, "must be one of %s", row->argument);
        return is_choice(row, text);
    case SETTING_flag:
        (void)snprintf(message, SETTING_SOURCE_MAX, "must be true or false");
        return take_flag(text, &value->number);
    case SETTING_number:
        if (row->initial.number < row->least)
            (void)snprintf(message, SETTING_SOURCE_MAX,
                           "must be %ld, or a whole number from %ld to %ld", row->initial.number,
                           row->least, row->most);
        else
            (void)snprintf(message, SETTING_SOURCE_MAX, "must be a whole number from %ld to %ld",
                           row->least, row->most);
        return take_number(row, text, &value->number);
    case SETTING_mode:
        (void)snprintf(message, SETTING_SOURCE_MAX,
                       "must be three or four octal digits, like %04lo", row->initial.number);
        return take_mode(row, text, &value->number);
    }
    return true;
}

void settings_show(const struct settings *settings, unsigned index, struct shown_setting *shown) {
    const struct setting *row = &setting_rows[index];
    const union setting_value value = setting_value_of(settings, row);
    shown->option = row->option;
    shown->origin = settings->origins[index] ? settings->origins[index] : "default";
    shown->value = shown->room;
    if (row->type == SETTING_secret)
        shown->value = *value.text ? "(set)" : "";
    else if (setting_is_text(row))
        shown->value = value.text;
    else if (row->type == SETTING_flag)
        shown->value = value.number ? "yes" : "no";
    else if (row->type == SETTING_mode)
        (void)snprintf(shown->room, sizeof shown->room, "%04lo", value.number);
    else
        (void)snprintf(shown->room, sizeof shown->room, "%ld", value.number);
}

/* Where the value of the setting stands whose flag begins the message; "": on the command line, or
 * nowhere. */
static const char *place_of(const struct settings *settings, const char *message) {
    const struct text flag = { message, strcspn(message, " :") };
    char name[SETTING_NAME_MAX + 2];
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        const char *origin = settings->origins[i];
        (void)snprintf(name, sizeof name, "--%s", setting_rows[i].option);
        if (origin && strncmp(origin, "--", 2) != 0 && text_equal(flag, text_of(name)))
            return origin;
    }
    return "";
}

void settings_fault(const struct settings *settings, const char *format, ...) {
    char message[PATH_MAX + SETTING_SOURCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) >= 0) {
        const char *place = place_of(settings, message);
        report_error("%s%s%s", place, *place ? ": " : "", message);
    }
    va_end(arguments);
}

/* ---- Names ---- */

bool setting_option(const char *option, char *name, size_t size) {
    int len = snprintf(name, size, "%s", option);
    return len > 0 && (size_t)len < size;
}

/* ROSTER_IO_THREADS for io-threads. False if it does not fit. */
bool setting_variable(const char *option, char *name, size_t size) {
    int len = snprintf(name, size, "ROSTER_%s", option);
    for (char *c = name; len > 0 && (size_t)len < size && *c; c++)
        *c = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return len > 0 && (size_t)len < size;
}

static unsigned least_of(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* `row` is the only row of the usual table that is needed at a time. */
unsigned setting_edits(struct text name, struct text other) {
    unsigned row[SETTING_NAME_MAX + 1];
    size_t len = name.len < SETTING_NAME_MAX ? name.len : SETTING_NAME_MAX;
    for (unsigned i = 0; i <= len; i++)
        row[i] = i;
    for (unsigned j = 0; j < other.len; j++) {
        unsigned diagonal = row[0];
        row[0] = j + 1;
        for (size_t i = 0; i < len; i++) {
            unsigned replaced = diagonal + (name.at[i] != other.at[j]);
            diagonal = row[i + 1];
            row[i + 1] = least_of(replaced, row[i] + 1, diagonal + 1);
        }
    }
    return row[len];
}

void setting_nearest(struct text name, bool (*known_as)(const char *, char *, size_t), char *out,
                     size_t size) {
    unsigned fewest = UINT_MAX;
    char known[SETTING_NAME_MAX];
    for (size_t i = 0; i < SETTING_RENAMES; i++)
        if (known_as(setting_renames[i].option, known, sizeof known) &&
            text_equal(name, text_of(known)) && known_as(setting_renames[i].now, out, size))
            return;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) /* ROSTER_LISTEN in a file */
        if (setting_variable(setting_rows[i].option, known, sizeof known) &&
            text_equal(name, text_of(known)) && known_as(setting_rows[i].option, out, size))
            return;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (!known_as(setting_rows[i].option, known, sizeof known))
            continue;
        unsigned needed = setting_edits(name, text_of(known));
        if (needed < fewest)
            (void)snprintf(out, size, "%s", known);
        fewest = needed < fewest ? needed : fewest;
    }
}

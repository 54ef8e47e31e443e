#ifndef ROSTER_BASE_SETTINGS_ROWS_H
#define ROSTER_BASE_SETTINGS_ROWS_H

/* The rows of settings.def, and the values of their types. */

#include "base/settings.h"
#include "base/text.h"

#include <stddef.h>

enum setting_type {
    SETTING_string,
    SETTING_url,
    SETTING_secret,
    SETTING_list,
    SETTING_choice,
    SETTING_flag,
    SETTING_number,
    SETTING_mode
};

union setting_value {
    const char *text;
    long number;
};

struct setting {
    const char *option;
    enum setting_type type;
    size_t offset;
    union setting_value initial;
    long least, most;
    const char *argument, *help;
    bool is_reloadable;
};

/** In the order of settings.def. */
extern const struct setting setting_rows[SETTINGS_COUNT];

enum {
    SETTING_RENAMES = 1,
    SETTING_SOURCE_MAX = 512, /* of a source's name, and of a message */
    SETTING_NAME_MAX = 64,    /* longer names are cut when they are compared with known ones */
};

/** Settings under their former names, which are refused with a line that gives the new one. */
struct setting_rename {
    const char *option, *now;
};
extern const struct setting_rename setting_renames[SETTING_RENAMES];

/** Has the setting a text? Otherwise it has a number. */
bool setting_is_text(const struct setting *row);

/** The value of a setting, and its place in the settings. Texts are not copied. */
void setting_store(struct settings *settings, const struct setting *row, union setting_value value);
union setting_value setting_value_of(const struct settings *settings, const struct setting *row);

/**
 * Parses a value; of a text `*value` is left as it is. False if it is invalid; `message` then says
 * what is valid.
 */
bool setting_parse(const struct setting *row, const char *text, union setting_value *value,
                   char message[SETTING_SOURCE_MAX]);

/** A setting's name as an option, and as a variable. False if it does not fit. */
bool setting_option(const char *option, char *name, size_t size);
bool setting_variable(const char *option, char *name, size_t size);

/**
 * The Levenshtein distance: how many characters have to be added, removed or changed to turn one
 * name into the other, of which at most SETTING_NAME_MAX are compared.
 */
unsigned setting_edits(struct text name, struct text other);

/**
 * Writes to `out` the name of the setting that an unknown `name` most likely means: the new name of
 * a renamed setting, that of a variable, otherwise the most similar one. `known_as` is one of the
 * two above.
 */
void setting_nearest(struct text name, bool (*known_as)(const char *, char *, size_t), char *out,
                     size_t size);

/** A setting as `rosterd config` shows it. */
struct shown_setting {
    const char *option; /* its name on the command line and in the file */
    const char
        *origin; /* the source of the value: "--listen", "ROSTER_LISTEN", "FILE:3", "default" */
    const char *value; /* lies in the settings or in `room`; of a secret "(set)" or "" */
    char room[24];
};

/** The setting of a row of settings.def (below SETTINGS_COUNT). Any thread. */
void settings_show(const struct settings *settings, unsigned index, struct shown_setting *shown);

/**
 * Prints a mistake in the value of a setting, as report_error does. The message begins with the
 * setting's flag ("--listen ..."); before it the line has the place where the value stands:
 * "FILE:3: ", "ROSTER_LISTEN: ", nothing for the command line and a default. Main thread.
 */
void settings_fault(const struct settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

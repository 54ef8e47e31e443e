#ifndef ROSTER_BASE_SETTINGS_READING_H
#define ROSTER_BASE_SETTINGS_READING_H

/* The state of reading the settings, which the sources share. */

#include "base/settings_rows.h"

#include <stdio.h>

/* A text that a setting points to. Copies are freed, and wiped, with the settings. */
struct setting_copy {
    struct setting_copy *next;
    size_t size;
    char text[];
};

enum rank { RANK_DEFAULT, RANK_FILE, RANK_CREDENTIAL, RANK_ENVIRONMENT, RANK_FLAG };

/* A source replaces the value of a source of its own or a lower rank; to a
 * list of its own rank it adds. */
struct settings_reading {
    struct settings *settings;
    enum rank present;              /* of the source that is being read */
    enum rank rank[SETTINGS_COUNT]; /* of the source that each setting has its value from */
    bool in_file[SETTINGS_COUNT];   /* each setting that the file has named so far */
    unsigned given;                 /* a bit for each option of command_options that was given */
    const char *config;
    struct setting_copy *copies;
    FILE *file;
    unsigned line; /* number of the line of the file that was read last */
    int failed;    /* 0, or after a mistake a code of sysexits.h */
};

/**
 * Prints a mistake. Returns `code`; the code of the first mistake ends the program.
 */
int settings_report(struct settings_reading *reading, int code, const char *source,
                    const char *message);

/** A copy of a text that lives as long as the settings. NULL: no memory. */
const char *settings_keep(struct settings_reading *reading, const char *text);

/**
 * Sets a setting, unless a source of higher rank has set it. An invalid value is reported even
 * then. `text` must live as long as the settings. Returns 0, or the code of a mistake, which is
 * `code` for an invalid value.
 */
int settings_set(struct settings_reading *reading, size_t at, const char *text, const char *source,
                 int code);

#endif

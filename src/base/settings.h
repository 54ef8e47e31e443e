#ifndef ROSTER_BASE_SETTINGS_H
#define ROSTER_BASE_SETTINGS_H

#include <stdbool.h>

/** What to do instead of serving. */
enum subcommand {
    SUBCOMMAND_none,
#define SUBCOMMAND(name, use) SUBCOMMAND_##name,
#include "base/subcommands.def"
#undef SUBCOMMAND
};

/** What the program was told, by settings.def; each text is NUL-terminated and never NULL. */
struct settings {
#define SETTING_string const char *
#define SETTING_list const char * /* texts with commas between them, for text_next */
#define SETTING_choice const char *
#define SETTING_flag bool
#define SETTING_number long
#define SETTING_mode long
#define SETTING(member, type, ...) SETTING_##type member;
#include "base/settings.def"
#undef SETTING
#undef SETTING_string
#undef SETTING_list
#undef SETTING_choice
#undef SETTING_flag
#undef SETTING_number
#undef SETTING_mode
    enum subcommand subcommand;
    const char *operand; /* the file named after the sub-command; NULL: none */
    void *memory;        /* what the texts lie in, if not in argv or the environment */
};

/**
 * Fills in the settings: flag, else environment variable (ROSTER_LISTEN), else the inih file named
 * by --config or ROSTER_CONFIG (`listen = 127.0.0.1:8080`, no sections), else the default.
 * A list that one source names several times adds up; a source of higher rank replaces it whole.
 * --help and --version print to standard output and end the process with 0. On a mistake (unknown
 * option or key, a number that is none or out of range, a file that cannot be read) prints one
 * line to standard error that names the setting, where it stands and what would be right, and
 * returns the code of sysexits.h to end with: EX_USAGE for flags and environment, EX_CONFIG for
 * the file, EX_NOINPUT when there is no such file. 0 when all is well.
 * Secrets (admin_password) are never printed; given as a flag they are wiped from argv.
 */
int settings_read(struct settings *settings, int argc, char **argv);

/** Frees what settings_read allocated, wiping it first. */
void settings_free(struct settings *settings);

#endif

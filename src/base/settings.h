#ifndef ROSTER_BASE_SETTINGS_H
#define ROSTER_BASE_SETTINGS_H

#include <stdbool.h>

/** The commands that rosterd runs instead of serving. */
enum subcommand {
    SUBCOMMAND_none,
#define SUBCOMMAND(name, use, words) SUBCOMMAND_##name,
#include "base/subcommands.def"
#undef SUBCOMMAND
};

enum {
    SETTINGS_WORDS = 4,
    SETTINGS_COUNT = 0
#define SETTING(...) +1
#include "base/settings.def"
#undef SETTING
};

/** The options of sub-commands, a member for each row of command_options.def. */
struct command_options {
#define COMMAND_flag bool
#define COMMAND_text const char * /* NULL: not given */
#define COMMAND_OPTION(member, type, option, argument, commands, help) COMMAND_##type member;
#include "base/command_options.def"
#undef COMMAND_OPTION
#undef COMMAND_flag
#undef COMMAND_text
};

/** The settings, a member for each row of settings.def. Texts are NUL-terminated and never NULL. */
struct settings {
#define SETTING_string const char *
#define SETTING_url const char *
#define SETTING_secret const char *
#define SETTING_list const char * /* comma-separated, for text_next */
#define SETTING_choice const char *
#define SETTING_flag bool
#define SETTING_number long
#define SETTING_mode long
#define SETTING(member, type, ...) SETTING_##type member;
#include "base/settings.def"
#undef SETTING
#undef SETTING_string
#undef SETTING_url
#undef SETTING_secret
#undef SETTING_list
#undef SETTING_choice
#undef SETTING_flag
#undef SETTING_number
#undef SETTING_mode
    enum subcommand subcommand;
    const char *words[SETTINGS_WORDS]; /* what follows the sub-command; NULL: no more */
    struct command_options options;
    int argc; /* the command line, for settings_reload */
    char **argv;
    bool check_only; /* --check-config */
    /* The source of each setting, in the order of settings.def; NULL: it has its default. */
    const char *origins[SETTINGS_COUNT];
    void *memory; /* holds the texts that lie neither in argv nor in the environment */
};

/**
 * Fills in the settings. A setting comes from its flag, otherwise from its environment variable
 * (ROSTER_LISTEN), otherwise from the file that --config or ROSTER_CONFIG names (`listen =
 * 127.0.0.1:8080`, without sections), otherwise from its default. A list that one source names
 * several times adds up; a source of higher rank replaces the whole list.
 *
 * A secret has two sources more, whose values are the content of a file: a variable with the name
 * of the file (ROSTER_ADMIN_PASSWORD_FILE), which ranks as the variable does, and below it a
 * credential of the service manager (rosterd.admin-password in $CREDENTIALS_DIRECTORY).
 *
 * Returns 0, or after mistakes the code of sysexits.h for the first of them: EX_USAGE for flags and
 * variables, EX_CONFIG for the file, EX_NOINPUT if a file cannot be read, EX_OSERR if there is no
 * memory. It has then printed a line to standard error for each mistake, with the setting, where it
 * stands, and what would be valid. --help and --version print to standard output and end the
 * process with 0.
 *
 * Values are never printed. A secret given as a flag is wiped from argv. Main thread, once,
 * before other threads start.
 */
int settings_read(struct settings *settings, int argc, char **argv);

/** Takes the name of a setting whose value is new, and whether a reload can apply it. */
typedef void settings_changed(const char *option, bool is_applied);

/**
 * Reads all sources again and takes the new values of the settings that settings.def calls
 * RELOADABLE. Tells `changed` of each setting with a new value. Returns as settings_read does;
 * after a mistake nothing is changed. Texts that were in use before stay valid until settings_free,
 * so other threads may go on reading them: each different text of a setting takes memory once. Main
 * thread.
 */
int settings_reload(struct settings *settings, settings_changed *changed);

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

/** Wipes and frees what settings_read allocated. */
void settings_free(struct settings *settings);

#endif

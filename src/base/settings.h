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

#endif

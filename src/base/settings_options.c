/* Reads the command line by argp, which also prints --help from the tables of settings and of
 * options. */
#include "base/settings_options.h"

#include "base/database_url.h"
#include "base/settings_words.h"
#include "version.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    OPTION_BASE = 256,
    CONFIG_KEY = 1000,
    CHECK_KEY = 1999,
    RENAMED_BASE = 1001,
    COMMAND_BASE = 2000,
    COMMAND_OPTIONS = 0
#define COMMAND_OPTION(...) +1
#include "base/command_options.def"
#undef COMMAND_OPTION
};

static const struct {
    const char *name;
    unsigned words; /* the most that may follow */
} subcommands[] = {
#define SUBCOMMAND(name, use, words) [SUBCOMMAND_##name] = { #name, words },
#include "base/subcommands.def"
#undef SUBCOMMAND
};

/* SUBCOMMAND_none if there is none of that name. */
static enum subcommand find_subcommand(const char *name) {
    for (size_t i = SUBCOMMAND_none + 1; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (strcmp(name, subcommands[i].name) == 0)
            return (enum subcommand)i;
    return SUBCOMMAND_none;
}

/* Takes a word that is no option: a sub-command, or a word that follows it. */
static void read_word(struct settings_reading *reading, const char *word) {
    struct settings *settings = reading->settings;
    char source[SETTING_SOURCE_MAX];
    unsigned count = 0;
    enum subcommand named = find_subcommand(word);
    while (settings->words[count])
        count++;
    if (database_url_has_password(word)) {
        (void)settings_report(reading, EX_USAGE, "the URL of a database", DATABASE_URL_PASSWORD);
    } else if (!settings->subcommand && named) {
        settings->subcommand = named;
    } else if (count < subcommands[settings->subcommand].words) {
        settings->words[count] = word;
    } else {
        (void)snprintf(source, sizeof source, "%s:", word);
        (void)settings_report(
            reading, EX_USAGE, source,
            "is neither an option nor a command; options begin with --, and rosterd --help lists"
            " them and the commands");
    }
}

/* The options of sub-commands, from command_options.def. */
static const struct command_option {
    const char *option, *argument, *help;
    unsigned commands; /* a bit for each sub-command that takes it */
    bool is_flag;
    size_t offset; /* in struct command_options */
} command_options[] = {
#define FOR(name) (1U << SUBCOMMAND_##name)
#define COMMAND_IS_flag true
#define COMMAND_IS_text false
#define COMMAND_OPTION(member, type, option, argument, commands, help)                             \
    {                                                                                              \
        option,   argument,          help,                                                         \
        commands, COMMAND_IS_##type, offsetof(struct command_options, member)                      \
    },
#include "base/command_options.def"
#undef COMMAND_OPTION
#undef COMMAND_IS_text
#undef COMMAND_IS_flag
#undef FOR
};

static void set_command_option(struct settings_reading *reading, size_t at, const char *argument) {
    const struct command_option *row = &command_options[at];
    char *member = (char *)&reading->settings->options + row->offset;
    reading->given |= 1U << at;
    if (row->is_flag)
        *(bool *)member = true;
    else
        memcpy(member, &argument, sizeof argument);
}

/* Refuses the options of other sub-commands than the one that is to run. */
static int check_command_options(struct settings_reading *reading) {
    char source[SETTING_SOURCE_MAX];
    for (size_t i = 0; i < COMMAND_OPTIONS; i++) {
        if (!(reading->given >> i & 1) ||
            command_options[i].commands >> reading->settings->subcommand & 1)
            continue;
        (void)snprintf(source, sizeof source, "--%s", command_options[i].option);
        return settings_report(reading, EX_USAGE, source,
                               reading->settings->subcommand
                                   ? "is no option of this command"
                                   : "is an option of commands (see --help)");
    }
    return 0;
}

/* `key` is that of --NAME, or of --no-NAME, which follows it. */
static void refuse_renamed(struct settings_reading *reading, int key) {
    char source[SETTING_SOURCE_MAX], message[SETTING_SOURCE_MAX];
    const struct setting_rename *row = &setting_renames[(key - RENAMED_BASE) / 2];
    const char *no = (key - RENAMED_BASE) % 2 ? "no-" : "";
    (void)snprintf(source, sizeof source, "--%s%s", no, row->option);
    (void)snprintf(message, sizeof message, "is now called --%s%s", no, row->now);
    (void)settings_report(reading, EX_USAGE, source, message);
}

static error_t read_option(int key, char *argument, struct argp_state *state) {
    struct settings_reading *reading = state->input;
    char source[SETTING_SOURCE_MAX];
    if (key == ARGP_KEY_INIT)
        state->err_stream = NULL; /* getopt prints its own line; argp would add a second one */
    if (key == ARGP_KEY_ARG)
        return read_word(reading, argument), 0;
    if (key == CONFIG_KEY)
        reading->config = argument;
    if (key == CHECK_KEY)
        return reading->settings->check_only = true, 0;
    if (key >= RENAMED_BASE && key < RENAMED_BASE + 2 * (int)SETTING_RENAMES)
        return refuse_renamed(reading, key), 0;
    if (key >= COMMAND_BASE && key < COMMAND_BASE + (int)COMMAND_OPTIONS)
        return set_command_option(reading, (size_t)(key - COMMAND_BASE), argument), 0;
    if (key < OPTION_BASE || key >= OPTION_BASE + 2 * (int)SETTINGS_COUNT)
        return key == CONFIG_KEY ? 0 : ARGP_ERR_UNKNOWN;
    size_t at = (size_t)(key - OPTION_BASE) / 2;
    bool is_negated = (key - OPTION_BASE) % 2;
    (void)snprintf(source, sizeof source, "--%s", setting_rows[at].option);
    if (setting_rows[at].type == SETTING_flag)
        return settings_set(reading, at, is_negated ? "0" : "1", source, EX_USAGE), 0;
    const char *kept = settings_keep(reading, argument);
    if (!kept)
        return settings_report(reading, EX_OSERR, source, "cannot be kept: there is no memory"), 0;
    if (setting_rows[at].type == SETTING_secret)
        explicit_bzero(argument, strlen(argument)); /* other users can read a command line */
    return settings_set(reading, at, kept, source, EX_USAGE), 0;
}

static const char *help_of(const struct setting *row, char *out, size_t size) {
    if (row->type == SETTING_number)
        (void)snprintf(out, size, "%s (default: %ld)", row->help, row->initial.number);
    else if (row->type == SETTING_mode)
        (void)snprintf(out, size, "%s (default: %04lo)", row->help, row->initial.number);
    else if (row->type == SETTING_flag)
        (void)snprintf(out, size, "%s (default: %s)", row->help,
                       row->initial.number ? "yes" : "no");
    else if (*row->initial.text)
        (void)snprintf(out, size, "%s (default: %s)", row->help, row->initial.text);
    else
        (void)snprintf(out, size, "%s", row->help);
    return out;
}

/* The options that argp gets, and the texts that are made for them. */
struct option_list {
    struct argp_option options[2 * SETTINGS_COUNT + 2 * SETTING_RENAMES + COMMAND_OPTIONS + 4];
    size_t count;
    char help[SETTINGS_COUNT][256], negated[SETTINGS_COUNT][40],
        negated_before[SETTING_RENAMES][40];
};

static void add_option(struct option_list *list, struct argp_option option) {
    list->options[list->count++] = option;
}

/* Each setting has one or two keys: OPTION_BASE + 2 * its row, and the next one for --no-... */
static void add_settings(struct option_list *list) {
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const int key = OPTION_BASE + 2 * (int)i;
        add_option(list, (struct argp_option){ .name = setting_rows[i].option,
                                               .key = key,
                                               .arg = setting_rows[i].argument,
                                               .doc = help_of(&setting_rows[i], list->help[i],
                                                              sizeof list->help[i]) });
        (void)snprintf(list->negated[i], sizeof list->negated[i], "no-%s", setting_rows[i].option);
        if (setting_rows[i].type == SETTING_flag)
            add_option(list, (struct argp_option){
                                 .name = list->negated[i], .key = key + 1, .doc = "the opposite" });
    }
}

static void add_renamed(struct option_list *list) {
    for (size_t i = 0; i < SETTING_RENAMES; i++) {
        const int key = RENAMED_BASE + 2 * (int)i;
        char *no = list->negated_before[i];
        (void)snprintf(no, sizeof list->negated_before[i], "no-%s", setting_renames[i].option);
        add_option(list, (struct argp_option){ .name = setting_renames[i].option,
                                               .key = key,
                                               .flags = OPTION_HIDDEN });
        add_option(list,
                   (struct argp_option){ .name = no, .key = key + 1, .flags = OPTION_HIDDEN });
    }
}

static void add_command_options(struct option_list *list) {
    add_option(list, (struct argp_option){ .doc = "Options of commands:", .group = 1 });
    for (size_t i = 0; i < COMMAND_OPTIONS; i++)
        add_option(list, (struct argp_option){ .name = command_options[i].option,
                                               .key = COMMAND_BASE + (int)i,
                                               .arg = command_options[i].argument,
                                               .doc = command_options[i].help,
                                               .group = 1 });
}

static const char commands_help[] =
    "\ncheck [FILE]\nhealth\nbackup FILE\nbackup --to DIR\nrestore FILE\ncopy FROM TO\n"
    "user ACTION [USER]\ntoken revoke-all [USER]\nkey rotate\nconfig";

static const char program_help[] = "Serves a directory of users over HTTP.\v"
                                   "check verifies the database, and backup copies it; both"
                                   " work beside a running server. restore replaces the"
                                   " database with a copy, while no server uses it. copy fills an"
                                   " empty database with the rows of another, and compares both;"
                                   " each is a data folder or a postgresql:// URL. health asks"
                                   " the server at the first address of --listen, and ends"
                                   " with 0 if it can take requests, otherwise with 1."
                                   "\n\nuser list, show, create-admin, set-password, unlock,"
                                   " enable, disable and reset-2fa, and token revoke-all, need"
                                   " no sign-in; they work with and without a running server,"
                                   " for root and the user that the server runs as."
                                   "\n\nconfig prints each setting, its value and the source"
                                   " of the value."
                                   "\n\nkey rotate seals everything with a new key, while no"
                                   " server uses the folder."
                                   "\n\nEach setting can also be set in the environment"
                                   " (ROSTER_LISTEN) or in a file (listen = ...).";

#define LIBRARY(name, version, licence) "\n  " name " " version " (" licence ")"
static const char version_text[] =
    "rosterd " ROSTER_VERSION " (" ROSTER_BUILD ")"
    "\nLicence: " ROSTER_LICENCE "\nBuilt with these libraries:" ROSTER_LIBRARIES(LIBRARY);
#undef LIBRARY

/* argp sorts the options of --help itself. */
void settings_read_options(struct settings_reading *reading, int argc, char **argv) {
    struct option_list list = { .count = 0 };
    add_option(&list,
               (struct argp_option){ "config", CONFIG_KEY, "FILE", 0,
                                     "File of settings, one `setting = value` on each line", 0 });
    add_option(&list,
               (struct argp_option){ "check-config", CHECK_KEY, NULL, 0,
                                     "Check the settings, print every mistake, and end", 0 });
    add_settings(&list);
    add_renamed(&list);
    add_command_options(&list);
    const struct argp argp = { .options = list.options,
                               .parser = read_option,
                               .args_doc = commands_help,
                               .doc = program_help };
    argp_program_version = version_text;
    reading->present = RANK_FLAG;
    char **good = calloc((size_t)argc + 1, sizeof *good);
    error_t failed = ENOMEM;
    if (good) {
        int count = settings_check_words(reading, list.options, argc, argv, good);
        failed = argp_parse(&argp, count, good, 0, NULL, reading);
    }
    free(good);
    if (failed == ENOMEM) /* getopt has printed a line on other errors */
        (void)settings_report(reading, EX_OSERR, "the options",
                              "cannot be read: there is no memory");
    else if (failed && !reading->failed)
        reading->failed = EX_USAGE;
    if (!reading->failed)
        (void)check_command_options(reading);
}

/* Reads the settings from three sources: flags, environment variables and a file.
 *
 * One row of settings.def gives a setting its flag, its variable, its key in the file, its bounds
 * and its line of --help. argp parses the flags and inih the file, but every value passes `set`,
 * which checks it and compares the rank of its source with that of the source that set it before.
 * The sources can therefore be read in any order. The flags come first because they name the file.
 *
 * A mistake ends the start: a misspelt setting that is ignored would be a surprise later, and some
 * settings protect the server. So an unknown ROSTER_ variable is an error too, except those that
 * Kubernetes and Docker set for a service that is called roster. Every mistake is printed, with
 * its source and the nearest setting that exists. Values are never printed: a secret may stand in
 * the wrong place. */
#include "base/settings.h"

#include "base/database_url.h"
#include "base/log.h"
#include "base/text.h"
#include "version.h"

#include <argp.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

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

static const struct setting rows[] = {
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

/* Settings under their former names, which are refused with a line that gives the new one. */
static const struct renamed { const char *option, *now; } renamed[] = { { "sandbox", "seccomp" } };

enum {
    ROWS = sizeof rows / sizeof rows[0],
    RENAMED = sizeof renamed / sizeof renamed[0],
    OPTION_BASE = 256,
    CONFIG_KEY = 1000,
    CHECK_KEY = 1999,
    RENAMED_BASE = 1001,
    COMMAND_BASE = 2000,
    COMMAND_OPTIONS = 0
#define COMMAND_OPTION(...) +1
#include "base/command_options.def"
#undef COMMAND_OPTION
    ,
    SOURCE_MAX = 512,
    NAME_MAX_LEN = 64, /* longer names are cut when they are compared with known ones */
    LINE_BYTES = 8192, /* of a line of the file, with its line break and the NUL */
};

/* A text that a setting points to. Copies are freed, and wiped, with the settings. */
struct setting_copy {
    struct setting_copy *next;
    size_t size;
    char text[];
};

enum rank { RANK_DEFAULT, RANK_FILE, RANK_CREDENTIAL, RANK_ENVIRONMENT, RANK_FLAG };

/* The state of reading. A source replaces the value of a source of its own or a lower rank; to a
 * list of its own rank it adds. */
struct reading {
    struct settings *settings;
    enum rank present;    /* of the source that is being read */
    enum rank rank[ROWS]; /* of the source that each setting has its value from */
    bool in_file[ROWS];   /* each setting that the file has named so far */
    unsigned given;       /* a bit for each option of command_options that was given */
    const char *config;
    struct setting_copy *copies;
    FILE *file;
    unsigned line; /* number of the line of the file that was read last */
    int failed;    /* 0, or after a mistake a code of sysexits.h */
};

/* Prints a mistake. Returns `code`; the code of the first mistake ends the program. */
static int report(struct reading *reading, int code, const char *source, const char *message) {
    report_error("%s %s", source, message);
    if (!reading->failed)
        reading->failed = code;
    return code;
}

/* Members have the C type of their setting's type: see settings.h. */
static void store(struct settings *settings, const struct setting *row, union setting_value value) {
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

/* A copy of `before` and `text`, with a comma between them if neither is empty. NULL: no memory. */
static const char *keep_both(struct reading *reading, const char *before, const char *text) {
    size_t first = strlen(before), second = strlen(text);
    struct setting_copy *copy = malloc(sizeof *copy + first + second + 2);
    if (!copy)
        return NULL;
    *copy = (struct setting_copy){ reading->copies, sizeof *copy + first + second + 2 };
    (void)snprintf(copy->text, first + second + 2, "%s%s%s", before, first && second ? "," : "",
                   text);
    reading->copies = copy;
    return copy->text;
}

static const char *keep(struct reading *reading, const char *text) {
    return keep_both(reading, "", text);
}

/* The items of a list that the present source has set so far. */
static const char *list_so_far(const struct reading *reading, size_t at) {
    const char *text;
    if (reading->rank[at] != reading->present)
        return "";
    memcpy(&text, (const char *)reading->settings + rows[at].offset, sizeof text);
    return text;
}

/* Parses a value. False if it is invalid; `message` then says what is valid. */
static bool parse_value(const struct setting *row, const char *text, union setting_value *value,
                        char message[SOURCE_MAX]) {
    switch (row->type) {
    case SETTING_string:
    case SETTING_secret:
    case SETTING_list: break;
    case SETTING_url:
        (void)snprintf(message, SOURCE_MAX, DATABASE_URL_PASSWORD);
        return !database_url_has_password(text);
    case SETTING_choice:
        (void)snprintf(message, SOURCE_MAX, "must be one of %s", row->argument);
        return is_choice(row, text);
    case SETTING_flag:
        (void)snprintf(message, SOURCE_MAX, "must be true or false");
        return take_flag(text, &value->number);
    case SETTING_number:
        if (row->initial.number < row->least)
            (void)snprintf(message, SOURCE_MAX, "must be %ld, or a whole number from %ld to %ld",
                           row->initial.number, row->least, row->most);
        else
            (void)snprintf(message, SOURCE_MAX, "must be a whole number from %ld to %ld",
                           row->least, row->most);
        return take_number(row, text, &value->number);
    case SETTING_mode:
        (void)snprintf(message, SOURCE_MAX, "must be three or four octal digits, like %04lo",
                       row->initial.number);
        return take_mode(row, text, &value->number);
    }
    return true;
}

/* Notes where a value comes from: of a line of the file without the name that follows its number.
 */
static int note_origin(struct reading *reading, size_t at, const char *source) {
    char origin[SOURCE_MAX];
    (void)snprintf(origin, sizeof origin, "%s", source);
    if (reading->present == RANK_FILE)
        (void)snprintf(origin, sizeof origin, "%s:%u", reading->config, reading->line);
    reading->settings->origins[at] = keep(reading, origin);
    if (reading->settings->origins[at])
        return 0;
    return report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
}

/* Sets a setting, unless a source of higher rank has set it. An invalid value is reported even
 * then. `text` must live as long as the settings. */
static int set(struct reading *reading, size_t at, const char *text, const char *source, int code) {
    const struct setting *row = &rows[at];
    union setting_value value = { .text = text };
    char message[SOURCE_MAX];
    if (!parse_value(row, text, &value, message))
        return report(reading, code, source, message);
    if (reading->present < reading->rank[at])
        return 0;
    if (row->type == SETTING_list) {
        value.text = keep_both(reading, list_so_far(reading, at), text);
        if (!value.text)
            return report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    }
    store(reading->settings, row, value);
    reading->rank[at] = reading->present;
    return note_origin(reading, at, source);
}

/* ROSTER_IO_THREADS for io-threads. False if it does not fit. */
static bool environment_name(const char *option, char *name, size_t size) {
    int len = snprintf(name, size, "ROSTER_%s", option);
    for (char *c = name; len > 0 && (size_t)len < size && *c; c++)
        *c = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return len > 0 && (size_t)len < size;
}

static unsigned least_of(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* The Levenshtein distance: how many characters have to be added, removed or changed to turn one
 * name into the other. `row` is the only row of the usual table that is needed at a time. */
static unsigned edits(struct text name, struct text other) {
    unsigned row[NAME_MAX_LEN + 1];
    size_t len = name.len < NAME_MAX_LEN ? name.len : NAME_MAX_LEN;
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

/* Writes to `out` the name of the setting that an unknown `name` most likely means: the new name of
 * a renamed setting, otherwise the most similar one. `known_as` spells a setting as its source does
 * (as an option or as a variable). */
static void nearest(struct text name, bool (*known_as)(const char *, char *, size_t), char *out,
                    size_t size) {
    unsigned fewest = UINT_MAX;
    char known[NAME_MAX_LEN];
    for (size_t i = 0; i < RENAMED; i++)
        if (known_as(renamed[i].option, known, sizeof known) && text_equal(name, text_of(known)) &&
            known_as(renamed[i].now, out, size))
            return;
    for (size_t i = 0; i < ROWS; i++) {
        if (!known_as(rows[i].option, known, sizeof known))
            continue;
        unsigned needed = edits(name, text_of(known));
        if (needed < fewest)
            (void)snprintf(out, size, "%s", known);
        fewest = needed < fewest ? needed : fewest;
    }
}

static bool option_name(const char *option, char *name, size_t size) {
    int len = snprintf(name, size, "%s", option);
    return len > 0 && (size_t)len < size;
}

static bool has_digits(struct text text) {
    int64_t number;
    return text_to_int64(text, &number);
}

/* True for the part of a variable that follows a service's name in those of Kubernetes and Docker's
 * links: SERVICE_HOST, SERVICE_PORT_HTTP, PORT=tcp://..., PORT_8080_TCP_ADDR, NAME=/web/roster,
 * ENV_... */
static bool is_of_service(struct text name, struct text value) {
    if (text_equal(name, TEXT("PORT")))
        return memmem(value.at, value.len, "://", 3) != NULL;
    if (text_equal(name, TEXT("NAME")))
        return value.len && value.at[0] == '/';
    struct text first = text_cut(&name, '_');
    if (text_equal(first, TEXT("SERVICE"))) {
        first = text_cut(&name, '_');
        return text_equal(first, TEXT("HOST")) || text_equal(first, TEXT("PORT"));
    }
    return name.at && ((text_equal(first, TEXT("PORT")) && has_digits(text_cut(&name, '_'))) ||
                       text_equal(first, TEXT("ENV")));
}

/* True for a variable that Kubernetes or Docker sets for a service called roster, or
 * roster-something. `name` comes without ROSTER_. */
static bool is_foreign(struct text name, struct text value) {
    if (text_starts_nocase(name, TEXT("SERVICE_")) || text_starts_nocase(name, TEXT("PORT_")))
        return true;
    for (struct text rest = name; rest.at; (void)text_cut(&rest, '_'))
        if (is_of_service(rest, value))
            return true;
    return false;
}

/* Sets a secret to the content of a file, without the line break at its end. The name of the file
 * is not printed: a secret may stand in its place. */
static int set_from_secret_file(struct reading *reading, size_t at, FILE *file,
                                const char *source) {
    char content[LINE_BYTES];
    size_t len = fread(content, 1, sizeof content, file);
    bool is_read = !ferror(file), is_whole = len < sizeof content;
    if (len && is_whole && content[len - 1] == '\n')
        len--;
    if (len && is_whole && content[len - 1] == '\r')
        len--;
    bool is_text = is_whole && !memchr(content, '\0', len);
    if (is_text)
        content[len] = '\0';
    const char *kept = is_read && is_text ? keep(reading, content) : NULL;
    explicit_bzero(content, sizeof content);
    if (!is_read)
        return report(reading, EX_NOINPUT, source, "names a file that cannot be read");
    if (!is_text)
        return report(reading, EX_USAGE, source,
                      "names a file that is too long for a secret, or contains a NUL");
    if (!kept)
        return report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    return set(reading, at, kept, source, EX_USAGE);
}

static int open_secret_file(struct reading *reading, size_t at, const char *path,
                            const char *source) {
    char message[SOURCE_MAX], buffer[BUFSIZ];
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(message, sizeof message, "names a file that cannot be opened: %s",
                       strerror(errno));
        return report(reading, EX_NOINPUT, source, message);
    }
    (void)setvbuf(file, buffer, _IOFBF, sizeof buffer); /* a buffer that can be wiped */
    int failed = set_from_secret_file(reading, at, file, source);
    (void)fclose(file); /* nothing was written that could be lost */
    explicit_bzero(buffer, sizeof buffer);
    return failed;
}

/* Is this the variable ROSTER_..._FILE of a secret? Then the secret is read. */
static bool read_secret_variable(struct reading *reading, struct text called, const char *path) {
    static const struct text ending = { "_FILE", 5 };
    char name[NAME_MAX_LEN], source[NAME_MAX_LEN + 8];
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].type != SETTING_secret || !environment_name(rows[i].option, name, sizeof name))
            continue;
        (void)snprintf(source, sizeof source, "%s%s", name, ending.at);
        if (!text_equal(called, text_of(source)))
            continue;
        if (getenv(name))
            (void)report(reading, EX_USAGE, source,
                         "must not be set together with the variable without _FILE");
        else
            (void)open_secret_file(reading, i, path, source);
        return true;
    }
    return false;
}

/* systemd puts the credentials of a service into files of a folder (LoadCredential=). */
static void read_credentials(struct reading *reading) {
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX], source[SOURCE_MAX];
    reading->present = RANK_CREDENTIAL;
    for (size_t i = 0; folder && i < ROWS; i++) {
        if (rows[i].type != SETTING_secret)
            continue;
        int len = snprintf(path, sizeof path, "%s/rosterd.%s", folder, rows[i].option);
        if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
            continue;
        (void)snprintf(source, sizeof source, "the credential rosterd.%s", rows[i].option);
        (void)open_secret_file(reading, i, path, source);
    }
}

static void read_variable(struct reading *reading, char *variable) {
    char name[NAME_MAX_LEN], source[SOURCE_MAX], message[SOURCE_MAX];
    struct text value = text_of(variable), called = text_cut(&value, '=');
    for (size_t i = 0; i < ROWS; i++)
        if (environment_name(rows[i].option, name, sizeof name) &&
            text_equal(called, text_of(name))) {
            (void)set(reading, i, value.at, name, EX_USAGE);
            return;
        }
    if (read_secret_variable(reading, called, value.at))
        return;
    struct text own = called;
    (void)text_cut(&own, '_');
    if (text_equal(called, TEXT("ROSTER_CONFIG")) || is_foreign(own, value))
        return;
    nearest(called, environment_name, name, sizeof name);
    (void)snprintf(source, sizeof source, "%.*s:", (int)called.len, called.at);
    (void)snprintf(message, sizeof message,
                   "no such setting; the nearest is %s (rosterd --help lists all)", name);
    (void)report(reading, EX_USAGE, source, message);
}

/* All variables that begin with ROSTER_ are looked at, to find the misspelt ones. */
static void read_environment(struct reading *reading) {
    reading->present = RANK_ENVIRONMENT;
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "ROSTER_", 7) == 0)
            read_variable(reading, *variable);
}

static int set_from_file(struct reading *reading, size_t at, const char *value,
                         const char *source) {
    const char *kept = keep(reading, value);
    if (reading->in_file[at] && rows[at].type != SETTING_list)
        return report(reading, EX_CONFIG, source, "is set twice");
    if (!kept)
        return report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    reading->in_file[at] = true;
    return set(reading, at, kept, source, EX_CONFIG);
}

/* Called by inih for each line. Its result, 1, means: go on. */
static int read_entry(void *context, const char *section, const char *name, const char *value) {
    struct reading *reading = context;
    char source[SOURCE_MAX], message[SOURCE_MAX], known[NAME_MAX_LEN];
    (void)snprintf(source, sizeof source, "%s:%u: %s", reading->config, reading->line, name);
    if (*section)
        return report(reading, EX_CONFIG, source, "is in a section; remove the [section] line"), 1;
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].option, name) == 0)
            return (void)set_from_file(reading, i, value ? value : "", source), 1;
    nearest(text_of(name), option_name, known, sizeof known);
    (void)snprintf(message, sizeof message, "is not a setting; the nearest is %s", known);
    return report(reading, EX_CONFIG, source, message), 1;
}

/* Like fgets, for inih, which would take the rest of a line that does not fit for another line. */
static char *read_line(char *line, int size, void *context) {
    struct reading *reading = context;
    char source[SOURCE_MAX];
    reading->line++;
    char *read = fgets(line, size, reading->file);
    (void)snprintf(source, sizeof source, "%s:%u:", reading->config, reading->line);
    if (read && !strchr(line, '\n') && !feof(reading->file))
        (void)report(reading, EX_CONFIG, source, "the line is too long, or contains a NUL");
    if (!read)
        explicit_bzero(line, (size_t)size); /* it may have held a password */
    return read;
}

/* A value is everything after the `=`: a `;` in it does not begin a comment, for passwords' sake.
 */
static void parse_file(struct reading *reading) {
    char source[SOURCE_MAX];
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_initial_alloc = ini_max_line = LINE_BYTES;
    int result = ini_parse_stream(read_line, reading, read_entry, reading);
    (void)snprintf(source, sizeof source, "%s:%d:", reading->config, result > 0 ? result : 0);
    if (ferror(reading->file))
        (void)report(reading, EX_NOINPUT, reading->config, "cannot be read to its end");
    else if (result < 0)
        (void)report(reading, EX_OSERR, reading->config, "there is no memory to read it");
    else if (result > 0)
        (void)report(reading, EX_CONFIG, source, "the line is not of the form `setting = value`");
}

static void read_file(struct reading *reading) {
    char buffer[BUFSIZ];
    if (!reading->config)
        reading->config = getenv("ROSTER_CONFIG");
    if (!reading->config)
        return;
    reading->present = RANK_FILE;
    reading->file = fopen(reading->config, "re");
    if (!reading->file) {
        (void)report(reading, EX_NOINPUT, reading->config,
                     "cannot be read; check --config or ROSTER_CONFIG");
        return;
    }
    if (setvbuf(reading->file, buffer, _IOFBF, sizeof buffer) == 0)
        parse_file(reading);
    else
        (void)report(reading, EX_OSERR, reading->config, "there is no memory to read it");
    (void)fclose(reading->file); /* nothing was written that could be lost */
    explicit_bzero(buffer, sizeof buffer);
}

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
static void read_word(struct reading *reading, const char *word) {
    struct settings *settings = reading->settings;
    char source[SOURCE_MAX];
    unsigned count = 0;
    enum subcommand named = find_subcommand(word);
    while (settings->words[count])
        count++;
    if (database_url_has_password(word)) {
        (void)report(reading, EX_USAGE, "the URL of a database", DATABASE_URL_PASSWORD);
    } else if (!settings->subcommand && named) {
        settings->subcommand = named;
    } else if (count < subcommands[settings->subcommand].words) {
        settings->words[count] = word;
    } else {
        (void)snprintf(source, sizeof source, "%s:", word);
        (void)report(
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

static void set_command_option(struct reading *reading, size_t at, const char *argument) {
    const struct command_option *row = &command_options[at];
    char *member = (char *)&reading->settings->options + row->offset;
    reading->given |= 1U << at;
    if (row->is_flag)
        *(bool *)member = true;
    else
        memcpy(member, &argument, sizeof argument);
}

/* Refuses the options of other sub-commands than the one that is to run. */
static int check_command_options(struct reading *reading) {
    char source[SOURCE_MAX];
    for (size_t i = 0; i < COMMAND_OPTIONS; i++) {
        if (!(reading->given >> i & 1) ||
            command_options[i].commands >> reading->settings->subcommand & 1)
            continue;
        (void)snprintf(source, sizeof source, "--%s", command_options[i].option);
        return report(reading, EX_USAGE, source,
                      reading->settings->subcommand ? "is no option of this command"
                                                    : "is an option of commands (see --help)");
    }
    return 0;
}

/* `key` is that of --NAME, or of --no-NAME, which follows it. */
static void refuse_renamed(struct reading *reading, int key) {
    char source[SOURCE_MAX], message[SOURCE_MAX];
    const struct renamed *row = &renamed[(key - RENAMED_BASE) / 2];
    const char *no = (key - RENAMED_BASE) % 2 ? "no-" : "";
    (void)snprintf(source, sizeof source, "--%s%s", no, row->option);
    (void)snprintf(message, sizeof message, "is now called --%s%s", no, row->now);
    (void)report(reading, EX_USAGE, source, message);
}

static error_t read_option(int key, char *argument, struct argp_state *state) {
    struct reading *reading = state->input;
    char source[SOURCE_MAX];
    if (key == ARGP_KEY_INIT)
        state->err_stream = NULL; /* getopt prints its own line; argp would add a second one */
    if (key == ARGP_KEY_ARG)
        return read_word(reading, argument), 0;
    if (key == CONFIG_KEY)
        reading->config = argument;
    if (key == CHECK_KEY)
        return reading->settings->check_only = true, 0;
    if (key >= RENAMED_BASE && key < RENAMED_BASE + 2 * (int)RENAMED)
        return refuse_renamed(reading, key), 0;
    if (key >= COMMAND_BASE && key < COMMAND_BASE + (int)COMMAND_OPTIONS)
        return set_command_option(reading, (size_t)(key - COMMAND_BASE), argument), 0;
    if (key < OPTION_BASE || key >= OPTION_BASE + 2 * (int)ROWS)
        return key == CONFIG_KEY ? 0 : ARGP_ERR_UNKNOWN;
    size_t at = (size_t)(key - OPTION_BASE) / 2;
    bool is_negated = (key - OPTION_BASE) % 2;
    (void)snprintf(source, sizeof source, "--%s", rows[at].option);
    if (rows[at].type == SETTING_flag)
        return set(reading, at, is_negated ? "0" : "1", source, EX_USAGE), 0;
    const char *kept = keep(reading, argument);
    if (!kept)
        return report(reading, EX_OSERR, source, "cannot be kept: there is no memory"), 0;
    if (rows[at].type == SETTING_secret)
        explicit_bzero(argument, strlen(argument)); /* other users can read a command line */
    return set(reading, at, kept, source, EX_USAGE), 0;
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
    struct argp_option options[2 * ROWS + 2 * RENAMED + COMMAND_OPTIONS + 4];
    size_t count;
    char help[ROWS][256], negated[ROWS][40], negated_before[RENAMED][40];
};

static void add_option(struct option_list *list, struct argp_option option) {
    list->options[list->count++] = option;
}

/* Each setting has one or two keys: OPTION_BASE + 2 * its row, and the next one for --no-... */
static void add_settings(struct option_list *list) {
    for (size_t i = 0; i < ROWS; i++) {
        const int key = OPTION_BASE + 2 * (int)i;
        add_option(list, (struct argp_option){
                             .name = rows[i].option,
                             .key = key,
                             .arg = rows[i].argument,
                             .doc = help_of(&rows[i], list->help[i], sizeof list->help[i]) });
        (void)snprintf(list->negated[i], sizeof list->negated[i], "no-%s", rows[i].option);
        if (rows[i].type == SETTING_flag)
            add_option(list, (struct argp_option){
                                 .name = list->negated[i], .key = key + 1, .doc = "the opposite" });
    }
}

static void add_renamed(struct option_list *list) {
    for (size_t i = 0; i < RENAMED; i++) {
        const int key = RENAMED_BASE + 2 * (int)i;
        char *no = list->negated_before[i];
        (void)snprintf(no, sizeof list->negated_before[i], "no-%s", renamed[i].option);
        add_option(list, (struct argp_option){
                             .name = renamed[i].option, .key = key, .flags = OPTION_HIDDEN });
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

/* argp sorts the options of --help itself. */
static int read_options(struct reading *reading, int argc, char **argv) {
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
    argp_program_version = "rosterd " ROSTER_VERSION " (" ROSTER_BUILD ")";
    reading->present = RANK_FLAG;
    error_t failed = argp_parse(&argp, argc, argv, 0, NULL, reading);
    if (failed == ENOMEM) /* getopt has printed a line on other errors */
        (void)report(reading, EX_OSERR, "the options", "cannot be read: there is no memory");
    else if (failed && !reading->failed)
        reading->failed = EX_USAGE;
    return reading->failed ? reading->failed : check_command_options(reading);
}

int settings_read(struct settings *settings, int argc, char **argv) {
    struct reading reading = { .settings = settings };
    *settings = (struct settings){ .argc = argc, .argv = argv };
    for (size_t i = 0; i < ROWS; i++)
        store(settings, &rows[i], rows[i].initial);
    (void)read_options(&reading, argc, argv); /* each says what is wrong, and that is all */
    read_environment(&reading);
    read_credentials(&reading);
    read_file(&reading);
    settings->memory = reading.copies;
    return reading.failed;
}

void settings_free(struct settings *settings) {
    for (struct setting_copy *copy = settings->memory, *next; copy; copy = next) {
        next = copy->next;
        explicit_bzero(copy, copy->size);
        free(copy);
    }
    settings->memory = NULL;
}

/* ---- Values ---- */

static bool is_text(const struct setting *row) {
    return row->type == SETTING_string || row->type == SETTING_url || row->type == SETTING_secret ||
           row->type == SETTING_list || row->type == SETTING_choice;
}

static union setting_value value_of(const struct settings *settings, const struct setting *row) {
    const char *member = (const char *)settings + row->offset;
    union setting_value value = { 0 };
    if (is_text(row))
        memcpy(&value.text, member, sizeof value.text);
    else if (row->type == SETTING_flag)
        value.number = *(const bool *)member;
    else
        memcpy(&value.number, member, sizeof value.number);
    return value;
}

void settings_show(const struct settings *settings, unsigned index, struct shown_setting *shown) {
    const struct setting *row = &rows[index];
    const union setting_value value = value_of(settings, row);
    shown->option = row->option;
    shown->origin = settings->origins[index] ? settings->origins[index] : "default";
    shown->value = shown->room;
    if (row->type == SETTING_secret)
        shown->value = *value.text ? "(set)" : "";
    else if (is_text(row))
        shown->value = value.text;
    else if (row->type == SETTING_flag)
        shown->value = value.number ? "yes" : "no";
    else if (row->type == SETTING_mode)
        (void)snprintf(shown->room, sizeof shown->room, "%04lo", value.number);
    else
        (void)snprintf(shown->room, sizeof shown->room, "%ld", value.number);
}

/* ---- Reloading ---- */

/* A running server has no use for these, and has wiped the password. */
static bool is_for_new_database(const struct setting *row) {
    return row->offset == offsetof(struct settings, admin_password) ||
           row->offset == offsetof(struct settings, admin_email) ||
           row->offset == offsetof(struct settings, init);
}

static bool is_equal(const struct setting *row, union setting_value a, union setting_value b) {
    return is_text(row) ? strcmp(a.text, b.text) == 0 : a.number == b.number;
}

/* A copy of the text that lives as long as the settings; the same text has the same copy. NULL: no
 * memory. */
static const char *keep_reloaded(struct settings *settings, const char *text) {
    struct setting_copy *copy = settings->memory;
    while (copy && strcmp(copy->text, text) != 0)
        copy = copy->next;
    if (copy)
        return copy->text;
    const size_t size = sizeof *copy + strlen(text) + 1;
    copy = malloc(size);
    if (!copy)
        return NULL;
    *copy = (struct setting_copy){ settings->memory, size };
    memcpy(copy->text, text, strlen(text) + 1);
    settings->memory = copy;
    return copy->text;
}

/* False: no memory. */
static bool take_new(struct settings *settings, const struct settings *fresh,
                     settings_changed *changed) {
    for (const struct setting *row = rows; row < rows + ROWS; row++) {
        union setting_value value = value_of(fresh, row);
        if (is_equal(row, value, value_of(settings, row)) || is_for_new_database(row))
            continue;
        if (row->is_reloadable && is_text(row) &&
            !(value.text = keep_reloaded(settings, value.text)))
            return false;
        if (row->is_reloadable)
            store(settings, row, value);
        changed(row->option, row->is_reloadable);
    }
    return true;
}

int settings_reload(struct settings *settings, settings_changed *changed) {
    struct settings fresh;
    int code = settings_read(&fresh, settings->argc, settings->argv);
    if (code == 0 && !take_new(settings, &fresh, changed)) {
        report_error("there is no memory for the new settings");
        code = EX_OSERR;
    }
    settings_free(&fresh);
    return code;
}

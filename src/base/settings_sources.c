/* Reads settings from environment variables, from files that have a secret, and from the file of
 * settings, which inih parses.
 *
 * An unknown ROSTER_ variable is an error, except those that Kubernetes and Docker set for a
 * service that is called roster. Values are never printed: a secret may stand in the wrong place.
 */
#include "base/settings_sources.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 /* of a line of the file, with its line break and the NUL */ };

/* ---- Environment variables ---- */

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
static int set_from_secret_file(struct settings_reading *reading, size_t at, FILE *file,
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
    const char *kept = is_read && is_text ? settings_keep(reading, content) : NULL;
    explicit_bzero(content, sizeof content);
    if (!is_read)
        return settings_report(reading, EX_NOINPUT, source, "names a file that cannot be read");
    if (!is_text)
        return settings_report(reading, EX_USAGE, source,
                               "names a file that is too long for a secret, or contains a NUL");
    if (!kept)
        return settings_report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    return settings_set(reading, at, kept, source, EX_USAGE);
}

static int open_secret_file(struct settings_reading *reading, size_t at, const char *path,
                            const char *source) {
    char message[SETTING_SOURCE_MAX], buffer[BUFSIZ];
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(message, sizeof message, "names a file that cannot be opened: %s",
                       strerror(errno));
        return settings_report(reading, EX_NOINPUT, source, message);
    }
    (void)setvbuf(file, buffer, _IOFBF, sizeof buffer); /* a buffer that can be wiped */
    int failed = set_from_secret_file(reading, at, file, source);
    (void)fclose(file); /* nothing was written that could be lost */
    explicit_bzero(buffer, sizeof buffer);
    return failed;
}

/* Is this the variable ROSTER_..._FILE of a secret? Then the secret is read. */
static bool read_secret_variable(struct settings_reading *reading, struct text called,
                                 const char *path) {
    static const struct text ending = { "_FILE", 5 };
    char name[SETTING_NAME_MAX], source[SETTING_NAME_MAX + 8];
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (setting_rows[i].type != SETTING_secret ||
            !setting_variable(setting_rows[i].option, name, sizeof name))
            continue;
        (void)snprintf(source, sizeof source, "%s%s", name, ending.at);
        if (!text_equal(called, text_of(source)))
            continue;
        if (getenv(name))
            (void)settings_report(reading, EX_USAGE, source,
                                  "must not be set together with the variable without _FILE");
        else
            (void)open_secret_file(reading, i, path, source);
        return true;
    }
    return false;
}

void settings_read_credentials(struct settings_reading *reading) {
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX], source[SETTING_SOURCE_MAX];
    reading->present = RANK_CREDENTIAL;
    for (size_t i = 0; folder && i < SETTINGS_COUNT; i++) {
        if (setting_rows[i].type != SETTING_secret)
            continue;
        int len = snprintf(path, sizeof path, "%s/rosterd.%s", folder, setting_rows[i].option);
        if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
            continue;
        (void)snprintf(source, sizeof source, "the credential rosterd.%s", setting_rows[i].option);
        (void)open_secret_file(reading, i, path, source);
    }
}

static void read_variable(struct settings_reading *reading, char *variable) {
    char name[SETTING_NAME_MAX], source[SETTING_SOURCE_MAX], message[SETTING_SOURCE_MAX];
    struct text value = text_of(variable), called = text_cut(&value, '=');
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (setting_variable(setting_rows[i].option, name, sizeof name) &&
            text_equal(called, text_of(name))) {
            (void)settings_set(reading, i, value.at, name, EX_USAGE);
            return;
        }
    if (read_secret_variable(reading, called, value.at))
        return;
    struct text own = called;
    (void)text_cut(&own, '_');
    if (text_equal(called, TEXT("ROSTER_CONFIG")) || is_foreign(own, value))
        return;
    setting_nearest(called, setting_variable, name, sizeof name);
    (void)snprintf(source, sizeof source, "%.*s:", (int)called.len, called.at);
    (void)snprintf(message, sizeof message,
                   "no such setting; the nearest is %s (rosterd --help lists all)", name);
    (void)settings_report(reading, EX_USAGE, source, message);
}

void settings_read_environment(struct settings_reading *reading) {
    reading->present = RANK_ENVIRONMENT;
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "ROSTER_", 7) == 0)
            read_variable(reading, *variable);
}

/* ---- The file ---- */

static int set_from_file(struct settings_reading *reading, size_t at, const char *value,
                         const char *source) {
    const char *kept = settings_keep(reading, value);
    if (reading->in_file[at] && setting_rows[at].type != SETTING_list)
        return settings_report(reading, EX_CONFIG, source, "is set twice");
    if (!kept)
        return settings_report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    reading->in_file[at] = true;
    return settings_set(reading, at, kept, source, EX_CONFIG);
}

/* Called by inih for each line. Its result, 1, means: go on. */
static int read_entry(void *context, const char *section, const char *name, const char *value) {
    struct settings_reading *reading = context;
    char source[SETTING_SOURCE_MAX], message[SETTING_SOURCE_MAX], known[SETTING_NAME_MAX];
    (void)snprintf(source, sizeof source, "%s:%u: %s", reading->config, reading->line, name);
    if (*section)
        return settings_report(reading, EX_CONFIG, source,
                               "is in a section; remove the [section] line"),
               1;
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (strcmp(setting_rows[i].option, name) == 0)
            return (void)set_from_file(reading, i, value ? value : "", source), 1;
    setting_nearest(text_of(name), setting_option, known, sizeof known);
    (void)snprintf(message, sizeof message, "is not a setting; the nearest is %s", known);
    return settings_report(reading, EX_CONFIG, source, message), 1;
}

/* Like fgets, for inih, which would take the rest of a line that does not fit for another line. */
static char *read_line(char *line, int size, void *context) {
    struct settings_reading *reading = context;
    char source[SETTING_SOURCE_MAX];
    reading->line++;
    char *read = fgets(line, size, reading->file);
    (void)snprintf(source, sizeof source, "%s:%u:", reading->config, reading->line);
    if (read && !strchr(line, '\n') && !feof(reading->file))
        (void)settings_report(reading, EX_CONFIG, source,
                              "the line is too long, or contains a NUL");
    if (!read)
        explicit_bzero(line, (size_t)size); /* it may have held a password */
    return read;
}

/* Says why the file cannot be read, by errno. */
static void refuse_file(struct settings_reading *reading) {
    char message[SETTING_SOURCE_MAX];
    (void)snprintf(message, sizeof message, "cannot be read: %s; check --config or ROSTER_CONFIG",
                   strerror(errno));
    (void)settings_report(reading, EX_NOINPUT,
                          *reading->config ? reading->config : "the file of settings \"\"",
                          message);
}

/* A value is everything after the `=`: a `;` in it does not begin a comment, for passwords' sake.
 */
static void parse_file(struct settings_reading *reading) {
    char source[SETTING_SOURCE_MAX];
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_initial_alloc = ini_max_line = LINE_BYTES;
    int result = ini_parse_stream(read_line, reading, read_entry, reading);
    (void)snprintf(source, sizeof source, "%s:%d:", reading->config, result > 0 ? result : 0);
    if (ferror(reading->file))
        refuse_file(reading);
    else if (result < 0)
        (void)settings_report(reading, EX_OSERR, reading->config, "there is no memory to read it");
    else if (result > 0)
        (void)settings_report(reading, EX_CONFIG, source,
                              "the line is not of the form `setting = value`");
}

void settings_read_file(struct settings_reading *reading) {
    char buffer[BUFSIZ];
    if (!reading->config)
        reading->config = getenv("ROSTER_CONFIG");
    if (!reading->config)
        return;
    reading->present = RANK_FILE;
    reading->file = fopen(reading->config, "re");
    if (!reading->file) {
        refuse_file(reading);
        return;
    }
    if (setvbuf(reading->file, buffer, _IOFBF, sizeof buffer) == 0)
        parse_file(reading);
    else
        (void)settings_report(reading, EX_OSERR, reading->config, "there is no memory to read it");
    (void)fclose(reading->file); /* nothing was written that could be lost */
    explicit_bzero(buffer, sizeof buffer);
}

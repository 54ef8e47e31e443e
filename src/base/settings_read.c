/* Reads the settings from three sources: flags, environment variables and a file.
 *
 * One row of settings.def gives a setting its flag, its variable, its key in the file, its bounds
 * and its line of --help. argp parses the flags and inih the file, but every value passes
 * settings_set, which checks it and compares the rank of its source with that of the source that
 * set it before. The sources can therefore be read in any order. The flags come first because they
 * name the file.
 *
 * A mistake ends the start: a misspelt setting that is ignored would be a surprise later, and some
 * settings protect the server. So an unknown ROSTER_ variable is an error too, except those that
 * Kubernetes and Docker set for a service that is called roster. Every mistake is printed, with
 * its source and the nearest setting that exists. Values are never printed: a secret may stand in
 * the wrong place. */
#include "base/settings_read.h"

#include "base/log.h"
#include "base/settings_options.h"
#include "base/settings_sources.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int settings_read(struct settings *settings, int argc, char **argv) {
    struct settings_reading reading = { .settings = settings };
    *settings = (struct settings){ .argc = argc, .argv = argv };
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        setting_store(settings, &setting_rows[i], setting_rows[i].initial);
    settings_read_options(&reading, argc, argv);
    settings_read_environment(&reading);
    settings_read_credentials(&reading);
    settings_read_file(&reading);
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

/* ---- Reloading ---- */

/* A running server has no use for these, and has wiped the password. */
static bool is_for_new_database(const struct setting *row) {
    return row->offset == offsetof(struct settings, admin_password) ||
           row->offset == offsetof(struct settings, admin_email) ||
           row->offset == offsetof(struct settings, init);
}

static bool is_equal(const struct setting *row, union setting_value a, union setting_value b) {
    return setting_is_text(row) ? strcmp(a.text, b.text) == 0 : a.number == b.number;
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
    for (const struct setting *row = setting_rows; row < setting_rows + SETTINGS_COUNT; row++) {
        union setting_value value = setting_value_of(fresh, row);
        if (is_equal(row, value, setting_value_of(settings, row)) || is_for_new_database(row))
            continue;
        if (row->is_reloadable && setting_is_text(row) &&
            !(value.text = keep_reloaded(settings, value.text)))
            return false;
        if (row->is_reloadable)
            setting_store(settings, row, value);
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

#ifndef ROSTER_BASE_SETTINGS_READ_H
#define ROSTER_BASE_SETTINGS_READ_H

#include "base/settings.h"

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

/** Wipes and frees what settings_read allocated. */
void settings_free(struct settings *settings);

#endif

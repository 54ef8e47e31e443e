#ifndef ROSTER_BASE_SETTINGS_SOURCES_H
#define ROSTER_BASE_SETTINGS_SOURCES_H

/* The sources of settings beside the command line. Each reports its mistakes (settings_report). */

#include "base/settings_reading.h"

/** All variables that begin with ROSTER_ are looked at, to find the misspelt ones. */
void settings_read_environment(struct settings_reading *reading);

/** systemd puts the credentials of a service into files of a folder (LoadCredential=). */
void settings_read_credentials(struct settings_reading *reading);

/** The file that --config or ROSTER_CONFIG names, if one does. */
void settings_read_file(struct settings_reading *reading);

#endif

#ifndef ROSTER_BASE_SETTINGS_OPTIONS_H
#define ROSTER_BASE_SETTINGS_OPTIONS_H

#include "base/settings_reading.h"

/**
 * Reads the command line: settings, the sub-command with its options, and the file of settings.
 * Reports each mistake. --help and --version print, and end the process with 0.
 */
void settings_read_options(struct settings_reading *reading, int argc, char **argv);

#endif

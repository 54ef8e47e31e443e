#ifndef ROSTER_BASE_SETTINGS_WORDS_H
#define ROSTER_BASE_SETTINGS_WORDS_H

#include "base/settings_reading.h"

#include <argp.h>

/**
 * Reports each word of the command line that argp would refuse, and writes the others to `good`,
 * which has room for `argc` + 1 pointers. Returns their number. `options` ends with a zeroed row.
 */
int settings_check_words(struct settings_reading *reading, const struct argp_option *options,
                         int argc, char **argv, char **good);

#endif

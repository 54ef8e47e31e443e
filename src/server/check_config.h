#ifndef ROSTER_SERVER_CHECK_CONFIG_H
#define ROSTER_SERVER_CHECK_CONFIG_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Checks what the settings mean beyond their types, as far as that needs neither a file nor an
 * address: the database's URL, the first administrator, the demo, the lists of proxies. Prints a
 * line for each mistake. EX_OK, or the code of sysexits.h for the first. Main thread.
 */
int check_config_values(const struct settings *settings) MUST_CHECK;

/**
 * Checks the same and the addresses, the certificates and their keys, and the data folder, without
 * opening an address or the database. Otherwise as check_config_values.
 */
int check_config_run(const struct settings *settings) MUST_CHECK;

#endif

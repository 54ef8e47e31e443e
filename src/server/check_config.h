#ifndef ROSTER_SERVER_CHECK_CONFIG_H
#define ROSTER_SERVER_CHECK_CONFIG_H

#include "base/settings.h"
#include "base/status.h"

/**
 * Checks what the settings mean beyond their types, without opening an address or the database: the
 * database's URL, the first administrator, the lists of proxies, the addresses, the certificates
 * and their keys, the data folder. Prints a line for each mistake. EX_OK, or the code of sysexits.h
 * for the first. Main thread.
 */
int check_config_run(const struct settings *settings) MUST_CHECK;

#endif

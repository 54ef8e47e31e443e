#ifndef ROSTER_SERVER_FIRST_ADMIN_H
#define ROSTER_SERVER_FIRST_ADMIN_H

#include "base/settings.h"
#include "store/store.h"

/**
 * Checks the e-mail address and the password that the settings give the first administrator. EX_OK,
 * or EX_USAGE after a line on standard error for each mistake.
 */
int first_admin_check(const struct settings *settings) MUST_CHECK;

/**
 * Fills a database without users with its first records: the system's roles and the first
 * administrator, with --demo also the demo's; or does nothing when another server has filled it
 * meanwhile. When the settings name no administrator, the roles are all, and `*is_awaited` says
 * that the administrator comes by the link (api/ui/first_run.h). `database` names it in error
 * messages. A password that was generated here is printed once, on standard output. EX_OK, or
 * EX_OSERR or EX_IOERR after a line on standard error. Main thread, at start, before other threads
 * use the store.
 */
int first_admin_write(struct store *store, const struct settings *settings, const char *database,
                      bool *is_awaited) MUST_CHECK;

/** Wipes the first administrator's password from the settings and the environment. */
void first_admin_forget_password(const struct settings *settings);

#endif

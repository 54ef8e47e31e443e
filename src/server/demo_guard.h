#ifndef ROSTER_SERVER_DEMO_GUARD_H
#define ROSTER_SERVER_DEMO_GUARD_H

#include "base/settings.h"
#include "base/status.h"

/* The demo's password is public, so other machines may reach the demo only with --demo-public. */

/**
 * Checks the addresses of --listen. EX_OK, or EX_USAGE after a line on standard error. Main thread.
 */
int demo_guard_check(const struct settings *settings) MUST_CHECK;

/**
 * Checks the URL of a socket that the service manager has opened ("http://127.0.0.1:8080"). As
 * demo_guard_check.
 */
int demo_guard_check_url(const struct settings *settings, const char *url) MUST_CHECK;

#endif

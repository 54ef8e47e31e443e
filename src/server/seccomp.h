#ifndef ROSTER_SERVER_SECCOMP_H
#define ROSTER_SERVER_SECCOMP_H

#include <stdbool.h>

/**
 * Takes from this process, and all threads it starts from here on, the system calls that a server
 * has no use for: starting programs, looking into others, mounting, loading modules and the like
 * end it; all else that is not on the list fails with EPERM. False, with errno, when the system
 * refuses.
 */
bool seccomp_filter_install(void);

#endif

#ifndef ROSTER_SERVER_SECCOMP_H
#define ROSTER_SERVER_SECCOMP_H

#include <stdbool.h>

/**
 * Restricts this process and all its threads, present and future, to the system calls that a server
 * needs. Calls that only an attacker would make (starting a program, tracing a process, mounting,
 * loading a module) end the process; all others that are not allowed fail with EPERM. There is no
 * way back. False, with errno, when the system refuses the filter. Main thread, once.
 */
bool seccomp_filter_install(void);

#endif

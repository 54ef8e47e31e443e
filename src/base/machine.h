#ifndef ROSTER_BASE_MACHINE_H
#define ROSTER_BASE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/** The part of the machine that this process may use. */
struct machine {
    unsigned cores;        /* at least 1; a share of a core counts as one */
    uint64_t memory_bytes; /* of the machine, or the smallest limit of a cgroup */
};

/**
 * Reads the cores that the process may run on (sched_getaffinity), the machine's memory, and the
 * limits of its cgroup and of all cgroups around it, of version 1 and 2. A limit that cannot be
 * read counts as none. `root` is "" except in tests, which give a folder that has proc/self/cgroup
 * and sys/fs/cgroup. Any thread.
 */
struct machine machine_read(const char *root);

/** How many threads of `thread_bytes` each: one for each core, but no more than fit into a quarter
 * of the memory, and at least one. */
unsigned machine_threads(const struct machine *machine, uint64_t thread_bytes);

#endif

#ifndef ROSTER_BASE_PROCESS_H
#define ROSTER_BASE_PROCESS_H

/** The resources that the process uses. -1: the system does not say. */
struct process_stats {
    double cpu_s;             /* of all threads, since the start */
    double resident, virtual; /* bytes */
    double open_fds, max_fds;
};

/** Reads /proc. Takes longer the more descriptors are open. Any thread, at most once a second. */
struct process_stats process_stats(void);

#endif

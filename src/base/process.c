/* The resources that the process uses: CPU time, memory, descriptors. */
#include "base/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double cpu_seconds(void) {
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return -1;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* proc(5): the sizes are in pages. */
static void read_memory(struct process_stats *stats) {
    char line[128];
    const double page = (double)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    stats->virtual = stats->resident = -1;
    if (!file)
        return;
    if (fgets(line, sizeof line, file)) {
        char *rest;
        stats->virtual = page * (double)strtoull(line, &rest, 10);
        stats->resident = page * (double)strtoull(rest, NULL, 10);
    }
    (void)fclose(file);
}

static double count_descriptors(void) {
    double count = -1; /* the descriptor of the folder itself */
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return -1;
    const struct dirent *entry;
    // cppcheck-suppress readdirCalled ; the stream is this call's own (POSIX)
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

struct process_stats process_stats(void) {
    struct rlimit limit;
    struct process_stats stats = { .cpu_s = cpu_seconds(), .open_fds = count_descriptors() };
    read_memory(&stats);
    stats.max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : -1;
    return stats;
}

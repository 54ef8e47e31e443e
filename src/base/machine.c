/* The cores and the memory that the process may use, which in a container are fewer than the
 * machine has. */
#include "base/machine.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512 };

/* Reads the first line of a file of a cgroup. False if there is none. */
static bool read_line(const char *folder, const char *name, char line[LINE_MAX_BYTES]) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = len > 0 && (size_t)len < sizeof path ? fopen(path, "re") : NULL;
    if (!file)
        return false;
    bool is_read = fgets(line, LINE_MAX_BYTES, file) != NULL;
    (void)fclose(file); /* nothing was written that could be lost */
    return is_read;
}

/* A positive number. "max", and -1 in version 1, mean: no limit. */
static bool take_positive(struct text text, int64_t *number) {
    return text_to_int64(text_trim(text), number) && *number > 0;
}

static void limit_cores(struct machine *machine, int64_t quota_us, int64_t period_us) {
    int64_t cores = quota_us / period_us + (quota_us % period_us != 0);
    if (cores < machine->cores)
        machine->cores = (unsigned)cores;
}

static void limit_memory(struct machine *machine, const char *folder, const char *name) {
    char line[LINE_MAX_BYTES];
    int64_t bytes;
    if (read_line(folder, name, line) && take_positive(text_of(line), &bytes) &&
        (uint64_t)bytes < machine->memory_bytes)
        machine->memory_bytes = (uint64_t)bytes;
}

/* Version 2: "QUOTA PERIOD". */
static void read_unified(struct machine *machine, const char *folder) {
    char line[LINE_MAX_BYTES];
    int64_t quota_us, period_us;
    if (read_line(folder, "cpu.max", line)) {
        struct text period = text_of(line), quota = text_cut(&period, ' ');
        if (take_positive(quota, &quota_us) && take_positive(period, &period_us))
            limit_cores(machine, quota_us, period_us);
    }
    limit_memory(machine, folder, "memory.max");
    limit_memory(machine, folder, "memory.high"); /* beyond it the kernel slows the process down */
}

static void read_cpu(struct machine *machine, const char *folder) {
    char quota[LINE_MAX_BYTES], period[LINE_MAX_BYTES];
    int64_t quota_us, period_us;
    if (read_line(folder, "cpu.cfs_quota_us", quota) &&
        read_line(folder, "cpu.cfs_period_us", period) &&
        take_positive(text_of(quota), &quota_us) && take_positive(text_of(period), &period_us))
        limit_cores(machine, quota_us, period_us);
}

static void read_memory(struct machine *machine, const char *folder) {
    limit_memory(machine, folder, "memory.limit_in_bytes");
}

typedef void read_group(struct machine *machine, const char *folder);

/* Reads the group at `path` below `mount`, and each group around it. A container may see its own
 * group as the mount itself while /proc names it as the host does; the folders in between are then
 * missing, and nothing is read from them. */
static void read_groups(struct machine *machine, const char *mount, struct text path,
                        read_group *read) {
    char folder[PATH_MAX];
    int mount_len = snprintf(folder, sizeof folder, "%s", mount);
    if (mount_len < 0 || (size_t)mount_len + path.len >= sizeof folder)
        return;
    memcpy(folder + mount_len, path.at, path.len);
    for (size_t len = path.len;; len--) {
        folder[(size_t)mount_len + len] = '\0';
        if (len == 0 || path.at[len] == '/' || len == path.len)
            read(machine, folder);
        if (len == 0)
            return;
    }
}

/* A line of /proc/self/cgroup: "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1. */
static void read_membership(struct machine *machine, const char *root, struct text line) {
    static const struct {
        struct text controller; /* empty: version 2, which has one hierarchy */
        const char *mount;
        read_group *read;
    } hierarchies[] = {
        { { "", 0 }, "/sys/fs/cgroup", read_unified },
        { { "cpu", 3 }, "/sys/fs/cgroup/cpu", read_cpu },
        { { "memory", 6 }, "/sys/fs/cgroup/memory", read_memory },
    };
    char mount[PATH_MAX];
    (void)text_cut(&line, ':');
    struct text controllers = text_cut(&line, ':'), path = text_trim(line);
    while (controllers.at && path.len) {
        struct text one = text_cut(&controllers, ',');
        for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
            int len = snprintf(mount, sizeof mount, "%s%s", root, hierarchies[i].mount);
            if (text_equal(one, hierarchies[i].controller) && len > 0 && (size_t)len < sizeof mount)
                read_groups(machine, mount, path, hierarchies[i].read);
        }
    }
}

static void read_memberships(struct machine *machine, const char *root) {
    char path[PATH_MAX], line[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = len > 0 && (size_t)len < sizeof path ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file))
        read_membership(machine, root, text_of(line));
    if (file)
        (void)fclose(file);
}

/* The set grows until the kernel's fits, which has a bit for each core that the machine may get. */
static unsigned allowed_cores(void) {
    for (int bits = CPU_SETSIZE; bits <= 64 * CPU_SETSIZE; bits *= 2) {
        cpu_set_t *set = CPU_ALLOC(bits);
        size_t size = CPU_ALLOC_SIZE(bits);
        bool is_read = set && sched_getaffinity(0, size, set) == 0;
        bool is_too_small = set && !is_read && errno == EINVAL;
        int count = is_read ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
        if (!is_too_small)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

struct machine machine_read(const char *root) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    struct machine machine = { .cores = allowed_cores(), .memory_bytes = UINT64_MAX };
    if (pages > 0 && page > 0)
        machine.memory_bytes = (uint64_t)pages * (uint64_t)page;
    read_memberships(&machine, root);
    return machine;
}

unsigned machine_threads(const struct machine *machine, uint64_t thread_bytes) {
    uint64_t fit = machine->memory_bytes / 4 / thread_bytes;
    if (fit >= machine->cores)
        return machine->cores;
    return fit ? (unsigned)fit : 1;
}

/* The promises of machine.h, in cgroups of both versions: folders of the test's own. */
#include "base/machine.h"

#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)

static char root[32];
static struct machine whole; /* without cgroups */

static int make_root(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/roster-machine-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    whole = machine_read(root);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw) {
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int remove_root(void **state) {
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the root, and makes its folders. */
static void put(const char *path, const char *content) {
    char full[PATH_MAX];
    int len = snprintf(full, sizeof full, "%s/%s", root, path);
    assert_in_range(len, 1, sizeof full - 1);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700); /* it may be there */
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void assert_machine(unsigned cores, uint64_t memory_bytes) {
    struct machine machine = machine_read(root);
    assert_int_equal(machine.cores, cores < whole.cores ? cores : whole.cores);
    assert_int_equal(machine.memory_bytes, memory_bytes);
}

static void without_a_limit_the_machine_is_all_there(void **state) {
    (void)state;
    assert_in_range(whole.cores, 1, 65536);
    assert_in_range(whole.memory_bytes, 16 * MIB, UINT64_MAX - 1);
    put("proc/self/cgroup", "4:memory:/\n1:cpu,cpuacct:/\n0::/\n");
    put("sys/fs/cgroup/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/memory.max", "max\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_machine(UINT_MAX, whole.memory_bytes);
}

static void only_the_cores_of_the_affinity_count(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(machine_read(root).cores, 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(machine_read(root).cores, CPU_COUNT(&before));
}

static void version_2_limits_by_the_group_and_by_those_around_it(void **state) {
    (void)state;
    put("proc/self/cgroup", "0::/pods/roster\n");
    put("sys/fs/cgroup/pods/roster/cpu.max", "50000 100000\n");
    put("sys/fs/cgroup/pods/roster/memory.max", "268435456\n");
    assert_machine(1, 256 * MIB);
    put("sys/fs/cgroup/pods/roster/cpu.max", "150000 100000\n");
    assert_machine(2, 256 * MIB);
    put("sys/fs/cgroup/pods/memory.max", "134217728\n");
    put("sys/fs/cgroup/pods/cpu.max", "100000 100000\n");
    assert_machine(1, 128 * MIB);
    put("sys/fs/cgroup/pods/roster/memory.high", "67108864\n");
    assert_machine(1, 64 * MIB);
    put("sys/fs/cgroup/pods/roster/cpu.max", "100 100000\n");
    assert_machine(1, 64 * MIB);
}

static void version_1_limits_by_its_own_controllers(void **state) {
    (void)state;
    put("proc/self/cgroup",
        "9:name=systemd:/x\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker\n0::/\n");
    put("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "536870912\n");
    put("sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000\n");
    assert_machine(1, 512 * MIB);
}

/* Inside the container /proc has the host's path, and the mount is the container's own group. */
static void a_container_sees_its_group_as_the_mount(void **state) {
    (void)state;
    put("proc/self/cgroup", "4:memory:/docker/other\n1:cpu,cpuacct:/docker/other\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "20000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_machine(1, 32 * MIB);
}

static void files_that_make_no_sense_limit_nothing(void **state) {
    (void)state;
    put("proc/self/cgroup", "\n:\n::\n0:\n0::relative\nmemory\n0::/odd\n");
    put("sys/fs/cgroup/odd/cpu.max", "many\n");
    put("sys/fs/cgroup/odd/memory.max", "0\n");
    put("sys/fs/cgroup/odd/memory.high", "-5\n");
    assert_machine(UINT_MAX, whole.memory_bytes);
    put("sys/fs/cgroup/odd/cpu.max", "100000 0\n");
    put("sys/fs/cgroup/odd/memory.max", "");
    assert_machine(UINT_MAX, whole.memory_bytes);
}

static void threads_are_as_many_as_cores_and_fit_into_a_quarter_of_the_memory(void **state) {
    (void)state;
    const struct {
        struct machine machine;
        unsigned threads;
    } cases[] = {
        { { 2, 48 * MIB }, 1 },     { { 2, 4096 * MIB }, 2 }, { { 64, 256 * MIB }, 3 },
        { { 64, UINT64_MAX }, 64 }, { { 64, 0 }, 1 },         { { 1, 4096 * MIB }, 1 },
        { { 64, 80 * MIB }, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(machine_threads(&cases[i].machine, 20 * MIB), cases[i].threads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_limit_the_machine_is_all_there, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(only_the_cores_of_the_affinity_count, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(version_2_limits_by_the_group_and_by_those_around_it,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(version_1_limits_by_its_own_controllers, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_container_sees_its_group_as_the_mount, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(files_that_make_no_sense_limit_nothing, make_root,
                                        remove_root),
        cmocka_unit_test(threads_are_as_many_as_cores_and_fit_into_a_quarter_of_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

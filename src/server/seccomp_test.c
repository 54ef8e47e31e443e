/* Which system calls a process with the filter may make. Each test makes its call in a child
 * process, because a filter cannot be removed. All tests over sockets run with the filter, and show
 * that the server needs no other calls. */
#include "server/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The exit code of a child that could not install the filter. */
enum { NO_SECCOMP = 255 };

/* Runs `attempt` in a child, with the filter or without, and returns the status of waitpid. The
 * child's exit code is what `attempt` returns: 0 or the errno of its call. */
static int ended(int (*attempt)(void), bool inside) {
    int how = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = { 0, 0 };
        if (setrlimit(RLIMIT_CORE, &none) != 0 || (inside && !seccomp_filter_install()))
            _exit(NO_SECCOMP);
        _exit(attempt());
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

static void assert_ends(int (*attempt)(void), bool inside, int code) {
    int how = ended(attempt, inside);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), code);
}

static void assert_deadly(int (*attempt)(void)) {
    int how = ended(attempt, true);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGSYS);
}

static int start_a_program(void) {
    char *arguments[] = { (char[]){ "true" }, NULL };
    (void)execv("/bin/true", arguments);
    return errno;
}

static int be_traced(void) {
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}

static int look_into_a_process(void) {
    return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) == 0 ? 0 : errno;
}

static int leave_a_namespace(void) {
    return syscall(SYS_unshare, 0) == 0 ? 0 : errno;
}

static int watch_files(void) {
    return inotify_init1(IN_CLOEXEC) >= 0 ? 0 : errno;
}

static int send_a_signal(void) {
    return kill(getpid(), 0) == 0 ? 0 : errno;
}

static int read_a_file(void) {
    char byte;
    int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    return file >= 0 && read(file, &byte, 1) == 1 && close(file) == 0 ? 0 : errno;
}

static int make_a_socket(int family, int type) {
    int made = socket(family, type | SOCK_CLOEXEC, 0);
    return made >= 0 && close(made) == 0 ? 0 : errno;
}

static int talk_to_others(void) {
    return make_a_socket(AF_INET, SOCK_STREAM);
}

/* The first family but the four whose sockets are not refused with EPERM; 0: there is none. */
static int talk_in_other_ways(void) {
    for (int family = 0; family < AF_MAX; family++) {
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
            continue;
        if (make_a_socket(family, SOCK_RAW) != EPERM || make_a_socket(family, SOCK_DGRAM) != EPERM)
            return family ? family : AF_MAX;
    }
    return 0;
}

static int pair(void) {
    int ends[2];
    return socketpair(AF_TIPC, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

/* Else the tests below would see the system refuse, not the filter. */
static void without_the_filter_they_are_granted(void **state) {
    (void)state;
    int (*const attempts[])(void) = { start_a_program, be_traced, watch_files, send_a_signal };
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        assert_ends(attempts[i], false, 0);
}

static void to_start_a_program_ends_it(void **state) {
    (void)state;
    assert_deadly(start_a_program);
}

static void to_trace_and_look_into_processes_ends_it(void **state) {
    (void)state;
    assert_deadly(be_traced);
    assert_deadly(look_into_a_process);
}

static void to_leave_a_namespace_ends_it(void **state) {
    (void)state;
    assert_deadly(leave_a_namespace);
}

static void what_is_not_listed_fails_with_eperm(void **state) {
    (void)state;
    assert_ends(watch_files, true, EPERM);
    assert_ends(send_a_signal, true, EPERM);
    assert_ends(pair, true, EPERM);
    assert_ends(talk_in_other_ways, true, 0);
}

static void files_and_sockets_are_still_granted(void **state) {
    (void)state;
    assert_ends(read_a_file, true, 0);
    assert_ends(talk_to_others, true, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_filter_they_are_granted),
        cmocka_unit_test(to_start_a_program_ends_it),
        cmocka_unit_test(to_trace_and_look_into_processes_ends_it),
        cmocka_unit_test(to_leave_a_namespace_ends_it),
        cmocka_unit_test(what_is_not_listed_fails_with_eperm),
        cmocka_unit_test(files_and_sockets_are_still_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The process that runs backups and checks for a server that serves.
 *
 * A backup must not be done inside the server: it copies the whole database in one call that
 * nothing can interrupt, links files, and on PostgreSQL opens a store of its own. The server's
 * seccomp filter allows neither links nor programs. So the server forks this process before it has
 * threads, secrets of the data folder or the filter. It waits for one byte, runs this very program
 * as `rosterd backup` or `rosterd check`, and sends back how that ended. Two backups at once are
 * refused, and what a killed one leaves is removed, as with any other `rosterd backup`.
 *
 * Its words for the program are made here, of the settings; the server only says which of the two.
 */
#include "server/upkeep_helper.h"

#include "base/log.h"
#include "server/bootstrap.h"
#include "server/first_admin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { SOCKET = 3, NICE = 10, SIGNALLED = 128 };

/* ---- The command ---- */

/* In a new process, whose output goes to `output`. */
static void run_command(const struct settings *settings, const char *name, int output) {
    char keep[16];
    const char *folder = *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
    (void)snprintf(keep, sizeof keep, "%ld", (long)settings->backup_keep);
    const char *const words[] = { "rosterd",
                                  name,
                                  "--data",
                                  folder,
                                  "--database",
                                  settings->database,
                                  "--backup-dir",
                                  settings->backup_dir,
                                  "--backup-keep",
                                  keep,
                                  "--log-format",
                                  "text",
                                  NULL };
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() != 1 && dup2(output, 1) == 1 &&
        dup2(output, 2) == 2 && nice(NICE) != -1)
        (void)execv("/proc/self/exe", (char *const *)words);
    report_error("the command cannot be started: %s", strerror(errno));
    _exit(EX_OSERR);
}

/* ---- The helper ---- */

/* Reads what the command prints, to its end, and throws away what is too much. Ends the command,
 * and this process, when the server ends. */
static void collect(int output, pid_t command, struct upkeep_result *result) {
    struct pollfd both[] = { { .fd = SOCKET, .events = POLLIN },
                             { .fd = output, .events = POLLIN } };
    char piece[1024];
    ssize_t got = 1;
    while (got > 0) {
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            _exit(EX_OSERR);
        if (both[0].revents) { /* the server sends nothing while a task runs */
            (void)kill(command, SIGTERM);
            _exit(EX_OK);
        }
        got = both[1].revents ? read(output, piece, sizeof piece) : 1;
        if (got <= 0 || !both[1].revents)
            continue;
        size_t room = sizeof result->output - result->len;
        size_t taken = (size_t)got < room ? (size_t)got : room;
        memcpy(result->output + result->len, piece, taken);
        result->len += (unsigned)taken;
        result->is_cut |= taken < (size_t)got;
    }
}

/* Half a line may end inside a character. */
static void leave_whole_lines(struct upkeep_result *result) {
    const char *end = memrchr(result->output, '\n', result->len);
    if (result->is_cut)
        result->len = end ? (unsigned)(end - result->output) + 1 : 0;
}

static void run_task(const struct settings *settings, enum upkeep_task task,
                     struct upkeep_result *result) {
    int ends[2], how = 0;
    result->code = EX_OSERR;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid_t command = fork();
    if (command == 0)
        run_command(settings, task == UPKEEP_backup ? "backup" : "check", ends[1]);
    (void)close(ends[1]);
    if (command > 0) {
        collect(ends[0], command, result);
        leave_whole_lines(result);
        if (waitpid(command, &how, 0) == command)
            result->code = WIFEXITED(how) ? WEXITSTATUS(how) : SIGNALLED + WTERMSIG(how);
    }
    (void)close(ends[0]);
}

/* Has the default signals, and no descriptor of the server's but the socket and the standard ones.
 */
static void leave_the_server(const struct settings *settings, int socket) {
    sigset_t none;
    first_admin_forget_password(settings);
    if ((socket != SOCKET && dup3(socket, SOCKET, O_CLOEXEC) != SOCKET) ||
        sigemptyset(&none) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(EX_OSERR);
    closefrom(SOCKET + 1);
}

static void serve(const struct settings *settings, int socket) {
    unsigned char task = UPKEEP_none;
    leave_the_server(settings, socket);
    while (recv(SOCKET, &task, 1, 0) == 1) {
        struct upkeep_result result = { 0 };
        run_task(settings, task, &result);
        if (send(SOCKET, &result, sizeof result, MSG_NOSIGNAL) != sizeof result)
            break;
    }
    _exit(EX_OK);
}

int upkeep_helper_start(const struct settings *settings, struct upkeep **upkeep) {
    int ends[2] = { -1, -1 };
    *upkeep = NULL;
    if (!*settings->backup_dir)
        return EX_OK;
    pid_t helper = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? fork() : -1;
    if (helper == 0)
        serve(settings, ends[1]);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    if (helper > 0 && (*upkeep = upkeep_new(ends[0], settings->backup_dir)))
        return EX_OK;
    if (ends[0] >= 0)
        (void)close(ends[0]);
    report_error("the process that runs backups cannot be started: %s", strerror(errno));
    return EX_OSERR;
}

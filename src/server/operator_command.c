/* The operator's end of the operator's commands.
 *
 * While a server runs, it alone may open the database, so the command goes to its socket. Otherwise
 * the command opens the database itself. Both can be impossible for a
 * short time: while a server
 * starts, it has the folder but no socket yet; while it stops, it has the folder but no socket any
 * more; and another command may have the folder. So each is tried in turn for a while. A command
 * that a server has begun is never sent a second time. */
#include "server/operator_command.h"

#include "base/container_of.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "server/bootstrap.h"
#include "server/operator_wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 100,
    PAUSE_MS = 100,
    PASSWORD_LINE = 4096, /* bytes of a line with a password; more is longer than any password */
    QUEUE = 4,            /* of passwords; one command has one at a time */
    NOT_TAKEN = -1,       /* no exit code: the command was not begun */
};

/* ---- The password ---- */

/* Reads the password from the terminal, twice, without showing it. */
static bool ask_password(char password[PASSWORD_LINE]) {
    char *typed = getpass("New password: ");
    if (!typed || strlen(typed) >= PASSWORD_LINE) {
        report_error("the password cannot be read from the terminal");
        return false;
    }
    memcpy(password, typed, strlen(typed) + 1);
    secret_wipe(typed, strlen(typed));
    typed = getpass("The same again: ");
    bool is_same = typed && strcmp(typed, password) == 0;
    if (typed)
        secret_wipe(typed, strlen(typed));
    if (!is_same)
        report_error("the two passwords differ");
    return is_same;
}

/* Reads the first line of standard input. */
static bool read_password(char password[PASSWORD_LINE]) {
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* so that no buffer keeps a copy */
    if (!fgets(password, PASSWORD_LINE, stdin)) {
        report_error("standard input has no password");
        return false;
    }
    size_t len = strcspn(password, "\r\n");
    bool is_line = password[len] || feof(stdin);
    password[len] = '\0';
    if (!is_line || !len)
        report_error(len ? "the password is too long, or has a NUL" : "the password is empty");
    return is_line && len;
}

/* ---- The server's answer ---- */

static void take_frame(const char *packet, size_t len, FILE *result, int *code) {
    switch ((enum operator_frame)packet[0]) {
    case OPERATOR_BEGINS: *code = EX_TEMPFAIL; break;
    case OPERATOR_PRINTS: (void)fwrite(packet + 1, 1, len - 1, result); break; /* see ferror */
    case OPERATOR_SAYS: report_error("%.*s", (int)len - 1, packet + 1); break;
    case OPERATOR_ENDS: *code = len > 1 ? (unsigned char)packet[1] : EX_PROTOCOL; break;
    }
}

/* Takes the server's packets up to the last one. */
static int take_answer(int fd, FILE *result) {
    char packet[OPERATOR_FRAME_MAX];
    int code = NOT_TAKEN;
    ssize_t len;
    do {
        len = recv(fd, packet, sizeof packet, 0);
        if (len > 0)
            take_frame(packet, (size_t)len, result, &code);
    } while ((len > 0 && packet[0] != OPERATOR_ENDS) || (len < 0 && errno == EINTR));
    if (len <= 0 && code != NOT_TAKEN)
        report_error("the server ended before the command did, which may have been done or not");
    return code;
}

/* The result is printed at the end: who reads it slowly does not keep the server waiting. */
static int ask_server(int fd, const char *packet, size_t len) {
    char *text = NULL;
    size_t size = 0;
    FILE *result = open_memstream(&text, &size);
    if (!result) {
        report_error("there is no memory for the result");
        return EX_OSERR;
    }
    int code = send(fd, packet, len, MSG_NOSIGNAL) < 0 ? NOT_TAKEN : take_answer(fd, result);
    bool failed = ferror(result) != 0;
    failed |= fclose(result) != 0;
    if (!failed && size && fwrite(text, 1, size, stdout) != size)
        failed = true;
    free(text);
    if (failed)
        report_error("the result cannot be printed: %s", strerror(errno));
    return failed ? EX_IOERR : code;
}

/* NOT_TAKEN: no server listens. */
static int try_server(const char *folder, const char *packet, size_t len) {
    struct sockaddr_un address;
    int opened, code = NOT_TAKEN;
    if (!operator_address(folder, &address, &opened))
        return NOT_TAKEN; /* bootstrap_open_existing says what is wrong */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        code = ask_server(fd, packet, len);
    else if (errno == EACCES) {
        report_error("%s: only root and the user that the server runs as may do this", folder);
        code = EX_NOPERM;
    }
    if (fd >= 0)
        (void)close(fd);
    if (opened >= 0)
        (void)close(opened);
    return code;
}

/* ---- Without a server ---- */

static bool print(struct operator_output *output, struct text text) {
    (void)output;
    return fwrite(text.at, 1, text.len, stdout) == text.len;
}

static bool say(struct operator_output *output, struct text line) {
    (void)output;
    report_error("%.*s", (int)line.len, line.at);
    return true;
}

static bool goes_on(struct operator_output *output) {
    (void)output;
    return true;
}

/* NOT_TAKEN: another process uses the folder; `why` has a line on it. */
static int try_folder(const struct settings *settings, const struct operator_request *request,
                      char *why, size_t why_size) {
    struct data_folder folder = { 0 };
    struct operator_output output = { print, say, goes_on };
    int code = bootstrap_open_existing(&folder, settings, why, why_size);
    if (code == EX_TEMPFAIL)
        return NOT_TAKEN;
    if (code != EX_OK) {
        report_error("%s", why);
        return code;
    }
    struct passwords *passwords = passwords_start(1, QUEUE);
    if (passwords) {
        code = operator_run(folder.store, passwords, request, &output);
    } else {
        report_error("the system refuses to start a thread");
        code = EX_OSERR;
    }
    passwords_stop(passwords);
    bootstrap_close(&folder);
    return code;
}

/* ---- Both ---- */

static int run(const struct settings *settings, const struct operator_request *request) {
    const struct timespec pause = { 0, PAUSE_MS * 1000000L };
    const char *folder = *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
    char packet[OPERATOR_REQUEST_MAX], why[PATH_MAX + 256] = "";
    size_t len = operator_pack(request, packet);
    int code = NOT_TAKEN;
    if (!len) {
        report_error("the command is too long");
        return EX_USAGE;
    }
    for (unsigned i = 0; code == NOT_TAKEN && i < TRIES; i++) {
        if (i)
            (void)nanosleep(&pause, NULL); /* a signal only makes it shorter */
        code = try_server(folder, packet, len);
        if (code == NOT_TAKEN)
            code = try_folder(settings, request, why, sizeof why);
    }
    secret_wipe(packet, sizeof packet);
    if (code != NOT_TAKEN)
        return code;
    report_error("%s", why);
    return EX_TEMPFAIL;
}

int operator_command_run(const struct settings *settings) {
    char why[512], password[PASSWORD_LINE];
    const char *words[OPERATOR_WORDS] = { settings->subcommand == SUBCOMMAND_user ? "user"
                                                                                  : "token",
                                          settings->words[0], settings->words[1] };
    const struct operator_command *command = operator_find(words, why, sizeof why);
    struct operator_request request = { .words = words,
                                        .name = settings->options.name,
                                        .json = settings->options.json,
                                        .user = getuid() };
    int code = EX_NOINPUT;
    if (!command) {
        report_error("%s", why);
        return EX_USAGE;
    }
    bool has_all = !operator_takes_password(command) ||
                   (isatty(STDIN_FILENO) ? ask_password(password) : read_password(password));
    if (has_all && operator_takes_password(command))
        request.password = text_of(password);
    if (has_all)
        code = run(settings, &request);
    secret_wipe(password, sizeof password);
    if (fflush(stdout) == 0)
        return code;
    report_error("the result cannot be printed: %s", strerror(errno));
    return EX_IOERR;
}

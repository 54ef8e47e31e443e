/* The server's end of the operator's commands.
 *
 * The socket's file is in the data folder and has mode 0600 as soon as it exists, and the server
 * asks the system who the peer is. An abstract socket would leave no file behind, but whoever
 * shares the network namespace could connect to it, root of another container too.
 *
 * A server that was killed leaves the file. The next one replaces it once nobody listens there. The
 * store locks the folder, so no other server comes in between. */
#include "server/operator_socket.h"

#include "base/container_of.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "server/operator_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    BACKLOG = 16,
    PEER_TIMEOUT_MS = 10 * 1000, /* without its request, or while it takes no packet */
};

struct operator_socket {
    int listening, stopping; /* `stopping` is an eventfd that can be read once it is time */
    struct sockaddr_un address;
    int folder; /* a descriptor that `address` needs; -1: it needs none */
    pthread_t thread;
    struct store *store;
    struct passwords *passwords;
};

/* ---- A command ---- */

/* The peer of a command that runs. */
struct peer {
    struct operator_output output;
    const struct operator_socket *socket;
    int fd;
};

static bool is_stopping(const struct operator_socket *socket) {
    struct pollfd wait = { .fd = socket->stopping, .events = POLLIN };
    return poll(&wait, 1, 0) != 0;
}

/* Returns true once the descriptor is ready; false after the timeout, or when the server stops
 * before. */
static bool wait_for(const struct operator_socket *socket, int fd, short events, int timeout_ms) {
    struct pollfd waits[] = { { .fd = fd, .events = events },
                              { .fd = socket->stopping, .events = POLLIN } };
    int ready;
    do
        ready = poll(waits, 2, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0 && waits[0].revents;
}

static bool send_packet(const struct peer *peer, enum operator_frame frame, struct text content) {
    char packet[OPERATOR_FRAME_MAX] = { (char)frame };
    memcpy(packet + 1, content.at, content.len);
    return wait_for(peer->socket, peer->fd, POLLOUT, PEER_TIMEOUT_MS) &&
           send(peer->fd, packet, content.len + 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool send_text(const struct peer *peer, enum operator_frame frame, struct text text) {
    while (text.len) {
        const size_t len = text.len < OPERATOR_FRAME_MAX ? text.len : OPERATOR_FRAME_MAX - 1;
        if (!send_packet(peer, frame, (struct text){ text.at, len }))
            return false;
        text = (struct text){ text.at + len, text.len - len };
    }
    return true;
}

static bool print(struct operator_output *output, struct text text) {
    return send_text(container_of(output, struct peer, output), OPERATOR_PRINTS, text);
}

static bool say(struct operator_output *output, struct text line) {
    return send_text(container_of(output, struct peer, output), OPERATOR_SAYS, line);
}

static bool goes_on(struct operator_output *output) {
    return !is_stopping(container_of(output, struct peer, output)->socket);
}

static void end(const struct peer *peer, int code) {
    const char byte = (char)code;
    /* A peer that is gone needs no code. */
    (void)send_packet(peer, OPERATOR_ENDS, (struct text){ &byte, 1 });
}

static void run_request(struct peer *peer, const struct operator_request *request) {
    if (!send_packet(peer, OPERATOR_BEGINS, TEXT("")))
        return;
    int code = operator_run(peer->socket->store, peer->socket->passwords, request, &peer->output);
    char why[8];
    const bool is_command = operator_find(request->words, why, sizeof why);
    log_info("operator: user %u of the system: %s %s: %s (%d)", request->user,
             is_command ? request->words[0] : "unknown", is_command ? request->words[1] : "command",
             code == EX_OK ? "done" : "not done", code);
    end(peer, code);
}

static bool may_command(int fd, unsigned *user) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    *user = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void serve(const struct operator_socket *socket, int fd) {
    struct peer peer = { { print, say, goes_on }, socket, fd };
    char packet[OPERATOR_REQUEST_MAX];
    const char *words[OPERATOR_WORDS];
    struct operator_request request;
    unsigned user;
    if (!wait_for(socket, fd, POLLIN, PEER_TIMEOUT_MS))
        return;
    ssize_t len = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
    if (!may_command(fd, &user)) {
        (void)say(&peer.output, TEXT("only root and the user that the server runs as may do this"));
        end(&peer, EX_NOPERM);
    } else if (len > 0 && operator_unpack(packet, (size_t)len, words, &request)) {
        request.user = user;
        run_request(&peer, &request);
    } else if (len > 0) {
        (void)say(&peer.output, TEXT("the server is of another version, and does not know this"));
        end(&peer, EX_USAGE);
    }
    secret_wipe(packet, sizeof packet); /* it may have a password */
}

/* ---- The socket ---- */

static void *run_thread(void *argument) {
    const struct operator_socket *socket = argument;
    (void)pthread_setname_np(pthread_self(), "operator");
    while (wait_for(socket, socket->listening, POLLIN, -1) && !is_stopping(socket)) {
        int fd = accept4(socket->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        serve(socket, fd);
        (void)close(fd);
    }
    return NULL;
}

static bool bind_to(const struct operator_socket *socket) {
    return bind(socket->listening, (const struct sockaddr *)&socket->address,
                sizeof socket->address) == 0;
}

/* Is the file a socket on which nobody listens? Leaves errno as it is. */
static bool is_left_behind(const struct operator_socket *socket, const char *folder) {
    const int reason = errno;
    struct stat file;
    bool is_left = lstat(socket->address.sun_path, &file) == 0 && S_ISSOCK(file.st_mode) &&
                   !operator_is_served(folder);
    errno = reason;
    return is_left;
}

/* bind(2) gives the file the mode that the socket has. */
static bool open_socket(struct operator_socket *opened, const char *folder) {
    opened->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (opened->listening < 0 || fchmod(opened->listening, 0600) != 0 ||
        !operator_address(folder, &opened->address, &opened->folder))
        return false;
    bool is_bound = bind_to(opened);
    if (!is_bound && errno == EADDRINUSE && is_left_behind(opened, folder))
        is_bound = unlink(opened->address.sun_path) == 0 && bind_to(opened);
    return is_bound && listen(opened->listening, BACKLOG) == 0;
}

static void close_all(struct operator_socket *socket) {
    if (socket->listening >= 0)
        (void)close(socket->listening);
    if (socket->stopping >= 0)
        (void)close(socket->stopping);
    if (socket->folder >= 0)
        (void)close(socket->folder);
    free(socket);
}

struct operator_socket *operator_socket_start(const char *folder, struct store *store,
                                              struct passwords *passwords) {
    struct operator_socket *socket = malloc(sizeof *socket);
    if (!socket) {
        log_warning("no commands while the server runs: there is no memory");
        return NULL;
    }
    *socket = (struct operator_socket){ .listening = -1,
                                        .stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                        .folder = -1,
                                        .store = store,
                                        .passwords = passwords };
    bool is_open = socket->stopping >= 0 && open_socket(socket, folder);
    if (is_open) {
        errno = pthread_create(&socket->thread, NULL, run_thread, socket);
        if (errno == 0)
            return socket;
        (void)unlink(socket->address.sun_path); /* if it stays, the next start replaces it */
    }
    log_warning("%s/" OPERATOR_SOCKET ": %s; rosterd user and rosterd token work only while this"
                " server does not run",
                folder, strerror(errno));
    close_all(socket);
    return NULL;
}

/* The file goes first, so that a command that comes now looks at the folder instead. */
void operator_socket_stop(struct operator_socket *socket) {
    if (!socket)
        return;
    if (unlink(socket->address.sun_path) != 0 && errno != ENOENT)
        log_warning("%s stays behind: %s", socket->address.sun_path, strerror(errno));
    while (eventfd_write(socket->stopping, 1) != 0 && errno == EINTR)
        ;
    int failed = pthread_join(socket->thread, NULL);
    if (failed)
        log_error("the thread of the operator's commands cannot be joined: %s", strerror(failed));
    close_all(socket);
}

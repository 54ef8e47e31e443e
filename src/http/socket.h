#ifndef ROSTER_HTTP_SOCKET_H
#define ROSTER_HTTP_SOCKET_H

#include "base/text.h"

#include <sys/types.h>

enum { SOCKET_URL_MAX = 160 };

/** How to open sockets. */
struct socket_options {
    const char *setting; /* the setting that has the addresses, for messages: "--listen" */
    unsigned unix_mode;  /* mode of a UNIX socket's file; connecting needs write permission */
    const char
        *unix_group; /* group of that file, a name or a number; NULL or empty: the process's */
};

/** A listening socket. */
struct socket {
    int fd;
    char url[SOCKET_URL_MAX]; /* "http://127.0.0.1:8080", "http://[::1]:8080", "unix:PATH" */
    dev_t device;             /* of a UNIX socket's file */
    ino_t inode;
};

/** Listening sockets; zeroed: none. */
struct sockets {
    struct socket *at;
    size_t count;
};

/** Why the server cannot listen on an address. */
struct socket_failure {
    int exit_code; /* a code of sysexits.h */
    char why[512]; /* a line that says what to do */
};

/**
 * Listens on an address and adds the sockets to `sockets`. The address is "127.0.0.1:8080",
 * "[::1]:0" (any free port), "unix:/run/x.sock", or a name with a port ("localhost:8080"), which
 * becomes one socket for each address of that name. An address that this machine does not have is
 * skipped with a warning if the name has others (localhost is often ::1 where there is no IPv6). If
 * any other address cannot be opened the whole call fails, since clients might reach another
 * program there.
 *
 * A socket file on which nobody listens is replaced. The new file has its mode and its group before
 * anybody can connect. For that the umask of the process changes for a short time, so call this
 * before other threads start.
 *
 * False with `failure` filled in, and nothing added: EX_USAGE for an address that cannot be parsed
 * or a group that does not exist, EX_UNAVAILABLE for what the system refuses, EX_OSERR if there is
 * no memory.
 */
bool socket_listen(struct text address, const struct socket_options *options,
                   struct sockets *sockets, struct socket_failure *failure);

/** Can the address be parsed, and is there the group? Opens nothing. False as socket_listen. */
bool socket_check(struct text address, const struct socket_options *options,
                  struct socket_failure *failure) __attribute__((warn_unused_result));

/** True if the descriptor is a UNIX socket. */
bool socket_is_unix(int fd);

/**
 * Adds a listening stream socket that the process has inherited. Its file, if it is a UNIX socket,
 * is never removed. False with `failure` filled in: it is no such socket (EX_USAGE), or there is no
 * memory (EX_OSERR).
 */
bool socket_adopt(int fd, struct sockets *sockets, struct socket_failure *failure);

/**
 * Closes and frees all sockets; `sockets` is empty afterwards. The file of a UNIX socket is removed
 * unless another socket has replaced it meanwhile.
 */
void socket_close(struct sockets *sockets);

#endif

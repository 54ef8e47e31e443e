#ifndef ROSTER_HTTP_SOCKET_H
#define ROSTER_HTTP_SOCKET_H

#include "base/text.h"

#include <sys/types.h>

enum { SOCKET_URL_MAX = 160 };

/** How sockets are opened. */
struct socket_options {
    const char *setting;    /* which names the addresses, for messages: "--listen" */
    unsigned unix_mode;     /* of the file of a UNIX socket: who may write to it may connect */
    const char *unix_group; /* whose that file is, a name or a number; NULL or empty: as it comes */
};

/** A socket that listens. */
struct socket {
    int fd;
    char url[SOCKET_URL_MAX]; /* "http://127.0.0.1:8080", "http://[::1]:8080", "unix:PATH" */
    dev_t device;             /* of a UNIX socket's file */
    ino_t inode;
};

/** Sockets that listen; zeroed: none. */
struct sockets {
    struct socket *at;
    size_t count;
};

/** Why an address cannot be listened on. */
struct socket_failure {
    int exit_code; /* of sysexits.h */
    char why[512]; /* a line that says what to do */
};

/**
 * Listens on an address and adds the sockets to `sockets`: "127.0.0.1:8080", "[::1]:0" (any free
 * port), "unix:/run/x.sock", or a name with a port ("localhost:8080"), which is one socket for each
 * address of that name. An address that this machine does not have is passed over with a line in
 * the log if the name has others (localhost is often ::1 where there is no IPv6); else one address
 * that cannot be opened is a failure, since clients would find another server there.  A socket file
 * that nobody listens on any more is replaced. The new one has its mode and its group before any
 * client can connect. For that the process's umask is changed and restored, so call this before
 * other threads start.  False with `failure` filled in, and nothing added: EX_USAGE for an address
 * that is not valid or an unknown group, EX_UNAVAILABLE when the system refuses the address,
 * EX_OSERR without memory.
 */
bool socket_listen(struct text address, const struct socket_options *options,
                   struct sockets *sockets, struct socket_failure *failure);

/**
 * Closes them all and frees. The file of a UNIX socket goes as well, unless another socket has
 * taken its place meanwhile. `sockets` is empty afterwards.
 */
void socket_close(struct sockets *sockets);

#endif

/* Listening sockets: TCP by host and port, UNIX by path, or inherited from the service manager.
 *
 * A host name may have several addresses; each becomes a socket. An address that this machine does
 * not have is skipped with a warning, as long as the name has another one.
 *
 * The file of a UNIX socket has its mode and its group before listen(2), so that nobody can connect
 * earlier than allowed. A file that no process listens on is left over from a server that was
 * killed, and is replaced. When a socket is closed its file is removed, but only if it is still the
 * same file: another server may have put its own there. */
#include "http/socket.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { BACKLOG = 4096, HOST_SIZE = 256, PORT_SIZE = 8 };

/* An address that is being opened, and where its sockets and errors go. */
struct opening {
    char address[HOST_SIZE + PORT_SIZE + 2];
    const struct socket_options *options;
    struct sockets *sockets;
    struct socket_failure *failure;
};

__attribute__((format(printf, 3, 4))) static bool fail(const struct opening *opening, int exit_code,
                                                       const char *format, ...) {
    struct socket_failure *failure = opening->failure;
    va_list arguments;
    va_start(arguments, format);
    failure->exit_code = exit_code;
    (void)vsnprintf(failure->why, sizeof failure->why, format, arguments);
    va_end(arguments);
    return false;
}

/* Refuses the address with the text of errno. */
static bool refuse_address(const struct opening *opening) {
    return fail(opening, EX_UNAVAILABLE, "%s %s: %s; choose another address",
                opening->options->setting, opening->address,
                errno == EADDRINUSE ? "address already in use" : strerror(errno));
}

static bool misread(const struct opening *opening) {
    return fail(opening, EX_USAGE, "%s %s: must be like 127.0.0.1:8080, [::1]:8080 or unix:PATH",
                opening->options->setting, opening->address);
}

static struct socket *add(const struct opening *opening, int fd) {
    struct sockets *sockets = opening->sockets;
    struct socket *grown = realloc(sockets->at, (sockets->count + 1) * sizeof *grown);
    if (!grown) {
        (void)close(fd);
        (void)fail(opening, EX_OSERR, "%s: there is no memory to listen", opening->address);
        return NULL;
    }
    sockets->at = grown;
    grown += sockets->count++;
    *grown = (struct socket){ .fd = fd };
    return grown;
}

/* True if the file is still the one that the socket was bound to. While the socket is open no other
 * file can have its inode number. */
static bool has_file(const struct socket *socket, const char *path) {
    struct stat file;
    return lstat(path, &file) == 0 && file.st_dev == socket->device &&
           file.st_ino == socket->inode && S_ISSOCK(file.st_mode);
}

/* Closes the sockets from `first` on. Each file is removed while its socket is open (has_file). */
static void close_from(struct sockets *sockets, size_t first) {
    while (sockets->count > first) {
        const struct socket *socket = &sockets->at[--sockets->count];
        const char *path = socket->url + 5;
        if (strncmp(socket->url, "unix:", 5) == 0 && has_file(socket, path) && unlink(path) != 0)
            log_warning("%s stays behind: %s", path, strerror(errno));
        (void)close(socket->fd);
    }
}

/* True if there is a socket file on which nobody listens. The probe does not wait for a server
 * whose backlog is full; that server counts as alive. */
static bool is_stale(const struct sockaddr_un *name) {
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct stat file;
    bool stale = probe >= 0 && stat(name->sun_path, &file) == 0 && S_ISSOCK(file.st_mode) &&
                 connect(probe, (const struct sockaddr *)name, sizeof *name) != 0 &&
                 errno == ECONNREFUSED;
    if (probe >= 0)
        (void)close(probe);
    return stale;
}

/* Makes the file with its mode: bind(2) gives it 0777 less the umask. */
static int bind_with_mode(const struct sockaddr_un *name, unsigned mode) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    mode_t before = umask(~mode & 0777);
    bool is_bound = bind(fd, (const struct sockaddr *)name, sizeof *name) == 0;
    int reason = errno;
    (void)umask(before);
    if (is_bound)
        return fd;
    (void)close(fd);
    errno = reason;
    return -1;
}

/* Finds the group by name, otherwise by number. Leaves `*group` unchanged if no group is set. */
static bool find_group(const struct opening *opening, gid_t *group) {
    const char *wanted = opening->options->unix_group;
    int64_t number;
    if (!wanted || !*wanted)
        return true;
    errno = 0;
    /* cppcheck-suppress getgrnamCalled ; there is one thread */
    const struct group *found = getgrnam(wanted);
    if (found)
        *group = found->gr_gid;
    else if (text_to_int64(text_of(wanted), &number) && number >= 0 && number < (gid_t)-1)
        *group = (gid_t)number;
    else if (errno == ENOMEM || errno == EIO || errno == EMFILE || errno == ENFILE)
        return fail(opening, EX_OSERR, "--unix-group %s: groups cannot be looked up: %s", wanted,
                    strerror(errno));
    else
        return fail(opening, EX_USAGE, "--unix-group %s: there is no such group", wanted);
    return true;
}

static bool names_file(const struct opening *opening) {
    return strncmp(opening->address, "unix:", 5) == 0;
}

static bool check_unix(const struct opening *opening, gid_t *group) {
    const char *path = opening->address + 5;
    if (!*path || strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return misread(opening);
    return find_group(opening, group);
}

/* The file has its mode and group before listen(2); until then nobody can connect. */
static bool listen_unix(const struct opening *opening) {
    const char *path = opening->address + 5;
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    struct stat file;
    gid_t group = (gid_t)-1;
    if (!check_unix(opening, &group))
        return false;
    memcpy(name.sun_path, path, strlen(path) + 1);
    if (is_stale(&name))
        (void)unlink(path); /* if this fails, bind says why */
    int fd = bind_with_mode(&name, opening->options->unix_mode);
    if (fd < 0)
        return refuse_address(opening);
    struct socket *socket = add(opening, fd);
    if (!socket)
        return false;
    if (lstat(path, &file) != 0)
        return refuse_address(opening);
    (void)snprintf(socket->url, sizeof socket->url, "unix:%s", path);
    socket->device = file.st_dev;
    socket->inode = file.st_ino;
    if (group != (gid_t)-1 && lchown(path, (uid_t)-1, group) != 0)
        return fail(opening, EX_UNAVAILABLE, "--unix-group %s: %s cannot be given to it: %s",
                    opening->options->unix_group, path, strerror(errno));
    return listen(fd, BACKLOG) == 0 || refuse_address(opening);
}

static bool split(const char *address, char host[HOST_SIZE], char port[PORT_SIZE]) {
    struct text whole = text_of(address);
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address)
        return false;
    struct text name = { address, (size_t)(colon - address) };
    struct text number = { colon + 1, whole.len - name.len - 1 };
    int64_t value;
    if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
        name = (struct text){ name.at + 1, name.len - 2 };
    else if (memchr(name.at, ':', name.len))
        return false;
    if (name.len >= HOST_SIZE || !text_to_int64(number, &value) || value < 0 || value > 65535)
        return false;
    memcpy(host, name.at, name.len);
    host[name.len] = '\0';
    memcpy(port, number.at, number.len);
    port[number.len] = '\0';
    return true;
}

static void write_url(int fd, char url[SOCKET_URL_MAX]) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    char host[INET6_ADDRSTRLEN] = "?", port[PORT_SIZE] = "?";
    if (getsockname(fd, (struct sockaddr *)&name, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&name, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(url, SOCKET_URL_MAX, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host,
                   port);
}

/* Accepted connections inherit TCP_NODELAY: a reply is sent when it is written, without waiting for
 * the acknowledgement of an earlier one. */
static int bind_and_listen(const struct addrinfo *found) {
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

/* The resolver returns an address twice if /etc/hosts has it twice. */
static bool is_repeated(const struct addrinfo *found, const struct addrinfo *each) {
    for (; found != each; found = found->ai_next)
        if (found->ai_addrlen == each->ai_addrlen &&
            memcmp(found->ai_addr, each->ai_addr, found->ai_addrlen) == 0)
            return true;
    return false;
}

static bool is_elsewhere(int reason) {
    return reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT;
}

/* Warns of the addresses that were skipped, naming one of them. */
static void tell_passed_over(const struct opening *opening, const struct addrinfo *each,
                             size_t count) {
    char host[INET6_ADDRSTRLEN] = "?";
    (void)getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    log_info("%s: passed over %zu of its addresses, which this machine does not have (%s)",
             opening->address, count, host);
}

static bool listen_on_each(const struct opening *opening, const struct addrinfo *found) {
    const struct addrinfo *elsewhere = NULL;
    size_t before = opening->sockets->count, passed_over = 0;
    int reason = 0;
    for (const struct addrinfo *each = found; each; each = each->ai_next) {
        if (is_repeated(found, each))
            continue;
        int fd = bind_and_listen(each);
        if (fd < 0 && !is_elsewhere(errno))
            return refuse_address(opening);
        if (fd < 0) {
            reason = errno;
            elsewhere = each;
            passed_over++;
            continue;
        }
        struct socket *socket = add(opening, fd);
        if (!socket)
            return false;
        write_url(fd, socket->url);
    }
    errno = reason;
    if (opening->sockets->count == before)
        return refuse_address(opening);
    if (elsewhere)
        tell_passed_over(opening, elsewhere, passed_over);
    return true;
}

static bool listen_tcp(const struct opening *opening) {
    char host[HOST_SIZE], port[PORT_SIZE];
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    if (!split(opening->address, host, port))
        return misread(opening);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return fail(opening, EX_UNAVAILABLE, "%s %s: %s; choose another address",
                    opening->options->setting, opening->address,
                    failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    bool listens = listen_on_each(opening, found);
    freeaddrinfo(found);
    return listens;
}

/* `opening` is zeroed but for its pointers. */
static bool take_address(struct opening *opening, struct text address) {
    const size_t room = sizeof opening->address - 1;
    if (address.len)
        memcpy(opening->address, address.at, address.len < room ? address.len : room);
    return address.len <= room || misread(opening);
}

bool socket_check(struct text address, const struct socket_options *options,
                  struct socket_failure *failure) {
    struct opening opening = { .options = options, .failure = failure };
    char host[HOST_SIZE], port[PORT_SIZE];
    gid_t group;
    if (!take_address(&opening, address))
        return false;
    if (names_file(&opening))
        return check_unix(&opening, &group);
    return split(opening.address, host, port) || misread(&opening);
}

bool socket_listen(struct text address, const struct socket_options *options,
                   struct sockets *sockets, struct socket_failure *failure) {
    struct opening opening = { .options = options, .sockets = sockets, .failure = failure };
    const size_t before = sockets->count;
    if (!take_address(&opening, address))
        return false;
    bool listens = names_file(&opening) ? listen_unix(&opening) : listen_tcp(&opening);
    if (!listens)
        close_from(sockets, before);
    return listens;
}

/* ---- inherited sockets ---- */

static int integer_option(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool socket_is_unix(int fd) {
    return integer_option(fd, SO_DOMAIN) == AF_UNIX;
}

static void write_unix_url(int fd, char url[SOCKET_URL_MAX]) {
    struct sockaddr_un name = { 0 };
    socklen_t size = sizeof name;
    bool is_known = getsockname(fd, (struct sockaddr *)&name, &size) == 0;
    (void)snprintf(url, SOCKET_URL_MAX, "unix:%.*s", (int)sizeof name.sun_path,
                   is_known ? name.sun_path : "?");
}

bool socket_adopt(int fd, struct sockets *sockets, struct socket_failure *failure) {
    struct opening opening = { .sockets = sockets, .failure = failure };
    int on = 1, flags = fcntl(fd, F_GETFL);
    (void)snprintf(opening.address, sizeof opening.address, "descriptor %d", fd);
    if (integer_option(fd, SO_TYPE) != SOCK_STREAM || integer_option(fd, SO_ACCEPTCONN) != 1 ||
        flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return fail(&opening, EX_USAGE,
                    "%s of the service manager is no listening stream socket; a .socket unit names"
                    " it in ListenStream= and has Accept=no",
                    opening.address);
    bool is_unix = socket_is_unix(fd);
    if (!is_unix && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        log_warning("%s: replies may be delayed: %s", opening.address, strerror(errno));
    struct socket *socket = add(&opening, fd);
    if (!socket)
        return false;
    if (is_unix)
        write_unix_url(fd, socket->url);
    else
        write_url(fd, socket->url);
    return true;
}

void socket_close(struct sockets *sockets) {
    close_from(sockets, 0);
    free(sockets->at);
    *sockets = (struct sockets){ 0 };
}

/* From an address as an operator writes it to a listening socket. */
#include "http/socket.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int refuse(const char *address, int code, char *why, size_t why_size, int *exit_code) {
    const char *reason = errno == EADDRINUSE ? "address already in use" : strerror(errno);
    (void)snprintf(why, why_size, "%s: %s; choose another address (--listen)", address, reason);
    *exit_code = code;
    return -1;
}

static int misread(const char *address, char *why, size_t why_size, int *exit_code) {
    (void)snprintf(why, why_size,
                   "--listen %s: must be like 127.0.0.1:8080, [::1]:8080 or unix:PATH", address);
    *exit_code = EX_USAGE;
    return -1;
}

/* Is a socket file there, with nobody behind it? */
static bool is_stale(const struct sockaddr_un *name) {
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat file;
    bool stale = probe >= 0 && stat(name->sun_path, &file) == 0 && S_ISSOCK(file.st_mode) &&
                 connect(probe, (const struct sockaddr *)name, sizeof *name) != 0 &&
                 errno == ECONNREFUSED;
    if (probe >= 0)
        (void)close(probe);
    return stale;
}

static int listen_unix(const char *path, char url[SOCKET_URL_MAX], char *why, size_t why_size,
                       int *exit_code) {
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    if (!*path || strlen(path) >= sizeof name.sun_path)
        return misread(path, why, why_size, exit_code);
    memcpy(name.sun_path, path, strlen(path) + 1);
    if (is_stale(&name))
        (void)unlink(path); /* bind says what is wrong if this did not work */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || chmod(path, 0660) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int result = refuse(path, EX_UNAVAILABLE, why, why_size, exit_code);
        if (fd >= 0)
            (void)close(fd);
        return result;
    }
    (void)snprintf(url, SOCKET_URL_MAX, "unix:%s", path);
    return fd;
}

static bool split(const char *address, char host[256], char port[8]) {
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
    if (name.len > 255 || !text_to_int64(number, &value) || value < 0 || value > 65535)
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
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
    if (getsockname(fd, (struct sockaddr *)&name, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&name, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(url, SOCKET_URL_MAX, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host,
                   port);
}

static int bind_and_listen(const struct addrinfo *found) {
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

int socket_listen(const char *address, char url[SOCKET_URL_MAX], char *why, size_t why_size,
                  int *exit_code) {
    char host[256], port[8];
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(address + 5, url, why, why_size, exit_code);
    if (!split(address, host, port) || getaddrinfo(host, port, &hints, &found) != 0)
        return misread(address, why, why_size, exit_code);
    int fd = bind_and_listen(found);
    if (fd >= 0)
        write_url(fd, url);
    else
        (void)refuse(address, EX_UNAVAILABLE, why, why_size, exit_code);
    freeaddrinfo(found);
    return fd;
}

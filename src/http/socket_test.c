/* Listening sockets: what is bound, what is refused how, and whose a socket file is when. */
#include "http/socket.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct socket_options plain = { .setting = "--listen", .unix_mode = 0660 };
static char folder[64], path[100], address[120]; /* of a socket file */
static struct sockets sockets;
static struct socket_failure failure;

/* Names of the test's own stand beside those of the system: the resolver returns the last of the
 * addresses first. */
static const struct {
    const char *name, *addresses[4];
} names[] = {
    { "both.test", { "127.83.21.2", "127.83.21.1" } },
    { "twice.test", { "127.83.21.1", "127.83.21.2", "127.83.21.1" } },
    { "half.test", { "127.83.21.1", "2001:db8::1" } },
    { "elsewhere.test", { "192.0.2.1", "2001:db8::1" } },
    { "unknown.test", { NULL } },
};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
    for (size_t i = 0; i < LENGTH(names); i++) {
        if (strcmp(names[i].name, name) != 0)
            continue;
        *pai = NULL;
        for (const char *const *each = names[i].addresses; *each; each++) {
            struct addrinfo *one;
            assert_int_equal(real(*each, service, req, &one), 0);
            one->ai_next = *pai;
            *pai = one;
        }
        return *pai ? 0 : EAI_NONAME;
    }
    return real(name, service, req, pai);
}

/* The file as it is when the kernel has just made it, and when clients can connect. */
static struct stat at_bind, at_listen;

static void look(struct stat *file) {
    int reason = errno;
    if (stat(path, file) != 0)
        *file = (struct stat){ 0 };
    errno = reason;
}

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len) {
    long result = syscall(SYS_bind, fd, addr.__sockaddr__, len);
    look(&at_bind);
    return (int)result;
}

int listen(int fd, int n) {
    look(&at_listen);
    return (int)syscall(SYS_listen, fd, n);
}

static bool open_with(const char *where, const struct socket_options *options) {
    failure = (struct socket_failure){ 0 };
    return socket_listen(text_of(where), options, &sockets, &failure);
}

static void assert_open(const char *where, const struct socket_options *options) {
    if (!open_with(where, options))
        fail_msg("%s: %s", where, failure.why);
}

static void assert_refused(const char *where, int exit_code, const char *says) {
    size_t before = sockets.count;
    assert_false(open_with(where, &plain));
    assert_int_equal(failure.exit_code, exit_code);
    if (!strstr(failure.why, says))
        fail_msg("%s: %s", where, failure.why);
    assert_int_equal(sockets.count, before);
}

/* A client of the socket; can it connect? */
static int connect_to(const struct socket *socket_, int *client) {
    struct sockaddr_storage name = { 0 };
    socklen_t size = sizeof name;
    assert_int_equal(getsockname(socket_->fd, (struct sockaddr *)&name, &size), 0);
    *client = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*client >= 0);
    return connect(*client, (struct sockaddr *)&name, size);
}

static int accept_from(const struct socket *socket_) {
    struct pollfd waits = { .fd = socket_->fd, .events = POLLIN };
    assert_int_equal(poll(&waits, 1, 60000), 1);
    int fd = accept(socket_->fd, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static unsigned port_of(const struct socket *socket_) {
    return (unsigned)strtoul(strrchr(socket_->url, ':') + 1, NULL, 10);
}

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/roster-socket-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/sock", folder);
    (void)snprintf(address, sizeof address, "unix:%s", path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    socket_close(&sockets);
    (void)unlink(path);
    return rmdir(folder);
}

static void a_socket_listens_where_its_url_says(void **state) {
    static const char *const cases[][2] = {
        { "127.0.0.1:0", "http://127.0.0.1:" },
        { "0.0.0.0:0", "http://0.0.0.0:" },
        { "127.0.0.2:0", "http://127.0.0.2:" },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_open(cases[i][0], &plain);
        const struct socket *opened = &sockets.at[i];
        int client;
        assert_memory_equal(opened->url, cases[i][1], strlen(cases[i][1]));
        assert_int_not_equal(port_of(opened), 0);
        assert_true(fcntl(opened->fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(opened->fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(connect_to(opened, &client), 0);
        assert_int_equal(close(client), 0);
    }
    assert_int_equal(sockets.count, LENGTH(cases));
}

static void connections_inherit_no_delay(void **state) {
    int client, on = 0;
    socklen_t size = sizeof on;
    (void)state;
    assert_open("127.0.0.1:0", &plain);
    assert_int_equal(connect_to(sockets.at, &client), 0);
    int fd = accept_from(sockets.at);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_int_not_equal(on, 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(client), 0);
}

static void what_is_no_address_is_refused(void **state) {
    static const char *const cases[] = {
        "",
        "x",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:080",
        "127.0.0.1: 80",
        "::1:8080",
        "::1",
        "unix:",
    };
    char longer[400];
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_refused(cases[i], EX_USAGE, ": must be like 127.0.0.1:8080");
    memset(longer, 'a', sizeof longer);
    memcpy(longer + sizeof longer - 4, ":80", 4);
    assert_refused(longer, EX_USAGE, "--listen aaaa");
    memcpy(longer + 256, ":80", 4); /* a name has at most 255 bytes */
    assert_refused(longer, EX_USAGE, "--listen aaaa");
    memcpy(longer, "unix:/", 6);
    longer[5 + sizeof((struct sockaddr_un *)NULL)->sun_path] = '\0'; /* a path ends in NUL */
    assert_refused(longer, EX_USAGE, "--listen unix:/aaaa");
}

static void what_cannot_be_had_says_why(void **state) {
    char taken[64];
    (void)state;
    assert_open("127.0.0.1:0", &plain);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", port_of(sockets.at));
    assert_refused(taken, EX_UNAVAILABLE, ": address already in use; choose another address");
    assert_refused("192.0.2.1:0", EX_UNAVAILABLE, "192.0.2.1:0: ");
    assert_refused("unix:/nowhere/at/all", EX_UNAVAILABLE, "/nowhere/at/all: No such file");
    assert_refused("unknown.test:80", EX_UNAVAILABLE, "--listen unknown.test:80: Name or service");
}

static void a_name_is_all_of_its_addresses(void **state) {
    (void)state;
    assert_open("both.test:0", &plain);
    assert_int_equal(sockets.count, 2);
    assert_memory_equal(sockets.at[0].url, "http://127.83.21.1:", 19);
    assert_memory_equal(sockets.at[1].url, "http://127.83.21.2:", 19);
}

static void an_address_that_a_name_has_twice_is_bound_once(void **state) {
    (void)state;
    assert_open("twice.test:0", &plain);
    assert_int_equal(sockets.count, 2);
}

static void an_address_of_another_machine_is_passed_over_if_there_are_others(void **state) {
    (void)state;
    assert_open("half.test:0", &plain);
    assert_int_equal(sockets.count, 1);
    assert_memory_equal(sockets.at[0].url, "http://127.83.21.1:", 19);
    assert_refused("elsewhere.test:0", EX_UNAVAILABLE, "elsewhere.test:0: ");
}

/* Clients of the name would find somebody else at the address that is taken. */
static void a_name_with_one_address_in_use_is_refused_as_a_whole(void **state) {
    char both[64];
    int client;
    (void)state;
    assert_open("127.83.21.2:0", &plain);
    (void)snprintf(both, sizeof both, "both.test:%u", port_of(sockets.at));
    struct sockaddr_in first = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port_of(sockets.at)) };
    assert_refused(both, EX_UNAVAILABLE, "already in use");
    assert_int_equal(inet_pton(AF_INET, "127.83.21.1", &first.sin_addr), 1);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&first, sizeof first), -1);
    assert_int_equal(close(client), 0);
}

static void a_socket_file_has_its_mode_from_the_first_moment(void **state) {
    static const struct {
        mode_t umask, mode;
    } cases[] = {
        { 0, 0660 }, { 0, 0600 }, { 0, 0666 }, { 0022, 0660 }, { 0077, 0666 }, { 0777, 0600 },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct socket_options options = { .setting = "--listen", .unix_mode = cases[i].mode };
        mode_t before = umask(cases[i].umask);
        bool opened = open_with(address, &options);
        mode_t after = umask(before);
        assert_true(opened);
        assert_int_equal(after, cases[i].umask);
        assert_int_equal(at_bind.st_mode, S_IFSOCK | cases[i].mode);
        assert_int_equal(at_listen.st_mode, S_IFSOCK | cases[i].mode);
        assert_string_equal(sockets.at->url, address);
        socket_close(&sockets);
    }
}

/* A group that this process may give a file to: for root any, for others one of its own. */
static gid_t some_group(void) {
    gid_t groups[64];
    int count = getgroups(LENGTH(groups), groups);
    if (geteuid() == 0)
        return 12345;
    return count > 0 ? groups[count - 1] : getegid();
}

static void a_socket_file_has_its_group_before_it_listens(void **state) {
    char group[32];
    struct socket_options options = plain;
    (void)state;
    (void)snprintf(group, sizeof group, "%u", some_group());
    options.unix_group = group;
    assert_open(address, &options);
    assert_int_equal(at_listen.st_gid, some_group());
    assert_int_equal(at_listen.st_mode, S_IFSOCK | 0660);
    socket_close(&sockets);

    /* cppcheck-suppress getgrgidCalled ; there is one thread */
    const struct group *own = getgrgid(getegid());
    assert_non_null(own);
    options.unix_group = own->gr_name;
    assert_open(address, &options);
    assert_int_equal(at_listen.st_gid, getegid());
    socket_close(&sockets);

    options.unix_group = "";
    assert_open(address, &options);
}

static void a_group_that_there_is_not_is_refused(void **state) {
    static const char *const groups[] = { "no-such-group", "-1", "4294967295", "4294967296",
                                          "0x1" };
    struct stat file;
    (void)state;
    for (size_t i = 0; i < LENGTH(groups); i++) {
        struct socket_options options = plain;
        options.unix_group = groups[i];
        assert_false(open_with(address, &options));
        assert_int_equal(failure.exit_code, EX_USAGE);
        assert_non_null(strstr(failure.why, ": there is no such group"));
        assert_int_equal(stat(path, &file), -1);
    }
}

static void a_socket_file_goes_with_its_socket(void **state) {
    struct stat file;
    (void)state;
    assert_open(address, &plain);
    assert_int_equal(stat(path, &file), 0);
    socket_close(&sockets);
    assert_int_equal(stat(path, &file), -1);
    socket_close(&sockets);
}

static void a_socket_file_that_another_has_replaced_stays(void **state) {
    struct sockets other = { 0 };
    struct stat file;
    (void)state;
    assert_open(address, &plain);
    assert_int_equal(unlink(path), 0);
    assert_true(socket_listen(text_of(address), &plain, &other, &failure));
    socket_close(&sockets);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_ino, other.at->inode);
    socket_close(&other);
    assert_int_equal(stat(path, &file), -1);
}

static void another_kind_of_file_stays(void **state) {
    struct stat file;
    (void)state;
    assert_open(address, &plain);
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    socket_close(&sockets);
    assert_int_equal(stat(path, &file), 0);
    assert_refused(address, EX_UNAVAILABLE, "already in use");
    assert_int_equal(stat(path, &file), 0);
}

static void a_socket_file_with_nobody_behind_it_is_replaced(void **state) {
    int client;
    (void)state;
    assert_open(address, &plain);
    assert_int_equal(close(sockets.at->fd), 0); /* as when its process was killed */
    sockets.at->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct sockets killed = sockets;
    sockets = (struct sockets){ 0 };
    assert_open(address, &plain);
    assert_int_equal(connect_to(sockets.at, &client), 0);
    assert_int_equal(close(client), 0);
    assert_refused(address, EX_UNAVAILABLE, "already in use");
    assert_int_equal(connect_to(sockets.at, &client), 0);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(killed.at->fd), 0);
    free(killed.at);
}

static void a_socket_file_whose_server_takes_nobody_now_is_not_waited_for(void **state) {
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int waiting[8], connected = 0;
    (void)state;
    memcpy(name.sun_path, path, strlen(path) + 1);
    int busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(busy >= 0);
    assert_int_equal(bind(busy, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(busy, 0), 0);
    size_t count = 0;
    while (connected == 0 && count < LENGTH(waiting)) { /* until the backlog is full */
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(waiting[count] >= 0);
        connected = connect(waiting[count++], (struct sockaddr *)&name, sizeof name);
    }
    assert_int_equal(connected, -1);
    assert_int_equal(errno, EAGAIN);
    assert_refused(address, EX_UNAVAILABLE, "already in use");
    while (count)
        assert_int_equal(close(waiting[--count]), 0);
    assert_int_equal(close(busy), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_socket_listens_where_its_url_says),
        TEST(connections_inherit_no_delay),
        TEST(what_is_no_address_is_refused),
        TEST(what_cannot_be_had_says_why),
        TEST(a_name_is_all_of_its_addresses),
        TEST(an_address_that_a_name_has_twice_is_bound_once),
        TEST(an_address_of_another_machine_is_passed_over_if_there_are_others),
        TEST(a_name_with_one_address_in_use_is_refused_as_a_whole),
        TEST(a_socket_file_has_its_mode_from_the_first_moment),
        TEST(a_socket_file_has_its_group_before_it_listens),
        TEST(a_group_that_there_is_not_is_refused),
        TEST(a_socket_file_goes_with_its_socket),
        TEST(a_socket_file_that_another_has_replaced_stays),
        TEST(another_kind_of_file_stays),
        TEST(a_socket_file_with_nobody_behind_it_is_replaced),
        TEST(a_socket_file_whose_server_takes_nobody_now_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

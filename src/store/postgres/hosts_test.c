/* Which of several hosts a connection goes to, and in which order they are tried. A thread plays
 * PostgreSQL, as far as libpq needs it to be connected. Its one socket takes the connections to all
 * addresses of this machine, so the order in which it sees them is the order in which they came. */
#include "store/postgres/hosts.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The hosts are 127.0.0.1 and so on, with these numbers; the marker is none of them. */
enum { FIRST = 1, SECOND, THIRD, MARKER = 9, NUMBERS = 10, SEEN_MAX = 256, LONG_MS = 600 * 1000 };

enum manner { PRIMARY, STANDBY, SILENT, REFUSING };

static struct {
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int manners[NUMBERS];
    int sockets[SEEN_MAX], numbers[SEEN_MAX];
    atomic_uint seen; /* of those two */
} server;

/* ---- The server ---- */

static void say(int socket, const char *bytes, size_t len) {
    (void)!write(socket, bytes, len); /* the client may have gone */
}

#define SAY(socket, literal) say(socket, literal, sizeof(literal) - 1)

static void play(int socket, enum manner manner) {
    char request[1024];
    if (manner == SILENT)
        return;
    if (manner == REFUSING) {
        (void)shutdown(socket, SHUT_RDWR);
        return;
    }
    if (read(socket, request, sizeof request) <= 0)
        return;
    SAY(socket, "R\0\0\0\x08\0\0\0\0");
    SAY(socket, "S\0\0\0\x18server_version\0"
                "15.0\0");
    SAY(socket, "S\0\0\0\x26"
                "default_transaction_read_only\0off\0");
    if (manner == STANDBY)
        SAY(socket, "S\0\0\0\x16in_hot_standby\0on\0");
    else
        SAY(socket, "S\0\0\0\x17in_hot_standby\0off\0");
    SAY(socket, "K\0\0\0\x0c\0\0\0\x01\0\0\0\x02"
                "Z\0\0\0\x05I");
}

static void *serve(void *argument) {
    for (;;) {
        struct sockaddr_in own = { 0 };
        socklen_t size = sizeof own;
        const unsigned i = atomic_load(&server.seen);
        const int socket = accept(server.listener, NULL, NULL);
        if (socket < 0)
            return argument;
        if (i == SEEN_MAX || getsockname(socket, (struct sockaddr *)&own, &size) != 0) {
            (void)close(socket);
            continue;
        }
        server.sockets[i] = socket;
        server.numbers[i] = (int)(ntohl(own.sin_addr.s_addr) & 0xff);
        atomic_store(&server.seen, i + 1);
        play(socket, (enum manner)atomic_load(&server.manners[server.numbers[i] % NUMBERS]));
    }
}

static int start_server(void **state) {
    struct sockaddr_in any = { .sin_family = AF_INET };
    socklen_t size = sizeof any;
    (void)state;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    return server.listener < 0 ||
           bind(server.listener, (const struct sockaddr *)&any, sizeof any) != 0 ||
           listen(server.listener, SEEN_MAX) != 0 ||
           getsockname(server.listener, (struct sockaddr *)&any, &size) != 0 ||
           (server.port = ntohs(any.sin_port)) == 0 ||
           pthread_create(&server.thread, NULL, serve, NULL) != 0;
}

static int stop_server(void **state) {
    (void)state;
    (void)shutdown(server.listener, SHUT_RDWR);
    int failed = pthread_join(server.thread, NULL);
    (void)close(server.listener);
    for (unsigned i = 0; i < atomic_load(&server.seen); i++)
        (void)close(server.sockets[i]);
    return failed;
}

static void set_manners(enum manner first, enum manner second, enum manner third) {
    atomic_store(&server.manners[FIRST], first);
    atomic_store(&server.manners[SECOND], second);
    atomic_store(&server.manners[THIRD], third);
    atomic_store(&server.manners[MARKER], SILENT);
}

/* Waits until the server has seen all connections that were made so far. How many these are. */
static unsigned seen_so_far(void) {
    struct sockaddr_in marker = { .sin_family = AF_INET,
                                  .sin_port = htons(server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + MARKER) };
    const unsigned before = atomic_load(&server.seen);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&marker, sizeof marker), 0);
    for (unsigned i = before;;) {
        for (; i < atomic_load(&server.seen); i++)
            if (server.numbers[i] == MARKER) {
                (void)close(client);
                return i + 1;
            }
        (void)usleep(1000);
    }
}

/* ---- The client ---- */

/* `#` in the connection string stands for the server's port. */
static struct pg_hosts *hosts_of(const char *pattern) {
    char url[256];
    size_t len = 0;
    for (; *pattern; pattern++) {
        int added = *pattern == '#' ? snprintf(url + len, sizeof url - len, "%u", server.port)
                                    : snprintf(url + len, sizeof url - len, "%c", *pattern);
        len += (size_t)added;
        assert_true(len < sizeof url);
    }
    struct pg_hosts *hosts = pg_hosts_new(url);
    assert_non_null(hosts);
    return hosts;
}

static const char three[] = "postgresql://u@127.0.0.1:#,127.0.0.2:#,127.0.0.3:#/d?sslmode=disable";

/* Connects, and returns the number of the host; 0: to none. */
static int connect_once(struct pg_hosts *hosts, int64_t limit_ms, char *why, size_t why_size) {
    PGconn *pg = pg_hosts_connect(hosts, limit_ms, why, why_size);
    if (!pg)
        return 0;
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    int number = PQhost(pg)[strlen(PQhost(pg)) - 1] - '0';
    PQfinish(pg);
    return number;
}

/* The same, however slow the machine is. */
static int connect_to(struct pg_hosts *hosts) {
    char why[1024];
    int number;
    do
        number = connect_once(hosts, LONG_MS, why, sizeof why);
    while (!number);
    return number;
}

static void the_first_that_takes_writes_wins(void **state) {
    (void)state;
    struct pg_hosts *hosts = hosts_of(three);
    set_manners(STANDBY, REFUSING, PRIMARY);
    assert_int_equal(connect_to(hosts), THIRD);
    set_manners(STANDBY, PRIMARY, SILENT);
    assert_int_equal(connect_to(hosts), SECOND);
    pg_hosts_free(hosts);
}

static void the_one_that_was_good_last_is_tried_first(void **state) {
    (void)state;
    struct pg_hosts *hosts = hosts_of(three);
    for (int good = FIRST; good <= THIRD; good++) {
        set_manners(SILENT, SILENT, SILENT);
        atomic_store(&server.manners[good], PRIMARY);
        assert_int_equal(connect_to(hosts), good);
        for (int i = 0; i < 3; i++) {
            unsigned before = seen_so_far();
            assert_int_equal(connect_to(hosts), good);
            assert_int_equal(server.numbers[before], good);
        }
    }
    pg_hosts_free(hosts);
}

static void when_none_is_there_each_says_why(void **state) {
    (void)state;
    char why[1024];
    struct pg_hosts *hosts = hosts_of(three);
    set_manners(SILENT, STANDBY, SILENT);
    assert_int_equal(connect_once(hosts, 400, why, sizeof why), 0);
    assert_non_null(strstr(why, "127.0.0.1 did not answer in time\n"));
    assert_non_null(strstr(why, "127.0.0.2"));
    assert_non_null(strstr(why, "127.0.0.3 did not answer in time\n"));
    assert_int_equal(connect_once(hosts, -1, why, sizeof why), 0);
    pg_hosts_free(hosts);
}

static void ports_and_addresses_belong_to_their_hosts(void **state) {
    (void)state;
    struct pg_hosts *hosts =
        hosts_of("postgresql://u@127.0.0.1,127.0.0.2/d?sslmode=disable&port=#");
    set_manners(SILENT, PRIMARY, SILENT);
    assert_int_equal(connect_to(hosts), SECOND);
    pg_hosts_free(hosts);
    hosts = hosts_of("host=no.invalid,127.0.0.3 hostaddr=127.0.0.1,127.0.0.3 port=#,# user=u"
                     " sslmode=disable");
    set_manners(SILENT, SILENT, PRIMARY);
    assert_int_equal(connect_to(hosts), THIRD);
    pg_hosts_free(hosts);
}

static void an_empty_item_is_the_default(void **state) {
    (void)state;
    set_manners(PRIMARY, PRIMARY, PRIMARY);
    struct pg_hosts *hosts = hosts_of("postgresql://u@127.0.0.1:#,127.0.0.2/d?sslmode=disable");
    assert_int_equal(connect_to(hosts), FIRST);
    pg_hosts_free(hosts);
    hosts = hosts_of("postgresql://u@127.0.0.1:#,:#/d?sslmode=disable");
    assert_int_equal(connect_to(hosts), FIRST);
    pg_hosts_free(hosts);
}

static void what_does_not_fit_is_for_libpq_to_say(void **state) {
    (void)state;
    char why[1024];
    struct pg_hosts *hosts = hosts_of("host=127.0.0.1,127.0.0.2 port=#,#,# user=u");
    assert_int_equal(connect_once(hosts, LONG_MS, why, sizeof why), 0);
    assert_non_null(strstr(why, "could not match 3 port numbers to 2 hosts"));
    pg_hosts_free(hosts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_takes_writes_wins),
        cmocka_unit_test(the_one_that_was_good_last_is_tried_first),
        cmocka_unit_test(when_none_is_there_each_says_why),
        cmocka_unit_test(ports_and_addresses_belong_to_their_hosts),
        cmocka_unit_test(an_empty_item_is_the_default),
        cmocka_unit_test(what_does_not_fit_is_for_libpq_to_say),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* Downloads from a server of the test's own, and what must never be connected to: a listener
 * beside it that is not on the operator's list. Names ending in .test are resolved here. */
#include "fetch/fetch.h"

#include "base/container_of.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONNECTIONS_MAX = 512, REQUEST_MAX = 8192, URL_MAX = 512 };
enum { MAX_SIZE = 1000, TIMEOUT_MS = 60000, JOBS_MAX = 64 };

/* ---- Names ---- */

static atomic_uint outside; /* connections that were tried to PUBLIC_ADDRESS */

#define PUBLIC_ADDRESS "8.8.8.8"

/* No test leaves the machine. Stands before the system's for the whole program, as the next one. */
int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len) {
    int (*real)(int, __CONST_SOCKADDR_ARG, socklen_t) = NULL;
    const struct sockaddr_in *ipv4 = addr.__sockaddr_in__;
    void *symbol = dlsym(RTLD_NEXT, "connect");
    assert_non_null(symbol);
    memcpy(&real, &symbol, sizeof real);
    if (ipv4->sin_family != AF_INET || ipv4->sin_addr.s_addr != inet_addr(PUBLIC_ADDRESS))
        return real(fd, addr, len);
    atomic_fetch_add(&outside, 1);
    errno = ENETUNREACH;
    return -1;
}

/* Which addresses changing.test has depends on how often it was asked for. */
static int resolve_changing(int (*real)(const char *, const char *, const struct addrinfo *,
                                        struct addrinfo **),
                            const char *service, const struct addrinfo *req,
                            struct addrinfo **pai) {
    static atomic_uint asked;
    bool is_first = atomic_fetch_add(&asked, 1) % 2 == 0;
    return real(is_first ? PUBLIC_ADDRESS : "127.0.0.1", service, req, pai);
}

/* both.test has a public address, and behind it one that is not. */
static int resolve_both(int (*real)(const char *, const char *, const struct addrinfo *,
                                    struct addrinfo **),
                        const char *service, const struct addrinfo *req, struct addrinfo **pai) {
    struct addrinfo *first = NULL, *last;
    int failed = real(PUBLIC_ADDRESS, service, req, &first);
    if (failed)
        return failed;
    for (last = first; last->ai_next; last = last->ai_next)
        ;
    *pai = first;
    return real("127.0.0.1", service, req, &last->ai_next);
}

/* While they are held, nobody learns what slow.test is; and how many asked so far. */
static atomic_bool holds_slow_names;
static atomic_uint slow_names;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    assert_non_null(symbol);
    memcpy(&real, &symbol, sizeof real);
    if (strcmp(name, "slow.test") == 0) {
        (void)atomic_fetch_add(&slow_names, 1);
        while (atomic_load(&holds_slow_names))
            (void)usleep(1000);
        return EAI_NONAME;
    }
    if (strcmp(name, "changing.test") == 0)
        return resolve_changing(real, service, req, pai);
    if (strcmp(name, "both.test") == 0)
        return resolve_both(real, service, req, pai);
    if (strcasecmp(name, "trusted.test") == 0 || strcmp(name, "inside.test") == 0)
        return real("127.0.0.1", service, req, pai);
    return strcmp(name, "localhost") == 0 ? real(name, service, req, pai) : EAI_NONAME;
}

/* ---- The server ---- */

struct world {
    char hosts[URL_MAX];
    int listening, inside; /* sockets */
    unsigned port, inside_port;
    pthread_t server;
    pthread_t connections[CONNECTIONS_MAX];
    int sockets[CONNECTIONS_MAX];
    unsigned count;
    struct fetcher *fetcher;
};

static void say(int socket, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(int socket, const char *format, ...) {
    char text[REQUEST_MAX + 256];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)send(socket, text, (size_t)len, MSG_NOSIGNAL);
}

static void say_bytes(int socket, unsigned long count) {
    char bytes[1024];
    memset(bytes, 'x', sizeof bytes);
    while (count) {
        size_t len = count < sizeof bytes ? count : sizeof bytes;
        if (send(socket, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
            return;
        count -= len;
    }
}

static void serve_ok(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void serve_echo(int socket, const char *rest, const char *head) {
    (void)rest;
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(head), head);
}

static void serve_cookie(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    say(socket, "HTTP/1.1 302 Found\r\nSet-Cookie: a=b; Path=/\r\nLocation: /echo/\r\n\r\n");
}

/* /hop/3 leads to /hop/2 ..., and /hop/0 is the end; each says something of its own. */
static void serve_hop(int socket, const char *rest, const char *head) {
    long left = strtol(rest, NULL, 10);
    if (left == 0)
        serve_ok(socket, rest, head);
    else
        say(socket, "HTTP/1.1 302 Found\r\nLocation: /hop/%ld\r\nContent-Length: 5\r\n\r\nmoved",
            left - 1);
}

/* A redirect that says a lot, and one that does not stop. */
static void serve_wordy(int socket, const char *rest, const char *head) {
    (void)head;
    unsigned long size = strtoul(rest, NULL, 10);
    say(socket, "HTTP/1.1 302 Found\r\nLocation: /ok/\r\nConnection: close\r\n\r\n");
    say_bytes(socket, size ? size : SIZE_MAX);
}

static void serve_to(int socket, const char *rest, const char *head) {
    (void)head;
    say(socket, "HTTP/1.1 307 Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", rest);
}

static void serve_size(int socket, const char *rest, const char *head) {
    (void)head;
    unsigned long size = strtoul(rest, NULL, 10);
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", size);
    say_bytes(socket, size);
}

static void serve_stream(int socket, const char *rest, const char *head) {
    (void)head;
    say(socket, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    say_bytes(socket, strtoul(rest, NULL, 10));
}

static void serve_status(int socket, const char *rest, const char *head) {
    (void)head;
    say(socket, "HTTP/1.1 %ld Something\r\nContent-Length: 5\r\n\r\nhello", strtol(rest, NULL, 10));
}

static void wait_for_end(int socket) {
    char byte;
    while (recv(socket, &byte, 1, 0) > 0)
        ;
}

/* Promises more than fits, and sends nothing. */
static void serve_promise(int socket, const char *rest, const char *head) {
    (void)head;
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", rest);
    wait_for_end(socket);
}

static void serve_slow(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
    while (send(socket, "x", 1, MSG_NOSIGNAL) == 1)
        (void)usleep(20000);
}

static void serve_hang(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    wait_for_end(socket);
}

static void serve_short(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
}

static void serve_junk(int socket, const char *rest, const char *head) {
    (void)rest;
    (void)head;
    say(socket, "hello\n");
}

static const struct page {
    const char *path;
    void (*serve)(int socket, const char *rest, const char *head);
} pages[] = {
    { "/ok/", serve_ok },         { "/echo/", serve_echo },     { "/cookie/", serve_cookie },
    { "/hop/", serve_hop },       { "/to/", serve_to },         { "/size/", serve_size },
    { "/stream/", serve_stream }, { "/status/", serve_status }, { "/promise/", serve_promise },
    { "/slow/", serve_slow },     { "/hang/", serve_hang },     { "/short/", serve_short },
    { "/junk/", serve_junk },     { "/wordy/", serve_wordy },
};

static void answer(int socket, const char *head) {
    char path[URL_MAX] = "";
    if (sscanf(head, "GET %511s", path) != 1)
        return;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        size_t len = strlen(pages[i].path);
        if (strncmp(path, pages[i].path, len) == 0)
            pages[i].serve(socket, path + len, head);
    }
}

static void *serve(void *argument) {
    const int *connection = argument;
    char head[REQUEST_MAX] = "";
    size_t len = 0;
    while (len + 1 < sizeof head && !strstr(head, "\r\n\r\n")) {
        ssize_t got = recv(*connection, head + len, sizeof head - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        head[len] = '\0';
    }
    answer(*connection, head);
    (void)shutdown(*connection, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *argument) {
    struct world *world = argument;
    while (world->count < CONNECTIONS_MAX) {
        int connection = accept(world->listening, NULL, NULL);
        if (connection < 0)
            break;
        int *place = &world->sockets[world->count];
        *place = connection;
        if (pthread_create(&world->connections[world->count], NULL, serve, place) != 0)
            break;
        world->count++;
    }
    return NULL;
}

static int open_listener(unsigned *port) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listening >= 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listening, 128), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return listening;
}

static struct fetcher *start_fetcher(const struct world *world) {
    const struct fetch_options options = { .allowed_hosts = world->hosts };
    struct fetcher *fetcher = fetcher_start(&options);
    assert_non_null(fetcher);
    return fetcher;
}

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->listening = open_listener(&world->port);
    world->inside = open_listener(&world->inside_port);
    assert_int_equal(pthread_create(&world->server, NULL, accept_all, world), 0);
    assert_true(snprintf(world->hosts, sizeof world->hosts,
                         "elsewhere.test, 127.0.0.1:%u ,Trusted.TEST", world->port) > 0);
    world->fetcher = start_fetcher(world);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    fetcher_stop(world->fetcher);
    (void)shutdown(world->listening, SHUT_RDWR);
    (void)pthread_join(world->server, NULL);
    for (unsigned i = 0; i < world->count; i++) {
        (void)pthread_join(world->connections[i], NULL);
        (void)close(world->sockets[i]);
    }
    (void)close(world->listening);
    (void)close(world->inside);
    free(world);
    return 0;
}

/* ---- One download ---- */

struct download {
    struct fetch_job job;
    struct arena arena;
    sem_t ended;
};

static void say_ended(struct fetch_job *job) {
    (void)sem_post(&container_of(job, struct download, job)->ended);
}

static void open_download(struct download *download, struct text url) {
    *download = (struct download){ .job = { .url = url,
                                            .arena = &download->arena,
                                            .max_size = MAX_SIZE,
                                            .timeout_ms = TIMEOUT_MS,
                                            .done = say_ended } };
    assert_int_equal(sem_init(&download->ended, 0, 0), 0);
}

static void start(struct fetcher *fetcher, struct download *download) {
    assert_int_equal(fetch_submit(fetcher, &download->job), STATUS_OK);
}

static enum fetch_outcome wait_for(struct download *download) {
    assert_int_equal(sem_wait(&download->ended), 0);
    return download->job.outcome;
}

static void close_download(struct download *download) {
    arena_close(&download->arena);
    assert_int_equal(sem_destroy(&download->ended), 0);
}

/* The URL of a page of the server; `out` has URL_MAX bytes. */
static struct text url_of(const struct world *world, char *out, const char *path) {
    int len = snprintf(out, URL_MAX, "http://127.0.0.1:%u%s", world->port, path);
    assert_in_range(len, 1, URL_MAX - 1);
    return (struct text){ out, (size_t)len };
}

static void assert_url(const struct world *world, struct text url, enum fetch_outcome expected) {
    struct download download;
    open_download(&download, url);
    start(world->fetcher, &download);
    enum fetch_outcome outcome = wait_for(&download);
    if (outcome != expected)
        fail_msg("%.*s: %s", (int)url.len, url.at, fetch_reason(outcome));
    close_download(&download);
}

static void assert_page(const struct world *world, const char *path, enum fetch_outcome expected) {
    char url[URL_MAX];
    assert_url(world, url_of(world, url, path), expected);
}

static void assert_body(const struct world *world, struct text url, struct text expected) {
    struct download download;
    open_download(&download, url);
    start(world->fetcher, &download);
    assert_int_equal(wait_for(&download), FETCH_OK);
    assert_true(text_equal(download.job.body, expected));
    close_download(&download);
}

/* Has anybody tried to connect to the listener that nobody may connect to? */
static void assert_nobody_came_inside(const struct world *world) {
    struct pollfd inside = { .fd = world->inside, .events = POLLIN };
    assert_int_equal(poll(&inside, 1, 0), 0);
}

/* ---- Promises ---- */

static void a_body_is_fetched_whole(void **state) {
    const struct world *world = *state;
    char url[URL_MAX];
    assert_body(world, url_of(world, url, "/ok/"), TEXT("hello"));
    assert_body(world, url_of(world, url, "/stream/0"), TEXT(""));
    assert_page(world, "/size/1", FETCH_OK);
}

static void three_redirects_are_followed_and_a_fourth_is_not(void **state) {
    const struct world *world = *state;
    char url[URL_MAX];
    for (unsigned hops = 1; hops <= 3; hops++) {
        char path[] = "/hop/0";
        path[5] = (char)('0' + hops);
        assert_body(world, url_of(world, url, path), TEXT("hello"));
    }
    assert_page(world, "/hop/4", FETCH_TOO_MANY_REDIRECTS);
    assert_page(world, "/hop/99", FETCH_TOO_MANY_REDIRECTS);
}

static void a_trusted_name_may_lead_anywhere(void **state) {
    const struct world *world = *state;
    char url[URL_MAX];
    assert_true(snprintf(url, sizeof url, "HTTP://tRusted.test:%u/ok/", world->port) > 0);
    assert_body(world, text_of(url), TEXT("hello"));
}

static void what_is_not_public_is_not_connected_to(void **state) {
    static const char *const hosts[] = {
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "inside.test",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "%31%32%37.0.0.1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
    };
    const struct world *world = *state;
    char url[URL_MAX];
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_true(snprintf(url, sizeof url, "http://%s:%u/", hosts[i], world->inside_port) > 0);
        assert_url(world, text_of(url), FETCH_NOT_PUBLIC);
    }
    assert_nobody_came_inside(world);
}

/* The check is made on the address that is connected to, not on an earlier answer for the name. */
static void a_name_that_changes_does_not_lead_inside(void **state) {
    static const char *const hosts[] = { "changing.test", "both.test" };
    struct world *world = *state;
    char url[URL_MAX];
    for (unsigned i = 0; i < 6; i++) {
        struct download download;
        struct fetcher *fetcher = start_fetcher(world); /* which remembers no name */
        assert_true(snprintf(url, sizeof url, "http://%s:%u/", hosts[i / 4], world->inside_port) >
                    0);
        open_download(&download, text_of(url));
        start(fetcher, &download);
        assert_int_not_equal(wait_for(&download), FETCH_OK);
        close_download(&download);
        fetcher_stop(fetcher);
    }
    assert_int_equal(atomic_load(&outside), 4);
    assert_nobody_came_inside(world);
}

static void a_redirect_does_not_lead_inside(void **state) {
    static const char *const hosts[] = {
        "http://127.0.0.1", "http://localhost",          "http://inside.test",
        "//127.0.0.1",      "http://[::ffff:127.0.0.1]", "http://0x7f.1",
    };
    const struct world *world = *state;
    char path[URL_MAX];
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_true(snprintf(path, sizeof path, "/to/%s:%u/", hosts[i], world->inside_port) > 0);
        assert_page(world, path, FETCH_NOT_PUBLIC);
    }
    assert_nobody_came_inside(world);
}

static void only_http_and_https_urls_without_user_name_are_fetched(void **state) {
    static const char *const urls[] = {
        "",
        "http",
        "http://",
        "//127.0.0.1/",
        "127.0.0.1/ok/",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "dict://127.0.0.1/",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "http://a b/",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://user@trusted.test/ok/",
        "http://user:pass@trusted.test/ok/",
        "http://:pass@trusted.test/ok/",
        "http://@trusted.test/ok/",
    };
    const struct world *world = *state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_url(world, text_of(urls[i]), FETCH_BAD_URL);
    assert_url(world, (struct text){ NULL, 0 }, FETCH_BAD_URL);
}

static void a_url_is_not_taken_up_to_its_nul_only(void **state) {
    const struct world *world = *state;
    char url[URL_MAX];
    struct text text = url_of(world, url, "/ok/?");
    url[text.len - 1] = '\0';
    assert_url(world, text, FETCH_BAD_URL);
}

static void a_redirect_leads_to_http_and_https_without_user_name_only(void **state) {
    static const char *const paths[] = {
        "/to/file:///etc/passwd",      "/to/ftp://trusted.test/",
        "/to/gopher://trusted.test/",  "/to/http://user@trusted.test/ok/",
        "/to/http://u:p@trusted.test", "/to/http://",
    };
    const struct world *world = *state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_page(world, paths[i], FETCH_BAD_URL);
}

static void only_status_200_counts(void **state) {
    static const char *const paths[] = {
        "/status/201", "/status/203", "/status/206", "/status/302", /* without Location */
        "/status/304", "/status/401", "/status/404", "/status/407", "/status/500",
    };
    const struct world *world = *state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_page(world, paths[i], FETCH_BAD_STATUS);
    assert_page(world, "/junk/", FETCH_BAD_STATUS);
}

static void what_is_larger_than_allowed_is_refused(void **state) {
    const struct world *world = *state;
    assert_page(world, "/size/1000", FETCH_OK);
    assert_page(world, "/size/1001", FETCH_TOO_LARGE);
    assert_page(world, "/stream/1000", FETCH_OK);
    assert_page(world, "/stream/1001", FETCH_TOO_LARGE);
    assert_page(world, "/stream/999999999999", FETCH_TOO_LARGE);
    assert_page(world, "/wordy/0", FETCH_TOO_LARGE);
}

static void what_is_announced_too_large_is_not_waited_for(void **state) {
    const struct world *world = *state;
    assert_page(world, "/promise/1001", FETCH_TOO_LARGE); /* it never comes: else TIMED_OUT */
    assert_page(world, "/promise/9223372036854775807", FETCH_TOO_LARGE);
}

static void assert_times_out(const struct world *world, struct text url) {
    struct download download;
    open_download(&download, url);
    download.job.timeout_ms = 300;
    start(world->fetcher, &download);
    assert_int_equal(wait_for(&download), FETCH_TIMED_OUT);
    close_download(&download);
}

static void a_slow_server_runs_out_of_time(void **state) {
    static const char *const paths[] = { "/slow/", "/hang/", "/promise/10", "/to//slow/" };
    const struct world *world = *state;
    char url[URL_MAX];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_times_out(world, url_of(world, url, paths[i]));
    }
    atomic_store(&holds_slow_names, true);
    assert_times_out(world, TEXT("http://slow.test/"));
    atomic_store(&holds_slow_names, false);
}

static void a_slow_name_does_not_hold_up_others(void **state) {
    const struct world *world = *state;
    struct download slow;
    open_download(&slow, TEXT("http://slow.test/"));
    slow.job.timeout_ms = 200;
    atomic_store(&holds_slow_names, true);
    start(world->fetcher, &slow);
    for (int i = 0; i < 10; i++)
        assert_page(world, "/ok/", FETCH_OK);
    assert_int_equal(wait_for(&slow), FETCH_TIMED_OUT);
    assert_page(world, "/ok/", FETCH_OK);
    atomic_store(&holds_slow_names, false);
    close_download(&slow);
}

static void what_cannot_be_reached_says_so(void **state) {
    const struct world *world = *state;
    unsigned port;
    char url[URL_MAX];
    assert_int_equal(close(open_listener(&port)), 0);
    assert_true(snprintf(url, sizeof url, "http://trusted.test:%u/", port) > 0);
    assert_url(world, text_of(url), FETCH_UNREACHABLE);
    assert_url(world, TEXT("http://unknown.test/"), FETCH_NOT_PUBLIC);
    assert_page(world, "/short/", FETCH_UNREACHABLE);
}

static void nothing_about_us_is_told(void **state) {
    static const char *const never[] = { "cookie", "authorization", "accept-encoding", "referer" };
    const struct world *world = *state;
    struct download download;
    char url[URL_MAX], head[REQUEST_MAX];
    open_download(&download, url_of(world, url, "/cookie/"));
    start(world->fetcher, &download);
    assert_int_equal(wait_for(&download), FETCH_OK);
    struct text body = download.job.body;
    assert_true(body.len > 0 && body.len < sizeof head);
    memcpy(head, body.at, body.len);
    head[body.len] = '\0';
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_null(strcasestr(head, never[i]));
    close_download(&download);
}

static void a_proxy_of_the_environment_is_not_asked(void **state) {
    const struct world *world = *state;
    char proxy[URL_MAX];
    assert_true(snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", world->inside_port) > 0);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_int_equal(setenv("ALL_PROXY", proxy, 1), 0);
    assert_page(world, "/ok/", FETCH_OK);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
    assert_nobody_came_inside(world);
}

static void a_body_of_known_length_is_allocated_once(void **state) {
    enum { LENGTH = 1024 * 1024 };
    const struct world *world = *state;
    struct download download;
    char url[URL_MAX];
    open_download(&download, url_of(world, url, "/size/1048576"));
    download.job.max_size = LENGTH;
    start(world->fetcher, &download);
    assert_int_equal(wait_for(&download), FETCH_OK);
    assert_int_equal(download.job.body.len, LENGTH);
    assert_true(download.arena.used < LENGTH + LENGTH / 8);
    close_download(&download);
}

static void a_body_that_does_not_fit_the_arena_is_an_outcome(void **state) {
    static const char *const paths[] = { "/size/100000", "/stream/100000" };
    const struct world *world = *state;
    char url[URL_MAX];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct download download;
        open_download(&download, url_of(world, url, paths[i]));
        download.job.max_size = SIZE_MAX / 2;
        arena_init(&download.arena, 50000);
        start(world->fetcher, &download);
        assert_int_equal(wait_for(&download), FETCH_NO_MEMORY);
        close_download(&download);
    }
}

static void what_a_redirect_says_is_not_kept(void **state) {
    const struct world *world = *state;
    struct download download;
    char url[URL_MAX];
    open_download(&download, url_of(world, url, "/wordy/100000"));
    download.job.max_size = 200000;
    start(world->fetcher, &download);
    assert_int_equal(wait_for(&download), FETCH_OK);
    assert_true(text_equal(download.job.body, TEXT("hello")));
    assert_true(download.arena.used < 50000);
    close_download(&download);
}

static void what_has_ended_makes_room_for_others(void **state) {
    for (unsigned i = 0; i < 2 * JOBS_MAX; i++)
        assert_url(*state, TEXT("ftp://127.0.0.1/"), FETCH_BAD_URL);
    assert_page(*state, "/ok/", FETCH_OK);
}

/* A job that its `done` frees, as its owner may. */
struct short_lived {
    struct fetch_job job;
    struct arena arena;
    atomic_uint *stopped;
};

static void free_stopped(struct fetch_job *job) {
    struct short_lived *owner = container_of(job, struct short_lived, job);
    if (job->outcome == FETCH_STOPPED)
        (void)atomic_fetch_add(owner->stopped, 1);
    arena_close(&owner->arena);
    free(owner);
}

static enum status submit_short_lived(struct fetcher *fetcher, struct text url,
                                      atomic_uint *stopped) {
    struct short_lived *owner = calloc(1, sizeof *owner);
    assert_non_null(owner);
    owner->stopped = stopped;
    owner->job = (struct fetch_job){ .url = url,
                                     .arena = &owner->arena,
                                     .max_size = MAX_SIZE,
                                     .timeout_ms = 60000,
                                     .done = free_stopped };
    enum status status = fetch_submit(fetcher, &owner->job);
    if (status != STATUS_OK)
        free(owner);
    return status;
}

static void at_most_64_wait_or_run_and_a_stop_ends_them_all(void **state) {
    static const char *const paths[] = { "/hang/", "/slow/", "/promise/10" };
    const struct world *world = *state;
    struct fetcher *fetcher = start_fetcher(world);
    char urls[3][URL_MAX];
    struct text texts[3];
    atomic_uint stopped = 0;
    for (unsigned i = 0; i < 3; i++)
        texts[i] = url_of(world, urls[i], paths[i]);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        assert_int_equal(submit_short_lived(fetcher, texts[i % 3], &stopped), STATUS_OK);
    assert_int_equal(submit_short_lived(fetcher, text_of(urls[0]), &stopped), STATUS_TOO_MANY);
    (void)usleep(300000); /* they are running, and there is no room for more */
    assert_int_equal(submit_short_lived(fetcher, text_of(urls[0]), &stopped), STATUS_TOO_MANY);
    fetcher_stop(fetcher);
    assert_int_equal(stopped, JOBS_MAX); /* else TIMED_OUT */
}

static bool is_allowed(void *argument) {
    return atomic_load((atomic_bool *)argument);
}

static void jobs_that_may_no_longer_run_end_as_stopped(void **state) {
    const struct world *shared = *state; /* its server goes on changing it */
    struct world world = { .port = shared->port };
    struct download hanging;
    char url[URL_MAX];
    atomic_bool may_run = true;
    world.fetcher = fetcher_start(&(struct fetch_options){
        .allowed_hosts = shared->hosts, .may_run = is_allowed, .argument = &may_run });
    assert_non_null(world.fetcher);
    open_download(&hanging, url_of(&world, url, "/hang/"));
    start(world.fetcher, &hanging);
    atomic_store(&may_run, false);
    assert_int_equal(wait_for(&hanging), FETCH_STOPPED); /* else TIMED_OUT */
    close_download(&hanging);
    assert_page(&world, "/ok/", FETCH_STOPPED);
    atomic_store(&may_run, true);
    assert_page(&world, "/ok/", FETCH_OK);
    fetcher_stop(world.fetcher);
}

static void a_stop_does_not_wait_for_a_slow_name(void **state) {
    struct fetcher *fetcher = start_fetcher(*state);
    atomic_uint stopped = 0;
    unsigned asked = atomic_load(&slow_names);
    atomic_store(&holds_slow_names, true);
    assert_int_equal(submit_short_lived(fetcher, TEXT("http://slow.test/"), &stopped), STATUS_OK);
    while (atomic_load(&slow_names) == asked)
        (void)usleep(1000);
    fetcher_stop(fetcher); /* the name is still held */
    atomic_store(&holds_slow_names, false);
    assert_int_equal(stopped, 1);
}

static void a_stop_right_after_a_job_ends_it(void **state) {
    const struct world *world = *state;
    char url[URL_MAX];
    struct text text = url_of(world, url, "/hang/");
    for (unsigned i = 0; i < 20; i++) {
        struct fetcher *fetcher = start_fetcher(world);
        atomic_uint stopped = 0;
        assert_int_equal(submit_short_lived(fetcher, text, &stopped), STATUS_OK);
        fetcher_stop(fetcher);
        assert_int_equal(stopped, 1);
    }
    fetcher_stop(NULL);
}

static void without_a_list_nothing_is_trusted(void **state) {
    const struct world *world = *state;
    struct world strict = { .fetcher = fetcher_start(&(struct fetch_options){ 0 }) };
    char url[URL_MAX];
    assert_non_null(strict.fetcher);
    assert_url(&strict, url_of(world, url, "/ok/"), FETCH_NOT_PUBLIC);
    fetcher_stop(strict.fetcher);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_fetched_whole),
        cmocka_unit_test(three_redirects_are_followed_and_a_fourth_is_not),
        cmocka_unit_test(a_trusted_name_may_lead_anywhere),
        cmocka_unit_test(what_is_not_public_is_not_connected_to),
        cmocka_unit_test(a_name_that_changes_does_not_lead_inside),
        cmocka_unit_test(a_redirect_does_not_lead_inside),
        cmocka_unit_test(only_http_and_https_urls_without_user_name_are_fetched),
        cmocka_unit_test(a_url_is_not_taken_up_to_its_nul_only),
        cmocka_unit_test(a_redirect_leads_to_http_and_https_without_user_name_only),
        cmocka_unit_test(only_status_200_counts),
        cmocka_unit_test(what_is_larger_than_allowed_is_refused),
        cmocka_unit_test(what_is_announced_too_large_is_not_waited_for),
        cmocka_unit_test(a_slow_server_runs_out_of_time),
        cmocka_unit_test(a_slow_name_does_not_hold_up_others),
        cmocka_unit_test(what_cannot_be_reached_says_so),
        cmocka_unit_test(nothing_about_us_is_told),
        cmocka_unit_test(a_proxy_of_the_environment_is_not_asked),
        cmocka_unit_test(a_body_of_known_length_is_allocated_once),
        cmocka_unit_test(a_body_that_does_not_fit_the_arena_is_an_outcome),
        cmocka_unit_test(what_a_redirect_says_is_not_kept),
        cmocka_unit_test(what_has_ended_makes_room_for_others),
        cmocka_unit_test(at_most_64_wait_or_run_and_a_stop_ends_them_all),
        cmocka_unit_test(jobs_that_may_no_longer_run_end_as_stopped),
        cmocka_unit_test(a_stop_does_not_wait_for_a_slow_name),
        cmocka_unit_test(a_stop_right_after_a_job_ends_it),
        cmocka_unit_test(without_a_list_nothing_is_trusted),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}

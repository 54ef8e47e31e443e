/* A connection over a socket pair, in a loop whose turns are taken one by one: a socket that is
 * full at the worst time, or an end at such a time. */
#include "http/client.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/serve.h"

#include "api/status.h"
#include "base/budget.h"
#include "crypto/secret.h"

/* So that its turns can be taken one by one. */
#include "http/loop.c" // NOLINT(bugprone-suspicious-include)

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

enum {
    TURNS_MAX = 100000, /* ends a test that would go on for ever */
    ANSWER_MAX = 100 * 1024,
    SEND_BUFFER = 1, /* the least that the system gives */
    LARGE = 20000,   /* bytes, which are a chunk of an arena of their own */
    DAY_S = 86400
};

static struct loop loop;
static const struct protocols protocols = { &h1_protocol, &h2_protocol };
static struct tls_context *context;
static size_t long_size;         /* of the reply to GET */
static struct exchange *waiting; /* for exchange_resume */
static size_t taken;             /* by fill_account */

/* ---- the server ---- */

static void fill_account(void) {
    budget_set((size_t)16 * 1024 * 1024);
    for (size_t size = (size_t)1024 * 1024; size; size /= 2)
        while (budget_take(size))
            taken += size;
}

static void empty_account(void) {
    budget_give(taken);
    budget_set(0);
    taken = 0;
}

static void answer(struct exchange *exchange) {
    exchange->reply.http_status = 200;
    exchange->reply.body = TEXT("answered");
}

static void wait_with(struct exchange *exchange, void (*next)(struct exchange *)) {
    waiting = exchange;
    exchange->next = next;
    exchange_suspend(exchange);
}

static bool is_at(const struct exchange *exchange, const char *path) {
    return text_equal(exchange->path, (struct text){ path, strlen(path) });
}

static void handle(struct exchange *exchange) {
    if (is_at(exchange, "/fills"))
        fill_account();
    if (is_at(exchange, "/fills-and-waits")) {
        fill_account();
        wait_with(exchange, answer);
        return;
    }
    exchange->reply.http_status = 200;
    exchange->reply.body = exchange->body;
    if (is_at(exchange, "/fills-when-done")) { /* the body has all of what the arena has counted */
        char *body = arena_calloc(exchange->arena, 1, LARGE);
        assert_non_null(body);
        fill_account();
        exchange->reply.body = (struct text){ body, LARGE };
        return;
    }
    if (exchange->method == METHOD_GET) {
        char *body = arena_alloc(exchange->arena, long_size);
        assert_non_null(body);
        memset(body, 'x', long_size);
        exchange->reply.body = (struct text){ body, long_size };
    }
}

static void refuse_exchange(struct exchange *exchange, enum status status, const char *reason) {
    (void)reason;
    exchange->reply.http_status = status_http(status);
    exchange->reply.body = TEXT("refused");
}

static void ignore(struct exchange *exchange) {
    (void)exchange;
}

static void see_head(struct exchange *exchange) {
    if (!is_at(exchange, "/fills-and-waits-before-its-body"))
        return;
    fill_account();
    wait_with(exchange, ignore);
}

static void take_turn(void) {
    struct io_task io_task = { .run = nothing };
    loop_post(&loop, &io_task); /* or it would sleep */
    run_once(&loop);
}

static struct client *connect_client(int *peer, bool is_sealed) {
    const struct sockaddr_storage from = { .ss_family = AF_UNIX };
    const int size = SEND_BUFFER;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    const struct client_options options = { .loop = &loop,
                                            .protocols = &protocols,
                                            .fd = ends[1],
                                            .from = &from,
                                            .door = is_sealed ? DOOR_tls : DOOR_plain,
                                            .tls = is_sealed ? context : NULL };
    struct client *client = client_new(&options);
    assert_non_null(client);
    loop_give(&loop, client);
    take_turn();
    *peer = ends[0];
    return client;
}

/* ---- the client ---- */

/* Its end, with or without TLS, and what it has heard. */
struct peer {
    int fd;
    SSL *ssl; /* NULL: clear */
    size_t size;
    char heard[ANSWER_MAX];
};

static struct client *open_peer(struct peer *peer, bool is_sealed) {
    struct client *client = connect_client(&peer->fd, is_sealed);
    peer->ssl = NULL;
    peer->size = 0;
    if (!is_sealed)
        return client;
    SSL_CTX *wanted = SSL_CTX_new(TLS_client_method());
    assert_non_null(wanted);
    peer->ssl = SSL_new(wanted);
    SSL_CTX_free(wanted);
    assert_non_null(peer->ssl);
    assert_int_equal(SSL_set_fd(peer->ssl, peer->fd), 1);
    SSL_set_connect_state(peer->ssl);
    for (unsigned i = 0; SSL_do_handshake(peer->ssl) != 1; i++) {
        assert_in_range(i, 0, TURNS_MAX);
        take_turn();
    }
    return client;
}

static void close_peer(struct peer *peer) {
    SSL_free(peer->ssl);
    assert_int_equal(close(peer->fd), 0);
    take_turn();
    assert_int_equal(loop_connections(&loop), 0);
    assert_int_equal(loop.in_flight, 0);
}

static void say(struct peer *peer, const char *text) {
    int size = (int)strlen(text);
    if (peer->ssl)
        assert_int_equal(SSL_write(peer->ssl, text, size), size);
    else
        assert_int_equal(send(peer->fd, text, (size_t)size, 0), size);
}

static void hear(struct peer *peer) {
    int got;
    do {
        size_t room = sizeof peer->heard - peer->size;
        assert_true(room > 0);
        char *at = peer->heard + peer->size;
        got = peer->ssl ? SSL_read(peer->ssl, at, (int)room) : (int)recv(peer->fd, at, room, 0);
        if (got > 0)
            peer->size += (size_t)got;
    } while (got > 0);
}

/* ---- "100 Continue" meets a full socket ---- */

/* After a long reply: everything of it was taken, and of "100 Continue" nothing. */
static bool is_stuck(const struct client *client) {
    return !client->h1.first && client->h1.continue_left && !client->ready.can_write;
}

static void assert_next_head(struct text *rest, const char *line, size_t body) {
    const char *end = memmem(rest->at, rest->len, "\r\n\r\n", 4);
    assert_non_null(end);
    assert_true(rest->len > strlen(line));
    assert_memory_equal(rest->at, line, strlen(line));
    size_t used = (size_t)(end + 4 - rest->at) + body;
    assert_in_range(used, 0, rest->len);
    *rest = (struct text){ rest->at + used, rest->len - used };
}

/* Was the socket full when "100 Continue" was to be sent? */
static bool meet_full_socket(struct peer *peer, bool is_sealed) {
    struct client *client = open_peer(peer, is_sealed);
    say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\nPUT / HTTP/1.1\r\nHost: a\r\n"
              "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    take_turn();
    while (client->h1.first) {
        hear(peer);
        take_turn();
    }
    bool was_stuck = is_stuck(client);
    say(peer, "hello"); /* without waiting any longer */
    take_turn();
    for (unsigned i = 0; client->h1.first || client->h1.continue_left; i++) {
        assert_in_range(i, 0, TURNS_MAX);
        hear(peer);
        take_turn();
    }
    hear(peer);
    struct text rest = { peer->heard, peer->size };
    assert_next_head(&rest, "HTTP/1.1 200 OK\r\n", long_size);
    if (text_starts_nocase(rest, TEXT("HTTP/1.1 100 ")))
        assert_next_head(&rest, "HTTP/1.1 100 Continue\r\n", 0);
    assert_next_head(&rest, "HTTP/1.1 200 OK\r\n", 5);
    assert_int_equal(rest.len, 0);
    close_peer(peer);
    return was_stuck;
}

static void assert_replies_are_whole(bool is_sealed) {
    static struct peer peer;
    unsigned stuck = 0;
    for (long_size = 100; long_size < 30000; long_size += 200)
        stuck += meet_full_socket(&peer, is_sealed);
    assert_true(stuck > 0);
}

static void replies_are_whole_though_100_continue_meets_a_full_socket(void **state) {
    (void)state;
    assert_replies_are_whole(false);
}

/* OpenSSL sends the bytes that it was given first, whatever it is given next. */
static void replies_are_whole_though_100_continue_meets_a_full_tls_connection(void **state) {
    (void)state;
    assert_replies_are_whole(true);
}

/* ---- the end ---- */

/* Both would have taken another turn, and one is gone with a reply that it had not taken. */
static void the_end_of_one_connection_takes_the_turn_of_no_other(void **state) {
    static struct peer peer, other_peer;
    (void)state;
    long_size = 30000;
    struct client *client = open_peer(&peer, false), *other = open_peer(&other_peer, false);
    say(&peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    take_turn();
    assert_non_null(client->h1.first);
    loop_again(&loop, other);
    loop_again(&loop, client);
    client->calls->end(client);
    assert_ptr_equal(loop.again, other);
    assert_null(other->next_again);
    assert_true(other->is_again);
    take_turn();
    assert_null(loop.again);
    assert_int_equal(close(peer.fd), 0);
    close_peer(&other_peer);
}

/* ---- keys ---- */

static void write_pem(const char *path, EVP_PKEY *key, X509 *certificate) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (certificate)
        assert_int_equal(PEM_write_X509(file, certificate), 1);
    else
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static X509 *sign_own(EVP_PKEY *key) {
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void load_context(void) {
    char folder[] = "/tmp/roster-client-XXXXXX", cert_path[64], key_path[64], why[1024] = "";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    (void)umask(0077);
    assert_non_null(key);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert_path, sizeof cert_path, "%s/a.pem", folder);
    (void)snprintf(key_path, sizeof key_path, "%s/a.key", folder);
    X509 *certificate = sign_own(key);
    write_pem(cert_path, NULL, certificate);
    write_pem(key_path, key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    const struct tls_options wanted = { .certificates = cert_path, .keys = key_path };
    context = tls_context_load(&wanted, why, sizeof why);
    if (!context)
        print_error("%s\n", why);
    assert_int_equal(unlink(cert_path), 0);
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_non_null(context);
}

static int begin(void **state) {
    static const struct listen_options options = { .head_timeout_s = 10,
                                                   .idle_timeout_s = 60,
                                                   .body_limit = 1000,
                                                   .http2 = HTTP2_off,
                                                   .head = see_head,
                                                   .handler = handle,
                                                   .refuse = refuse_exchange,
                                                   .replied = ignore };
    static struct stopping stopping;
    static char in[LOOP_BUFFER], out[LOOP_BUFFER];
    (void)state;
    assert_true(crypto_start());
    loop.options = &options;
    loop.stopping = &stopping;
    loop.in = in;
    loop.out = out;
    loop.wake = -1;
    loop.poll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(loop.poll >= 0);
    load_context();
    return 0;
}

static int end(void **state) {
    (void)state;
    tls_context_release(context);
    return close(loop.poll);
}

/* ---- a head meets a full account ---- */

/* The first part of it came, then the rest, for which there is no memory. */
static void refuse_in_two(struct peer *peer, const char *first, const char *rest) {
    (void)open_peer(peer, false);
    say(peer, first);
    take_turn();
    fill_account();
    say(peer, rest);
    for (int i = 0; i < 3; i++)
        take_turn();
    hear(peer);
    empty_account();
    peer->heard[peer->size] = '\0';
    assert_non_null(strstr(peer->heard, "HTTP/1.1 503 "));
}

static void what_asks_for_no_body_gets_none_though_its_head_had_no_room(void **state) {
    static struct peer peer;
    char rest[1024] = "AD / HTTP/1.1\r\nX: ";
    (void)state;
    memset(rest + strlen(rest), 'x', 700);
    refuse_in_two(&peer, "HE", rest);
    assert_null(strstr(peer.heard, "refused"));
    close_peer(&peer);
}

/* Sends the first request of a connection, in two parts, when there is no memory at all. */
static void refuse_the_first(bool is_sealed, const char *first, const char *rest) {
    static struct peer peer;
    (void)open_peer(&peer, is_sealed);
    fill_account();
    for (unsigned i = 0; i < 2; i++) {
        const char *part = i ? rest : first;
        if (*part)
            say(&peer, part);
        for (int turns = 0; turns < 3; turns++)
            take_turn();
    }
    hear(&peer);
    empty_account();
    peer.heard[peer.size] = '\0';
    assert_non_null(strstr(peer.heard, "HTTP/1.1 503 "));
    close_peer(&peer);
}

static void the_first_request_is_refused_though_what_tells_its_protocol_has_no_room(void **state) {
    struct listen_options choosing = *loop.options;
    const struct listen_options *usual = loop.options;
    (void)state;
    choosing.http2 = HTTP2_clear;
    loop.options = &choosing;
    refuse_the_first(false, "", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse_the_first(false, "P", "OST / HTTP/1.1\r\nHost: a\r\n\r\n");
    loop.options = usual;
    refuse_the_first(true, "", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse_the_first(true, "G", "ET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Its socket is full of the first reply: requests with long heads come behind that, and have short
 * ones. */
static void who_reads_no_reply_holds_no_more_than_a_quarter_of_a_mebibyte(void **state) {
    enum { REQUESTS = 40, HEAD = 4000 };
    static struct peer peer;
    char request[HEAD + 1] = "HEAD / HTTP/1.1\r\nHost: a\r\nX: ";
    (void)state;
    memset(request + strlen(request), 'x', HEAD - 4 - strlen(request));
    memcpy(request + HEAD - 4, "\r\n\r\n", 5);
    budget_set((size_t)16 * 1024 * 1024);
    size_t before = budget_stats().used;
    (void)open_peer(&peer, false);
    long_size = (size_t)70 * 1024;
    say(&peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    take_turn();
    long_size = 10;
    for (int i = 0; i < REQUESTS; i++) {
        say(&peer, request);
        take_turn();
    }
    size_t held = budget_stats().used - before;
    close_peer(&peer);
    budget_set(0);
    assert_in_range(held, (size_t)100 * 1024, (size_t)256 * 1024);
}

static void a_head_that_has_no_room_behind_empty_lines_is_refused(void **state) {
    static struct peer peer;
    char lines[513] = "";
    (void)state;
    for (int i = 0; i < 512; i += 2)
        memcpy(lines + i, "\r\n", 3);
    refuse_in_two(&peer, lines, "GET / HTTP/1.1\r\n");
    close_peer(&peer);
}

/* The requests come at once. One of them fills the account, so that there is no memory for what is
 * behind it. */
static void lose_the_rest(struct peer *peer, const char *requests) {
    char after;
    ssize_t more = -1;
    waiting = NULL;
    (void)open_peer(peer, false);
    say(peer, requests);
    for (int i = 0; i < 3; i++)
        take_turn();
    assert_true(taken > 0);
    empty_account();
    if (waiting)
        exchange_resume(waiting);
    for (unsigned i = 0; more < 0; i++) {
        assert_in_range(i, 0, TURNS_MAX);
        take_turn();
        hear(peer);
        more = recv(peer->fd, &after, 1, 0);
    }
    assert_int_equal(more, 0);
    peer->heard[peer->size] = '\0';
    close_peer(peer);
}

static void a_request_is_answered_though_what_follows_it_has_no_room(void **state) {
    static struct peer peer;
    (void)state;
    lose_the_rest(&peer, "GET /fills-and-waits HTTP/1.1\r\nHost: a\r\n\r\n"
                         "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct text rest = { peer.heard, peer.size };
    assert_non_null(strstr(peer.heard, "\r\nConnection: close\r\n"));
    assert_next_head(&rest, "HTTP/1.1 200 OK\r\n", strlen("answered"));
    assert_int_equal(rest.len, 0);
}

static void a_reply_is_sent_though_its_head_has_no_room(void **state) {
    static struct peer peer;
    (void)state;
    lose_the_rest(&peer, "POST /fills-when-done HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         "Content-Length: 0\r\n\r\n");
    struct text rest = { peer.heard, peer.size };
    assert_next_head(&rest, "HTTP/1.1 200 OK\r\n", LARGE);
    assert_int_equal(rest.len, 0);
}

static void a_request_whose_body_has_no_room_while_its_head_is_decided_is_refused(void **state) {
    static struct peer peer;
    (void)state;
    lose_the_rest(&peer, "PUT /fills-and-waits-before-its-body HTTP/1.1\r\nHost: a\r\n"
                         "Content-Length: 4\r\n\r\nbody");
    struct text rest = { peer.heard, peer.size };
    assert_next_head(&rest, "HTTP/1.1 503 Service Unavailable\r\n", strlen("refused"));
    assert_int_equal(rest.len, 0);
}

static void replies_that_wait_are_sent_though_what_follows_them_has_no_room(void **state) {
    enum {
        REPLIES = 32, /* fill what a connection may hold (HELD_BYTES in h1.c) by 4 KiB each */
        REQUESTS = 400
    };
    static struct peer peer;
    static char requests[REQUESTS * 40];
    size_t size = 0;
    (void)state;
    for (int i = 0; i < REQUESTS; i++)
        size += (size_t)snprintf(requests + size, sizeof requests - size,
                                 "HEAD /%s HTTP/1.1\r\nHost: a\r\n\r\n",
                                 i == REPLIES - 1 ? "fills" : "");
    long_size = 10;
    lose_the_rest(&peer, requests);
    struct text rest = { peer.heard, peer.size };
    for (int i = 0; i < REPLIES; i++)
        assert_next_head(&rest, "HTTP/1.1 200 OK\r\n", 0);
    assert_int_equal(rest.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_whole_though_100_continue_meets_a_full_socket),
        cmocka_unit_test(replies_are_whole_though_100_continue_meets_a_full_tls_connection),
        cmocka_unit_test(what_asks_for_no_body_gets_none_though_its_head_had_no_room),
        cmocka_unit_test(the_first_request_is_refused_though_what_tells_its_protocol_has_no_room),
        cmocka_unit_test(who_reads_no_reply_holds_no_more_than_a_quarter_of_a_mebibyte),
        cmocka_unit_test(a_head_that_has_no_room_behind_empty_lines_is_refused),
        cmocka_unit_test(a_request_is_answered_though_what_follows_it_has_no_room),
        cmocka_unit_test(a_reply_is_sent_though_its_head_has_no_room),
        cmocka_unit_test(a_request_whose_body_has_no_room_while_its_head_is_decided_is_refused),
        cmocka_unit_test(replies_that_wait_are_sent_though_what_follows_them_has_no_room),
        cmocka_unit_test(the_end_of_one_connection_takes_the_turn_of_no_other),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

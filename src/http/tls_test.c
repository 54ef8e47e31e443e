/* TLS over a socketpair, with OpenSSL's client in the same thread. A real edge-triggered epoll
 * reports which socket is ready. Keys and certificates are made here, in a folder that goes at
 * the end. */
#include "http/tls.h"

#include <errno.h>
#include <glob.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS_MAX = 100000, /* ends a test that would go on for ever */
    MEGABYTE = 1024 * 1024,
    WHY_SIZE = 1024,
};

#define DAY_S 86400L

#define DEFAULT_FILES "default.pem", "default.key"

/* ---- Keys and certificates ---- */

static char folder[] = "/tmp/roster-tls-XXXXXX";

struct recipe {
    const char *file; /* FILE.pem and FILE.key */
    const char *names;
    const char *kind; /* of key */
    int bits;
    int from_days, until_days;
    const char *signer;          /* the file of whoever signs; NULL: itself */
    const EVP_MD *(*hash)(void); /* NULL: the one that belongs to the key */
};

static EVP_PKEY *make_key(const char *kind, int bits) {
    EVP_PKEY *key = bits                      ? EVP_RSA_gen((unsigned)bits)
                    : strcmp(kind, "EC") == 0 ? EVP_EC_gen("P-256")
                                              : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    assert_non_null(key);
    return key;
}

static void named(char path[64], const char *file, const char *ending) {
    assert_true(snprintf(path, 64, "%s.%s", file, ending) < 64);
}

static FILE *opened(const char *file, const char *ending, const char *mode) {
    char path[64];
    named(path, file, ending);
    FILE *stream = fopen(path, mode);
    assert_non_null(stream);
    return stream;
}

static void write_certificate(const char *file, const char *mode, X509 *certificate) {
    FILE *stream = opened(file, "pem", mode);
    assert_int_equal(PEM_write_X509(stream, certificate), 1);
    assert_int_equal(fclose(stream), 0);
}

static X509 *read_certificate(const char *file) {
    FILE *stream = opened(file, "pem", "r");
    X509 *certificate = PEM_read_X509(stream, NULL, NULL, NULL);
    assert_non_null(certificate);
    assert_int_equal(fclose(stream), 0);
    return certificate;
}

static void write_key(const char *file, EVP_PKEY *key) {
    FILE *stream = opened(file, "key", "w");
    assert_int_equal(PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(stream), 0);
}

static EVP_PKEY *read_key(const char *file) {
    FILE *stream = opened(file, "key", "r");
    EVP_PKEY *key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
    assert_non_null(key);
    assert_int_equal(fclose(stream), 0);
    return key;
}

static void set_names(X509 *certificate, const struct recipe *recipe, const char *signer) {
    X509_NAME *name = X509_get_subject_name(certificate);
    const unsigned char *text = (const unsigned char *)recipe->file;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0), 1);
    name = X509_get_issuer_name(certificate);
    text = (const unsigned char *)signer;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0), 1);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, recipe->names);
    assert_non_null(names);
    assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    X509_EXTENSION_free(names);
}

static void bake(const struct recipe *recipe) {
    EVP_PKEY *key = make_key(recipe->kind, recipe->bits);
    EVP_PKEY *signing = recipe->signer ? read_key(recipe->signer) : key;
    bool is_edwards = EVP_PKEY_is_a(signing, "ED25519");
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), recipe->from_days * DAY_S));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), recipe->until_days * DAY_S));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    set_names(certificate, recipe, recipe->signer ? recipe->signer : recipe->file);
    const EVP_MD *hash = recipe->hash ? recipe->hash() : is_edwards ? NULL : EVP_sha256();
    assert_true(X509_sign(certificate, signing, hash) > 0);
    write_certificate(recipe->file, "w", certificate);
    write_key(recipe->file, key);
    X509_free(certificate);
    if (recipe->signer)
        EVP_PKEY_free(signing);
    EVP_PKEY_free(key);
}

static void write_text(const char *file, const char *ending, const char *text) {
    FILE *stream = opened(file, ending, "a");
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static void append_certificate(const char *file, const char *signer) {
    X509 *certificate = read_certificate(signer);
    write_certificate(file, "a", certificate);
    X509_free(certificate);
}

static int make_files(void **state) {
    static const struct recipe recipes[] = {
        { "default", "DNS:default.test", "EC", 0, -1, 30, NULL, NULL },
        { "rsa", "DNS:rsa.test", "RSA", 2048, -1, 30, NULL, NULL },
        { "edwards", "DNS:edwards.test", "ED25519", 0, -1, 30, NULL, NULL },
        { "wild", "DNS:*.wild.test", "EC", 0, -1, 30, NULL, NULL },
        { "exact", "DNS:Exact.Wild.Test", "EC", 0, -1, 30, NULL, NULL },
        { "expired", "DNS:expired.test", "EC", 0, -30, -10, NULL, NULL },
        { "early", "DNS:early.test", "EC", 0, 10, 30, NULL, NULL },
        { "short", "DNS:short.test", "RSA", 1024, -1, 30, NULL, NULL },
        { "chain", "DNS:chain.test", "EC", 0, -1, 30, "default", NULL },
        { "sha1", "DNS:sha1.test", "EC", 0, -1, 30, "default", EVP_sha1 },
        { "weak-chain", "DNS:weak.test", "EC", 0, -1, 30, "short", NULL },
        { "broken", "DNS:broken.test", "EC", 0, -1, 30, NULL, NULL },
    };
    (void)state;
    (void)umask(0077); /* or there would be warnings */
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        bake(&recipes[i]);
    append_certificate("chain", "default");
    append_certificate("weak-chain", "short");
    write_text("broken", "pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write_text("empty", "pem", "nothing\n");
    write_text("empty", "key", "nothing\n");
    return 0;
}

static int remove_files(void **state) {
    glob_t all;
    (void)state;
    assert_int_equal(glob("*", 0, NULL, &all), 0);
    for (size_t i = 0; i < all.gl_pathc; i++)
        assert_int_equal(unlink(all.gl_pathv[i]), 0);
    globfree(&all);
    assert_int_equal(chdir("/"), 0);
    return rmdir(folder);
}

static struct tls_context *load(const char *certificates, const char *keys) {
    const struct tls_options options = { certificates, keys, true };
    char why[WHY_SIZE] = "";
    struct tls_context *context = tls_context_load(&options, why, sizeof why);
    if (!context)
        print_error("%s\n", why);
    assert_non_null(context);
    return context;
}

/* ---- A server's side and a client's side ---- */

struct pair {
    struct tls *tls;
    struct readiness ready;
    int server, client, events;
    SSL *ssl; /* the client's */
};

struct wish {
    int version;         /* 0: any */
    const char *ciphers; /* for TLS 1.2 */
    const char *groups;
    const char *name;
    const char *protocols; /* for ALPN, each with its length before it */
    SSL_SESSION *session;
};

static SSL *make_client(int fd, const struct wish *wish) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    SSL_CTX_set_security_level(context, 0);
    if (wish->version) {
        assert_int_equal(SSL_CTX_set_min_proto_version(context, wish->version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(context, wish->version), 1);
    }
    if (wish->ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(context, wish->ciphers), 1);
    if (wish->groups)
        assert_int_equal(SSL_CTX_set1_groups_list(context, wish->groups), 1);
    if (wish->protocols)
        assert_int_equal(SSL_CTX_set_alpn_protos(context, (const unsigned char *)wish->protocols,
                                                 (unsigned)strlen(wish->protocols)),
                         0);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL *ssl = SSL_new(context);
    assert_non_null(ssl);
    SSL_CTX_free(context);
    if (wish->name)
        assert_int_equal(SSL_set_tlsext_host_name(ssl, wish->name), 1);
    if (wish->session)
        assert_int_equal(SSL_set_session(ssl, wish->session), 1);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    SSL_set_connect_state(ssl);
    return ssl;
}

static struct pair connect_pair(const struct wish *wish) {
    int fds[2];
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = { .server = fds[0], .client = fds[1], .events = epoll_create1(0) };
    assert_true(pair.events >= 0);
    assert_int_equal(epoll_ctl(pair.events, EPOLL_CTL_ADD, pair.server, &event), 0);
    pair.ssl = make_client(pair.client, wish);
    return pair;
}

/* In a place of its own: the server keeps the address of `ready`. */
static void open_pair(struct pair *pair, struct tls_context *context, const struct wish *wish) {
    *pair = connect_pair(wish);
    pair->tls = tls_begin(context, pair->server, &pair->ready);
    assert_non_null(pair->tls);
}

/* The client is gone, without a word. */
static void leave(struct pair *pair) {
    assert_int_equal(close(pair->client), 0);
    pair->client = -1;
}

static void end(struct pair *pair) {
    tls_end(pair->tls);
    SSL_free(pair->ssl);
    assert_int_equal(close(pair->server), 0);
    if (pair->client >= 0)
        leave(pair);
    assert_int_equal(close(pair->events), 0);
}

/* Takes the events of the server's socket from epoll, as the server's loop does. Were there any? */
static bool look(struct pair *pair) {
    struct epoll_event event = { 0 };
    int count = epoll_wait(pair->events, &event, 1, 0);
    assert_true(count >= 0);
    bool has_ended = event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    pair->ready.has_ended = pair->ready.has_ended || has_ended;
    pair->ready.can_read = pair->ready.can_read || has_ended || event.events & EPOLLIN;
    pair->ready.can_write = pair->ready.can_write || has_ended || event.events & EPOLLOUT;
    return count == 1;
}

static void assert_read_fails(struct pair *pair, int error) {
    char byte;
    errno = 0;
    assert_int_equal(tls_read(pair->tls, &byte, 1), -1);
    assert_int_equal(errno, error);
    assert_int_equal(ERR_peek_error(), 0);
}

static void assert_nothing_to_read(struct pair *pair) {
    assert_read_fails(pair, EAGAIN);
    assert_false(pair->ready.can_read);
}

static void assert_reads(struct pair *pair, const char *expected) {
    char bytes[256];
    size_t size = strlen(expected);
    assert_int_equal(tls_read(pair->tls, bytes, sizeof bytes), size);
    assert_memory_equal(bytes, expected, size);
}

static void assert_writes(struct pair *pair, const char *text) {
    assert_int_equal(tls_write(pair->tls, text, strlen(text)), strlen(text));
}

static void say(struct pair *pair, const char *text) {
    assert_int_equal(SSL_write(pair->ssl, text, (int)strlen(text)), strlen(text));
}

static void assert_hears(struct pair *pair, const char *expected) {
    char bytes[256];
    size_t size = strlen(expected);
    assert_int_equal(SSL_read(pair->ssl, bytes, sizeof bytes), size);
    assert_memory_equal(bytes, expected, size);
}

/* The error that the client saw: a reason of OpenSSL's, 0: none. */
static int told(struct pair *pair, int result) {
    int how = SSL_get_error(pair->ssl, result);
    int reason = how == SSL_ERROR_SSL ? ERR_GET_REASON(ERR_peek_error()) : 0;
    ERR_clear_error();
    return reason;
}

/* Has both sides do the handshake: 0, or the reason of the client's failure. A server that
 * failed must have returned EPROTO, and goes on to. */
static int shake(struct pair *pair) {
    for (int round = 0; round < ROUNDS_MAX; round++) {
        char byte;
        ERR_clear_error();
        int result = SSL_do_handshake(pair->ssl), reason = told(pair, result);
        if (reason)
            return reason;
        if (result == 1 && tls_is_ready(pair->tls))
            return 0;
        (void)look(pair);
        assert_int_equal(tls_read(pair->tls, &byte, 1), -1);
        if (errno != EAGAIN) {
            assert_int_equal(errno, EPROTO);
            assert_non_null(tls_failure(pair->tls));
            assert_read_fails(pair, EPROTO);
            assert_int_equal(tls_write(pair->tls, "x", 1), -1);
            assert_int_equal(errno, EPROTO);
        }
    }
    fail_msg("the handshake does not end");
    return -1;
}

static void open_ready(struct pair *pair, struct tls_context *context, const struct wish *wish) {
    open_pair(pair, context, wish);
    assert_int_equal(shake(pair), 0);
    assert_null(tls_failure(pair->tls));
}

/* The result of a handshake with a client that wishes so. */
static int shaken(struct tls_context *context, const struct wish *wish) {
    struct pair pair;
    open_pair(&pair, context, wish);
    int reason = shake(&pair);
    assert_int_equal(tls_is_ready(pair.tls), reason == 0);
    end(&pair);
    return reason;
}

/* ---- What is agreed on ---- */

static void tls_1_2_and_1_3_are_spoken_with_keys_of_each_kind(void **state) {
    static const char *const files[] = { "default", "rsa", "edwards", "chain" };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        char certificate[64], key[64];
        struct pair pair;
        const struct wish wish = { .version = versions[i % 2] };
        named(certificate, files[i / 2], "pem");
        named(key, files[i / 2], "key");
        struct tls_context *context = load(certificate, key);
        open_ready(&pair, context, &wish);
        assert_int_equal(SSL_version(pair.ssl), wish.version);
        say(&pair, "question");
        assert_true(look(&pair));
        assert_reads(&pair, "question");
        assert_nothing_to_read(&pair);
        assert_writes(&pair, "answer");
        assert_hears(&pair, "answer");
        end(&pair);
        tls_context_release(context);
    }
}

static void older_and_weaker_offers_are_refused_with_an_alert(void **state) {
    static const struct {
        struct wish wish;
        int reason;
    } cases[] = {
        { { .version = TLS1_VERSION }, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION },
        { { .version = TLS1_1_VERSION }, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION },
        { { TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" }, 0 },
        { { TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" }, 0 },
        { { TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305" }, 0 },
        { { TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA" },
          SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE },
        { { TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA256" },
          SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE },
        { { TLS1_2_VERSION, .ciphers = "DHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256" },
          SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE },
        { { TLS1_3_VERSION, .groups = "X25519" }, 0 },
        { { TLS1_3_VERSION, .groups = "P-256" }, 0 },
        { { TLS1_3_VERSION, .groups = "P-384" }, 0 },
        { { TLS1_3_VERSION, .groups = "P-521" }, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE },
    };
    struct tls_context *context = load(DEFAULT_FILES);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(shaken(context, &cases[i].wish), cases[i].reason);
    tls_context_release(context);
}

static void the_client_orders_the_ciphers(void **state) {
    static const char *const orders[][2] = {
        { "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256" },
        { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305" },
    };
    struct tls_context *context = load(DEFAULT_FILES);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char ciphers[128];
        struct pair pair;
        (void)snprintf(ciphers, sizeof ciphers, "%s:%s", orders[i][0], orders[i][1]);
        open_ready(&pair, context, &(struct wish){ TLS1_2_VERSION, .ciphers = ciphers });
        assert_string_equal(SSL_get_cipher(pair.ssl), orders[i][0]);
        end(&pair);
    }
    tls_context_release(context);
}

static void alpn_takes_h2_before_http_1_1_and_refuses_what_it_does_not_know(void **state) {
    static const struct {
        const char *protocols, *agreed;
        bool offers_http2;
    } cases[] = {
        { "\x02h2\x08http/1.1", "h2", true },
        { "\x08http/1.1\x02h2", "h2", true },
        { "\x02h2", "h2", true },
        { "\x08http/1.1", "http/1.1", true },
        { "\x08http/1.0\x08http/1.1", "http/1.1", true },
        { "\x08http/1.0", "http/1.0", true },
        { "\x08http/1.0", "http/1.0", false },
        { "\x08http/0.9", NULL, true },
        { NULL, "", true },
        { "\x02h3", NULL, true },
        { "\x02H2", NULL, true },
        { "\x02h2\x08http/1.1", "http/1.1", false },
        { "\x02h2", NULL, false },
        { NULL, "", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tls_options options = { DEFAULT_FILES, cases[i].offers_http2 };
        const struct wish wish = { .protocols = cases[i].protocols };
        const char *agreed = cases[i].agreed;
        char why[WHY_SIZE];
        struct pair pair;
        const unsigned char *name;
        unsigned size;
        struct tls_context *context = tls_context_load(&options, why, sizeof why);
        assert_non_null(context);
        open_pair(&pair, context, &wish);
        assert_int_equal(SSL_do_handshake(pair.ssl), -1);
        assert_true(look(&pair));
        assert_read_fails(&pair, agreed ? EAGAIN : EPROTO);
        assert_false(tls_is_http2(pair.tls)); /* chosen, but the client is not there yet */
        assert_int_equal(shake(&pair), agreed ? 0 : SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
        SSL_get0_alpn_selected(pair.ssl, &name, &size);
        assert_int_equal(size, agreed ? strlen(agreed) : 0);
        assert_true(size == 0 || memcmp(name, agreed, size) == 0);
        assert_int_equal(tls_is_http2(pair.tls), agreed && strcmp(agreed, "h2") == 0);
        end(&pair);
        tls_context_release(context);
    }
}

/* The name of the certificate that a client gets who asks for `name`. */
static void assert_site(struct tls_context *context, int version, const char *name,
                        const char *file) {
    struct pair pair;
    char subject[64] = "";
    open_ready(&pair, context, &(struct wish){ .version = version, .name = name });
    X509 *certificate = SSL_get1_peer_certificate(pair.ssl);
    assert_non_null(certificate);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                          subject, sizeof subject) > 0);
    assert_string_equal(subject, file);
    X509_free(certificate);
    end(&pair);
}

static void the_certificate_is_chosen_by_name(void **state) {
    static const char *const cases[][2] = {
        { "default.test", "default" },  { "rsa.test", "rsa" },          { "RSA.Test", "rsa" },
        { "edwards.test", "edwards" },  { "a.wild.test", "wild" },      { "A.WILD.TEST", "wild" },
        { "exact.wild.test", "exact" }, { "a.b.wild.test", "default" }, { "wild.test", "default" },
        { "unknown.test", "default" },  { "rsa.test.evil", "default" }, { NULL, "default" },
        { "sub.rsa.test", "default" },  { "127.0.0.1", "default" },
    };
    struct tls_context *context = load("default.pem, rsa.pem ,wild.pem,exact.pem,edwards.pem",
                                       "default.key,rsa.key,wild.key,exact.key,edwards.key");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_site(context, TLS1_2_VERSION, cases[i][0], cases[i][1]);
        assert_site(context, TLS1_3_VERSION, cases[i][0], cases[i][1]);
    }
    tls_context_release(context);
}

static void the_whole_chain_is_sent(void **state) {
    struct tls_context *context = load("chain.pem", "chain.key");
    struct pair pair;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(pair.ssl)), 2);
    end(&pair);
    tls_context_release(context);
}

/* A session that a client got from `context`. */
static SSL_SESSION *get_session(struct tls_context *context, int version) {
    struct pair pair;
    open_ready(&pair, context, &(struct wish){ .version = version });
    assert_writes(&pair, "x");
    assert_hears(&pair, "x"); /* the ticket is before it */
    SSL_SESSION *session = SSL_get1_session(pair.ssl);
    assert_non_null(session);
    assert_int_equal(SSL_SESSION_is_resumable(session), 1);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    (void)SSL_shutdown(pair.ssl); /* else the client holds it for broken */
    end(&pair);
    return session;
}

static bool is_resumed(struct tls_context *context, SSL_SESSION *session, int version) {
    struct pair pair;
    open_ready(&pair, context, &(struct wish){ .version = version, .session = session });
    bool is_reused = SSL_session_reused(pair.ssl);
    end(&pair);
    return is_reused;
}

static void sessions_are_resumed_until_a_reload_and_have_no_early_data(void **state) {
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tls_context *context = load(DEFAULT_FILES), *next = load(DEFAULT_FILES);
        SSL_SESSION *session = get_session(context, versions[i]);
        assert_true(is_resumed(context, session, versions[i]));
        assert_false(is_resumed(next, session, versions[i]));
        SSL_SESSION_free(session);
        tls_context_release(context);
        tls_context_release(next);
    }
}

static void no_session_is_kept_for_a_client_without_tickets(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    unsigned size;
    (void)state;
    open_pair(&pair, context, &(struct wish){ .version = TLS1_2_VERSION });
    (void)SSL_set_options(pair.ssl, SSL_OP_NO_TICKET);
    assert_int_equal(shake(&pair), 0);
    (void)SSL_SESSION_get_id(SSL_get0_session(pair.ssl), &size);
    assert_int_equal(size, 0);
    end(&pair);
    tls_context_release(context);
}

static void a_connection_outlives_the_replacement_of_its_context(void **state) {
    struct tls_context *context = load("default.pem,rsa.pem", "default.key,rsa.key");
    struct tls_context *next = load("rsa.pem", "rsa.key");
    struct pair early, old;
    (void)state;
    open_ready(&old, context, &(struct wish){ .name = "rsa.test" });
    open_pair(&early, context, &(struct wish){ .name = "rsa.test" });
    struct tls_context *shared = tls_context_share(context);
    assert_ptr_equal(shared, context);
    tls_context_release(context);
    tls_context_release(shared);
    assert_int_equal(shake(&early), 0);
    say(&old, "still");
    assert_true(look(&old));
    assert_reads(&old, "still");
    assert_writes(&old, "there");
    assert_hears(&old, "there");
    assert_site(next, TLS1_3_VERSION, "default.test", "rsa");
    end(&old);
    end(&early);
    tls_context_release(next);
    tls_context_release(NULL);
}

/* ---- Bytes ---- */

static char pattern(size_t at) {
    return (char)(at * 7 + at / 251);
}

struct flow {
    char *copies[2]; /* what is sent, twice: the server's buffer moves */
    size_t sent, received;
    unsigned calls;
};

static void check_received(struct flow *flow, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != pattern(flow->received + i))
            fail_msg("byte %zu came wrong", flow->received + i);
    flow->received += count;
}

static void serve_flow(struct pair *pair, struct flow *out, struct flow *in) {
    char bytes[5000];
    ssize_t count;
    (void)look(pair);
    while ((count = tls_read(pair->tls, bytes, sizeof bytes)) > 0)
        check_received(in, bytes, (size_t)count);
    assert_int_equal(count, -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(pair->ready.can_read);
    for (count = 1; count > 0 && out->sent < MEGABYTE;) {
        const char *rest = out->copies[++out->calls % 2] + out->sent;
        count = tls_write(pair->tls, rest, MEGABYTE - out->sent);
        out->sent += count > 0 ? (size_t)count : 0;
    }
    assert_true(count > 0 || (errno == EAGAIN && !pair->ready.can_write));
}

static void use_flow(struct pair *pair, struct flow *out, struct flow *in) {
    char bytes[3000];
    int count = 1;
    while (count > 0 && out->sent < MEGABYTE) {
        count = SSL_write(pair->ssl, out->copies[0] + out->sent, (int)(MEGABYTE - out->sent));
        out->sent += count > 0 ? (size_t)count : 0;
    }
    assert_true(count > 0 || SSL_get_error(pair->ssl, count) == SSL_ERROR_WANT_WRITE);
    while ((count = SSL_read(pair->ssl, bytes, sizeof bytes)) > 0)
        check_received(in, bytes, (size_t)count);
    assert_int_equal(SSL_get_error(pair->ssl, count), SSL_ERROR_WANT_READ);
}

static void a_megabyte_goes_both_ways_through_tiny_sockets(void **state) {
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_context *context = load(DEFAULT_FILES);
    char *first = malloc(MEGABYTE), *second = malloc(MEGABYTE);
    const int tiny = 1;
    (void)state;
    assert_true(first && second);
    for (size_t i = 0; i < MEGABYTE; i++)
        first[i] = second[i] = pattern(i);
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        struct flow answer = { .copies = { first, second } }, question = answer;
        open_pair(&pair, context, &(struct wish){ .version = versions[i] });
        assert_int_equal(setsockopt(pair.server, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny), 0);
        assert_int_equal(setsockopt(pair.client, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny), 0);
        assert_int_equal(shake(&pair), 0);
        for (int round = 0; round < ROUNDS_MAX && answer.received < MEGABYTE; round++) {
            use_flow(&pair, &question, &answer);
            serve_flow(&pair, &answer, &question);
        }
        assert_int_equal(question.received, MEGABYTE);
        assert_int_equal(answer.received, MEGABYTE);
        end(&pair);
    }
    free(first);
    free(second);
    tls_context_release(context);
}

/* Sends what the client wrote into `out` byte by byte. Each but those that complete something is
 * met by EAGAIN. The number of bytes that came out of it. */
static size_t trickle(struct pair *pair, BIO *out) {
    char byte, read[64];
    size_t total = 0;
    while (BIO_read(out, &byte, 1) == 1) {
        assert_int_equal(send(pair->client, &byte, 1, MSG_NOSIGNAL), 1);
        assert_true(look(pair));
        for (ssize_t count; (count = tls_read(pair->tls, read, sizeof read)) != -1;)
            total += (size_t)count;
        assert_int_equal(errno, EAGAIN);
        assert_false(pair->ready.can_read);
    }
    return total;
}

static void bytes_may_come_one_by_one(void **state) {
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_context *context = load(DEFAULT_FILES);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        BIO *out = BIO_new(BIO_s_mem());
        assert_non_null(out);
        open_pair(&pair, context, &(struct wish){ .version = versions[i] });
        SSL_set0_wbio(pair.ssl, out);
        for (int round = 0; round < ROUNDS_MAX && !tls_is_ready(pair.tls); round++) {
            (void)SSL_do_handshake(pair.ssl);
            assert_int_equal(trickle(&pair, out), 0);
        }
        assert_int_equal(SSL_do_handshake(pair.ssl), 1);
        say(&pair, "question");
        assert_int_equal(trickle(&pair, out), strlen("question"));
        end(&pair);
    }
    tls_context_release(context);
}

static void all_records_of_one_event_are_given_before_eagain(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char bytes[3];
    ssize_t count;
    size_t total = 0;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    for (int i = 0; i < 20; i++)
        say(&pair, "0123456789");
    assert_true(look(&pair));
    while ((count = tls_read(pair.tls, bytes, sizeof bytes)) > 0) {
        assert_int_equal(bytes[0], '0' + (char)(total % 10));
        total += (size_t)count;
        assert_false(pair.ready.can_read); /* one call took all */
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(total, 200);
    assert_false(look(&pair));
    end(&pair);
    tls_context_release(context);
}

static int waiting(int fd) {
    int count = -1;
    assert_int_equal(ioctl(fd, FIONREAD, &count), 0);
    return count;
}

static void a_socket_that_is_not_ready_is_not_touched(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    (void)state;
    open_pair(&pair, context, &(struct wish){ 0 });
    assert_int_equal(SSL_do_handshake(pair.ssl), -1);
    int hello = waiting(pair.server);
    assert_true(hello > 0);
    assert_read_fails(&pair, EAGAIN);
    assert_int_equal(waiting(pair.server), hello);
    pair.ready.can_read = true;
    assert_read_fails(&pair, EAGAIN);
    assert_int_equal(waiting(pair.server), 0);
    assert_int_equal(waiting(pair.client), 0);
    pair.ready.can_write = true;
    assert_nothing_to_read(&pair);
    assert_true(waiting(pair.client) > 0);
    assert_int_equal(shake(&pair), 0);
    pair.ready.can_write = false;
    assert_int_equal(tls_write(pair.tls, "x", 1), -1);
    assert_int_equal(errno, EAGAIN);
    end(&pair);
    tls_context_release(context);
}

static void a_key_update_is_answered_once_the_socket_takes_it(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    (void)state;
    open_ready(&pair, context, &(struct wish){ .version = TLS1_3_VERSION });
    assert_writes(&pair, "x");
    assert_hears(&pair, "x");
    assert_int_equal(SSL_key_update(pair.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    say(&pair, "question");
    assert_true(look(&pair));
    assert_reads(&pair, "question");
    pair.ready.can_write = false;
    assert_int_equal(tls_write(pair.tls, "answer", 6), -1); /* the update goes before it */
    assert_int_equal(errno, EAGAIN);
    assert_true(tls_is_ready(pair.tls));
    assert_nothing_to_read(&pair);
    pair.ready.can_write = true;
    assert_nothing_to_read(&pair);
    assert_true(waiting(pair.client) > 0);
    assert_writes(&pair, "answer");
    assert_hears(&pair, "answer");
    say(&pair, "more");
    assert_true(look(&pair));
    assert_reads(&pair, "more");
    end(&pair);
    tls_context_release(context);
}

/* ---- Ends ---- */

static void close_notify_is_the_end_and_can_be_answered(void **state) {
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_context *context = load(DEFAULT_FILES);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        char byte;
        open_ready(&pair, context, &(struct wish){ .version = versions[i] });
        say(&pair, "question");
        assert_int_equal(SSL_shutdown(pair.ssl), 0);
        assert_true(look(&pair));
        assert_reads(&pair, "question");
        assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
        assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
        assert_writes(&pair, "answer");
        assert_hears(&pair, "answer");
        tls_shut_down(pair.tls);
        assert_int_equal(SSL_shutdown(pair.ssl), 1);
        end(&pair);
    }
    tls_context_release(context);
}

static void shutting_down_tells_the_client_and_reading_goes_on(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    tls_shut_down(pair.tls);
    int result = SSL_read(pair.ssl, &byte, 1);
    assert_int_equal(SSL_get_error(pair.ssl, result), SSL_ERROR_ZERO_RETURN);
    say(&pair, "last");
    assert_true(look(&pair));
    assert_reads(&pair, "last");
    end(&pair);
    tls_context_release(context);
}

static void an_end_without_close_notify_in_the_event_of_the_last_bytes_is_seen(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    say(&pair, "question");
    assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
    assert_true(look(&pair));
    assert_false(look(&pair));
    assert_reads(&pair, "question");
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    assert_writes(&pair, "answer");
    assert_hears(&pair, "answer");
    end(&pair);
    tls_context_release(context);
}

static void an_end_that_comes_later_is_seen(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    say(&pair, "question");
    assert_true(look(&pair));
    assert_reads(&pair, "question");
    assert_nothing_to_read(&pair);
    assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
    assert_true(look(&pair));
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    end(&pair);
    tls_context_release(context);
}

static void an_end_within_a_record_or_the_handshake_is_an_end(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    assert_int_equal(send(pair.client, "\x17\x03\x03\x01\x00half", 9, MSG_NOSIGNAL), 9);
    assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
    assert_true(look(&pair));
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    end(&pair);
    open_pair(&pair, context, &(struct wish){ 0 });
    assert_int_equal(SSL_do_handshake(pair.ssl), -1);
    assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
    assert_true(look(&pair));
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    assert_int_equal(tls_write(pair.tls, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    tls_shut_down(pair.tls);
    end(&pair);
    tls_context_release(context);
}

static void a_client_that_is_gone_gives_the_sockets_error_and_no_signal(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    assert_writes(&pair, "never read");
    leave(&pair);
    assert_true(look(&pair));
    assert_read_fails(&pair, ECONNRESET);
    assert_null(tls_failure(pair.tls));
    end(&pair);
    open_ready(&pair, context, &(struct wish){ .version = TLS1_2_VERSION });
    leave(&pair);
    assert_int_equal(tls_write(pair.tls, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    assert_read_fails(&pair, EPIPE);
    end(&pair);
    tls_context_release(context);
}

/* The session tickets, which the server sends before it reads on, find nobody. */
static void who_asks_and_leaves_at_once_is_heard(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_pair(&pair, context, &(struct wish){ .version = TLS1_3_VERSION });
    assert_int_equal(SSL_do_handshake(pair.ssl), -1);
    assert_true(look(&pair));
    assert_nothing_to_read(&pair);
    assert_int_equal(SSL_do_handshake(pair.ssl), 1);
    say(&pair, "question");
    leave(&pair);
    assert_true(look(&pair));
    assert_reads(&pair, "question");
    assert_int_equal(tls_read(pair.tls, &byte, 1), 0);
    assert_int_equal(tls_write(pair.tls, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    end(&pair);
    tls_context_release(context);
}

static void errors_that_others_left_on_the_thread_are_not_its_own(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ 0 });
    ERR_raise(ERR_LIB_USER, 1);
    pair.ready.can_read = true;
    assert_int_equal(tls_read(pair.tls, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    ERR_raise(ERR_LIB_USER, 1);
    pair.ready.can_write = false;
    assert_int_equal(tls_write(pair.tls, "x", 1), -1);
    assert_int_equal(errno, EAGAIN);
    end(&pair);
    tls_context_release(context);
}

/* ---- Clients that do not keep to it ---- */

static void garbage_is_eproto_and_an_alert_when_it_looks_like_tls(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        bool is_like_tls;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, false },
        { "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", 10, false },
        { "\x16\x03\x01\x00\x05garba", 10, true },
        { "\x17\x03\x03\x00\x05garba", 10, true },
        { "\x16\x03\x01\xff\xffgarba", 10, true },
    };
    struct tls_context *context = load(DEFAULT_FILES);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair;
        unsigned char alert[16];
        open_pair(&pair, context, &(struct wish){ 0 });
        assert_int_equal(send(pair.client, cases[i].bytes, cases[i].size, 0), cases[i].size);
        assert_true(look(&pair));
        assert_read_fails(&pair, EPROTO);
        assert_non_null(tls_failure(pair.tls));
        ssize_t size = recv(pair.client, alert, sizeof alert, 0);
        assert_int_equal(size, cases[i].is_like_tls ? 7 : -1);
        if (cases[i].is_like_tls) {
            assert_int_equal(alert[0], SSL3_RT_ALERT);
            assert_int_equal(alert[5], SSL3_AL_FATAL);
        }
        end(&pair);
    }
    tls_context_release(context);
}

static void garbage_after_the_handshake_is_eproto_and_an_alert(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    char byte;
    (void)state;
    open_ready(&pair, context, &(struct wish){ .version = TLS1_2_VERSION });
    assert_int_equal(send(pair.client,
                          "\x17\x03\x03\x00\x20"
                          "0123456789abcdef0123456789abcdef",
                          37, 0),
                     37);
    assert_true(look(&pair));
    assert_read_fails(&pair, EPROTO);
    assert_read_fails(&pair, EPROTO);
    assert_int_equal(told(&pair, SSL_read(pair.ssl, &byte, 1)), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    tls_shut_down(pair.tls);
    end(&pair);
    tls_context_release(context);
}

static void renegotiation_is_refused(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct pair pair;
    (void)state;
    open_ready(&pair, context, &(struct wish){ .version = TLS1_2_VERSION });
    assert_int_equal(SSL_renegotiate(pair.ssl), 1);
    assert_int_equal(SSL_do_handshake(pair.ssl), -1);
    assert_true(look(&pair));
    assert_nothing_to_read(&pair);
    assert_int_equal(told(&pair, SSL_do_handshake(pair.ssl)), SSL_R_NO_RENEGOTIATION);
    end(&pair);
    tls_context_release(context);
}

/* ---- Files that are no good, or could be better ---- */

static void files_that_are_no_good_are_refused_in_one_line_that_names_them(void **state) {
    static const struct {
        const char *certificates, *keys, *file, *problem;
    } cases[] = {
        { "missing.pem", "default.key", "missing.pem", "No such file" },
        { "default.pem", "missing.key", "missing.key", "No such file" },
        { ".", "default.key", ".", "no certificate" },
        { "empty.pem", "default.key", "empty.pem", "no certificate" },
        { "default.pem", "empty.key", "empty.key", "no private key" },
        { "default.key", "default.key", "default.key", "no certificate" },
        { "default.pem", "default.pem", "default.pem", "no private key" },
        { "broken.pem", "broken.key", "broken.pem", "certificate 2 cannot be read" },
        { "default.pem", "rsa.key", "rsa.key", "not the key of the certificate in default.pem" },
        { "default.pem", "exact.key", "exact.key", "not the key of the certificate" },
        { "default.pem,rsa.pem", "rsa.key,default.key", "rsa.key", "order" },
        { "default.pem,rsa.pem", "default.key,missing.key", "missing.key", "No such file" },
        { "short.pem", "short.key", "short.pem", "ee key too small" },
        { "weak-chain.pem", "weak-chain.key", "weak-chain.pem", "ca key too small" },
        { "sha1.pem", "sha1.key", "sha1.pem", "signature is too weak" },
        { "default.pem", "locked.key", "locked.key", "encrypted" },
        { "default.pem", "old-locked.key", "old-locked.key", "encrypted" },
        { "default.pem,rsa.pem", "default.key", "certificates: 2", "keys: 1" },
        { "default.pem", "", "certificates: 1", "keys: 0" },
        { NULL, NULL, "certificates: 0", "keys: 0" },
        { "default.pem,", "default.key,rsa.key", "--tls-cert: ", "empty" },
        { ",", ",", "--tls-cert: ", "empty" },
    };
    EVP_PKEY *key = read_key("default");
    FILE *locked = opened("locked", "key", "w"), *old = opened("old-locked", "key", "w");
    (void)state;
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(locked, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    BIO *out = BIO_new_fp(old, BIO_NOCLOSE);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(out, key, EVP_aes_128_cbc(),
                                                          (const unsigned char *)"secret", 6, NULL,
                                                          NULL),
                     1);
    (void)BIO_free(out);
    EVP_PKEY_free(key);
    assert_int_equal(fclose(locked), 0);
    assert_int_equal(fclose(old), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tls_options options = { cases[i].certificates, cases[i].keys, true };
        char why[WHY_SIZE] = "";
        assert_null(tls_context_load(&options, why, sizeof why));
        if (!strstr(why, cases[i].file) || !strstr(why, cases[i].problem) || strchr(why, '\n'))
            fail_msg("row %zu: %s", i, why);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* The log while a context is loaded. */
static void log_of_loading(const char *certificate, const char *key, char said[WHY_SIZE]) {
    int was = dup(STDERR_FILENO), file = memfd_create("log", MFD_CLOEXEC);
    assert_true(was >= 0 && file >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    struct tls_context *context = load(certificate, key);
    assert_int_equal(dup2(was, STDERR_FILENO), STDERR_FILENO);
    ssize_t size = pread(file, said, WHY_SIZE - 1, 0);
    assert_true(size >= 0);
    said[size] = '\0';
    assert_int_equal(close(was), 0);
    assert_int_equal(close(file), 0);
    tls_context_release(context);
}

static void certificates_out_of_date_are_taken_with_a_warning(void **state) {
    char said[WHY_SIZE], date[32];
    time_t expiry = time(NULL) - 10 * DAY_S;
    struct tm when;
    (void)state;
    log_of_loading("expired.pem", "expired.key", said);
    assert_non_null(strstr(said, "warning: expired.pem: certificate 1 expired at "));
    /* of the day before, when they were made on the other side of midnight */
    (void)strftime(date, sizeof date, "%Y-%m-%dT", gmtime_r(&expiry, &when));
    expiry -= DAY_S;
    bool has_date = strstr(said, date);
    (void)strftime(date, sizeof date, "%Y-%m-%dT", gmtime_r(&expiry, &when));
    assert_true(has_date || strstr(said, date));
    log_of_loading("early.pem", "early.key", said);
    assert_non_null(strstr(said, "warning: early.pem: certificate 1 is not valid before "));
    log_of_loading("chain.pem", "chain.key", said);
    assert_string_equal(said, "");
}

static void a_key_that_others_can_read_is_taken_with_a_warning(void **state) {
    char said[WHY_SIZE];
    (void)state;
    assert_int_equal(chmod("default.key", 0644), 0);
    log_of_loading(DEFAULT_FILES, said);
    assert_non_null(strstr(said, "warning: default.key: "));
    assert_non_null(strstr(said, "0644"));
    assert_int_equal(chmod("default.key", 0640), 0);
    log_of_loading(DEFAULT_FILES, said);
    assert_string_equal(said, "");
    assert_int_equal(chmod("default.key", 0600), 0);
}

/* As `openssl ecparam -genkey` writes it, and with the certificate in the same file. */
static void a_key_may_stand_behind_other_things(void **state) {
    FILE *stream = opened("both", "pem", "w");
    EVP_PKEY *key = read_key("default");
    X509 *certificate = read_certificate("default");
    (void)state;
    assert_true(fputs("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                      "-----END EC PARAMETERS-----\n",
                      stream) >= 0);
    assert_int_equal(PEM_write_X509(stream, certificate), 1);
    BIO *out = BIO_new_fp(stream, BIO_NOCLOSE);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)BIO_free(out);
    assert_int_equal(fclose(stream), 0);
    EVP_PKEY_free(key);
    X509_free(certificate);
    struct tls_context *context = load("both.pem", "both.pem");
    assert_site(context, TLS1_3_VERSION, NULL, "default");
    tls_context_release(context);
}

/* ---- Memory: OpenSSL takes all of it here ---- */

static size_t taken;         /* bytes */
static long calls_left = -1; /* until memory is short; -1: it never is */

static bool is_refused(void) {
    if (calls_left > 0)
        calls_left--;
    return calls_left == 0;
}

static void *get_again(void *old, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    size_t before = malloc_usable_size(old);
    void *memory = is_refused() ? NULL : realloc(old, size);
    if (memory)
        taken += malloc_usable_size(memory) - before;
    return memory;
}

static void *get(size_t size, const char *file, int line) {
    return get_again(NULL, size, file, line);
}

static void give_back(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    taken -= malloc_usable_size(memory);
    free(memory);
}

static void want_of_memory_is_no_connection(void **state) {
    struct tls_context *context = load(DEFAULT_FILES);
    struct readiness ready = { 0 };
    long needed = 0;
    (void)state;
    for (bool was_short = true; was_short; needed++) {
        calls_left = needed + 1;
        struct tls *tls = tls_begin(context, -1, &ready);
        was_short = calls_left == 0;
        calls_left = -1;
        assert_true(was_short || tls);
        assert_int_equal(ERR_peek_error(), 0);
        tls_end(tls);
    }
    assert_true(needed > 10);
    tls_end(NULL);
    tls_context_release(context);
}

/* OpenSSL's own memory for a connection grew with its version 3.2. A buffer would be 17 KB. */
static void an_idle_connection_holds_no_buffers(void **state) {
    static struct pair pairs[100];
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_context *context = load(DEFAULT_FILES);
    const size_t count = sizeof pairs / sizeof pairs[0];
    const size_t most = OPENSSL_VERSION_NUMBER < 0x30200000L ? 16384 : 24576;
    (void)state;
    for (size_t version = 0; version < 2; version++) {
        size_t before = 0;
        for (size_t i = 0; i < count; i++) {
            struct pair *pair = &pairs[i];
            open_ready(pair, context, &(struct wish){ .version = versions[version] });
            say(pair, "question");
            assert_true(look(pair));
            assert_reads(pair, "question");
            assert_nothing_to_read(pair);
            assert_writes(pair, "answer");
            assert_hears(pair, "answer");
            SSL_free(pair->ssl); /* the client's memory is not the server's */
            pair->ssl = NULL;
            if (i == 0)
                before = taken; /* the first one's has in it what all share */
        }
        assert_in_range((taken - before) / (count - 1), 1000, most);
        for (size_t i = 0; i < count; i++)
            end(&pairs[i]);
    }
    tls_context_release(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_2_and_1_3_are_spoken_with_keys_of_each_kind),
        cmocka_unit_test(older_and_weaker_offers_are_refused_with_an_alert),
        cmocka_unit_test(the_client_orders_the_ciphers),
        cmocka_unit_test(alpn_takes_h2_before_http_1_1_and_refuses_what_it_does_not_know),
        cmocka_unit_test(the_certificate_is_chosen_by_name),
        cmocka_unit_test(the_whole_chain_is_sent),
        cmocka_unit_test(sessions_are_resumed_until_a_reload_and_have_no_early_data),
        cmocka_unit_test(no_session_is_kept_for_a_client_without_tickets),
        cmocka_unit_test(a_connection_outlives_the_replacement_of_its_context),
        cmocka_unit_test(a_megabyte_goes_both_ways_through_tiny_sockets),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(all_records_of_one_event_are_given_before_eagain),
        cmocka_unit_test(a_socket_that_is_not_ready_is_not_touched),
        cmocka_unit_test(a_key_update_is_answered_once_the_socket_takes_it),
        cmocka_unit_test(close_notify_is_the_end_and_can_be_answered),
        cmocka_unit_test(shutting_down_tells_the_client_and_reading_goes_on),
        cmocka_unit_test(an_end_without_close_notify_in_the_event_of_the_last_bytes_is_seen),
        cmocka_unit_test(an_end_that_comes_later_is_seen),
        cmocka_unit_test(an_end_within_a_record_or_the_handshake_is_an_end),
        cmocka_unit_test(a_client_that_is_gone_gives_the_sockets_error_and_no_signal),
        cmocka_unit_test(who_asks_and_leaves_at_once_is_heard),
        cmocka_unit_test(errors_that_others_left_on_the_thread_are_not_its_own),
        cmocka_unit_test(garbage_is_eproto_and_an_alert_when_it_looks_like_tls),
        cmocka_unit_test(garbage_after_the_handshake_is_eproto_and_an_alert),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(files_that_are_no_good_are_refused_in_one_line_that_names_them),
        cmocka_unit_test(certificates_out_of_date_are_taken_with_a_warning),
        cmocka_unit_test(a_key_that_others_can_read_is_taken_with_a_warning),
        cmocka_unit_test(a_key_may_stand_behind_other_things),
        cmocka_unit_test(want_of_memory_is_no_connection),
        cmocka_unit_test(an_idle_connection_holds_no_buffers),
    };
    if (!CRYPTO_set_mem_functions(get, get_again, give_back))
        return EXIT_FAILURE; /* something took memory already */
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

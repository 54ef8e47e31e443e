/* TLS 1.2 and 1.3 with OpenSSL.
 *
 * A context holds the certificates and all settings. It is loaded as a whole or not at all, and
 * never changes afterwards; a reload makes a new context. Contexts are reference-counted, because
 * each connection keeps the one that it began with. A context has one SSL_CTX (struct site) for
 * each certificate, and choose_site picks one by the name that the client asks for.
 *
 * OpenSSL reads and writes the socket through a BIO of our own. This BIO knows what epoll has
 * reported of the socket (struct readiness), so no system call is made that could only return
 * EAGAIN.
 *
 * OpenSSL keeps its errors in a queue of the thread. Each call into it therefore begins and ends
 * with an empty queue; otherwise an error of one connection could be taken for one of another. */
#include "http/tls.h"

#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

/* Mozilla's "intermediate" recommendation (Server Side TLS 5.7) without DHE: every client with TLS
 * 1.2 and AEAD also has ECDHE, and DHE lets a client cause much work with little of its own
 * (CVE-2002-20001). */
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_1_2                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CURVES "X25519:prime256v1:secp384r1"

/* Level 2 refuses everything below 112 bits of security, such as RSA keys shorter than 2048 bits
 * (SSL_CTX_set_security_level(3)). */
enum { SECURITY_LEVEL = 2, SECURITY_BITS = 112 };

/* The SSL_CTX of connections for the names of one certificate. */
struct site {
    SSL_CTX *settings;
    X509 *leaf; /* owned by `settings` */
};

struct tls_context {
    atomic_uint references;
    bool offers_http2;
    BIO_METHOD *socket_method;
    size_t count;
    struct site
        sites[]; /* one for each certificate; the first also serves names that no certificate has */
};

struct tls {
    struct tls_context *context;
    SSL *ssl;
    struct readiness *ready;
    int fd;
    int socket_error;    /* errno of the socket's last failure */
    int error;           /* errno with which all further calls fail, or 0 */
    bool is_at_end;      /* the socket has reported its end */
    bool is_ready;       /* the handshake is done */
    const char *failure; /* see tls_failure */
};

/* ---- The socket as OpenSSL sees it ---- */

static ssize_t fail(int error) {
    errno = error;
    return -1;
}

/* True if a call on the socket has to be repeated later. Keeps errno of other failures. */
static bool is_too_early(struct tls *tls, ssize_t count) {
    if (count >= 0 || errno == EAGAIN)
        return count < 0;
    tls->socket_error = errno;
    return false;
}

static int socket_read(BIO *bio, char *bytes, int size) {
    struct tls *tls = BIO_get_data(bio);
    struct readiness *ready = tls->ready;
    ssize_t count = ready->can_read ? recv(tls->fd, bytes, (size_t)size, 0) : fail(EAGAIN);
    bool is_early = is_too_early(tls, count);
    bool is_short = count >= 0 && count < size && !ready->has_ended;
    tls->is_at_end = count == 0;
    BIO_clear_retry_flags(bio);
    if (is_early)
        BIO_set_retry_read(bio);
    if (is_early || is_short)
        ready->can_read = false;
    return (int)count;
}

/* Must not change errno: OpenSSL looks at it to tell that a client which leaves before its session
 * tickets arrive is no error. */
static int socket_write(BIO *bio, const char *bytes, int size) {
    struct tls *tls = BIO_get_data(bio);
    struct readiness *ready = tls->ready;
    ssize_t count =
        ready->can_write ? send(tls->fd, bytes, (size_t)size, MSG_NOSIGNAL) : fail(EAGAIN);
    bool is_early = is_too_early(tls, count);
    bool is_short = count >= 0 && count < size;
    BIO_clear_retry_flags(bio);
    if (is_early)
        BIO_set_retry_write(bio);
    if (is_early || is_short)
        ready->can_write = false;
    return (int)count;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    const struct tls *tls = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && tls->is_at_end);
}

static BIO_METHOD *make_socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
    if (method && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_write(method, socket_write) && BIO_meth_set_ctrl(method, socket_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- What is agreed on ---- */

/* Chooses the certificate by Server Name Indication (RFC 6066 section 3). An exact name takes
 * precedence over a wildcard. */
static int choose_site(SSL *ssl, int *alert, void *argument) {
    static const unsigned passes[] = { X509_CHECK_FLAG_NO_WILDCARDS, 0 };
    const struct tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    for (size_t pass = 0; name && pass < sizeof passes / sizeof passes[0]; pass++)
        for (size_t i = 0; i < context->count; i++)
            if (X509_check_host(context->sites[i].leaf, name, 0, passes[pass], NULL) == 1)
                return SSL_set_SSL_CTX(ssl, context->sites[i].settings)
                           ? SSL_TLSEXT_ERR_OK
                           : SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_NOACK;
}

/* A client that offers protocols, but none of ours, gets no_application_protocol (RFC 7301,
 * 3.2). */
// NOLINTNEXTLINE(readability-function-size): the library's own six
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                           const unsigned char *offered, unsigned offered_size, void *argument) {
    static const unsigned char ours[] = "\x02h2\x08http/1.1\x08http/1.0";
    const struct tls_context *context = argument;
    unsigned skip = context->offers_http2 ? 0 : 3;
    (void)ssl;
    int found = SSL_select_next_proto((unsigned char **)chosen, chosen_size, ours + skip,
                                      sizeof ours - 1 - skip, offered, offered_size);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Sessions are not cached on the server: a client that resumes one brings it along as a ticket. An
 * end without close_notify is accepted as an end, since HTTP itself tells whether a message is
 * complete. */
static bool configure(SSL_CTX *settings, struct tls_context *context) {
    SSL_CTX_set_security_level(settings, SECURITY_LEVEL);
    (void)SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                            SSL_OP_IGNORE_UNEXPECTED_EOF |
                                            SSL_OP_CLEANSE_PLAINTEXT);
    (void)SSL_CTX_clear_options(settings, SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_read_ahead(settings, 1);
    (void)SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(settings, choose_protocol, context);
    return SSL_CTX_set_tlsext_servername_callback(settings, choose_site) &&
           SSL_CTX_set_tlsext_servername_arg(settings, context) &&
           SSL_CTX_set_max_early_data(settings, 0) &&
           SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) &&
           SSL_CTX_set_ciphersuites(settings, CIPHERS_1_3) &&
           SSL_CTX_set_cipher_list(settings, CIPHERS_1_2) &&
           SSL_CTX_set1_groups_list(settings, CURVES);
}

/* ---- Files ---- */

/* A certificate and its key on their way into a site, and where to say what is wrong. */
struct loading {
    struct site *site;
    char certificate[PATH_MAX], key[PATH_MAX]; /* paths of the files */
    char *why;
    size_t why_size;
};

static bool refuse_loading(struct loading *loading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse_loading(struct loading *loading, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(loading->why, loading->why_size, format, arguments);
    va_end(arguments);
    return false;
}

static FILE *open_file(struct loading *loading, const char *setting, const char *path) {
    FILE *file = fopen(path, "re");
    if (!file)
        (void)refuse_loading(loading, "%s %s: %s; name a file that the server may read", setting,
                             path, strerror(errno));
    return file;
}

static const char *last_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "no reason given";
}

static bool is_last_reason(int library, int reason) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == library && ERR_GET_REASON(error) == reason;
}

/* Refuses encrypted files. Without such a function OpenSSL would ask for the password at the
 * terminal. */
static int no_password(char *password, int size, int is_for_writing, void *was_asked) {
    (void)password;
    (void)size;
    (void)is_for_writing;
    *(bool *)was_asked = true;
    return -1;
}

static void warn_of_date(const char *path, unsigned number, const char *what,
                         const ASN1_TIME *date) {
    struct tm when;
    char text[32] = "an unreadable date";
    if (ASN1_TIME_to_tm(date, &when))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when);
    log_warning("%s: certificate %u %s %s, clients will refuse it; put a new one there and reload",
                path, number, what, text);
}

static void check_dates(const char *path, unsigned number, const X509 *certificate) {
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *until = X509_get0_notAfter(certificate);
    if (X509_cmp_current_time(until) <= 0)
        warn_of_date(path, number, "expired at", until);
    else if (X509_cmp_current_time(from) >= 0)
        warn_of_date(path, number, "is not valid before", from);
}

static bool refuse_kind(struct loading *loading, const char *reason) {
    return refuse_loading(
        loading,
        "--tls-cert %s: not fit for TLS (%s); use a certificate with a key for RSA of 2048 bits or "
        "more, ECDSA or Ed25519, signed with SHA-256 or better",
        loading->certificate, reason);
}

/* True if the signature of the certificate is strong enough. OpenSSL 3.0 checks this for a server's
 * own certificates, 3.5 does not. A self-signed certificate is exempt: nobody trusts a root because
 * of its signature. */
static bool is_signed_well(X509 *certificate) {
    int bits = 0;
    return X509_get_extension_flags(certificate) & EXFLAG_SS ||
           (X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) && bits >= SECURITY_BITS);
}

/* Adds one certificate of the chain, the leaf first. The site takes a reference of its own. */
static bool add_certificate(struct loading *loading, unsigned number, X509 *certificate) {
    check_dates(loading->certificate, number, certificate);
    if (!is_signed_well(certificate))
        return refuse_kind(loading, "its signature is too weak");
    if (number == 1 ? SSL_CTX_use_certificate(loading->site->settings, certificate)
                    : SSL_CTX_add1_chain_cert(loading->site->settings, certificate))
        return true;
    return refuse_kind(loading, last_reason());
}

static bool load_chain(struct loading *loading) {
    FILE *file = open_file(loading, "--tls-cert", loading->certificate);
    X509 *certificate;
    unsigned count = 0;
    bool good = file, was_asked = false;
    ERR_clear_error();
    while (good && (certificate = PEM_read_X509(file, NULL, no_password, &was_asked))) {
        good = add_certificate(loading, ++count, certificate);
        X509_free(certificate);
    }
    if (good && !is_last_reason(ERR_LIB_PEM, PEM_R_NO_START_LINE))
        good = refuse_loading(
            loading,
            "--tls-cert %s: certificate %u cannot be read (%s); put it there again, in PEM",
            loading->certificate, count + 1, last_reason());
    else if (good && count == 0)
        good = refuse_loading(
            loading, "--tls-cert %s: holds no certificate; it must be a chain in PEM, leaf first",
            loading->certificate);
    if (file)
        (void)fclose(file);
    loading->site->leaf = SSL_CTX_get0_certificate(loading->site->settings);
    return good;
}

static void check_mode(const char *path, FILE *file) {
    struct stat facts;
    if (fstat(fileno(file), &facts) == 0 && facts.st_mode & (S_IROTH | S_IWOTH))
        log_warning("%s: every user of this machine can read or change the key (its mode is %04o); "
                    "chmod it to 0600, or 0640 with a group of its own",
                    path, (unsigned)facts.st_mode & 07777);
}

static EVP_PKEY *read_key(struct loading *loading) {
    char buffer[4096]; /* replaces stdio's buffer, which would be freed unwiped */
    EVP_PKEY *key = NULL;
    bool is_encrypted = false;
    FILE *file = open_file(loading, "--tls-key", loading->key);
    if (!file)
        return NULL;
    if (setvbuf(file, buffer, _IOFBF, sizeof buffer) == 0)
        key = PEM_read_PrivateKey(file, NULL, no_password, &is_encrypted);
    if (key)
        check_mode(loading->key, file);
    (void)fclose(file);
    OPENSSL_cleanse(buffer, sizeof buffer);
    if (is_encrypted)
        (void)refuse_loading(
            loading,
            "--tls-key %s: the key is encrypted; store it without a password, in a file "
            "that only the server may read",
            loading->key);
    else if (!key)
        (void)refuse_loading(loading, "--tls-key %s: holds no private key; it must be in PEM",
                             loading->key);
    return key;
}

static bool is_kind_for_tls(const EVP_PKEY *key) {
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: return true;
    default: return false;
    }
}

static bool load_key(struct loading *loading) {
    EVP_PKEY *key = read_key(loading);
    bool good = key;
    if (good && X509_check_private_key(loading->site->leaf, key) != 1)
        good = refuse_loading(
            loading,
            "--tls-key %s: not the key of the certificate in %s; name the keys in the order "
            "of the certificates",
            loading->key, loading->certificate);
    else if (good &&
             (!is_kind_for_tls(key) || !SSL_CTX_use_PrivateKey(loading->site->settings, key)))
        good = refuse_kind(loading, "a key of that kind cannot sign for it");
    EVP_PKEY_free(key);
    return good;
}

/* ---- Contexts ---- */

static size_t count_paths(const char *list) {
    size_t count = list && *list;
    for (; list && *list; list++)
        count += *list == ',';
    return count;
}

static bool next_path(struct loading *loading, const char *setting, struct text *rest,
                      char path[PATH_MAX]) {
    struct text next = text_trim(text_cut(rest, ','));
    if (next.len == 0 || next.len >= PATH_MAX)
        return refuse_loading(loading,
                              "%s: each must be the name of a file, with commas between "
                              "them; one is empty or too long",
                              setting);
    memcpy(path, next.at, next.len);
    path[next.len] = '\0';
    return true;
}

static bool load_sites(struct tls_context *context, const struct tls_options *options,
                       struct loading *loading) {
    struct text certificates = text_of(options->certificates), keys = text_of(options->keys);
    for (size_t i = 0; i < context->count; i++) {
        struct site *site = loading->site = &context->sites[i];
        site->settings = SSL_CTX_new(TLS_server_method());
        if (!site->settings || !configure(site->settings, context))
            return refuse_loading(loading,
                                  "TLS cannot be set up: OpenSSL says \"%s\"; see its settings in "
                                  "openssl.cnf",
                                  last_reason());
        if (!next_path(loading, "--tls-cert", &certificates, loading->certificate) ||
            !next_path(loading, "--tls-key", &keys, loading->key) || !load_chain(loading) ||
            !load_key(loading))
            return false;
    }
    return true;
}

static struct tls_context *make_context(size_t count) {
    struct tls_context *context = calloc(1, sizeof *context + count * sizeof context->sites[0]);
    if (!context)
        return NULL;
    atomic_init(&context->references, 1);
    context->count = count;
    context->socket_method = make_socket_method();
    if (context->socket_method)
        return context;
    tls_context_release(context);
    return NULL;
}

static struct tls_context *load(const struct tls_options *options, struct loading *loading) {
    size_t count = count_paths(options->certificates), keys = count_paths(options->keys);
    if (count == 0 || count != keys) {
        (void)refuse_loading(
            loading,
            "%s: certificates: %zu, keys: %zu; name a key in --tls-key for each certificate in "
            "--tls-cert, and at least one of both",
            count ? "--tls-cert" : "--tls-key", count, keys);
        return NULL;
    }
    struct tls_context *context = make_context(count);
    if (!context) {
        (void)refuse_loading(loading, "memory is too short for TLS");
        return NULL;
    }
    context->offers_http2 = options->offers_http2;
    if (load_sites(context, options, loading))
        return context;
    tls_context_release(context);
    return NULL;
}

struct tls_context *tls_context_load(const struct tls_options *options, char *why,
                                     size_t why_size) {
    struct loading loading = { .why = why, .why_size = why_size };
    struct tls_context *context = NULL;
    if (OPENSSL_init_ssl(0, NULL))
        context = load(options, &loading);
    else
        (void)refuse_loading(&loading, "OpenSSL cannot start: %s; see its settings in openssl.cnf",
                             last_reason());
    ERR_clear_error();
    return context;
}

struct tls_context *tls_context_share(struct tls_context *context) {
    unsigned before = atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    assert(before > 0 && before < UINT_MAX);
    (void)before;
    return context;
}

void tls_context_release(struct tls_context *context) {
    if (!context || atomic_fetch_sub(&context->references, 1) != 1)
        return;
    for (size_t i = 0; i < context->count; i++)
        SSL_CTX_free(context->sites[i].settings);
    BIO_meth_free(context->socket_method);
    free(context);
}

/* ---- Connections ---- */

static bool open_ssl(struct tls *tls) {
    tls->ssl = SSL_new(tls->context->sites[0].settings);
    BIO *bio = tls->ssl ? BIO_new(tls->context->socket_method) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_accept_state(tls->ssl);
    return true;
}

struct tls *tls_begin(struct tls_context *context, int fd, struct readiness *ready) {
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    tls->context = tls_context_share(context);
    tls->fd = fd;
    tls->ready = ready;
    bool good = open_ssl(tls);
    ERR_clear_error();
    if (good)
        return tls;
    tls_end(tls);
    return NULL;
}

/* The meaning of a call that moved nothing. OpenSSL's queue of errors belongs to the thread, so
 * it must be empty before each call and left empty. */
static ssize_t explain(struct tls *tls, int result) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return fail(EAGAIN);
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: tls->error = tls->socket_error ? tls->socket_error : EPROTO; break;
    default: tls->error = EPROTO;
    }
    if (tls->error == EPROTO)
        tls->failure = last_reason();
    ERR_clear_error();
    return fail(tls->error);
}

/* True if OpenSSL would find nothing to read. It would allocate a buffer of 17 KB to find that
 * out. */
static bool is_dry(const struct tls *tls) {
    return !tls->ready->can_read && SSL_is_init_finished(tls->ssl) && !SSL_has_pending(tls->ssl) &&
           !(SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN);
}

ssize_t tls_read(struct tls *tls, void *bytes, size_t size) {
    size_t count = 0;
    assert(size > 0);
    if (tls->error)
        return fail(tls->error);
    if (is_dry(tls))
        return fail(EAGAIN);
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, bytes, size, &count);
    tls->is_ready = tls->is_ready || SSL_is_init_finished(tls->ssl);
    return result == 1 ? (ssize_t)count : explain(tls, result);
}

ssize_t tls_write(struct tls *tls, const void *bytes, size_t size) {
    size_t count = 0;
    if (tls->error)
        return fail(tls->error);
    if (size == 0)
        return 0;
    ERR_clear_error();
    int result = SSL_write_ex(tls->ssl, bytes, size, &count);
    tls->is_ready = tls->is_ready || SSL_is_init_finished(tls->ssl);
    if (result == 1)
        return (ssize_t)count;
    return explain(tls, result) == 0 ? fail(EPIPE) : -1;
}

bool tls_is_ready(const struct tls *tls) {
    return tls->is_ready;
}

bool tls_is_http2(const struct tls *tls) {
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    return tls->is_ready && size == 2 && memcmp(name, "h2", 2) == 0;
}

const char *tls_failure(const struct tls *tls) {
    return tls->failure;
}

void tls_shut_down(struct tls *tls) {
    if (tls->error || !tls->is_ready)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* the client's answer is not waited for */
    ERR_clear_error();
}

void tls_end(struct tls *tls) {
    if (!tls)
        return;
    SSL_free(tls->ssl);
    tls_context_release(tls->context);
    free(tls);
}

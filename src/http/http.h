#ifndef ROSTER_HTTP_HTTP_H
#define ROSTER_HTTP_HTTP_H

#include "base/arena.h"
#include "base/status.h"
#include "http/tls.h"

/* The listener, as the rest of the server sees it: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), with
 * or without TLS. It reads a complete request, hands it to the handler as a `struct exchange`, and
 * sends the reply that the handler left in it. It knows nothing of users, JSON or tables. */

struct listener;

enum method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

enum { REPLY_HEADERS_MAX = 12, REQUEST_ID_MAX = 64 };

struct reply_header {
    const char *name;  /* static */
    const char *value; /* lives as long as the exchange */
};

/**
 * A reply. Everything in it is static or lives as long as the exchange, in its arena.
 *
 * A body that is too large to be held at once is given in pieces. With `goes_on` the body is one of
 * them, and not empty. When the connection has taken it, the exchange's `next` runs, which may
 * suspend as a handler may, and puts the next piece in its place; head and status were sent by
 * then. The last piece is empty and has no `goes_on`. `is_cut` in its place ends the connection
 * (HTTP/2: the stream) in a way that shows the client that the body is incomplete. When the client
 * has gone, `next` does not run any more.
 */
struct reply {
    unsigned http_status;
    const char *content_type; /* NULL: none */
    struct text body;
    bool goes_on, is_cut;
    struct reply_header headers[REPLY_HEADERS_MAX];
    unsigned header_count;
};

/**
 * One request and its reply. The handler and every later step run on the I/O thread that owns the
 * connection. Other threads may only call exchange_resume.
 */
struct exchange {
    struct arena *arena;    /* lives until the reply was sent or the connection is closed */
    int64_t began_us;       /* time_monotonic_us when its thread woke for it */
    int64_t replied_us;     /* and when its reply was there, or its client was gone */
    const char *request_id; /* X-Request-Id, or one that was made; at most REQUEST_ID_MAX bytes */
    enum method method;     /* HEAD appears as GET; the listener leaves the reply's body out */
    struct text path;       /* as sent, still percent-encoded, without the query */
    size_t announced;       /* Content-Length; 0: none, or the body is chunked */
    size_t body_limit;      /* listen_options.body_limit, unless `head` lowers it */
    struct text body; /* complete; empty if there was none; may be overwritten to wipe secrets */
    struct reply reply;
    void (*next)(struct exchange *exchange); /* the step to run when resumed */
    void *state;                             /* for the handler's current step */
    void *request;                           /* for the handler, during the whole exchange */
    void *app;                               /* listen_options.app */
};

/** Where HTTP/2 is spoken. */
enum http2 {
    HTTP2_tls,   /* over TLS, with clients that negotiate it (ALPN) */
    HTTP2_clear, /* also without TLS, with clients that begin with it */
    HTTP2_off
};

/** A listening socket that the process has from its service manager. */
struct inherited_socket {
    int fd;
    bool redirects; /* as an address of `redirect` */
};

/** Lists are separated by commas; "" is an empty list. All texts must outlive the listener. */
struct listen_addresses {
    const char *listen;   /* "127.0.0.1:8080,[::1]:0,unix:/run/roster.sock" */
    const char *redirect; /* plain HTTP that redirects every request to HTTPS */
    const char *metrics;  /* plain HTTP for monitoring alone (exchange_is_monitoring) */
    struct tls_options tls;
    unsigned unix_mode;                       /* of UNIX sockets */
    const char *unix_group;                   /* "": the process's own */
    const struct inherited_socket *inherited; /* in place of all addresses; only for the call */
    size_t inherited_count;
};

struct address_counts;
struct peers;

struct listen_options {
    unsigned threads;          /* I/O threads */
    unsigned connection_limit; /* above it new connections wait in the kernel's backlog */
    unsigned head_timeout_s;   /* for a head or a TLS handshake in all; idle_timeout_s if less */
    unsigned idle_timeout_s;   /* basis of all deadlines; see docs/http.md */
    size_t body_limit;         /* bytes; a larger body is refused (413) */
    enum http2 http2;
    struct address_counts
        *address_counts; /* limits connections, and requests through `trusted`; NULL: no limit */
    const struct peers *proxies; /* peers whose connections begin with a PROXY header; NULL: none */
    const struct peers
        *trusted; /* peers whose Forwarded and X-Forwarded-For name the client; NULL: none */
    /* Runs when the head of a request with a body has arrived. It may lower the exchange's
     * body_limit, or fill in the reply, which is then sent without waiting for the body. Otherwise
     * the handler decides again when the body is there, since what was right here may have changed.
     * It may also set `next` and suspend; the body then waits until a step returns without
     * suspending. NULL: none. */
    void (*head)(struct exchange *exchange);
    /* Runs when a request is complete. It must fill in the reply, or set `next` and suspend. */
    void (*handler)(struct exchange *exchange);
    /* True if the request must be served even when all requests together hold as much memory as
     * they may (base/budget.h). Runs when the head has arrived. NULL: none must. */
    bool (*is_vital)(const struct exchange *exchange);
    /* Fills in the reply to a request that the listener itself refuses: BAD_INPUT, TIMEOUT,
     * TOO_LARGE, TARGET_TOO_LONG, EXPECTATION, TOO_MANY, HEAD_TOO_LARGE, INTERNAL, FULL,
     * NOT_IMPLEMENTED, UNAVAILABLE or VERSION. `reason` is a sentence for the client where the
     * status alone does not say why; otherwise NULL. */
    void (*refuse)(struct exchange *exchange, enum status status, const char *reason);
    /* Called on the I/O thread with each reply, just before it is sent. */
    void (*replied)(struct exchange *exchange);
    /* Called on the I/O thread at the end of each exchange, whether its reply was sent or the
     * connection was closed before. NULL: none. */
    void (*ended)(struct exchange *exchange, bool was_sent);
    void *app;
};

/**
 * Reads the certificates and opens the addresses. From here on clients can connect, and wait. With
 * certificates all addresses except UNIX sockets speak TLS. NULL on failure: `why` gets one line
 * that begins with the flag and says what to do ("--listen 127.0.0.1:8080: address already in use;
 * ..."), and `*exit_code` a code of sysexits.h: EX_USAGE for settings that cannot be read,
 * EX_NOINPUT for certificates, otherwise EX_UNAVAILABLE or EX_OSERR. Once, before any other thread
 * runs.
 */
struct listener *listener_open(const struct listen_addresses *addresses, char *why, size_t why_size,
                               int *exit_code) MUST_CHECK;

/** Takes a mistake: a code of sysexits.h, and a line that begins with the flag of the setting. */
typedef void listen_fault(void *context, int exit_code, const char *why);

/**
 * Tells `fault` of each mistake in the addresses that listener_open would find without opening
 * them, and reads the certificates. Host names are not looked up. Before other threads start.
 */
void listener_check(const struct listen_addresses *addresses, listen_fault *fault, void *context);

/**
 * Starts the I/O threads and the acceptor. `options` is copied. STATUS_INTERNAL if the system
 * refuses threads. Once, on the thread that opened the listener.
 */
enum status listener_start(struct listener *listener,
                           const struct listen_options *options) MUST_CHECK;

/**
 * Reads the certificates again, for connections that begin from now on. If they cannot be used the
 * old ones stay, and `why` says what is wrong. Any thread, one call at a time.
 */
bool listener_reload(struct listener *listener, char *why, size_t why_size) MUST_CHECK;

/**
 * The address number `at` as a client would write it: "http://127.0.0.1:8080" (with the real port),
 * "unix:PATH". NULL after the last one. Any thread.
 */
const char *listener_url(const struct listener *listener, unsigned at);

/**
 * From now on each reply of HTTP/1.1 ends its connection (Connection: close), so that clients open
 * new ones. Any thread.
 */
void listener_end_kept(struct listener *listener);

/**
 * Begins to stop: accepts no further connections, closes idle ones, and closes the others after
 * their next reply. A connection that has sent nothing yet has 2 s for its request. Any thread
 * but those of the listener, once.
 */
void listener_drain(struct listener *listener);

/**
 * Ends all connections. Requests that other threads work on go on, and have no reply. Any thread
 * but those of the listener, once, after listener_drain.
 */
void listener_cut(struct listener *listener);

/** The number of open connections. Any thread. */
unsigned listener_connections(const struct listener *listener);

/**
 * The number of requests that are worked on, and of connections whose last reply may still be on
 * its way. Any thread.
 */
unsigned listener_in_flight(const struct listener *listener);

/**
 * Stops the threads and frees the listener. No exchange may be suspended any more. Accepts NULL.
 * The thread that started it.
 */
void listener_stop(struct listener *listener);

/**
 * The value of the first header of that name, compared without case; `at` NULL if there is none.
 */
struct text exchange_header(const struct exchange *exchange, const char *name);

/**
 * The values of all headers of that name, joined by ", " as a list (RFC 9110 section 5.3); `at`
 * NULL if there is none or there is no memory. `*count` becomes their number.
 */
struct text exchange_header_list(const struct exchange *exchange, const char *name,
                                 unsigned *count);

/**
 * The address of the client: that of the connection, unless a proxy of `trusted` names another one.
 * Lives as long as the exchange.
 */
struct sockaddr;
const struct sockaddr *exchange_peer(const struct exchange *exchange);

/** True if the request was received at an address of listen_addresses.metrics. */
bool exchange_is_monitoring(const struct exchange *exchange);

/** True if this server received the request over TLS. */
bool exchange_is_secure(const struct exchange *exchange);

/** The number of its connection, which no other connection ever gets. */
uint64_t exchange_connection(const struct exchange *exchange);

/** True if the request is HEAD, and not GET. */
bool exchange_is_head(const struct exchange *exchange);

/** The bytes of the reply's body that are sent, of all pieces so far: none for HEAD. */
size_t exchange_body_size(const struct exchange *exchange);

/** The raw query string without the `?`; `at` NULL if there is none. */
struct text exchange_query(const struct exchange *exchange);

/**
 * Takes the next `name=value` of an application/x-www-form-urlencoded text (a body or a query),
 * decoded into the arena: `+` is a blank, %XX a byte. False at the end. A name or value with a
 * malformed %XX has `at` NULL.
 */
bool form_next(struct text *rest, struct arena *arena, struct text *name,
               struct text *value) MUST_CHECK;

/** Adds a header to the reply, which must have room for it (REPLY_HEADERS_MAX). */
void reply_header(struct exchange *exchange, const char *name, const char *value);

/**
 * Suspends the exchange until exchange_resume. Set `next`, call this, then hand the exchange to the
 * other thread. After the hand-over nothing may touch the exchange until the step `next` runs. The
 * I/O thread only.
 */
void exchange_suspend(struct exchange *exchange);

/** Runs `next` on the exchange's I/O thread soon. Any thread, exactly once for each suspend. */
void exchange_resume(struct exchange *exchange);

#endif

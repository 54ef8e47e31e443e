#ifndef ROSTER_HTTP_HTTP_H
#define ROSTER_HTTP_HTTP_H

#include "base/arena.h"
#include "base/status.h"
#include "http/tls.h"

/*
 * The listener: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), with or without TLS, to the rest of the
 * server. It reads a request whole, hands it to the handler as a `struct exchange`, and sends the
 * reply that the handler left in it. It knows nothing of users, JSON or tables.
 */

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

enum { REPLY_HEADERS_MAX = 12 };

struct reply_header {
    const char *name;  /* static */
    const char *value; /* lives as long as the exchange */
};

/** A reply. Everything in it lives as long as the exchange (its arena), or is static. */
struct reply {
    unsigned http_status;
    const char *content_type; /* NULL: none */
    struct text body;
    struct reply_header headers[REPLY_HEADERS_MAX];
    unsigned header_count;
};

/**
 * One request and its reply. The handler runs on the I/O thread that owns the connection, and so
 * does every later step; other threads only call exchange_resume.
 */
struct exchange {
    struct arena *arena; /* lives until the reply was sent or the connection is gone */
    int64_t began_us;    /* when its thread woke for it, of time_monotonic_us */
    enum method method;  /* HEAD arrives as GET; the listener leaves the body out */
    struct text path;    /* as sent, still percent-encoded, without the query */
    size_t announced;    /* Content-Length; 0: none, or the body comes in chunks */
    size_t body_limit;   /* listen_options.body_limit, unless `head` lowers it */
    struct text body;    /* whole; empty when there was none; may be overwritten (secrets) */
    struct reply reply;
    void (*next)(struct exchange *exchange); /* the step to run when resumed */
    void *state;                             /* the handler's own */
    void *request;                           /* likewise; as long as the exchange */
    void *app;                               /* listen_options.app */
};

/** Where HTTP/2 is spoken. */
enum http2 {
    HTTP2_tls,   /* over TLS, with clients that offer it (ALPN) */
    HTTP2_clear, /* there, and without TLS with clients that begin with it */
    HTTP2_off
};

/** Lists are separated by commas; "" is an empty one. All texts outlive the listener. */
struct listen_addresses {
    const char *listen;   /* "127.0.0.1:8080,[::1]:0,unix:/run/roster.sock" */
    const char *redirect; /* plain HTTP that sends every client to HTTPS */
    struct tls_options tls;
    unsigned unix_mode;     /* of UNIX sockets */
    const char *unix_group; /* "": the process's own */
};

struct address_counts;
struct peers;

struct listen_options {
    unsigned threads;          /* I/O threads */
    unsigned connection_limit; /* past it new connections wait in the backlog or are closed */
    unsigned idle_timeout_s;   /* a connection that moves no byte this long is closed */
    size_t body_limit;         /* bytes; more is 413 */
    enum http2 http2;
    struct address_counts *address_counts; /* of connections, and of requests that come through
                                              `trusted`; NULL: any number from each */
    const struct peers *proxies; /* whose connections begin with a PROXY header; NULL: nobody's */
    const struct peers *trusted; /* proxies whose Forwarded and X-Forwarded-For name the client;
                                    NULL: nobody's */
    /* Runs when the head of a request that has a body is there. May lower the exchange's
     * body_limit, or fill in the reply: it is sent without waiting for the body. Else the handler
     * decides again once the body is there: what was right here may not be so any more. It may set
     * `next` and suspend; the body waits then until a step returns without suspending. NULL: none.
     */
    void (*head)(struct exchange *exchange);
    /* Runs when a request is complete. Must fill in the reply, or set `next` and suspend. */
    void (*handler)(struct exchange *exchange);
    /* Is the request to be served even if all others together hold as much as they may (see
     * base/budget.h)? Runs when its head is there. NULL: none is. */
    bool (*is_vital)(const struct exchange *exchange);
    /* Fills in the reply to a request that the listener itself refuses: BAD_INPUT (`reason` says
     * why, here and wherever the status alone does not), TIMEOUT, TOO_LARGE, TARGET_TOO_LONG,
     * EXPECTATION, BUSY, HEAD_TOO_LARGE, BROKEN, FULL, NOT_IMPLEMENTED, UNAVAILABLE, VERSION. */
    void (*refuse)(struct exchange *exchange, enum status status, const char *reason);
    /* Called with each reply, on the I/O thread, just before it is sent. */
    void (*replied)(struct exchange *exchange);
    /* Called at the end of each exchange, on the I/O thread: its reply was sent, or nobody was
     * there to take it. NULL: nobody asks. */
    void (*ended)(struct exchange *exchange, bool was_sent);
    void *app;
};

/**
 * Reads the certificates and opens the addresses. Clients can connect from here on, and wait. With
 * certificates all addresses but UNIX sockets speak TLS. NULL on failure, with one line in `why`
 * that says what to do ("127.0.0.1:8080: address already in use; ..."), and `*exit_code` from
 * sysexits.h: EX_USAGE for what cannot be read, EX_NOINPUT for certificates, EX_UNAVAILABLE or
 * EX_OSERR otherwise. Any thread, once.
 */
struct listener *listener_open(const struct listen_addresses *addresses, char *why, size_t why_size,
                               int *exit_code) MUST_CHECK;

/** Starts the I/O threads. STATUS_BROKEN when the system refuses. `options` are copied. */
enum status listener_start(struct listener *listener,
                           const struct listen_options *options) MUST_CHECK;

/**
 * Reads the certificates again, for connections that begin from now on. False when they are not
 * right: those before stay, and `why` says what is wrong. Any thread, one at a time.
 */
bool listener_reload(struct listener *listener, char *why, size_t why_size) MUST_CHECK;

/**
 * An address as a client would write it: "http://127.0.0.1:8080" (the real port), "unix:PATH". NULL
 * past the last one.
 */
const char *listener_url(const struct listener *listener, unsigned at);

/**
 * Takes no further connections and closes idle ones; the others are closed after their next reply.
 * Once.
 */
void listener_drain(struct listener *listener);

/** How many requests are being worked on, and last replies may still be on their way. */
unsigned listener_in_flight(const struct listener *listener);

/** Stops the threads and frees. No exchange may be suspended any more. Takes NULL. */
void listener_stop(struct listener *listener);

/** The value of the first header of that name (case aside); `at` NULL when there is none. */
struct text exchange_header(const struct exchange *exchange, const char *name);

/**
 * The values of all headers of that name, joined by ", " as one list is (RFC 9110 section 5.3);
 * `at` NULL when there is none, or memory is short. `*count` is how many there are.
 */
struct text exchange_header_list(const struct exchange *exchange, const char *name,
                                 unsigned *count);

/**
 * The address of the client: that of the connection, unless a proxy of `trusted` names another one.
 * Lives as long as the exchange.
 */
struct sockaddr;
const struct sockaddr *exchange_peer(const struct exchange *exchange);

/** Did it come over TLS to this server? */
bool exchange_is_secure(const struct exchange *exchange);

/** The number of the connection that it came by; no other ever has it. */
uint64_t exchange_connection(const struct exchange *exchange);

/** The raw query string (without `?`), `at` NULL when there is none. */
struct text exchange_query(const struct exchange *exchange);

/**
 * The next `name=value` of an application/x-www-form-urlencoded text (a body or a query), decoded
 * into the arena: `+` is a blank, %XX a byte. False at its end. A value that is decoded wrongly
 * (bad %XX) has `at` NULL.
 */
bool form_next(struct text *rest, struct arena *arena, struct text *name,
               struct text *value) MUST_CHECK;

/** Adds a header to the reply. Asserts that there is room. */
void reply_header(struct exchange *exchange, const char *name, const char *value);

/**
 * Lets the exchange rest until exchange_resume. Set `next`, call this, then hand the exchange to
 * the other thread. From that hand-over on only the step `next`, which runs once exchange_resume
 * was called, may touch the exchange. The I/O thread only. Where the hand-over itself says whether
 * the exchange has to rest, both come right after it, in the same step: `next` runs in a later one,
 * and the other thread touches neither.
 */
void exchange_suspend(struct exchange *exchange);

/** Any thread: runs `next` on the exchange's I/O thread soon. Exactly once per suspend. */
void exchange_resume(struct exchange *exchange);

#endif

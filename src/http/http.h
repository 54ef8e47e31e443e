#ifndef ROSTER_HTTP_HTTP_H
#define ROSTER_HTTP_HTTP_H

#include "base/arena.h"
#include "base/status.h"

/*
 * The listener: HTTP/1.1 (RFC 9112) to the rest of the server. It reads a request whole, hands it
 * to the handler as a `struct exchange`, and sends the reply that the handler left in it. It knows
 * nothing of users, JSON or tables.
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

/** What is sent. Everything in it lives as long as the exchange (its arena), or is static. */
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
    struct text body;    /* whole; empty when there was none; may be overwritten (secrets) */
    struct reply reply;
    void (*next)(struct exchange *exchange); /* the step to run when resumed */
    void *state;                             /* the handler's own */
    void *request;                           /* likewise; as long as the exchange */
    void *app;                               /* listen_options.app */
};

struct listen_options {
    unsigned threads;          /* I/O threads */
    unsigned connection_limit; /* past it new connections wait in the backlog or are closed */
    unsigned idle_timeout_s;   /* a connection that moves no byte this long is closed */
    size_t body_limit;         /* bytes; more is 413 */
    /* Runs when a request is complete. Must fill in the reply, or put the exchange off, or (once it
     * was put off) set `next` and suspend. */
    void (*handler)(struct exchange *exchange);
    /* Fills in the reply to a request that the listener itself refuses: BAD_INPUT (a head that is
     * ambiguous, `reason` says why), TOO_LARGE, BROKEN. */
    void (*refuse)(struct exchange *exchange, enum status status, const char *reason);
    /* Called with each reply, on the I/O thread, just before it is sent. */
    void (*replied)(struct exchange *exchange);
    void *app;
};

/**
 * Opens the addresses of a list (commas between them): "127.0.0.1:8080", "[::1]:0",
 * "unix:/run/roster.sock". So far that must come to one socket. Clients can connect from here on,
 * and wait. Call it before other threads start. NULL on failure, with one line in `why` that says
 * what to do
 * ("127.0.0.1:8080: address already in use; ..."), and `*exit_code` from sysexits.h: EX_USAGE for
 * addresses that cannot be read, EX_UNAVAILABLE or EX_OSERR otherwise.
 */
struct listener *listener_open(const char *addresses, char *why, size_t why_size,
                               int *exit_code) MUST_CHECK;

/** Starts the I/O threads. STATUS_BROKEN when the system refuses. */
enum status listener_start(struct listener *listener,
                           const struct listen_options *options) MUST_CHECK;

/** The address as a client would write it: "http://127.0.0.1:8080" (the real port), "unix:PATH". */
const char *listener_url(const struct listener *listener);

/** Takes no further connections, and tells keep-alive clients to close after their next reply. */
void listener_drain(struct listener *listener);

/** How many requests are being worked on. */
unsigned listener_in_flight(const struct listener *listener);

/** Stops the threads and frees. No exchange may be suspended any more. Takes NULL. */
void listener_stop(struct listener *listener);

/** The value of the first header of that name (case aside); `at` NULL when there is none. */
struct text exchange_header(const struct exchange *exchange, const char *name);

/** The address that the request came from; lives as long as the exchange. */
struct sockaddr;
const struct sockaddr *exchange_peer(const struct exchange *exchange);

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
 * Runs `step` in the I/O thread's next turn. After that, the connection is not read from before the
 * reply: the library would take a client that has closed its own side, and waits, for one that is
 * gone.
 */
void exchange_put_off(struct exchange *exchange, void (*step)(struct exchange *exchange));

/**
 * Lets the connection, which was put off before, rest until exchange_resume. Call it first, then
 * hand the exchange to the other thread. From that hand-over on only the step `next`, which runs
 * once exchange_resume was called, may touch the exchange.
 */
void exchange_suspend(struct exchange *exchange);

/** Any thread: runs `next` on the exchange's I/O thread soon. Exactly once per suspend. */
void exchange_resume(struct exchange *exchange);

#endif

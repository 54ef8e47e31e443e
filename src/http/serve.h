#ifndef ROSTER_HTTP_SERVE_H
#define ROSTER_HTTP_SERVE_H

/* The life of an exchange, for both versions of HTTP; nobody but the files behind http.h includes
 * it. All of it runs on the client's own thread. */

#include "http/connection.h"
#include "http/head.h"
#include "http/head_check.h"

enum serving {
    SERVING_body,  /* the body is read */
    SERVING_head,  /* another thread decides on the head; no byte of the body is taken */
    SERVING_work,  /* the handler has it, or another thread */
    SERVING_reply, /* it has its reply */
};

/** HTTP/2: the stream that an exchange came by; for h2.c alone. */
struct h2_stream {
    int32_t id;
    struct served *before; /* the other way of served->next */
    uint64_t length;       /* Content-Length; 0: unknown */
    size_t room;           /* bytes of the connection's room that its body was given */
    int64_t since_ms;      /* when it began, its body was given room, or its reply's body began */
    int64_t moved_ms;      /* when its bytes moved last */
    bool is_whole;         /* the request is */
    char *early;           /* bytes of the body that came during SERVING_head */
    size_t early_size;
    bool is_held;  /* it is whole, and waits to be run */
    bool is_ended; /* the last byte of the reply was written */
};

/** An exchange with what the listener needs; lies in its own arena. */
struct served {
    struct exchange exchange; /* first */
    struct arena arena;
    struct io_task io_task; /* being resumed */
    struct client *client;
    const struct sockaddr_storage *from; /* the client's address */
    struct served *next;                 /* the protocol's own list */
    struct head head;
    enum serving state;
    size_t body_most; /* bytes that it may have */
    size_t body_capacity;
    bool ends_if_early;     /* a reply before the body came is the connection's last */
    bool wants_continue;    /* the protocol's own: "100 Continue" is due before the body */
    struct text reply_head; /* the protocol's own: what is sent before the body */
    size_t sent;            /* the protocol's own: bytes of the reply that were taken */
    struct h2_stream h2;    /* HTTP/2 */
    bool is_suspended;      /* another thread may have it */
    bool is_gone;           /* no client waits for the reply any more */
    bool is_last;           /* the connection closes after the reply */
    bool says_keep_alive;   /* HTTP/1.0: the reply says so when it does not close */
    bool is_counted;        /* among the requests of that address, which came by proxies */
    bool is_late;           /* it came when the server had begun to stop */
};

/**
 * A new exchange of the client. `began_us` is when its thread woke. NULL when there is no memory:
 * the connection cannot be served and is to be ended.
 */
struct served *serve_begin(struct client *client) MUST_CHECK;

/**
 * The head is whole and in `served->head`, and in `check`: decides whether the request
 * may go on. True: the body is to be read. False: it is refused or answered already, and
 * protocol->reply was called; or, in SERVING_head, protocol->reply or protocol->go_on will be.
 */
bool serve_head(struct served *served, const struct head_check *check) MUST_CHECK;

/** Why did its arena refuse: FULL when all requests together hold too much, else BROKEN. */
enum status serve_lack(const struct served *served) MUST_CHECK;

/** Sees to it that the body may have `size` bytes. False: no memory; refused, as in serve_body. */
bool serve_body_room(struct served *served, size_t size) MUST_CHECK;

/** May so many bytes be added to the body? False: too large; refused, protocol->reply was called.
 */
bool serve_body_fits(struct served *served, uint64_t size) MUST_CHECK;

/** Adds a piece of the body. False: too large or no memory; refused, protocol->reply was called. */
bool serve_body(struct served *served, const char *bytes, size_t size) MUST_CHECK;

/** The body is whole: runs the handler. protocol->reply is called now or in a later turn. */
void serve_run(struct served *served);

/** Answers a request that the listener itself refuses; the connection closes after it. */
void serve_refuse(struct served *served, enum status status, const char *reason);

/** RFC 9110 section 8.6: may the reply have a Content-Length? Not where there can be no body. */
bool serve_has_length(const struct served *served) MUST_CHECK;

/** The body that is sent: nothing to HEAD, or where there can be none. */
struct text serve_body_of(const struct served *served) MUST_CHECK;

/** Nobody waits for the exchange any more. Ends it now, or when the thread that has it lets go. */
void serve_gone(struct served *served);

/** Ends an exchange that has its reply, which was sent or could not be; frees, releases the client.
 */
void serve_sent(struct served *served, bool was_sent);

/* RFC 6797 section 6.1: a year. Sent over TLS alone (section 7.2). */
#define SERVE_HSTS "max-age=31536000"

#endif

#ifndef ROSTER_HTTP_SERVE_H
#define ROSTER_HTTP_SERVE_H

/* The life of an exchange, for both versions of HTTP. Only the files behind http.h include it, and
 * all of it runs on the client's own thread. */

#include "http/connection.h"
#include "http/head.h"
#include "http/head_check.h"
#include "http/request_id.h"

enum serving {
    SERVING_body,  /* the body is read */
    SERVING_head,  /* another thread decides on the head; no byte of the body is taken */
    SERVING_work,  /* the handler has it, or another thread */
    SERVING_reply, /* the reply is complete */
};

/** The HTTP/2 stream of an exchange; used by h2.c only. */
struct h2_stream {
    int32_t id;
    struct served *before; /* the other direction of served->next */
    uint64_t length;       /* Content-Length; 0: unknown */
    size_t room;           /* part of the connection's room that the body was given */
    int64_t since_ms;      /* when the stream, its body with room, or the body of its reply began */
    int64_t moved_ms;      /* when bytes of the stream were last received or sent */
    bool is_whole;         /* the request is complete */
    char *early;           /* bytes of the body that came during SERVING_head */
    size_t early_size;
    bool is_held;  /* the request is complete and waits to be run */
    bool is_ended; /* the last byte of the reply was written */
};

/** An exchange and what the HTTP layer keeps of it. It lies in its own arena. */
struct served {
    struct exchange exchange;
    struct arena arena;
    struct io_task io_task; /* resumes the exchange on its thread */
    struct client *client;
    const struct sockaddr_storage *from; /* the client's address */
    struct served *next;                 /* the protocol's own list */
    struct head head;
    enum serving state;
    size_t body_most; /* largest size that the body may have */
    size_t body_capacity;
    bool ends_if_early;     /* a reply before the body came is the connection's last */
    bool wants_continue;    /* the protocol's own: "100 Continue" is due before the body */
    struct text reply_head; /* the protocol's own: the head of the reply */
    size_t sent;            /* the protocol's own: bytes of the reply that are sent */
    struct h2_stream h2;    /* HTTP/2 */
    char made_id[REQUEST_ID_MADE + 1];
    bool is_suspended;    /* another thread may have it */
    bool is_gone;         /* the connection is closed; there is nobody to reply to */
    unsigned pieces;      /* of the reply's body that were given to the protocol */
    size_t given;         /* their bytes in all */
    bool is_in_pieces;    /* the reply's body is, or would be for GET in place of HEAD */
    bool is_old;          /* HTTP/1.0, which has no chunks */
    bool is_last;         /* the connection closes after the reply */
    bool says_keep_alive; /* the reply tells an HTTP/1.0 client that the connection stays open */
    bool is_counted;      /* address_counts has counted it for `from` */
    bool is_late;         /* it came after the server had begun to stop */
};

/**
 * Begins an exchange of the client. NULL if there is no memory: the connection must then be ended.
 * `began_us` becomes the time at which the thread woke.
 */
struct served *serve_begin(struct client *client) MUST_CHECK;

/**
 * The head is complete and in `served->head`, and `check` has seen all of its headers: decides
 * whether the request may go on.
 *
 * True: read the body.
 *
 * False: the request is refused or answered and protocol->reply was called, or (SERVING_head)
 * another thread decides, and protocol->reply or protocol->go_on will be called.
 */
bool serve_head(struct served *served, const struct head_check *check) MUST_CHECK;

/**
 * Why the arena of the exchange has refused memory: FULL if all requests together hold too much,
 * otherwise INTERNAL.
 */
enum status serve_lack(const struct served *served) MUST_CHECK;

/**
 * Reserves room for a body of `size` bytes. False if there is no memory: the request is refused and
 * protocol->reply was called.
 */
bool serve_body_room(struct served *served, size_t size) MUST_CHECK;

/**
 * True if `size` more bytes fit into the largest body. False: the request is refused and
 * protocol->reply was called.
 */
bool serve_body_fits(struct served *served, uint64_t size) MUST_CHECK;

/**
 * Appends a piece of the body. False if it is too large or there is no memory: the request is
 * refused and protocol->reply was called.
 */
bool serve_body(struct served *served, const char *bytes, size_t size) MUST_CHECK;

/**
 * The body is complete: runs the handler. protocol->reply is called before this returns or in a
 * later turn.
 */
void serve_run(struct served *served);

/**
 * Refuses a request in the name of the listener. The connection closes after the reply. `reason` is
 * a sentence for the client; NULL: the status alone.
 */
void serve_refuse(struct served *served, enum status status, const char *reason);

/**
 * True if the reply has a Content-Length: not where a status allows no body (RFC 9110 section 8.6),
 * and not for a body in pieces.
 */
bool serve_has_length(const struct served *served) MUST_CHECK;

/** The body that is sent, or the piece: empty for HEAD and where the status allows none. */
struct text serve_body_of(const struct served *served) MUST_CHECK;

/**
 * The piece of the reply's body was taken, and it goes on: makes the next one in a later turn, and
 * calls protocol->reply again. Until then the exchange counts as worked on.
 */
void serve_next_piece(struct served *served);

/**
 * The connection is closed. Ends the exchange now, or when the thread that works for it resumes it.
 */
void serve_gone(struct served *served);

/**
 * Ends and frees an exchange whose reply was sent, or could not be sent, and releases the client.
 */
void serve_sent(struct served *served, bool was_sent);

/* One year (RFC 6797 section 6.1). Sent over TLS only (section 7.2). */
#define SERVE_HSTS "max-age=31536000"

#endif

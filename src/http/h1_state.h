#ifndef ROSTER_HTTP_H1_STATE_H
#define ROSTER_HTTP_H1_STATE_H

/* The state of HTTP/1.1 and 1.0 (RFC 9112) on a connection; for connection.h, no other file
 * includes it. */

#include "http/head.h"

#include <llhttp.h>

struct served;

/** The meaning of the connection's next bytes. */
enum h1_next {
    H1_head,
    H1_body, /* of `current`, or dropped when there is none: it has its reply already */
    H1_work, /* nothing: `current` is worked on */
};

enum { H1_TRAILER_MAX = 18 }; /* longer than the names of headers that must not be trailers */

/** A connection's HTTP/1.1. Zeroed at its begin. */
struct h1 {
    llhttp_t parser;
    enum h1_next next;
    struct head_scan scan;
    char *head; /* of a head that has not come whole; in malloc's memory */
    uint32_t head_size, head_capacity;
    struct served *current;      /* whose reply is not there yet */
    struct served *first, *last; /* with their replies, in the order of their requests */
    unsigned replies;            /* of these, */
    size_t reply_bytes;          /* their bytes that are not sent yet, */
    size_t held_bytes;           /* and what they hold in the account of all requests */
    uint32_t continue_left;      /* bytes of "100 Continue" that are to be sent for `current` */
    bool gave_continue;          /* they were given to the socket, whether or not it took any */
    uint64_t body, framing;      /* bytes of this body, and of what frames it */
    bool has_lost;               /* bytes of the body that `current` waits for */
    bool saw_head, is_complete, is_refused; /* set by callbacks of the parser */
    uint8_t trailer_size;
    char trailer[H1_TRAILER_MAX]; /* the name of the trailer that is read, as far as it fits */
};

#endif

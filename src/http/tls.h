#ifndef ROSTER_HTTP_TLS_H
#define ROSTER_HTTP_TLS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * TLS 1.2 and 1.3 by OpenSSL, server side. A context holds the certificates and is never changed:
 * a reload makes a new one, and each connection keeps a reference to the one it began with.
 */

struct tls_context;
struct tls;

struct tls_options {
    const char
        *certificates; /* "a.pem,b.pem": chains in PEM, leaf first; the first is the default */
    const char *keys;  /* "a.key,b.key": one for each certificate, in the same order */
    bool offers_http2; /* ALPN: h2 before http/1.1 */
};

/**
 * Reads and checks the files. NULL with one line in `why` that begins with the flag of the setting,
 * and names the file and what to do; the line has nothing secret. Faults that do not stop a server
 * but may stop its clients (an expired certificate, a key that others can read) are logged as
 * warnings. Any thread.
 */
struct tls_context *tls_context_load(const struct tls_options *options, char *why,
                                     size_t why_size) MUST_CHECK;

/** Takes one more reference and returns `context`. Any thread. */
struct tls_context *tls_context_share(struct tls_context *context) MUST_CHECK;

/** Gives one reference back; the last one frees. Any thread. Takes NULL. */
void tls_context_release(struct tls_context *context);

/**
 * The readiness of a socket, as edge-triggered epoll reported it. The caller sets the flags:
 * can_read and can_write when the socket is made, can_read on EPOLLIN, can_write on EPOLLOUT, and
 * all three on EPOLLRDHUP, EPOLLHUP or EPOLLERR. tls_* touch the socket only where the flag allows
 * it, and clear the flag when the socket returned EAGAIN or moved less than was asked for: then
 * nothing is left before the next event (epoll(7)). But the end of the stream may have come in the
 * same event as its last bytes, and has no event of its own then: once has_ended is set, a short
 * read leaves can_read set.
 */
struct readiness {
    bool can_read, can_write, has_ended;
};

/**
 * The server side of a connection on the non-blocking socket `fd`. `fd` and `*ready` stay the
 * caller's and must be there until tls_end. A connection is used by one thread at a time. NULL:
 * memory is short.
 */
struct tls *tls_begin(struct tls_context *context, int fd, struct readiness *ready) MUST_CHECK;

/**
 * Like recv: the number of bytes read (`size` is at least 1), 0 at the client's end (close_notify
 * or FIN; one may still write), -1 with errno
 * - EAGAIN: nothing is left to read, in OpenSSL's buffers neither; an event has to come first. Read
 *   until then, not until can_read is false: what is in the buffers has no event.
 * - EPROTO: the client does not keep to TLS, or nothing could be agreed on; it got an alert, unless
 *   what it sent was no TLS at all.
 * - the socket's own error.
 * After the last two only tls_failure and tls_end make sense. Does the handshake as needed, which
 * may take EPOLLOUT too: after each event, read, then write what there is to write.
 */
ssize_t tls_read(struct tls *tls, void *bytes, size_t size) MUST_CHECK;

/**
 * Like send, with errors as tls_read; EPIPE when the client ended within the handshake. May take a
 * part only. After EAGAIN the next call must bring the same content again, at the same or another
 * address, and may add to its end.
 */
ssize_t tls_write(struct tls *tls, const void *bytes, size_t size) MUST_CHECK;

/** Is the handshake done? */
bool tls_is_ready(const struct tls *tls) MUST_CHECK;

/** Was h2 agreed on? False before the handshake is done. */
bool tls_is_http2(const struct tls *tls) MUST_CHECK;

/** Why EPROTO: a few words for the log, like "no shared cipher". Static. NULL before it came. */
const char *tls_failure(const struct tls *tls) MUST_CHECK;

/**
 * Sends close_notify, the end of what the client gets, as far as the socket takes it at once.
 * Reading still works.
 */
void tls_shut_down(struct tls *tls);

/** Frees; sends nothing to the client. Takes NULL. */
void tls_end(struct tls *tls);

#endif

/* A connection, from the first byte to the close.
 *
 * turn() runs after every event that concerns the connection. It repeats one step at a time (flush,
 * then read and feed), as long as that makes progress and at most ROUNDS times, so that other
 * connections get their turn. Afterwards phase_of computes the phase from the state of the
 * connection; no transition has to be remembered, so none can be forgotten.
 *
 * A connection begins with what identifies it: the PROXY header, then TLS, then the first bytes,
 * which tell HTTP/1.1 from HTTP/2 where both are possible. Each stage consumes no memory before its
 * first byte has arrived.
 *
 * It ends in two stages. After the last reply this side is closed for sending (shut), and what the
 * client still sends is read and dropped (linger): closing a socket with unread bytes would make
 * the kernel send a reset, which could destroy the reply. end() then closes it. */
#include "http/client.h"

#include "http/address_counts.h"
#include "http/peers.h"
#include "http/proxy.h"

#include "base/budget.h"
#include "base/log.h"
#include "crypto/secret.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TLS_RECORD = 16 * 1024,
    ROUNDS = 64,                  /* of reading and sending in one turn */
    LINGER_MAX = 16 * 1024 * 1024 /* bytes that are read and dropped after the last reply */
};

static const struct client_calls calls; /* defined at the end of this file */

struct client *client_new(const struct client_options *options) {
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->loop = options->loop;
    client->calls = &calls;
    client->protocols = options->protocols;
    client->fd = options->fd;
    client->number = options->number;
    client->from = *options->from;
    client->door = options->door;
    client->https_port = options->https_port;
    client->proxy_speaks = options->proxy_speaks;
    client->is_trusted = options->is_trusted;
    client->is_counted = options->is_counted;
    client->ready.can_write = true;
    client->is_fresh = true;
    if (options->tls)
        client->context = tls_context_share(options->tls);
    return client;
}

/* ---- the end ---- */

static void drop_held(struct client *client) {
    budget_give(client->held_size);
    secret_free(client->held, client->held_size);
    client->held = NULL;
    client->held_at = client->held_size = 0;
}

static void end(struct client *client) {
    if (client->fd < 0)
        return;
    int fd = client->fd;
    client->fd = -1;
    loop_forget(client->loop,
                client); /* must come first: the last exchange hands the client to loop->over */
    if (client->protocol)
        client->protocol->end(client);
    tls_end(client->tls);
    client->tls = NULL;
    tls_context_release(client->context);
    client->context = NULL;
    drop_held(client);
    if (client->is_shut)
        loop_count(client->loop, -1U);
    client_stop_waiting(client);
    if (client->is_counted)
        address_counts_leave(client->loop->options->address_counts,
                             (const struct sockaddr *)&client->from);
    (void)close(fd); /* nothing can be done about an error */
    if (!client->exchanges)
        loop_free_later(client->loop, client);
}

void client_stop_waiting(struct client *client) {
    if (client->is_awaited)
        loop_count(client->loop, -1U);
    client->is_awaited = false;
}

void client_release(struct client *client) {
    client->exchanges--;
    if (client->fd < 0 && !client->exchanges)
        loop_free_later(client->loop, client);
}

/* ---- bytes in ---- */

/* Like recv, but makes no system call while epoll has reported nothing new. */
static ssize_t receive(struct client *client, char *bytes, size_t size) {
    struct readiness *ready = &client->ready;
    if (client->tls && !client->is_shut)
        return tls_read(client->tls, bytes, size);
    if (!ready->can_read) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t got = recv(client->fd, bytes, size, 0);
    /* A short read means that nothing is left, unless the client's end came with the last bytes: it
     * has no event of its own then. */
    if (got < 0 ? errno == EAGAIN : (size_t)got < size && !ready->has_ended)
        ready->can_read = false;
    return got;
}

/* Reads at most so many bytes into the thread's buffer. 0: nothing is there now, or the client has
 * ended (has_ended), or the connection is broken. */
static size_t read_at_most(struct client *client, size_t most) {
    ssize_t got;
    do {
        got = receive(client, client->loop->in, most);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        client->moved = true;
        client->is_fresh = false;
        return (size_t)got;
    }
    if (got == 0)
        client->has_ended = true;
    else if (errno != EAGAIN)
        client->is_broken = true;
    if (client->is_broken && client->tls && errno == EPROTO)
        log_debug("a connection ended: %s", tls_failure(client->tls));
    return 0;
}

static size_t read_some(struct client *client) {
    return read_at_most(client, LOOP_BUFFER);
}

/* Keeps bytes that are counted already. False: no memory. */
static bool keep(struct client *client, const char *bytes, size_t size) {
    char *held = secret_grow(client->held, client->held_size, client->held_size + size);
    if (!held) {
        budget_give(size);
        return false;
    }
    memcpy(held + client->held_size, bytes, size);
    client->held = held;
    client->held_size += size;
    return true;
}

/* Keeps bytes that the protocol does not take now. */
static void hold(struct client *client, const char *bytes, size_t size) {
    if (!size || client->is_last || client->is_broken)
        return;
    bool has_room = budget_take(size);
    if (!has_room)
        budget_note_refusal();
    if (!has_room || !keep(client, bytes, size))
        client->protocol->lose(client);
}

static bool feed_held(struct client *client) {
    size_t size = client->held_size - client->held_at;
    client->held_at += client->protocol->feed(client, client->held + client->held_at, size);
    if (client->held_at == client->held_size)
        drop_held(client);
    return true;
}

/* Gives the protocol what was read. Passwords and tokens must not stay in the buffer, which other
 * clients use. */
static void feed(struct client *client, size_t size) {
    size_t used = client->protocol->feed(client, client->loop->in, size);
    hold(client, client->loop->in + used, size - used);
    secret_wipe(client->loop->in, size);
}

static bool feed_new(struct client *client) {
    size_t size = read_some(client);
    if (!size)
        return client->has_ended; /* the next step calls protocol->finish */
    feed(client, size);
    return true;
}

/* ---- the begin ---- */

/* The PROXY header names the client: from here on the connection counts as coming from there. */
static bool take_address(struct client *client, const struct proxy_header *header) {
    const struct listen_options *options = client->loop->options;
    const struct sockaddr *from = (const struct sockaddr *)&client->from;
    memcpy(&client->from, &header->from, header->from_size);
    client->is_trusted = peers_include(options->trusted, from);
    if (client->is_trusted)
        return true; /* each of its requests is counted for its own client */
    client->is_counted = address_counts_enter(options->address_counts, from);
    client->is_broken = !client->is_counted;
    return client->is_counted;
}

/* Reads the PROXY header. It is only peeked at until it is complete, so that the bytes after it
 * stay in the socket for TLS or HTTP. */
static bool read_proxy_header(struct client *client) {
    struct proxy_header header;
    char *bytes = client->loop->in;
    if (!client->ready.can_read)
        return false;
    client->ready.can_read = false; /* until the next event */
    ssize_t got = recv(client->fd, bytes, PROXY_HEADER_MAX, MSG_PEEK);
    if (got < 0 && errno == EAGAIN)
        return false;
    enum proxy_result result = PROXY_WRONG;
    if (got > 0)
        result = proxy_read((struct text){ bytes, (size_t)got }, &header);
    if (result == PROXY_MORE && !client->ready.has_ended)
        return false;
    if (result != PROXY_DONE || recv(client->fd, bytes, header.size, 0) != (ssize_t)header.size) {
        client->is_broken = true;
        return false;
    }
    client->ready.can_read = true;
    client->moved = true;
    client->proxy_speaks = false;
    if (header.is_local)
        return true; /* a connection of the proxy itself */
    return take_address(client, &header);
}

/* HTTP/2 without TLS begins with this, which is no method of HTTP/1.1 (RFC 9113 section 3.4). */
static const char preface[] = "PRI ";
enum { PREFACE_SIZE = sizeof preface - 1 };

/* True if only the first bytes tell which protocol the client speaks. */
static bool has_choice(const struct client *client) {
    return client->door == DOOR_tls ||
           (client->door == DOOR_plain && client->loop->options->http2 == HTTP2_clear);
}

/* The protocol that begins with these bytes. NULL: more bytes are needed to tell. */
static const struct protocol *protocol_of(const struct client *client, const char *bytes,
                                          size_t size) {
    const struct protocols *protocols = client->protocols;
    size_t known = size < PREFACE_SIZE ? size : PREFACE_SIZE;
    if (client->tls)
        return tls_is_http2(client->tls) ? protocols->h2 : protocols->h1;
    if (memcmp(bytes, preface, known) != 0)
        return protocols->h1;
    return known == PREFACE_SIZE ? protocols->h2 : NULL;
}

static void speak(struct client *client, const struct protocol *protocol) {
    client->protocol = protocol;
    if (protocol && !protocol->begin(client))
        client->is_broken = true;
}

/* True if the first byte is a letter, as in a request without TLS. A TLS handshake begins with byte
 * 22 (RFC 8446 section 5.1). */
static bool speaks_clear(const struct client *client) {
    char first;
    return recv(client->fd, &first, 1, MSG_PEEK) == 1 && isalpha((unsigned char)first);
}

/* Begins TLS once the first byte has come; until then the connection needs no memory for TLS. */
static bool begin_tls(struct client *client) {
    if (!client->ready.can_read)
        return false;
    if (speaks_clear(client)) {
        speak(client, client->protocols->h1); /* serve_head refuses the request and says why */
        return false;
    }
    client->tls = tls_begin(client->context, client->fd, &client->ready);
    tls_context_release(client->context);
    client->context = NULL;
    client->is_broken = !client->tls;
    return client->tls;
}

/* Reads until the protocol is known, and gives it what came. Only bytes that do not tell it yet are
 * kept: three at the most, even if memory is short, because the protocol has to refuse the request.
 * Returns how many bytes came. */
static size_t read_first(struct client *client) {
    const size_t known = client->held_size;
    size_t size = read_at_most(client, known ? PREFACE_SIZE - known : LOOP_BUFFER);
    if (!size)
        return 0;
    if (!known)
        speak(client, protocol_of(client, client->loop->in, size));
    if (client->protocol && !client->is_broken)
        client->protocol->flush(client); /* SETTINGS is the first frame (RFC 9113 section 3.4) */
    if (client->protocol && !client->is_broken && client->protocol->takes(client)) {
        feed(client, size);
        return size;
    }
    if (client->protocol) {
        hold(client, client->loop->in, size);
    } else {
        budget_force(size);
        client->is_broken = !keep(client, client->loop->in, size);
    }
    secret_wipe(client->loop->in, size);
    if (known && !client->is_broken)
        speak(client, protocol_of(client, client->held, client->held_size));
    return size;
}

/* Reads the PROXY header, begins TLS, and reads until the protocol is known. */
static bool begin(struct client *client) {
    if (client->proxy_speaks && !read_proxy_header(client))
        return false;
    if (!has_choice(client)) {
        speak(client, client->protocols->h1);
        return true;
    }
    if (client->door == DOOR_tls && !client->tls && !begin_tls(client))
        return client->protocol;
    size_t size = read_first(client);
    if (client->has_ended && !client->protocol)
        speak(client, client->protocols->h1); /* HTTP/1.1 refuses what is no request */
    return client->protocol || size;          /* the client's end may have come with these bytes */
}

/* ---- bytes out ---- */

static ssize_t send_clear(struct client *client, const struct iovec *pieces, size_t count) {
    const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces,
                                    .msg_iovlen = count };
    size_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += pieces[i].iov_len;
    ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 ? errno == EAGAIN : (size_t)sent < all)
        client->ready.can_write = false;
    return sent;
}

/* OpenSSL needs contiguous bytes and encrypts at most one record at a time. */
static ssize_t send_sealed(struct client *client, const struct iovec *pieces, size_t count) {
    size_t size = 0;
    if (pieces[0].iov_len >= TLS_RECORD || count == 1)
        return tls_write(client->tls, pieces[0].iov_base, pieces[0].iov_len);
    for (size_t i = 0; i < count && size < TLS_RECORD; i++) {
        size_t room = TLS_RECORD - size;
        size_t part = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(client->loop->out + size, pieces[i].iov_base, part);
        size += part;
    }
    ssize_t sent = tls_write(client->tls, client->loop->out, size);
    secret_wipe(client->loop->out, size);
    return sent;
}

size_t client_send(struct client *client, const struct iovec *pieces, size_t count) {
    ssize_t sent;
    if (!client->ready.can_write || client->is_broken)
        return 0;
    do {
        sent = client->tls ? send_sealed(client, pieces, count) : send_clear(client, pieces, count);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0) {
        client->moved = true;
        return (size_t)sent;
    }
    if (sent < 0 && errno != EAGAIN)
        client->is_broken = true;
    return 0;
}

/* ---- a turn ---- */

/* Reads and drops what the client still sends after the last reply (RFC 9112 section 9.6).
 * Otherwise the kernel would answer it with a reset, which could destroy the reply before the
 * client has read it. */
static bool linger(struct client *client) {
    size_t size = read_some(client);
    secret_wipe(client->loop->in, size);
    client->dropped += (uint32_t)size;
    if (client->has_ended || client->dropped > LINGER_MAX)
        client->is_broken = true;
    return size > 0;
}

/* Closes this side for sending. The server's stop waits for the end of lingering too; otherwise the
 * exit of the process would cause the reset. */
static void shut(struct client *client) {
    client->is_shut = true;
    loop_count(client->loop, 1);
    drop_held(client);
    if (client->tls)
        tls_shut_down(client->tls);
    if (client->has_ended || shutdown(client->fd, SHUT_WR) != 0)
        client->is_broken = true; /* both sides are closed */
}

/* Makes one step of reading. False if there is nothing to do now. */
static bool step(struct client *client) {
    if (client->is_shut)
        return linger(client);
    if (!client->protocol)
        return begin(client);
    if (client->is_last) {
        if (client->protocol->is_flushed(client))
            shut(client);
        return client->is_shut;
    }
    if (!client->protocol->takes(client))
        return false;
    if (client->held_size)
        return feed_held(client);
    if (!client->has_ended)
        return feed_new(client);
    if (client->is_finished)
        return false;
    client->is_finished = true;
    client->protocol->finish(client);
    return true;
}

static void work(struct client *client) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (client->protocol && !client->is_shut)
            client->protocol->flush(client);
        if (client->is_broken || !step(client))
            return;
    }
    loop_again(client->loop, client);
}

static enum phase phase_of(const struct client *client) {
    if (client->is_shut)
        return PHASE_linger;
    if (client->protocol)
        return client->protocol->phase(client);
    bool is_clear = client->door != DOOR_tls && !client->proxy_speaks;
    return !is_clear ? PHASE_handshake : client->held_size ? PHASE_head : PHASE_idle;
}

static void late(struct client *client);

static void turn(struct client *client) {
    client->moved = false;
    work(client);
    if (client->is_broken)
        end(client);
    else if (!loop_note(client->loop, client, phase_of(client), client->moved))
        late(client);
}

static void late(struct client *client) {
    if (!client->protocol || client->is_shut || client->phase == PHASE_reply) {
        end(client);
        return;
    }
    client->protocol->late(client);
    turn(client);
}

/* A proxy that has just opened the connection is about to send its request, and could not tell an
 * end from a failed request. FRESH_MS (loop.c) limits the wait. */
static void await_request(struct client *client) {
    client->is_awaited = true;
    loop_count(client->loop, 1);
}

static void drain(struct client *client) {
    turn(client); /* requests that have already arrived are served */
    if (client->fd < 0 || client->is_shut)
        return;
    if (client->is_fresh && client->protocol == client->protocols->h1)
        await_request(client);
    else if (client->protocol)
        client->protocol->drain(client);
    else if (client->phase == PHASE_idle)
        client->is_broken = true; /* no request was begun */
    turn(client);
}

static const struct client_calls calls = { turn, late, drain, end };

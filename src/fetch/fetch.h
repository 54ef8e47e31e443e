#ifndef ROSTER_FETCH_FETCH_H
#define ROSTER_FETCH_FETCH_H

#include "base/arena.h"
#include "base/queue.h"
#include "base/status.h"

/**
 * Downloads from and posts to URLs that a client named, without becoming its hands inside our
 * network (SSRF): http and https only, no user info, no address that is private, loopback,
 * link-local, multicast, reserved or an embedding of one (IPv4-mapped, NAT64, 6to4, Teredo, ISATAP)
 * at the first request or any redirect, decided on the address that is about to be connected to. No
 * proxy from the environment, no cookies, no credentials.
 */
struct fetcher;

struct fetch_options {
    /* Host names or host:port, comma separated, that may resolve to any address: an operator's own
     * picture server, or a test's. NULL: none. */
    const char *allowed_hosts;
    unsigned jobs_max; /* that wait or run; 0: 64 */
};

enum fetch_outcome {
#define OUTCOME(name, message) FETCH_##name,
#include "fetch/outcome.def"
#undef OUTCOME
};

/** Why a fetch failed, as a clause. Static. */
const char *fetch_reason(enum fetch_outcome outcome);

enum { FETCH_HEADERS_MAX = 2 };

/** One download, or one post. The caller owns it until `done` was called. */
struct fetch_job {
    struct queue_item item; /* first */
    struct text url;
    struct text post; /* JSON to be posted; then no redirect is followed; `at` NULL: a GET */
    const char *headers[FETCH_HEADERS_MAX]; /* more for the request, "Name: value"; NULL: none */
    struct arena *arena;                 /* the body is allocated here, on the fetcher's thread */
    size_t max_size;                     /* bytes; more is FETCH_TOO_LARGE */
    int timeout_ms;                      /* for all of it, redirects included */
    void (*done)(struct fetch_job *job); /* once, on the fetcher's thread */
    enum fetch_outcome outcome;
    struct text body; /* of a GET, when outcome is FETCH_OK (HTTP status 200; for a post any 2xx) */
    int http_status;  /* 0: none came */
};

/** Starts the one thread that runs all downloads at once. NULL when the system refuses. */
struct fetcher *fetcher_start(const struct fetch_options *options) MUST_CHECK;

/** Aborts what runs (their `done` is called with FETCH_STOPPED), stops, frees. Takes NULL. */
void fetcher_stop(struct fetcher *fetcher);

/** Queues a download. STATUS_BUSY when `jobs_max` wait or run; then `done` is never called. */
enum status fetch_submit(struct fetcher *fetcher, struct fetch_job *job) MUST_CHECK;

/** How many wait or run, and how many were refused since the start. Any thread. */
struct fetch_figures {
    uint64_t pending, refused;
};

struct fetch_figures fetch_figures(const struct fetcher *fetcher);

#endif

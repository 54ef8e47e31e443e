#ifndef ROSTER_FETCH_FETCH_H
#define ROSTER_FETCH_FETCH_H

#include "base/arena.h"
#include "base/queue.h"
#include "base/status.h"

/**
 * Downloads from and posts to URLs that clients name, without letting them reach into our own
 * network (server-side request forgery). Only http and https, no user info. At the first request
 * and at each redirect, the address that is about to be connected to must be public (ip_guard.h),
 * unless the operator trusts the host. No proxies from the environment, no cookies, no credentials.
 */
struct fetcher;

struct fetch_options {
    /* Host names or host:port, separated by commas, that may resolve to any address, such as the
     * operator's own picture server. NULL: none. Must outlive the fetcher. */
    const char *allowed_hosts;
    unsigned jobs_max; /* jobs that may wait or run; 0: 64 */
    /* While it returns false, all jobs are aborted with FETCH_STOPPED. Called often on the
     * fetcher's thread, before a job sends anything. NULL: jobs may always run. */
    bool (*may_run)(void *argument);
    void *argument; /* for may_run */
};

enum fetch_outcome {
#define OUTCOME(name, message) FETCH_##name,
#include "fetch/outcome.def"
#undef OUTCOME
};

/** Why a fetch failed, as a clause. Static. */
const char *fetch_reason(enum fetch_outcome outcome);

enum { FETCH_HEADERS_MAX = 2 };

/**
 * One download or one post. The caller owns the job, and must keep it and everything in it until
 * `done` is called.
 */
struct fetch_job {
    struct queue_item item;
    struct text url;
    struct text post; /* JSON to post; redirects are then not followed; `at` NULL: a GET */
    const char *headers[FETCH_HEADERS_MAX]; /* further headers, "Name: value"; NULL: none */
    struct arena *arena;                    /* for the body, allocated on the fetcher's thread */
    size_t max_size;                        /* bytes of the body; more is FETCH_TOO_LARGE */
    int timeout_ms;                         /* for the whole job, redirects included */
    void (*done)(struct fetch_job *job);    /* once, on the fetcher's thread */
    enum fetch_outcome outcome;
    struct text body; /* of a GET with FETCH_OK (HTTP status 200; for a post any 2xx) */
    int http_status;  /* 0: there was no response */
};

/**
 * Starts the thread that runs all jobs concurrently. NULL if the system refuses. Main thread, once.
 */
struct fetcher *fetcher_start(const struct fetch_options *options) MUST_CHECK;

/** Replaces allowed_hosts, for connections from now on. `hosts` must outlive the fetcher. */
void fetcher_allow(struct fetcher *fetcher, const char *hosts);

/**
 * Aborts all jobs, whose `done` is called with FETCH_STOPPED, stops the thread, and frees. Accepts
 * NULL.
 */
void fetcher_stop(struct fetcher *fetcher);

/**
 * Queues a job. STATUS_TOO_MANY if `jobs_max` jobs wait or run already; `done` is then never
 * called. Any thread.
 */
enum status fetch_submit(struct fetcher *fetcher, struct fetch_job *job) MUST_CHECK;

/** Jobs that wait or run, and jobs refused since the start. Any thread. */
struct fetch_stats {
    uint64_t pending, refused;
};

struct fetch_stats fetch_stats(const struct fetcher *fetcher);

#endif

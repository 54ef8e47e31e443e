/* Downloads and posts, all on one thread, through curl's multi interface.
 *
 * The URLs come from clients, so they must not reach the server's own network (server-side request
 * forgery). The address is checked in open_socket, after the name was resolved and for exactly the
 * address that is about to be connected to; a name that resolves differently a second time
 * therefore gains nothing. Redirects are followed here and not by curl, so that each hop is checked
 * in the same way, and the operator's list of trusted hosts applies to each hop by itself.
 *
 * A job passes through hops: check_url, connect, transfer, and perhaps a redirect to the next hop.
 * The time limit and the limit of redirects hold for all hops together. Each hop has a connection
 * of its own, without proxies, cookies or credentials. */
#include "fetch/fetch.h"

#include "base/buffer.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "fetch/ip_guard.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REDIRECTS_MAX = 3,
    JOBS_DEFAULT = 64,
    POLL_MS = 1000,
    ASK_MS = 250, /* whether the jobs that run may go on */
};

struct fetcher {
    pthread_t thread;
    struct queue jobs;
    CURLM *multi;
    _Atomic(const char *) allowed_hosts;
    unsigned jobs_max;
    bool (*may_run)(void *argument);
    void *argument;
    struct download *running;
    atomic_uint count; /* jobs that wait or run */
    atomic_uint_fast64_t refused;
};

/* A job that runs, at one of its hops. */
struct download {
    struct download *next;
    struct fetcher *fetcher;
    struct fetch_job *job;
    CURL *easy; /* of the current hop */
    struct curl_slist *headers;
    char *url;
    unsigned redirects;
    int64_t until_ms;
    bool is_allowed;  /* the operator trusts the host of the current hop */
    bool met_private; /* an address of the current hop was refused */
    bool is_too_large;
    bool is_stopped;
    size_t received; /* bytes received in the current hop, kept or not */
    struct buffer body;
};

const char *fetch_reason(enum fetch_outcome outcome) {
    static const char *const messages[] = {
#define OUTCOME(name, message) message,
#include "fetch/outcome.def"
#undef OUTCOME
    };
    return messages[outcome];
}

/* True if the operator's list has the host, or the host with this port. */
static bool is_listed(const char *list, const char *host, const char *port) {
    char with_port[300];
    struct text rest = text_of(list), entry;
    int len = snprintf(with_port, sizeof with_port, "%s:%s", host, port);
    while (text_next(&rest, &entry)) {
        if (text_equal_nocase(entry, text_of(host)))
            return true;
        if (len > 0 && (size_t)len < sizeof with_port &&
            text_equal_nocase(entry, text_of(with_port)))
            return true;
    }
    return false;
}

/* Checks the URL of the hop, and whether the operator trusts its host. */
static enum fetch_outcome check_url(struct download *download) {
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    CURLUcode code = parts ? curl_url_set(parts, CURLUPART_URL, download->url, CURLU_DISALLOW_USER)
                           : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    bool ok = code == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (ok)
        download->is_allowed = is_listed(download->fetcher->allowed_hosts, host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return ok ? FETCH_OK : code == CURLUE_OUT_OF_MEMORY ? FETCH_NO_MEMORY : FETCH_BAD_URL;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    struct download *download = context;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        (!download->is_allowed && !ip_guard_allows(&address->addr))) {
        download->met_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool may_run(const struct fetcher *fetcher) {
    return !fetcher->may_run || fetcher->may_run(fetcher->argument);
}

/* Called between the connection and the request. */
static int before_request(void *context, char *to, char *from, int to_port, int from_port) {
    struct download *download = context;
    (void)to, (void)from, (void)to_port, (void)from_port;
    download->is_stopped = !may_run(download->fetcher);
    return download->is_stopped ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* A post succeeds with any 2xx, a download only with 200. */
static bool is_success(const struct download *download, long status) {
    return download->job->post.at ? status >= 200 && status < 300 : status == 200;
}

/* True if the body of the response is kept: not those of redirects, errors and posts. */
static bool keeps_body(struct download *download) {
    long status = 0;
    return !download->job->post.at &&
           curl_easy_getinfo(download->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
           is_success(download, status);
}

/* Reserves the announced length at once. Growing in steps would leave every outgrown buffer behind
 * in the arena. */
static void reserve_body(struct download *download) {
    curl_off_t length = -1;
    (void)curl_easy_getinfo(download->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0 && (size_t)length <= download->job->max_size)
        (void)buffer_reserve(&download->body, (size_t)length); /* the buffer remembers a failure */
}

static size_t take_bytes(char *bytes, size_t one, size_t size, void *context) {
    struct download *download = context;
    (void)one;
    download->is_too_large = size > download->job->max_size - download->received;
    if (download->is_too_large)
        return 0;
    download->received += size;
    if (!keeps_body(download))
        return size;
    if (!download->body.at)
        reserve_body(download);
    buffer_add(&download->body, (struct text){ bytes, size });
    return download->body.failed ? 0 : size;
}

static bool set_options(struct download *download, long left_ms) {
    CURL *easy = download->easy;
    return curl_easy_setopt(easy, CURLOPT_URL, download->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, download) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* without this the end of a hop waits for the name server, and all other jobs with it */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, download) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, download) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, download) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)download->job->max_size) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "Roster") == CURLE_OK;
}

static bool add_header(struct download *download, const char *header) {
    struct curl_slist *longer = curl_slist_append(download->headers, header);
    download->headers = longer ? longer : download->headers;
    return longer != NULL;
}

static bool set_post(struct download *download) {
    const struct fetch_job *job = download->job;
    CURL *easy = download->easy;
    for (unsigned i = 0; i < FETCH_HEADERS_MAX; i++)
        if (job->headers[i] && !add_header(download, job->headers[i]))
            return false;
    return add_header(download, "Content-Type: application/json; charset=utf-8") &&
           add_header(download, "Expect:") && /* 100-continue would only cost a round trip */
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->post.at) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->post.len) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, download->headers) == CURLE_OK;
}

static void close_hop(struct download *download) {
    if (!download->easy)
        return;
    (void)curl_multi_remove_handle(download->fetcher->multi, download->easy);
    curl_easy_cleanup(download->easy);
    curl_slist_free_all(download->headers);
    download->easy = NULL;
    download->headers = NULL;
}

static void finish(struct download *download, enum fetch_outcome outcome) {
    struct download **place = &download->fetcher->running;
    while (*place != download)
        place = &(*place)->next;
    *place = download->next;
    (void)atomic_fetch_sub(&download->fetcher->count, 1);
    close_hop(download);
    download->job->outcome = outcome;
    download->job->body = buffer_text(&download->body);
    download->job->done(download->job);
    free(download->url);
    free(download);
}

static void start_hop(struct download *download) {
    int64_t left_ms = download->until_ms - time_monotonic_ms();
    download->met_private = download->is_allowed = download->is_too_large = false;
    download->received = 0;
    buffer_init(&download->body, download->job->arena, 0);
    if (left_ms <= 0) {
        finish(download, FETCH_TIMED_OUT);
        return;
    }
    enum fetch_outcome outcome = check_url(download);
    if (outcome != FETCH_OK) {
        finish(download, outcome);
        return;
    }
    download->easy = curl_easy_init();
    if (!download->easy || !set_options(download, (long)left_ms) ||
        (download->job->post.at && !set_post(download)) ||
        curl_multi_add_handle(download->fetcher->multi, download->easy) != CURLM_OK)
        finish(download, FETCH_NO_MEMORY);
}

static enum fetch_outcome outcome_of(const struct download *download, CURLcode result) {
    if (download->is_stopped)
        return FETCH_STOPPED;
    if (download->met_private)
        return FETCH_NOT_PUBLIC;
    if (download->is_too_large)
        return FETCH_TOO_LARGE;
    switch (result) {
    case CURLE_OK: return FETCH_OK;
    case CURLE_OPERATION_TIMEDOUT: return FETCH_TIMED_OUT;
    case CURLE_FILESIZE_EXCEEDED: return FETCH_TOO_LARGE;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_WRITE_ERROR: return FETCH_NO_MEMORY;
    case CURLE_URL_MALFORMAT: return FETCH_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_NOT_PUBLIC;     /* a client must not learn which names exist */
    case CURLE_UNSUPPORTED_PROTOCOL: /* check_url has passed the URL, so the answer is not HTTP */
    case CURLE_WEIRD_SERVER_REPLY: return FETCH_BAD_STATUS;
    default: return FETCH_UNREACHABLE;
    }
}

static void hop_ended(struct download *download, CURLcode result) {
    long status = 0;
    char *location = NULL;
    enum fetch_outcome outcome = outcome_of(download, result);
    if (outcome == FETCH_OK &&
        (curl_easy_getinfo(download->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
         curl_easy_getinfo(download->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK))
        outcome = FETCH_NO_MEMORY;
    download->job->http_status = (int)status;
    bool redirects =
        outcome == FETCH_OK && status >= 300 && status < 400 && location && !download->job->post.at;
    if (outcome == FETCH_OK && !redirects && !is_success(download, status))
        outcome = FETCH_BAD_STATUS;
    if (redirects && download->redirects++ == REDIRECTS_MAX)
        outcome = FETCH_TOO_MANY_REDIRECTS;
    if (!redirects || outcome != FETCH_OK) {
        finish(download, outcome);
        return;
    }
    char *next = strdup(location);
    close_hop(download);
    free(download->url);
    download->url = next;
    if (next)
        start_hop(download);
    else
        finish(download, FETCH_NO_MEMORY);
}

static void start_job(struct fetcher *fetcher, struct fetch_job *job) {
    struct download *download = calloc(1, sizeof *download);
    if (!download) {
        (void)atomic_fetch_sub(&fetcher->count, 1);
        job->outcome = FETCH_NO_MEMORY;
        job->done(job);
        return;
    }
    bool is_whole = !job->url.len || !memchr(job->url.at, '\0', job->url.len);
    *download = (struct download){ .next = fetcher->running,
                                   .fetcher = fetcher,
                                   .job = job,
                                   .url = strndup(job->url.len ? job->url.at : "", job->url.len),
                                   .until_ms = time_monotonic_ms() + job->timeout_ms };
    fetcher->running = download;
    if (!is_whole)
        finish(download, FETCH_BAD_URL);
    else if (!download->url)
        finish(download, FETCH_NO_MEMORY);
    else
        start_hop(download);
}

static void take_jobs(struct fetcher *fetcher) {
    struct queue_item *item = queue_take_all(&fetcher->jobs, 0), *next;
    for (; item; item = next) {
        next = item->next;
        start_job(fetcher, container_of(item, struct fetch_job, item));
    }
}

static void take_results(struct fetcher *fetcher) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left))) {
        struct download *download = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &download) == CURLE_OK)
            hop_ended(download, result);
    }
}

static void abort_all(struct fetcher *fetcher) {
    while (fetcher->running)                     /* finish removes it from the list */
        finish(fetcher->running, FETCH_STOPPED); // NOLINT(clang-analyzer-unix.Malloc)
}

static int poll_ms(const struct fetcher *fetcher) {
    return fetcher->running && fetcher->may_run ? ASK_MS : POLL_MS;
}

static void *run_fetcher(void *argument) {
    struct fetcher *fetcher = argument;
    int active;
    while (!queue_is_done(&fetcher->jobs)) {
        take_jobs(fetcher);
        if (!may_run(fetcher))
            abort_all(fetcher);
        CURLMcode failed = curl_multi_perform(fetcher->multi, &active);
        take_results(fetcher);
        if (failed == CURLM_OK)
            failed = curl_multi_poll(fetcher->multi, NULL, 0, poll_ms(fetcher), NULL);
        if (failed != CURLM_OK) {
            log_error("downloads: %s", curl_multi_strerror(failed));
            (void)usleep(POLL_MS * 500); /* avoids spinning while the system lacks something */
        }
    }
    abort_all(fetcher);
    return NULL;
}

static void free_fetcher(struct fetcher *fetcher) {
    if (fetcher->multi)
        (void)curl_multi_cleanup(fetcher->multi);
    free(fetcher);
    curl_global_cleanup();
}

void fetcher_allow(struct fetcher *fetcher, const char *hosts) {
    atomic_store(&fetcher->allowed_hosts, hosts);
}

struct fetcher *fetcher_start(const struct fetch_options *options) {
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetcher);
        return NULL;
    }
    fetcher_allow(fetcher, options->allowed_hosts ? options->allowed_hosts : "");
    fetcher->jobs_max = options->jobs_max ? options->jobs_max : JOBS_DEFAULT;
    fetcher->may_run = options->may_run;
    fetcher->argument = options->argument;
    fetcher->multi = curl_multi_init();
    if (fetcher->multi && queue_init(&fetcher->jobs, fetcher->jobs_max)) {
        if (pthread_create(&fetcher->thread, NULL, run_fetcher, fetcher) == 0)
            return fetcher;
        queue_destroy(&fetcher->jobs);
    }
    free_fetcher(fetcher);
    return NULL;
}

void fetcher_stop(struct fetcher *fetcher) {
    if (!fetcher)
        return;
    queue_close(&fetcher->jobs);
    (void)curl_multi_wakeup(fetcher->multi); /* it wakes by itself within POLL_MS */
    int failed = pthread_join(fetcher->thread, NULL);
    assert(!failed);
    (void)failed;
    queue_destroy(&fetcher->jobs);
    free_fetcher(fetcher);
}

enum status fetch_submit(struct fetcher *fetcher, struct fetch_job *job) {
    if (atomic_fetch_add(&fetcher->count, 1) >= fetcher->jobs_max ||
        !queue_put(&fetcher->jobs, &job->item)) {
        (void)atomic_fetch_sub(&fetcher->count, 1);
        (void)atomic_fetch_add(&fetcher->refused, 1);
        return STATUS_TOO_MANY;
    }
    (void)curl_multi_wakeup(fetcher->multi); /* it wakes by itself within POLL_MS */
    return STATUS_OK;
}

struct fetch_stats fetch_stats(const struct fetcher *fetcher) {
    return (struct fetch_stats){ .pending = atomic_load(&fetcher->count),
                                 .refused = atomic_load(&fetcher->refused) };
}

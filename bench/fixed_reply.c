/* fixed_reply [--tls CERT KEY] SIZE: the HTTP layer alone. Answers every request with the same SIZE
 * bytes and the headers of a record, until it is stopped. */
#include "api/status.h"
#include "crypto/secret.h"
#include "http/http.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECTION_LIMIT = 20000, /* a crowd of 10,000, and to spare */
    IDLE_TIMEOUT_S = 300      /* a crowd rests until it was counted */
};

static void answer(struct exchange *exchange) {
    const struct text *body = exchange->app;
    reply_header(exchange, "ETag", "\"200000001-1\"");
    reply_header(exchange, "Cache-Control", "no-store");
    exchange->reply.http_status = 200;
    exchange->reply.content_type = "application/json; charset=utf-8";
    exchange->reply.body = *body;
}

static void refuse(struct exchange *exchange, enum status status, const char *reason) {
    (void)reason;
    exchange->reply.http_status = status_http(status);
}

static void uncounted(struct exchange *exchange) {
    (void)exchange;
}

int main(int argc, char **argv) {
    char why[256];
    int code, caught;
    sigset_t stop;
    bool has_tls = argc == 5 && strcmp(argv[1], "--tls") == 0;
    size_t size = argc == 2 || has_tls ? strtoul(argv[argc - 1], NULL, 10) : 0;
    char *bytes = calloc(1, size + 1);
    if (!size || !bytes)
        return 64;
    memset(bytes, 'x', size);
    bytes[0] = bytes[size - 1] = '"';
    struct text body = { bytes, size };
    const struct listen_addresses addresses = { .listen = "127.0.0.1:0",
                                                .redirect = "",
                                                .metrics = "",
                                                .tls = { has_tls ? argv[2] : "",
                                                         has_tls ? argv[3] : "", true },
                                                .unix_group = "" };
    struct listener *listener = listener_open(&addresses, why, sizeof why, &code);
    if (!listener) {
        (void)fprintf(stderr, "%s\n", why);
        return code;
    }
    struct listen_options options = { .threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
                                      .connection_limit = CONNECTION_LIMIT,
                                      .head_timeout_s = IDLE_TIMEOUT_S,
                                      .idle_timeout_s = IDLE_TIMEOUT_S,
                                      .body_limit = 1024 * 1024,
                                      .handler = answer,
                                      .refuse = refuse,
                                      .replied = uncounted,
                                      .app = &body };
    if (!crypto_start() || sigemptyset(&stop) || sigaddset(&stop, SIGTERM) ||
        pthread_sigmask(SIG_BLOCK, &stop, NULL) || listener_start(listener, &options) != STATUS_OK)
        return 71;
    (void)printf("%s\n", listener_url(listener, 0));
    (void)fflush(stdout);
    (void)sigwait(&stop, &caught);
    listener_stop(listener);
    free(bytes);
    return 0;
}

/* The sub-command `health`, for containers whose images have no other program to ask with. */
#include "server/health.h"

#include "base/log.h"
#include "base/text.h"
#include "fetch/probe.h"

#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

enum { EX_UNHEALTHY = 1, URL_MAX = 512, WHY_SIZE = 512 };

/* A server behind --proxy-protocol closes a connection that lacks the header, if the health
 * command's address is one of the proxies, and refuses the header otherwise. The second attempt is
 * made only if the first one failed. */
static int ask(const struct settings *settings, struct probe_target *target, struct text address) {
    char why[WHY_SIZE];
    bool is_ready = probe(target, why, sizeof why);
    if (!is_ready && *settings->proxy_protocol) {
        target->sends_proxy_header = true;
        is_ready = probe(target, why, sizeof why);
    }
    if (is_ready)
        return EX_OK;
    report_error("health: %.*s: %s", (int)address.len, address.at, why);
    return EX_UNHEALTHY;
}

static bool ends_with(struct text whole, struct text end) {
    return whole.len >= end.len &&
           text_equal((struct text){ whole.at + whole.len - end.len, end.len }, end);
}

int health_run(const struct settings *settings) {
    char url[URL_MAX], path[PATH_MAX];
    const struct text prefix = TEXT("unix:");
    struct text rest = text_of(settings->listen), address;
    struct probe_target target = { .url = url };
    if (!text_next(&rest, &address) || ends_with(address, TEXT(":0"))) {
        report_error("health: --listen must name the address and the port of the server to ask");
        return EX_USAGE;
    }
    bool is_unix = text_starts_nocase(address, prefix);
    const char *scheme = *settings->tls_cert && !is_unix ? "https" : "http";
    struct text host = is_unix ? TEXT("localhost") : address;
    int len = snprintf(url, sizeof url, "%s://%.*s/readyz", scheme, (int)host.len, host.at);
    int path_len = snprintf(path, sizeof path, "%.*s", (int)address.len, address.at);
    if (len < 0 || (size_t)len >= sizeof url || path_len < 0 || (size_t)path_len >= sizeof path) {
        report_error("health: the first address of --listen is too long");
        return EX_USAGE;
    }
    if (is_unix)
        target.unix_path = path + prefix.len;
    return ask(settings, &target, address);
}

#include "server/demo_guard.h"

#include "base/log.h"
#include "base/settings_rows.h"
#include "base/text.h"

#include <string.h>
#include <sysexits.h>

#define WOULD_LET_IN                                                                               \
    "would let anyone sign in with the demo's published password; add --demo-public to allow that"

static bool is_loopback(struct text address) {
    return text_starts_nocase(address, TEXT("127.")) ||
           text_starts_nocase(address, TEXT("[::1]")) ||
           text_starts_nocase(address, TEXT("localhost:")) ||
           text_starts_nocase(address, TEXT("unix:"));
}

int demo_guard_check(const struct settings *settings) {
    struct text rest = text_of(settings->listen), address;
    while (settings->demo && !settings->demo_public && text_next(&rest, &address)) {
        if (is_loopback(address))
            continue;
        settings_fault(settings, "--listen %.*s with --demo " WOULD_LET_IN, (int)address.len,
                       address.at);
        return EX_USAGE;
    }
    return EX_OK;
}

int demo_guard_check_url(const struct settings *settings, const char *url) {
    const char *address = strstr(url, "://");
    if (!settings->demo || settings->demo_public ||
        is_loopback(text_of(address ? address + 3 : url)))
        return EX_OK;
    report_error("--demo on %s " WOULD_LET_IN, url);
    return EX_USAGE;
}

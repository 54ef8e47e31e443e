/* --check-config: what the settings mean beyond their types. */
#include "server/check_config.h"

#include "base/log.h"
#include "base/settings_rows.h"
#include "http/http.h"
#include "http/peers.h"
#include "server/bootstrap.h"
#include "server/first_admin.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct check {
    const struct settings *settings;
    int code; /* of the first mistake */
};

/* Where a setting comes from: "FILE:3: " or "ROSTER_LISTEN: ". Nothing of a flag, whose name the
 * line has anyway. */
static void write_place(const struct settings *settings, const char *option, char *out,
                        size_t out_size) {
    *out = '\0';
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        struct shown_setting shown;
        settings_show(settings, i, &shown);
        if (strcmp(shown.option, option) == 0 && strncmp(shown.origin, "--", 2) != 0 &&
            strcmp(shown.origin, "default") != 0)
            (void)snprintf(out, out_size, "%s: ", shown.origin);
    }
}

static void note(void *context, const char *option, int code, const char *why) {
    struct check *check = context;
    char place[PATH_MAX];
    write_place(check->settings, option, place, sizeof place);
    report_error("%s%s", place, why);
    if (check->code == EX_OK)
        check->code = code;
}

static void check_peers(struct check *check, const char *option, const char *list) {
    char why[256], line[512];
    struct peers *peers = peers_parse(list, why, sizeof why);
    if (!peers) {
        (void)snprintf(line, sizeof line, "--%s: %s", option, why);
        note(check, option, EX_USAGE, line);
    }
    peers_free(peers);
}

static void check_addresses(struct check *check) {
    const struct settings *settings = check->settings;
    const struct listen_addresses addresses = {
        .listen = settings->listen,
        .redirect = settings->redirect_listen,
        .metrics = settings->metrics_listen,
        .tls = { settings->tls_cert, settings->tls_key, false },
        .unix_mode = (unsigned)settings->unix_mode,
        .unix_group = settings->unix_group,
    };
    listener_check(&addresses, note, check);
}

/* Can a start use the folder, or make it? */
static bool folder_is_usable(const char *path) {
    char around[PATH_MAX];
    struct stat facts;
    if (stat(path, &facts) == 0) {
        errno = ENOTDIR;
        return S_ISDIR(facts.st_mode) && access(path, W_OK | X_OK) == 0;
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len && path[len - 1] != '/')
        len--;
    (void)snprintf(around, sizeof around, "%.*s", len ? (int)len : 1, len ? path : ".");
    return errno == ENOENT && access(around, W_OK | X_OK) == 0;
}

static void check_data(struct check *check) {
    const struct settings *settings = check->settings;
    char line[PATH_MAX + 128];
    const char *path = *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
    if ((settings->demo && !*settings->data) || folder_is_usable(path))
        return;
    (void)snprintf(line, sizeof line,
                   "--data %s: %s; name a folder that can be created and written", path,
                   strerror(errno));
    note(check, "data", EX_CANTCREAT, line);
}

int check_config_run(const struct settings *settings) {
    struct check check = { settings, bootstrap_check(settings) };
    int admin = first_admin_check(settings);
    if (check.code == EX_OK)
        check.code = admin;
    check_peers(&check, "proxy-protocol", settings->proxy_protocol);
    check_peers(&check, "trusted-proxies", settings->trusted_proxies);
    check_addresses(&check);
    check_data(&check);
    return check.code;
}

/* --check-config: what the settings mean beyond their types. */
#include "server/check_config.h"

#include "base/settings_rows.h"
#include "http/http.h"
#include "http/peers.h"
#include "server/bootstrap.h"
#include "server/demo_guard.h"
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

static void note(void *context, int code, const char *why) {
    struct check *check = context;
    settings_fault(check->settings, "%s", why);
    if (check->code == EX_OK)
        check->code = code;
}

/* Takes the code of a check that has printed its own lines. */
static void take(struct check *check, int code) {
    if (check->code == EX_OK)
        check->code = code;
}

static void check_peers(struct check *check, const char *flag, const char *list) {
    char why[256], line[512];
    struct peers *peers = peers_parse(list, why, sizeof why);
    if (!peers) {
        (void)snprintf(line, sizeof line, "%s %s", flag, why);
        note(check, EX_USAGE, line);
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
    note(check, EX_CANTCREAT, line);
}

/* The folder has to be there: a disk that is not mounted must not get backups beneath its place. */
static void check_backups(struct check *check) {
    const struct settings *settings = check->settings;
    struct stat facts;
    char line[PATH_MAX + 128];
    const char *path = settings->backup_dir, *why = NULL;
    if (!*path)
        return;
    if (settings->demo && !*settings->data)
        why = "a demo without --data has nothing to keep";
    else if (stat(path, &facts) != 0)
        why = strerror(errno);
    else if (!S_ISDIR(facts.st_mode))
        why = strerror(ENOTDIR);
    else if (access(path, W_OK | X_OK) != 0)
        why = strerror(errno);
    if (!why)
        return;
    (void)snprintf(line, sizeof line,
                   "--backup-dir %s: %s; name a folder that the server can write", path, why);
    note(check, EX_CANTCREAT, line);
}

int check_config_values(const struct settings *settings) {
    struct check check = { settings, bootstrap_check(settings) };
    take(&check, first_admin_check(settings));
    take(&check, demo_guard_check(settings));
    check_backups(&check);
    check_peers(&check, "--proxy-protocol", settings->proxy_protocol);
    check_peers(&check, "--trusted-proxies", settings->trusted_proxies);
    return check.code;
}

int check_config_run(const struct settings *settings) {
    struct check check = { settings, check_config_values(settings) };
    check_addresses(&check);
    check_data(&check);
    return check.code;
}

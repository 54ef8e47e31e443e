/* The data folder at start and stop: the folder itself, the database, the key.
 *
 * The order tells a new folder from one that lost its database. The key is made last, after the
 * first records were written. So a key without a database, or with one that has neither users nor
 * the system's roles, means that a disk is not mounted or that only a part of the folder was
 * copied. A new database in its place would hide the loss, and the start is refused (--init
 * overrides it). */
#include "server/bootstrap.h"

#include "base/log.h"
#include "base/settings_rows.h"
#include "base/time.h"
#include "fetch/strip.h"
#include "server/first_admin.h"
#include "server/key_rotation.h"
#include "server/operator_wire.h"
#include "service/seed.h"
#include "store/sqlite/options.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    FOLDER_WAIT_MS = 10 * 1000, /* for a process that uses the folder for a short time */
    FOLDER_PAUSE_MS = 50,
    SERVER_PAUSE_MS = 250,
};

const char *bootstrap_url(const struct settings *settings) {
    return strcmp(settings->database, "sqlite") == 0 ? NULL : settings->database;
}

/* The demo's own folder goes at the end, and the key in it; the database would stay. */
int bootstrap_check(const struct settings *settings) {
    const char *url = bootstrap_url(settings);
    if (url && strncmp(url, STORE_POSTGRESQL, strlen(STORE_POSTGRESQL)) != 0) {
        settings_fault(settings,
                       "--database must be sqlite, or a URL that begins with " STORE_POSTGRESQL);
        return EX_USAGE;
    }
    if (!url || !settings->demo || *settings->data)
        return EX_OK;
    settings_fault(settings,
                   "--database with --demo needs --data, a folder that keeps the database's key");
    return EX_USAGE;
}

/* The path of a file of the folder. */
static const char *path_in(const struct data_folder *folder, const char *name,
                           char path[PATH_MAX]) {
    (void)snprintf(path, PATH_MAX, "%s/%s", folder->path,
                   name); /* fits, see DATA_FOLDER_PATH_MAX */
    return path;
}

static int make_folder(struct data_folder *folder, const struct settings *settings) {
    const char *wanted = settings->data;
    folder->is_temporary = settings->demo && !*wanted;
    if (folder->is_temporary)
        wanted = "/tmp/roster-demo-XXXXXX";
    else if (!*wanted)
        wanted = DEFAULT_DATA_FOLDER;
    int len = snprintf(folder->path, sizeof folder->path, "%s", wanted);
    if (len < 0 || (size_t)len >= sizeof folder->path) {
        report_error("--data: the path is too long");
        return EX_USAGE;
    }
    bool is_made = folder->is_temporary ? mkdtemp(folder->path) != NULL
                                        : mkdir(folder->path, 0700) == 0 || errno == EEXIST;
    if (is_made)
        return EX_OK;
    report_error("--data %s: %s; name a folder that can be created and written", folder->path,
                 strerror(errno));
    folder->is_temporary = false; /* there is nothing to remove */
    return EX_CANTCREAT;
}

/* Removes the files that a server makes, by name: if anything else is in the folder, it stays. */
static void remove_folder(const struct data_folder *folder) {
    static const char *const names[] = { "roster.db", "roster.db-wal", "roster.db-shm", KEY_NAME };
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (unlink(path_in(folder, names[i], path)) != 0 && errno != ENOENT)
            log_warning("cannot remove %s: %s", path, strerror(errno));
    if (rmdir(folder->path) != 0)
        log_warning("cannot remove %s: %s", folder->path, strerror(errno));
}

/* A line that says what is wrong. */
struct reason {
    char *why;
    size_t size;
};

static int open_database(struct data_folder *folder, const struct settings *settings,
                         bool must_exist, const struct reason *reason) {
    int code;
    const struct sqlite_options sqlite = { .checkpoint_after_ms = settings->checkpoint_after };
    const struct store_options options = { .directory = folder->path,
                                           .url = folder->url,
                                           .is_unsafe = settings->database_unsafe,
                                           .must_exist = must_exist,
                                           .sqlite = &sqlite,
                                           .search_limit_ms = settings->search_limit,
                                           .server_limit_ms = settings->database_timeout * 1000,
                                           .user_tokens = settings->user_tokens,
                                           .clean_picture = image_strip };
    folder->store = store_open(&options, reason->why, reason->size, &code);
    return folder->store ? EX_OK : code;
}

/* A command of the operator's has the folder for a short time, and so does the server before this
 * one while it ends. A server that serves keeps it. */
static int open_when_free(struct data_folder *folder, const struct settings *settings,
                          bool must_exist, const struct reason *reason) {
    const struct timespec pause = { 0, FOLDER_PAUSE_MS * 1000000L };
    const int64_t began_ms = time_monotonic_ms();
    int code = open_database(folder, settings, must_exist, reason);
    while (code == EX_TEMPFAIL && time_monotonic_ms() - began_ms < FOLDER_WAIT_MS &&
           !operator_is_served(folder->path)) {
        (void)nanosleep(&pause, NULL); /* a signal only makes it shorter */
        code = open_database(folder, settings, must_exist, reason);
    }
    return code;
}

/* Pauses between two attempts. True: a signal asked for the end. */
static bool was_told_to_end(void) {
    const struct timespec pause = { 0, SERVER_PAUSE_MS * 1000000L };
    sigset_t signals;
    return sigemptyset(&signals) == 0 && sigaddset(&signals, SIGTERM) == 0 &&
           sigaddset(&signals, SIGINT) == 0 && sigtimedwait(&signals, NULL, &pause) > 0;
}

/* Tries again while the database's server does not answer. */
static int open_in_time(struct data_folder *folder, const struct settings *settings,
                        bool must_exist, const struct reason *reason) {
    const int64_t until_ms = time_monotonic_ms() + settings->database_wait * 1000;
    int code = open_when_free(folder, settings, must_exist, reason);
    if (code == EX_UNAVAILABLE && settings->database_wait)
        log_warning("%s; trying again for %ld s", reason->why, settings->database_wait);
    while (code == EX_UNAVAILABLE && time_monotonic_ms() < until_ms && !was_told_to_end())
        code = open_database(folder, settings, must_exist, reason);
    return code;
}

/* The name of the database in messages. The URL has no password (base/database_url.h). */
static const char *name_of(const struct data_folder *folder) {
    return folder->url ? folder->url : folder->path;
}

static enum status find_seed(struct store *store, struct seed_state *state) {
    struct store_session *session = store_session_open(store);
    enum status status = session ? seed_find(session, state) : STATUS_INTERNAL;
    store_session_close(session);
    return status;
}

/* `*is_empty`: the database has no users, and it is right that it has none. */
static int open_store(struct data_folder *folder, const struct settings *settings, bool *is_empty) {
    char why[PATH_MAX + 256], path[PATH_MAX];
    struct seed_state state;
    bool must_exist = access(path_in(folder, KEY_NAME, path), F_OK) == 0 && !settings->init;
    int code = open_in_time(folder, settings, must_exist, &(struct reason){ why, sizeof why });
    if (code != EX_OK) {
        report_error("%s", why);
        return code;
    }
    if (find_seed(folder->store, &state) != STATUS_OK) {
        report_error("%s: the database cannot be read", name_of(folder));
        return EX_IOERR;
    }
    *is_empty = !state.has_users;
    if (!must_exist || state.has_users || state.has_roles) /* roles alone: it waits for the link */
        return EX_OK;
    report_error(
        "%s%s: has no users although the folder has a key; %s? --init starts with a new one",
        name_of(folder), folder->url ? "" : "/roster.db",
        folder->url ? "is it another database" : "was it copied without its WAL (roster.db-wal)");
    return EX_NOINPUT;
}

/* The key in the folder is not the database's. */
static int refuse_key(struct data_folder *folder) {
    switch (key_rotation_finish(folder->store, folder->path, &folder->key)) {
    case STATUS_OK: return EX_OK;
    case STATUS_FORBIDDEN:
        report_error("%s/" KEY_NAME ": is not the key of this database; copy the key here that lay"
                     " beside it",
                     folder->path);
        return EX_NOINPUT;
    default: return EX_IOERR;
    }
}

int bootstrap_open_key(struct data_folder *folder, bool may_make) {
    char why[512], path[PATH_MAX];
    bool had_key;
    if (store_had_key(folder->store, &had_key) != STATUS_OK) {
        report_error("%s: the database cannot be read", name_of(folder));
        return EX_IOERR;
    }
    folder->key =
        seal_key_open(path_in(folder, KEY_NAME, path), may_make && !had_key, why, sizeof why);
    if (!folder->key) {
        report_error("%s", why);
        return EX_NOINPUT;
    }
    switch (store_claim_key(folder->store, folder->key)) {
    case STATUS_OK: return EX_OK;
    case STATUS_FORBIDDEN: return refuse_key(folder);
    default:
        report_error("%s: the database cannot record its key", name_of(folder));
        return EX_IOERR;
    }
}

int bootstrap_open(struct data_folder *folder, const struct settings *settings) {
    bool is_empty = false;
    folder->url = bootstrap_url(settings);
    int code = make_folder(folder, settings);
    if (code == EX_OK)
        code = open_store(folder, settings, &is_empty);
    if (code == EX_OK && is_empty)
        code = first_admin_write(folder->store, settings, name_of(folder),
                                 &folder->awaits_administrator);
    if (code == EX_OK)
        code = bootstrap_open_key(folder, true);
    if (code == EX_OK && !is_empty && *settings->admin_password)
        log_warning("the password of the first administrator (ROSTER_ADMIN_PASSWORD) is ignored:"
                    " there are users already; `rosterd user set-password` sets a password");
    return code;
}

int bootstrap_open_existing(struct data_folder *folder, const struct settings *settings, char *why,
                            size_t why_size) {
    const char *path = *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
    int len = snprintf(folder->path, sizeof folder->path, "%s", path);
    if (len < 0 || (size_t)len >= sizeof folder->path) {
        (void)snprintf(why, why_size, "--data: the path is too long");
        return EX_USAGE;
    }
    if (access(folder->path, F_OK) != 0) {
        (void)snprintf(why, why_size, "--data %s: %s", folder->path, strerror(errno));
        return EX_NOINPUT;
    }
    folder->url = bootstrap_url(settings);
    return open_database(folder, settings, true, &(struct reason){ why, why_size });
}

void bootstrap_close(struct data_folder *folder) {
    store_close(folder->store);
    seal_key_free(folder->key);
    if (folder->is_temporary)
        remove_folder(folder);
}

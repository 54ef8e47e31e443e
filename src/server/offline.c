/* The sub-commands: most work on a data folder without a server of their own, `health` asks one. */
#include "server/offline.h"

#include "base/log.h"
#include "server/backup_folder.h"
#include "server/bootstrap.h"
#include "server/config_command.h"
#include "server/health.h"
#include "server/key_command.h"
#include "server/operator_command.h"
#include "store/maintenance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static void print_line(const char *line) {
    report_error("%s", line);
}

static const char *folder_of(const struct settings *settings) {
    return *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
}

static const char *database_of(const struct settings *settings) {
    const char *url = bootstrap_url(settings);
    return url ? url : folder_of(settings);
}

static int run_check(const struct settings *settings) {
    const char *file = settings->words[0];
    return store_check(file ? file : database_of(settings), folder_of(settings), print_line);
}

static int run_health(const struct settings *settings) {
    return health_run(settings);
}

/* Replaces the file, since root must not change one that the server's user has put there. */
static bool mark_backup(const char *path, const char *folder) {
    struct stat facts;
    if (stat(folder, &facts) != 0 || (unlink(path) != 0 && errno != ENOENT))
        return false;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool is_owned = geteuid() != 0 || fchown(file, facts.st_uid, facts.st_gid) == 0;
    return close(file) == 0 && is_owned;
}

/* For roster_last_backup_timestamp_seconds. A folder on a read-only disk is no server's. */
static void note_backup(const struct settings *settings) {
    const char *folder = folder_of(settings);
    char path[DATA_FOLDER_PATH_MAX + sizeof LAST_BACKUP + 1];
    int len = snprintf(path, sizeof path, "%s/" LAST_BACKUP, folder);
    if (len > 0 && (size_t)len < sizeof path && !mark_backup(path, folder) && errno != EROFS)
        report_error("%s: %s; /metrics does not show this backup", path, strerror(errno));
}

static int run_backup(const struct settings *settings) {
    const char *database = database_of(settings), *file = settings->words[0];
    const struct command_options *options = &settings->options;
    int code = EX_USAGE;
    char keep[16];
    (void)snprintf(keep, sizeof keep, "%ld", (long)settings->backup_keep);
    if (file && !options->to && !options->keep)
        code = store_backup(database, file, print_line);
    else if (!file && options->to)
        code = backup_folder_run(database, options->to, options->keep, print_line);
    else if (!file && !options->keep && *settings->backup_dir)
        code = backup_folder_run(database, settings->backup_dir,
                                 settings->backup_keep ? keep : NULL, print_line);
    else
        report_error("backup: name either the file to write or, by --to, a folder; --keep needs"
                     " --to; without them the setting backup-dir names the folder");
    if (code == EX_OK)
        note_backup(settings);
    return code;
}

static int run_restore(const struct settings *settings) {
    const unsigned how = (settings->options.as_is ? RESTORE_AS_IS : 0U) |
                         (settings->database_unsafe ? RESTORE_UNSAFE : 0U);
    return store_restore(database_of(settings), settings->words[0], how, print_line);
}

static int run_copy(const struct settings *settings) {
    if (settings->words[0] && settings->words[1])
        return store_copy(settings->words[0], settings->words[1], settings->database_unsafe,
                          print_line);
    report_error("copy: name two databases, each a data folder or a URL: the one to copy, and an"
                 " empty one");
    return EX_USAGE;
}

static int run_user(const struct settings *settings) {
    return operator_command_run(settings);
}

static int run_token(const struct settings *settings) {
    return operator_command_run(settings);
}

static int run_key(const struct settings *settings) {
    return key_command_run(settings);
}

static int run_config(const struct settings *settings) {
    return config_command_run(settings);
}

static const struct offline_command {
    const char *name, *use; /* as in subcommands.def */
    int (*run)(const struct settings *settings);
} commands[] = {
#define SUBCOMMAND(name, use, words) [SUBCOMMAND_##name] = { #name, use, run_##name },
#include "base/subcommands.def"
#undef SUBCOMMAND
};

int offline_run(const struct settings *settings) {
    const struct offline_command *command = &commands[settings->subcommand];
    log_set_level(LOG_LEVEL_warning); /* who types a command does not want a server's log */
    const bool has_folder = settings->options.to ||
                            (settings->subcommand == SUBCOMMAND_backup && *settings->backup_dir);
    if (!command->use || settings->words[0] || has_folder)
        return command->run(settings);
    report_error("%s: name the file to %s", command->name, command->use);
    return EX_USAGE;
}

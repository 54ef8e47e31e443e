/* The sub-commands, which work on a data folder without a server of their own. */
#include "server/offline.h"

#include "base/log.h"
#include "server/bootstrap.h"
#include "store/maintenance.h"

#include <sysexits.h>

static void print_line(const char *line) {
    report_error("%s", line);
}

static int run_check(const char *folder, const char *file) {
    (void)file; /* it takes none */
    return store_check(folder, print_line);
}

static int run_backup(const char *folder, const char *file) {
    return store_backup(folder, file, print_line);
}

static int run_restore(const char *folder, const char *file) {
    return store_restore(folder, file, print_line);
}

static const struct offline_command {
    const char *name, *use; /* as in subcommands.def */
    int (*run)(const char *folder, const char *file);
} commands[] = {
#define SUBCOMMAND(name, use) [SUBCOMMAND_##name] = { #name, use, run_##name },
#include "base/subcommands.def"
#undef SUBCOMMAND
};

int offline_run(const struct settings *settings) {
    const struct offline_command *command = &commands[settings->subcommand];
    const char *folder = *settings->data ? settings->data : DEFAULT_DATA_FOLDER;
    if (!command->use || settings->operand)
        return command->run(folder, settings->operand);
    report_error("%s: name the file to %s", command->name, command->use);
    return EX_USAGE;
}

#include "server/key_command.h"

#include "base/log.h"
#include "server/bootstrap.h"
#include "server/key_rotation.h"
#include "server/operator_wire.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int key_command_run(const struct settings *settings) {
    char why[PATH_MAX + 256];
    struct data_folder folder = { 0 };
    if (!settings->words[0] || strcmp(settings->words[0], "rotate") != 0) {
        report_error("the command is key rotate");
        return EX_USAGE;
    }
    int code = bootstrap_open_existing(&folder, settings, why, sizeof why);
    if (code != EX_OK) {
        report_error("%s", why);
        return code;
    }
    if (operator_is_served(folder.path)) { /* a server of PostgreSQL does not lock the folder */
        report_error("%s: a server uses this folder; stop it first", folder.path);
        code = EX_TEMPFAIL;
    }
    if (code == EX_OK)
        code = bootstrap_open_key(&folder, false);
    if (code == EX_OK)
        code = key_rotation_run(folder.store, folder.path, folder.key);
    bootstrap_close(&folder);
    return code;
}

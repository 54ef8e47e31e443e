/* The file of settings. */
#include "fuzz.h"

#include "base/settings_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A list that a file gives in several lines is the same when a flag gives it at once. */
static void require_same_list(const struct settings *settings) {
    char name[] = "rosterd", option[] = "--proxy-protocol",
         *list = strdup(settings->proxy_protocol);
    char *argv[] = { name, option, list, NULL };
    struct settings again;
    require(list && settings_read(&again, 3, argv) == 0);
    require(strcmp(again.proxy_protocol, settings->proxy_protocol) == 0);
    settings_free(&again);
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static int file = -1, nowhere = -1, console = -1;
    char path[32], name[] = "rosterd", option[] = "--config";
    char *argv[] = { name, option, path, NULL };
    struct settings settings;
    if (file < 0) { /* what it says of each file is not for reading */
        file = memfd_create("settings", 0);
        nowhere = open("/dev/null", O_WRONLY);
        console = dup(STDERR_FILENO);
    }
    require(file >= 0 && nowhere >= 0 && console >= 0 && ftruncate(file, 0) == 0 &&
            pwrite(file, bytes, size, 0) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    require(dup2(nowhere, STDERR_FILENO) >= 0);
    int code = settings_read(&settings, 3, argv);
    require(dup2(console, STDERR_FILENO) >= 0);
    require(code == 0 || code == 78 || code == 64);
    require(settings.io_threads >= 0 && settings.io_threads <= 256 && settings.listen);
    require(settings.unix_mode >= 0 && settings.unix_mode <= 0777);
    require_same_list(&settings);
    settings_free(&settings);
    return 0;
}

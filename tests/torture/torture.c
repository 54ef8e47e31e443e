#include "torture.h"

#include "disk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

unsigned long torture_number(const char *name, unsigned long otherwise) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

int torture_begin(void **state) {
    int nowhere = open("/dev/null", O_WRONLY);
    (void)state;
    bool ok = nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0 && close(nowhere) == 0;
    disk_install(torture_number("TORTURE_SEED", 1));
    return ok ? 0 : -1;
}

#include "torture.h"

#include "disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

unsigned long torture_number(const char *name, unsigned long otherwise) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

int torture_begin(void **state) {
    int nowhere = open("/dev/null", O_WRONLY);
    (void)state;
    bool ok = nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0 && close(nowhere) == 0;
    disk_install(torture_number("SEED", 1));
    return ok ? 0 : -1;
}

void torture_fail(const char *format, ...) {
    char why[700];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    print_message("# %s\n", why);
    fail();
    abort(); /* the line above does not return */
}

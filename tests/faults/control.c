/* The file through which a test says what is to fail. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control *control;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("FAULTS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = file < 0 ? MAP_FAILED
                         : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) {
        perror("rosterd-faulty: FAULTS_FILE");
        _exit(1);
    }
    (void)close(file);
    control = map;
}

bool control_strikes(enum kind kind) {
    if (!control)
        return false;
    struct fault *fault = &control->faults[kind];
    atomic_fetch_add(&fault->seen, 1);
    if (atomic_load(&fault->in) == 0 || atomic_fetch_sub(&fault->in, 1) != 1)
        return false;
    if (atomic_load(&fault->lasts))
        atomic_store(&fault->in, 1);
    atomic_fetch_add(&fault->struck, 1);
    if (atomic_load(&fault->code) < 0)
        (void)kill(getpid(), SIGKILL);
    errno = (int)atomic_load(&fault->code);
    return true;
}

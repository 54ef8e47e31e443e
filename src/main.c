/* rosterd: reads the settings, prepares the process, and runs a server or a sub-command. */
#include "base/log.h"
#include "base/settings_read.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "server/check_config.h"
#include "server/drain.h"
#include "server/main_loop.h"
#include "server/offline.h"
#include "server/server.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

/* A core dump would contain keys and tokens in clear. Where the system pipes cores to a program it
 * ignores the limit, but not PR_SET_DUMPABLE. */
static void leave_no_core(void) {
    const struct rlimit none = { 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        log_warning("core dumps cannot be disabled: %s", strerror(errno));
}

/* These signals would end the process. The causes of SIGPIPE and SIGXFSZ are seen anyway, as EPIPE
 * and EFBIG from write(2). SIGHUP is ignored until the main loop waits for it. */
static bool ignore_signals(void) {
    static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGHUP };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (signal(ignored[i], SIG_IGN) == SIG_ERR)
            return false;
    return true;
}

/* Threads inherit the mask, so that only the main loop receives these signals. */
static bool block_signals(sigset_t *signals) {
    return sigemptyset(signals) == 0 && sigaddset(signals, SIGTERM) == 0 &&
           sigaddset(signals, SIGINT) == 0 && sigaddset(signals, SIGHUP) == 0 &&
           pthread_sigmask(SIG_BLOCK, signals, NULL) == 0;
}

static int run_server(struct server *server) {
    sigset_t signals;
    if (!block_signals(&signals)) {
        report_error("the system gives no random numbers, or refuses to set up signals");
        return EX_OSERR;
    }
    int code = server_start(server);
    if (code == EX_OK) {
        code = main_loop_run(server, &signals);
        const int64_t began_ms = time_monotonic_ms();
        drain_run(server, &signals, code == EX_OK);
        log_info("stopped: all requests have ended, after %lld ms",
                 (long long)(time_monotonic_ms() - began_ms));
    }
    server_stop(server);
    return code;
}

int main(int argc, char **argv) {
    static struct server server;
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES); /* fails for unknown parameters only */
    tables_check();
    bool is_ready = ignore_signals();
    int code = settings_read(&server.settings, argc, argv);
    if (code != EX_OK)
        return code;
    log_set_level_named(server.settings.log_level);
    if (strcmp(server.settings.log_format, "json") == 0)
        log_use_json();
    leave_no_core();
    if (!is_ready || !crypto_start()) {
        report_error("the system gives no random numbers, or refuses to set up signals");
        code = EX_OSERR;
    } else if (server.settings.check_only) {
        code = check_config_run(&server.settings);
    } else if (server.settings.subcommand) {
        code = offline_run(&server.settings);
    } else {
        code = run_server(&server);
    }
    settings_free(&server.settings);
    return code;
}

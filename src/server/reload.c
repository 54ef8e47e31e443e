/* SIGHUP: new settings and certificates for a running server. */
#include "server/reload.h"

#include "base/log.h"
#include "base/settings_read.h"
#include "base/time.h"

#include <systemd/sd-daemon.h>

static void note(const char *option, bool is_applied) {
    if (is_applied)
        log_info("SIGHUP: --%s has a new value", option);
    else
        log_warning("SIGHUP: --%s has a new value, which needs a restart", option);
}

static void reload_settings(struct server *server) {
    if (settings_reload(&server->settings, note) != 0) {
        log_error("SIGHUP: the old settings stay in use; the line above says why");
        return;
    }
    server_apply_settings(server);
    log_info("SIGHUP: reloaded the settings");
}

/* If the new certificates are invalid, the old ones stay in use. */
static void reload_certificates(const struct server *server) {
    char why[512];
    if (!*server->settings.tls_cert)
        log_info("SIGHUP: there are no certificates to reload");
    else if (!listener_reload(server->listener, why, sizeof why))
        log_error("the old certificates stay in use: %s", why);
    else
        log_info("reloaded the certificates");
}

void reload_run(struct server *server) {
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)time_monotonic_us());
    reload_settings(server);
    reload_certificates(server);
    (void)sd_notify(0, "READY=1");
}

#ifndef ROSTER_SERVER_SERVER_H
#define ROSTER_SERVER_SERVER_H

#include "api/app.h"
#include "base/machine.h"
#include "base/settings.h"
#include "http/http.h"
#include "server/bootstrap.h"
#include "server/operator_socket.h"
#include "webhooks/deliver.h"

/** A server and its parts. A zeroed one, with the settings filled in, has not started. */
struct server {
    struct settings settings;
    struct machine machine; /* as the defaults of threads and memory depend on it */
    unsigned parts_started; /* how far down the table of server.c the start has come */
    struct data_folder data;
    struct app app;
    struct sign_in_counts sign_in_counts;
    struct lockout lockout;
    struct peers *proxies, *trusted;
    struct listener *listener;
    struct deliverer *deliverer;
    struct operator_socket *operator_socket;
};

/**
 * Checks the settings and starts all parts, the I/O threads last. Returns EX_OK, or a code of
 * sysexits.h after a line on standard error. Call server_stop in either case. Main thread, once.
 */
int server_start(struct server *server) MUST_CHECK;

/**
 * Gives the parts the settings that a reload can change (RELOADABLE in settings.def). Main thread,
 * after server_start returned EX_OK.
 */
void server_apply_settings(struct server *server);

/** Stops the parts that were started, in reverse order. Main thread, once. */
void server_stop(struct server *server);

#endif

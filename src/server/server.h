#ifndef ROSTER_SERVER_SERVER_H
#define ROSTER_SERVER_SERVER_H

#include "api/app.h"
#include "base/settings.h"
#include "hooks/deliver.h"
#include "http/http.h"
#include "server/bootstrap.h"

/** A server and all its parts. Zeroed but for the settings, none of them has started. */
struct server {
    struct settings settings;
    unsigned parts_started; /* of the table in server.c */
    struct data_folder data;
    struct app app;
    struct sign_in_counts sign_in_counts;
    struct peers *proxies;
    struct listener *listener;
    struct deliverer *deliverer;
};

/**
 * Checks the settings and starts all parts, the I/O threads last. EX_OK, or a code of sysexits.h
 * after a line on standard error; server_stop is due in either case. Main thread, once.
 */
int server_start(struct server *server) MUST_CHECK;

/**
 * Takes no further connections and requests, and waits until those in flight have their replies.
 * After a second it ends long searches. After a minute it ends the process. Main thread, once,
 * after a server_start that returned EX_OK.
 */
void server_drain(struct server *server);

/** Stops the parts that were started, the last one first. Main thread, once. */
void server_stop(struct server *server);

#endif

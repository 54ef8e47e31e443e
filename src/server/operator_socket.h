#ifndef ROSTER_SERVER_OPERATOR_SOCKET_H
#define ROSTER_SERVER_OPERATOR_SOCKET_H

#include "auth/password_job.h"
#include "store/store.h"

/**
 * The socket in the data folder through which `rosterd user` and `rosterd token` reach a running
 * server, and the thread that runs their commands, one after the other. Only root and the server's
 * own user may connect (by the mode of the file, and by the credentials of the peer).
 */
struct operator_socket;

/**
 * Opens the socket and starts the thread. NULL if that is impossible (a file system without
 * sockets, another server on the same folder): the log then has a warning, and the commands need
 * the server to be stopped. Main thread, once.
 */
struct operator_socket *operator_socket_start(const char *folder, struct store *store,
                                              struct passwords *passwords) MUST_CHECK;

/** Waits for the command that runs, stops the thread, and removes the socket. Accepts NULL. */
void operator_socket_stop(struct operator_socket *socket);

#endif

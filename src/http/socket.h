#ifndef ROSTER_HTTP_SOCKET_H
#define ROSTER_HTTP_SOCKET_H

#include <stddef.h>

enum { SOCKET_URL_MAX = 160 };

/**
 * Opens a listening socket: "127.0.0.1:8080", "[::1]:0", "localhost:8080", "unix:/run/x.sock" (a
 * socket file that nobody listens on any more is replaced; mode 0660). Writes the address that it
 * got, as a URL, to `url`. Returns the descriptor, or -1 with a line in `why` and `*exit_code`
 * from sysexits.h.
 */
int socket_listen(const char *address, char url[SOCKET_URL_MAX], char *why, size_t why_size,
                  int *exit_code);

#endif

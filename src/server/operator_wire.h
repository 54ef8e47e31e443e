#ifndef ROSTER_SERVER_OPERATOR_WIRE_H
#define ROSTER_SERVER_OPERATOR_WIRE_H

#include "base/status.h"
#include "service/operator.h"

#include <sys/un.h>

/*
 * The protocol between a command of the operator's and the server that runs it, over a UNIX socket
 * in the data folder that keeps packets apart. The command sends one packet, its request. The
 * server answers with packets whose first byte is one of enum operator_frame.
 */

#define OPERATOR_SOCKET "roster.sock"

enum {
    OPERATOR_WORDS = 4, /* the most words, with the NULL at their end */
    OPERATOR_REQUEST_MAX = 8 * 1024 /* bytes of a request */,
    OPERATOR_FRAME_MAX = 32 * 1024, /* bytes of a packet of the server's */
};

enum operator_frame {
    OPERATOR_BEGINS = 'b', /* the command runs from here on */
    OPERATOR_PRINTS = 'p', /* a part of the result */
    OPERATOR_SAYS = 's',   /* a line on what is wrong */
    OPERATOR_ENDS = 'e',   /* one byte, the exit code; the last packet */
};

/**
 * The address of the socket in a data folder. A path that is too long for an address is reached
 * through a descriptor of the folder, `*opened`, which the caller closes after bind or connect; -1:
 * there is none. False, with errno, if there is no such folder. Any thread.
 */
bool operator_address(const char *folder, struct sockaddr_un *address, int *opened) MUST_CHECK;

/** Does a server listen on the socket of this data folder? Any thread. */
bool operator_is_served(const char *folder) MUST_CHECK;

/** Writes a request as a packet. Returns its length; 0: it is too long. Any thread. */
size_t operator_pack(const struct operator_request *request,
                     char packet[OPERATOR_REQUEST_MAX]) MUST_CHECK;

/**
 * Reads a packet of `len` bytes into a request, whose texts lie in the packet and whose words in
 * `words`. Does not set the user. False if it is malformed. Any thread.
 */
bool operator_unpack(const char *packet, size_t len, const char *words[OPERATOR_WORDS],
                     struct operator_request *request) MUST_CHECK;

#endif

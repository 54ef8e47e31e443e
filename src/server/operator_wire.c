#include "server/operator_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request is texts that each end with a NUL: "json" or "", the name, the password, the words. An
 * empty name or password is none. */
enum { TEXTS_BEFORE_WORDS = 3 };

bool operator_address(const char *folder, struct sockaddr_un *address, int *opened) {
    enum { ROOM = sizeof address->sun_path };
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    *opened = -1;
    int len = snprintf(address->sun_path, ROOM, "%s/" OPERATOR_SOCKET, folder);
    if (len > 0 && len < ROOM)
        return true;
    *opened = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*opened < 0)
        return false;
    (void)snprintf(address->sun_path, ROOM, "/proc/self/fd/%d/" OPERATOR_SOCKET, *opened);
    return true;
}

bool operator_is_served(const char *folder) {
    struct sockaddr_un address;
    int opened;
    if (!operator_address(folder, &address, &opened))
        return false;
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_served =
        probe >= 0 && (connect(probe, (const struct sockaddr *)&address, sizeof address) == 0 ||
                       errno == EAGAIN /* its backlog is full */);
    if (probe >= 0)
        (void)close(probe);
    if (opened >= 0)
        (void)close(opened);
    return is_served;
}

/* Adds a text and a NUL; returns the new length, or 0 if there is no room or was none. */
static size_t add(char *packet, size_t len, struct text text) {
    if (!len || text.len >= OPERATOR_REQUEST_MAX - len)
        return 0;
    if (text.len)
        memcpy(packet + len, text.at, text.len);
    packet[len + text.len] = '\0';
    return len + text.len + 1;
}

size_t operator_pack(const struct operator_request *request, char packet[OPERATOR_REQUEST_MAX]) {
    size_t len = (size_t)snprintf(packet, OPERATOR_REQUEST_MAX, "%s", request->json ? "json" : "");
    len = add(packet, len + 1, text_of(request->name));
    len = add(packet, len, request->password);
    for (unsigned i = 0; request->words[i]; i++)
        len = add(packet, len, text_of(request->words[i]));
    return len;
}

bool operator_unpack(const char *packet, size_t len, const char *words[OPERATOR_WORDS],
                     struct operator_request *request) {
    const char *texts[TEXTS_BEFORE_WORDS + OPERATOR_WORDS] = { NULL };
    unsigned count = 0;
    if (!len || packet[len - 1])
        return false;
    for (size_t at = 0; at < len; at += strlen(packet + at) + 1) {
        if (count == sizeof texts / sizeof texts[0] - 1)
            return false;
        texts[count++] = packet + at;
    }
    if (count < TEXTS_BEFORE_WORDS)
        return false;
    for (unsigned i = 0; i < OPERATOR_WORDS; i++)
        words[i] = texts[TEXTS_BEFORE_WORDS + i];
    *request = (struct operator_request){
        .json = *texts[0],
        .name = *texts[1] ? texts[1] : NULL,
        .password = text_of(texts[2]),
        .words = words,
    };
    return true;
}

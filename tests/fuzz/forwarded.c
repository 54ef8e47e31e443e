/* Lines of Forwarded and X-Forwarded-For: whose request it is, and that nothing on the left of a
 * client's address matters. The first byte of each line says which header it is of. */
#include "fuzz.h"

#include "http/forwarded.h"
#include "http/peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 8 };

static struct text name_of(char byte) {
    return byte & 1 ? TEXT("Forwarded") : TEXT("X-Forwarded-For");
}

static enum forwarded find(const struct head *head, const struct peers *trusted,
                           struct sockaddr_storage *hop) {
    const struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = 4711 };
    *hop = (struct sockaddr_storage){ 0 };
    memcpy(hop, &peer, sizeof peer);
    return forwarded_find(head, trusted, hop);
}

/* Puts what a client may have sent before its proxy's entries on the left of the first line. */
static void require_no_spoofing(const struct head *head, const struct peers *trusted,
                                const struct sockaddr_storage *hop) {
    static const char *const lefts[] = { "198.51.100.7,", "for=198.51.100.7,",    "\",", "\\\",",
                                         "for=\"\\,",     "for=\",for=10.0.0.9,", "," };
    for (size_t i = 0; i < sizeof lefts / sizeof lefts[0]; i++) {
        struct header headers[LINES], *first = &headers[0];
        struct head longer = { .headers = headers, .count = head->count };
        struct sockaddr_storage again;
        memcpy(headers, head->headers, head->count * sizeof *headers);
        size_t left = strlen(lefts[i]);
        char *value = malloc(left + first->value.len);
        require(value != NULL);
        memcpy(value, lefts[i], left);
        memcpy(value + left, first->value.at, first->value.len);
        first->value = (struct text){ value, left + first->value.len };
        require(find(&longer, trusted, &again) == FORWARDED_client);
        require(memcmp(&again, hop, sizeof again) == 0);
        free(value);
    }
}

static bool is_one_header(const struct head *head) {
    for (unsigned i = 1; i < head->count; i++)
        if (!text_equal(head->headers[i].name, head->headers[0].name))
            return false;
    return head->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct peers *trusted;
    char why[200];
    if (!trusted)
        trusted = peers_parse("10.0.0.0/8, fd00::/8", why, sizeof why);
    require(trusted != NULL);
    struct text rest = { (const char *)bytes, size };
    struct header headers[LINES];
    struct head head = { .headers = headers };
    while (rest.at && head.count < LINES) {
        struct text line = text_cut(&rest, '\n');
        if (line.len)
            headers[head.count++] =
                (struct header){ name_of(line.at[0]),
                                 text_trim((struct text){ line.at + 1, line.len - 1 }) };
    }
    struct sockaddr_storage hop;
    enum forwarded result = find(&head, trusted, &hop);
    if (result == FORWARDED_conflict)
        return 0;
    require(hop.ss_family == AF_INET || hop.ss_family == AF_INET6);
    require(result == FORWARDED_proxy || !peers_include(trusted, (const struct sockaddr *)&hop));
    if (result == FORWARDED_client && is_one_header(&head))
        require_no_spoofing(&head, trusted, &hop);
    return 0;
}

/* A header of the PROXY protocol, as it comes byte by byte, and what comes behind it. */
#include "fuzz.h"

#include "http/proxy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static void require_address(const struct proxy_header *header) {
    sa_family_t family = header->from.ss_family;
    require(header->is_local || family == AF_INET || family == AF_INET6 || family == AF_UNIX);
    require(header->from_size == (header->is_local     ? 0
                                  : family == AF_INET  ? sizeof(struct sockaddr_in)
                                  : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                       : sizeof(struct sockaddr_un)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *at = (const char *)bytes;
    struct proxy_header whole, part;
    enum proxy_result result = proxy_read((struct text){ at, size }, &whole);
    require(result != PROXY_MORE || size < PROXY_HEADER_MAX);
    require(result != PROXY_DONE || (whole.size <= size && whole.size <= PROXY_HEADER_MAX));
    if (result == PROXY_DONE)
        require_address(&whole);
    bool is_decided = false;
    for (size_t i = 0; i < size; i++) {
        enum proxy_result early = proxy_read((struct text){ at, i }, &part);
        require(early == PROXY_MORE ? !is_decided : early == result);
        require(result != PROXY_DONE || (early == PROXY_MORE) == (i < whole.size));
        require(early != PROXY_DONE ||
                (part.size == whole.size && part.is_local == whole.is_local &&
                 memcmp(&part.from, &whole.from, sizeof part.from) == 0));
        is_decided = early != PROXY_MORE;
    }
    return 0;
}

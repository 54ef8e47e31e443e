/* URLs of pictures and webhooks: what our check lets pass, curl must read as we do, or it connects
 * to another host than the one that was judged. */
#include "fuzz.h"

#include "base/text.h"
#include "rules/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

struct place {
    char host[300], port[8];
};

/* RFC 3986 section 3.2, of a URL that passed. */
static struct place our_place(const char *url) {
    struct place place = { .port = "80" };
    if (url[4] == 's' || url[4] == 'S')
        memcpy(place.port, "443", 4);
    const char *authority = strstr(url, "//") + 2;
    size_t len = strcspn(authority, "/?#"), host = len;
    const char *end = memrchr(authority, ']', len);
    const char *colon = memrchr(authority, ':', len);
    if (colon && (!end || colon > end)) {
        host = (size_t)(colon - authority);
        require(len - host - 1 < sizeof place.port);
        memset(place.port, 0, sizeof place.port);
        memcpy(place.port, colon + 1, len - host - 1);
    }
    require(host < sizeof place.host);
    memcpy(place.host, authority, host);
    return place;
}

/* curl writes IP addresses in their usual form, as inet_aton or inet_pton understand ours. */
static bool is_same_host(const char *ours, const char *curls) {
    struct in_addr four, same_four;
    unsigned char six[16], same_six[16];
    char inside[300] = "", same_inside[300] = "";
    if (strcasecmp(ours, curls) == 0)
        return true;
    if (inet_aton(ours, &four) && inet_aton(curls, &same_four))
        return four.s_addr == same_four.s_addr;
    return sscanf(ours, "[%299[^]]]", inside) == 1 &&
           sscanf(curls, "[%299[^]]]", same_inside) == 1 && inet_pton(AF_INET6, inside, six) == 1 &&
           inet_pton(AF_INET6, same_inside, same_six) == 1 &&
           memcmp(six, same_six, sizeof six) == 0;
}

static void compare(const char *url) {
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *user = NULL;
    struct place place = our_place(url);
    require(parts != NULL);
    if (curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK) {
        require(curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
        require(is_same_host(place.host, host));
        require(strtol(place.port, NULL, 10) == strtol(port, NULL, 10));
    }
    curl_free(host);
    curl_free(port);
    curl_free(user);
    curl_url_cleanup(parts);
}

static void try_url(struct text text) {
    char *url = strndup(text.at, text.len);
    require(url != NULL);
    if (url_is_http(text)) {
        require(strlen(url) == text.len);
        compare(url);
    }
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena = { 0 };
    struct text text = { (const char *)bytes, size };
    try_url(text);
    struct text url = url_of_iri(text, &arena);
    require(url.at || !size);
    if (size)
        try_url(url);
    arena_close(&arena);
    return 0;
}

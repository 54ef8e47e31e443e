/* One request to a server of our own, for `rosterd health`. */
#include "fetch/probe.h"

#include <curl/curl.h>
#include <stdio.h>

enum { TIMEOUT_MS = 30 * 1000 };

static size_t drop(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes;
    (void)context;
    return size * count;
}

static bool set_options(CURL *easy, const struct probe_target *target, char *error) {
    return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, target->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, target->unix_path) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HAPROXYPROTOCOL, target->sends_proxy_header ? 1L : 0L) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK;
}

bool probe(const struct probe_target *target, char *why, size_t why_size) {
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (easy && set_options(easy, target, error))
        code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK)
        (void)snprintf(why, why_size, "replied %ld", status);
    else
        (void)snprintf(why, why_size, "%s", *error ? error : curl_easy_strerror(code));
    curl_easy_cleanup(easy);
    return code == CURLE_OK && status == 200;
}

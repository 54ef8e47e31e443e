#ifndef ROSTER_TESTS_FUZZ_EXCHANGE_H
#define ROSTER_TESTS_FUZZ_EXCHANGE_H

/* The functions of an exchange that handlers call, without the HTTP layer. Defines functions: one
 * file of a program includes it. */

#include "fuzz.h"

#include "base/container_of.h"
#include "http/http.h"

#include <netinet/in.h>
#include <semaphore.h>

struct fake {
    struct exchange exchange;
    struct text headers; /* lines */
    struct text query;
    sem_t resumed;
    bool is_suspended;
    const char *token;
};

static const struct fake *fake_of(const struct exchange *exchange) {
    return container_of(exchange, struct fake, exchange);
}

struct text exchange_header(const struct exchange *exchange, const char *name) {
    struct text rest = fake_of(exchange)->headers;
    while (rest.at) {
        struct text value = text_cut(&rest, '\n'), found = text_cut(&value, ':');
        if (text_equal_nocase(found, text_of(name)))
            return arena_text(exchange->arena, text_trim(value));
    }
    if (strcmp(name, "Authorization") == 0 && fake_of(exchange)->token)
        return arena_printf(exchange->arena, "Bearer %s", fake_of(exchange)->token);
    return (struct text){ 0 };
}

struct text exchange_header_list(const struct exchange *exchange, const char *name,
                                 unsigned *count) {
    struct text value = exchange_header(exchange, name);
    *count = value.at != NULL;
    return value;
}

struct text exchange_query(const struct exchange *exchange) {
    return fake_of(exchange)->query;
}

const struct sockaddr *exchange_peer(const struct exchange *exchange) {
    static const struct sockaddr_in loopback = { .sin_family = AF_INET };
    (void)exchange;
    return (const struct sockaddr *)&loopback;
}

bool exchange_is_monitoring(const struct exchange *exchange) {
    (void)exchange;
    return false;
}

bool exchange_is_secure(const struct exchange *exchange) {
    (void)exchange;
    return false;
}

uint64_t exchange_connection(const struct exchange *exchange) {
    (void)exchange;
    return 1;
}

bool exchange_is_head(const struct exchange *exchange) {
    (void)exchange;
    return false;
}

size_t exchange_body_size(const struct exchange *exchange) {
    return exchange->body.len;
}

unsigned listener_connections(const struct listener *listener) {
    (void)listener;
    return 1;
}

void reply_header(struct exchange *exchange, const char *name, const char *value) {
    struct reply *reply = &exchange->reply;
    require(reply->header_count < REPLY_HEADERS_MAX && !strpbrk(value, "\r\n"));
    reply->headers[reply->header_count++] = (struct reply_header){ name, value };
}

void exchange_suspend(struct exchange *exchange) {
    require(exchange->next && !fake_of(exchange)->is_suspended);
    container_of(exchange, struct fake, exchange)->is_suspended = true;
}

void exchange_resume(struct exchange *exchange) {
    require(sem_post(&container_of(exchange, struct fake, exchange)->resumed) == 0);
}

#endif

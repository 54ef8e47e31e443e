/* token_check DIR SECONDS: what it costs to find out who asks, for a token that was seen before:
 * the median of rounds, in nanoseconds. */
#include "auth/auth.h"
#include "auth/token_pair.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ADMINISTRATOR = 100000001, CHECKS = 100000, ROUNDS_MAX = 1000 };

static void check(bool ok, const char *what) {
    if (ok)
        return;
    (void)fprintf(stderr, "token_check: %s\n", what);
    exit(1);
}

struct issuing {
    struct store_command command;
    const struct auth *auth;
    struct token_pair pair;
};

static enum status issue(struct store_tx *tx, struct store_command *command) {
    struct issuing *issuing = container_of(command, struct issuing, command);
    struct token session = token_pair_session(ADMINISTRATOR, TEXT("bench"));
    const struct author by = { TEXT("bench@example.com"), time_now_ms(), { 0 } };
    return token_pair_issue(issuing->auth, tx, &session, &by, &issuing->pair);
}

static double now_ns(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "no clock");
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double one_round(struct token_cache *cache, struct text token) {
    double began = now_ns();
    for (int i = 0; i < CHECKS; i++) {
        struct arena arena = { 0 };
        struct principal principal;
        struct keyed_hash hash;
        check(auth_bearer(cache, token, &arena, &principal, &hash) == STATUS_OK,
              "the token is refused");
        arena_close(&arena);
    }
    return (now_ns() - began) / CHECKS;
}

/* As the first request with the token does. */
static void remember(const struct auth *auth, struct store_session *session,
                     struct token_cache *cache, struct text token) {
    struct arena arena = { 0 };
    struct principal principal;
    struct keyed_hash hash;
    check(auth_bearer(cache, token, &arena, &principal, &hash) == STATUS_NOT_FOUND &&
              auth_decide(auth, session, &arena, &principal) == STATUS_OK,
          "the token is refused");
    token_cache_put(cache, &hash, principal.credential.expires_ms, &principal);
    arena_close(&arena);
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
    char why[256];
    int code, rounds = 0;
    static double took[ROUNDS_MAX];
    check(argc == 3, "usage: token_check DIR SECONDS");
    log_set_level(LOG_LEVEL_error);
    check(crypto_start(), "no random numbers");
    struct store *store =
        store_open(&(struct store_options){ .directory = argv[1] }, why, sizeof why, &code);
    check(store != NULL, why);
    struct auth auth = { .store = store,
                         .token_lifetime_ms = 3600000,
                         .refresh_lifetime_ms = 3600000 };
    struct issuing issuing = { .command = { .on_behalf_of = &store_nobody, .run = issue },
                               .auth = &auth };
    check(store_run(store, &issuing.command) == STATUS_OK, "no token");
    struct store_session *session = store_session_open(store);
    struct token_cache *cache = token_cache_new(&auth);
    check(session && cache, "no memory");
    remember(&auth, session, cache, (struct text){ issuing.pair.access, TOKEN_TEXT_SIZE });
    double until = now_ns() + strtod(argv[2], NULL) * 1e9;
    while (rounds < ROUNDS_MAX && now_ns() < until)
        took[rounds++] = one_round(cache, (struct text){ issuing.pair.access, TOKEN_TEXT_SIZE });
    qsort(took, (size_t)rounds, sizeof *took, compare);
    (void)printf("%.0f\n", took[rounds / 2]);
    token_cache_free(cache);
    store_session_close(session);
    store_close(store);
    return 0;
}

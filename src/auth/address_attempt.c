#include "auth/address_attempt.h"

#include "base/container_of.h"
#include "base/network.h"
#include "base/time.h"

#include <netinet/in.h>
#include <stdlib.h>

/* The database has a hash under the key, so no address can be read there. */
static struct token_hash hash_of(const struct auth *auth, const struct in6_addr *address) {
    static const char purpose[] = "sign-in attempts";
    char bytes[sizeof purpose + sizeof *address];
    memcpy(bytes, purpose, sizeof purpose);
    memcpy(bytes + sizeof purpose, address, sizeof *address);
    return seal_mac(auth->key, (struct text){ bytes, sizeof bytes });
}

struct address_attempt address_attempt(const struct auth *auth, const struct sockaddr *from) {
    struct address_attempt attempt = { .where = ATTEMPT_NOT_COUNTED, .from = from };
    struct in6_addr key;
    if (!auth->throttle || !network_key_of(from, &key))
        return attempt;
    attempt.where = ATTEMPT_IN_MEMORY;
    if (!store_counts_attempts(auth->store))
        return attempt;
    const struct login_limit limit = login_throttle_limit(auth->throttle);
    attempt.where = limit.failures ? ATTEMPT_IN_STORE : ATTEMPT_NOT_COUNTED;
    attempt.stored = (struct store_attempt){ .client = hash_of(auth, &key),
                                             .limit = limit.failures,
                                             .period_ms = limit.period_ms };
    return attempt;
}

int64_t address_attempt_begin(const struct auth *auth, const struct address_attempt *attempt) {
    if (attempt->where != ATTEMPT_IN_MEMORY)
        return 0;
    return login_throttle_begin(auth->throttle, attempt->from, time_monotonic_ms());
}

void address_attempt_end(const struct auth *auth, const struct address_attempt *attempt,
                         bool has_failed) {
    if (attempt->where == ATTEMPT_IN_MEMORY)
        login_throttle_end(auth->throttle, attempt->from, has_failed, time_monotonic_ms());
}

/* ---- Giving back ---- */

struct giving {
    struct store_command command;
    struct store_attempt attempt;
};

static enum status give(struct store_tx *tx, struct store_command *command) {
    return store_end_attempt(tx, &container_of(command, struct giving, command)->attempt, false);
}

static void given(struct store_command *command) {
    free(container_of(command, struct giving, command));
}

void address_attempt_give_back(const struct auth *auth, const struct address_attempt *attempt) {
    struct giving *giving = malloc(sizeof *giving);
    if (!giving)
        return;
    *giving = (struct giving){
        .command = { .on_behalf_of = &store_nobody, .run = give, .done = given },
        .attempt = attempt->stored,
    };
    if (store_submit(auth->store, &giving->command) != STATUS_OK)
        given(&giving->command);
}

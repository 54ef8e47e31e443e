#ifndef ROSTER_AUTH_ADDRESS_ATTEMPT_H
#define ROSTER_AUTH_ADDRESS_ATTEMPT_H

#include "auth/auth.h"

/**
 * An attempt of a client's address to sign in, as --address-attempts limits them: counted by the
 * store where several processes may have the database open, otherwise in the login throttle.
 */
struct address_attempt {
    enum { ATTEMPT_NOT_COUNTED, ATTEMPT_IN_MEMORY, ATTEMPT_IN_STORE } where;
    const struct sockaddr *from;
    struct store_attempt stored; /* with ATTEMPT_IN_STORE */
};

/**
 * Decides where the attempt counts. With ATTEMPT_IN_STORE it begins and ends by store_begin_attempt
 * and store_end_attempt, otherwise by the next two functions. `from` is kept. Any thread.
 */
struct address_attempt address_attempt(const struct auth *auth, const struct sockaddr *from);

/** As login_throttle_begin and login_throttle_end. Nothing if the attempt is not in memory. */
int64_t address_attempt_begin(const struct auth *auth,
                              const struct address_attempt *attempt) MUST_CHECK;
void address_attempt_end(const struct auth *auth, const struct address_attempt *attempt,
                         bool has_failed);

/**
 * Ends an attempt in the store that has not failed, in a transaction of its own, and does not wait
 * for it. If the store cannot do it, the attempt counts until the end of its period. Any thread.
 */
void address_attempt_give_back(const struct auth *auth, const struct address_attempt *attempt);

#endif

#ifndef ROSTER_AUTH_SIGN_IN_H
#define ROSTER_AUTH_SIGN_IN_H

#include "auth/address_attempt.h"
#include "auth/token_pair.h"

enum sign_in_result {
    SIGN_IN_OK,
    SIGN_IN_WRONG,      /* unknown, wrong, locked or not admitted; clients cannot tell which */
    SIGN_IN_TWO_FACTOR, /* the password is right, the code is missing or wrong */
    SIGN_IN_MUST_RESET, /* right, but a new password is due: `access` is a reset token */
    SIGN_IN_BUSY,
    SIGN_IN_BROKEN,
};
_Static_assert(SIGN_IN_LOCKED == SIGN_IN_BROKEN + 1, "sign_in_counts has a place for each");

/**
 * Checks an e-mail address and a password, with everything that belongs to it: lock-out, TOTP,
 * counters, tokens. Takes as long for an unknown user as for a known one. The caller owns it, and
 * must keep it and what its texts point to until `done` is called.
 */
struct sign_in {
    /* in */
    const struct auth *auth;
    struct arena *arena;
    struct authority *on_behalf_of; /* the caller who asks; store_nobody: the one who signs in */
    struct log_origin origin;       /* the client, who is counted, logged and kept */
    struct text email, password;
    struct text totp;      /* empty: none given */
    struct text client_id; /* for the tokens; empty: the user's Email */
    bool wants_tokens; /* false (Basic): only the principal; a second factor or a due reset is then
                          a refusal */
    void (*done)(struct sign_in *sign_in); /* once, on any thread */
    void *owner;
    /* out */
    enum sign_in_result result; /* BUSY and BROKEN: see sign_in_failure */
    int64_t wait_s; /* with BUSY: the seconds that the client's address has to wait; 0: others have
                       filled a queue */
    struct token_pair pair;
    struct principal principal; /* the result without wants_tokens */
    /* internal */
    struct password_job job;
    struct store_command command;
    struct address_attempt attempt;
    bool attempt_ends;      /* the command ends the attempt, if it is kept */
    int64_t user_id;        /* 0: no user has this address */
    struct text first_hash; /* hash to compare with first */
    bool began_locked, met_lock;
    struct text other_hash; /* hash to compare with next; `at` NULL: none */
    unsigned comparisons;
    bool has_wrong_code;
    enum sign_in_event refusal; /* the true reason, if it is not SIGN_IN_OK */
    bool has_locked;            /* this failure has locked the account */
};

/**
 * Starts the sign-in, unless the client's address has to wait (`wait_s`); that refusal is logged.
 * `done` may be called before this returns. The thread of `session`.
 */
void sign_in_start(struct sign_in *sign_in, struct store_session *session);

/**
 * Why a sign-in ended as SIGN_IN_BUSY (TOO_MANY) or SIGN_IN_BROKEN: UNAVAILABLE, the database
 * cannot be reached; INTERNAL. A sign-in whose commit nobody heard of is UNAVAILABLE too, since it
 * can be tried again in any case. After `done`, any thread.
 */
enum status sign_in_failure(const struct sign_in *sign_in);

#endif

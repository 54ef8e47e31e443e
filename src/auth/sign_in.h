#ifndef ROSTER_AUTH_SIGN_IN_H
#define ROSTER_AUTH_SIGN_IN_H

#include "auth/grant.h"

enum sign_in_result {
    SIGN_IN_OK,
    SIGN_IN_WRONG,      /* unknown, wrong, locked, not admitted: the same to the client */
    SIGN_IN_TWO_FACTOR, /* the password is right, the one-time password is missing or wrong */
    SIGN_IN_MUST_RESET, /* right, but a new password must be set: `access` is a reset token */
    SIGN_IN_BUSY,
    SIGN_IN_BROKEN,
};
_Static_assert(SIGN_IN_LOCKED == SIGN_IN_BROKEN + 1, "sign_in_counts has a place for each");

/**
 * A check of an e-mail address and password, with all that goes with it: the pool, lock-out, TOTP,
 * counters, tokens. Takes as long for an unknown user as for a known one. The caller keeps it, and
 * what its texts point to, until `done` was called.
 */
struct sign_in {
    /* in */
    const struct auth *auth;
    struct arena *arena;
    struct authority *on_behalf_of; /* who asks; store_nobody: who signs in */
    const struct sockaddr *from;    /* of the client; NULL: not known */
    struct text email, password;
    struct text totp;      /* empty: none was given */
    struct text client_id; /* for the tokens; empty: the user's Email */
    bool wants_tokens;     /* false: only who it is (Basic); then 2FA and a due reset refuse */
    void (*done)(struct sign_in *sign_in); /* on any thread, once */
    void *owner;
    /* out */
    enum sign_in_result result;
    struct grant grant;
    struct principal principal; /* by the password; not where tokens are wanted */
    /* the machinery's own */
    struct password_job job;
    struct store_command command;
    int64_t user_id;        /* 0: nobody has this address */
    struct text first_hash; /* to compare with first */
    bool began_locked, met_lock;
    struct text other_hash; /* to compare with next; `at` NULL: none */
    unsigned comparisons;
    bool has_wrong_code;
    enum sign_in_event refusal; /* where it is not SIGN_IN_OK: the true reason */
    bool has_locked;            /* it was one failure too many */
};

/**
 * Asks the throttle whether the client's address may try to sign in. 0: it may, and sign_in_start
 * must follow, which ends what begins here. Else the seconds that the address has to wait; the
 * refusal is logged, and there is no sign-in to start. On any thread.
 */
int64_t sign_in_admit(struct sign_in *sign_in) MUST_CHECK;

/** Starts it, on the thread of `session`; `done` may be called before this returns. */
void sign_in_start(struct sign_in *sign_in, struct store_view *session);

#endif

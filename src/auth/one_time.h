#ifndef ROSTER_AUTH_ONE_TIME_H
#define ROSTER_AUTH_ONE_TIME_H

#include "auth/grant.h"

/**
 * A one-time sign-in token: a JWT (RFC 7519) signed with HS256, so that clients who look into it
 * find what the service puts there, good for one exchange. Kept like every token: as a hash, in the
 * store.
 */
struct one_time {
    struct store_command command; /* first */
    /* in */
    const struct auth *auth;
    struct arena *arena;
    int64_t user_id;
    int64_t lifetime_ms;
    const struct principal *caller; /* the user, or an unrestricted administrator */
    /* out */
    struct text token; /* in clear */
};

/**
 * A command's `run`: makes a token for the user, which ends with the caller's credential at the
 * latest. STATUS_FORBIDDEN (the caller is somebody else and no administrator), NOT_FOUND,
 * CONFLICT (the user is not admitted, or must set a new password first), BROKEN.
 */
enum status one_time_issue(struct store_view *tx, struct store_command *command);

/** A one-time token on its way to a pair of tokens, which are of its family and end when it says.
 */
struct one_time_exchange {
    struct store_command command; /* first */
    const struct auth *auth;      /* its token lifetime is the one wanted */
    struct arena *arena;
    struct text token;
    int64_t
        session_ms; /* how long all that comes of it may last; TOKEN_ENDLESS: as long as it likes */
    struct grant grant;
};

/** A command's `run`. STATUS_UNAUTHENTICATED: unknown, used, expired, or the user is not admitted.
 */
enum status one_time_trade(struct store_view *tx, struct store_command *command);

#endif

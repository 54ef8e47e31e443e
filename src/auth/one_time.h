#ifndef ROSTER_AUTH_ONE_TIME_H
#define ROSTER_AUTH_ONE_TIME_H

#include "auth/token_pair.h"

/**
 * Issues a one-time sign-in token: a JWT (RFC 7519) signed with HS256, since clients may look into
 * it for the claims of the hosted service. It is good for one exchange and stored as a hash, like
 * every token.
 */
struct one_time {
    struct store_command command;
    /* in */
    const struct auth *auth;
    struct arena *arena;
    int64_t user_id;
    int64_t lifetime_ms;
    const struct principal *caller; /* must be the user or an unrestricted administrator */
    struct text request_id;         /* for the audit row */
    /* out */
    struct text token; /* in clear text */
};

/**
 * The `run` of a command: issues a token for the user, which ends with the caller's credential at
 * the latest. STATUS_FORBIDDEN: the caller is another user and no administrator. NOT_FOUND.
 * CONFLICT: the user is not admitted or must set a new password first. INTERNAL. The writer's
 * thread.
 */
enum status one_time_issue(struct store_tx *tx, struct store_command *command);

/**
 * Exchanges a one-time token for a pair of tokens, which belong to its family and end when it says.
 */
struct one_time_exchange {
    struct store_command command;
    const struct auth *auth; /* with the token lifetime that the caller asked for */
    struct arena *arena;
    struct text token;
    struct log_origin origin; /* the client, for the session and the audit row */
    int64_t session_ms;       /* limit for the whole session; TOKEN_ENDLESS: none */
    struct token_pair pair;
};

/**
 * The `run` of a command. STATUS_UNAUTHENTICATED: the token is unknown, used or expired, or the
 * user is not admitted. The writer's thread.
 */
enum status one_time_trade(struct store_tx *tx, struct store_command *command);

#endif

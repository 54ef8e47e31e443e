#ifndef ROSTER_AUTH_TOKEN_PAIR_H
#define ROSTER_AUTH_TOKEN_PAIR_H

#include "auth/auth.h"

/** A new pair of tokens in clear text, for the client only. Not NUL-terminated. */
struct token_pair {
    char access[TOKEN_TEXT_SIZE];
    char refresh[TOKEN_TEXT_SIZE];
    int64_t lifetime_ms; /* lifetime of the access token */
};

/** The fields that all tokens of a new sign-in share: a new family, and no end. */
struct token token_pair_session(int64_t user_id, struct text client_id);

/**
 * The fields of a token that a caller makes for a user. The token ends with the caller's credential
 * at the latest. If the caller came with a token and makes one for themselves, it is of the same
 * family. Otherwise it gets a new family that depends on the caller's family or password.
 */
struct token token_pair_derived(const struct principal *maker, int64_t user_id);

/** When a token of the session expires that may last `lifetime_ms`. */
int64_t token_pair_expiry(const struct token *session, int64_t now_ms, int64_t lifetime_ms);

/**
 * Issues an access and a refresh token to a client of a user, and revokes the client's refresh
 * tokens so far. The user, the client with its address, the family with its parent, and the end are
 * those of `session`, which is a new session or a token of one. A client that is new to the user
 * gets an audit row by `by`, the user. `pair` gets the tokens in clear text. Inside a transaction,
 * on the writer's thread.
 */
enum status token_pair_issue(const struct auth *auth, struct store_tx *tx,
                             const struct token *session, const struct author *by,
                             struct token_pair *pair) MUST_CHECK;

/**
 * Room for the reply with the tokens, to be reserved before the commit. Once a spent token is
 * committed the reply must be possible, or the client has no valid token left.
 */
enum { TOKEN_PAIR_REPLY_MAX = 4096 };

/** Issues one token of the kind in `token`; `out` gets its 43 characters. The writer's thread. */
enum status token_pair_issue_one(struct store_tx *tx, struct token *token,
                                 char out[TOKEN_TEXT_SIZE]) MUST_CHECK;

/**
 * The refresh grant (RFC 6749 section 6) with rotation: a refresh token works once. If its client
 * uses it again within 10 s, it gets the same pair again. Later, or from another client, the token
 * counts as stolen, and its family ends. The caller owns this, and must keep it until `done` is
 * called.
 */
struct refresh {
    struct store_command command;
    /* in */
    const struct auth *auth;
    struct arena *arena;
    struct text token;
    struct text client_id;                 /* `at` NULL: the client of the token */
    struct log_origin origin;              /* the client, who is logged and kept */
    void (*done)(struct refresh *refresh); /* on the writer's thread */
    void *owner;
    /* out; STATUS_OK, UNAUTHENTICATED (invalid_grant), INTERNAL */
    enum status result;
    struct token_pair pair;
    int64_t ended_user_id;       /* the user whose family was ended; 0: none was */
    enum sign_in_event ended_by; /* why it was ended */
};

enum status refresh_start(struct refresh *refresh) MUST_CHECK;

#endif

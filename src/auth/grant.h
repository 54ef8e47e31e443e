#ifndef ROSTER_AUTH_GRANT_H
#define ROSTER_AUTH_GRANT_H

#include "auth/auth.h"

/** A new pair of tokens, in clear: for the client alone. No NUL. */
struct grant {
    char access[TOKEN_TEXT_SIZE];
    char refresh[TOKEN_TEXT_SIZE];
    int64_t lifetime_ms; /* of the access token */
};

/** What the tokens of a new sign-in have in common: a family of their own, and no end. */
struct token grant_session(int64_t user_id, struct text client_id);

/**
 * What a token has that a caller makes for a user: it ends with what let the caller in, and no
 * later. For himself it is of the same family, for somebody else of a family that rests on his;
 * what a password makes rests on that password.
 */
struct token grant_derived(const struct principal *maker, int64_t user_id);

/** When a token of a session expires that is to last so long. */
int64_t grant_expiry(const struct token *session, int64_t now_ms, int64_t lifetime_ms);

/**
 * Issues an access and a refresh token to a client of a user, inside a transaction; the client's
 * refresh tokens so far go. Of `session`, a new one or a token of it, they take the user, the
 * client, the family with its parent, and the end. A client that is new to the user, whose address
 * is `email`, has an audit row. `grant` gets the tokens in clear.
 */
enum status grant_issue(const struct auth *auth, struct store_view *tx, const struct token *session,
                        struct text email, struct grant *grant) MUST_CHECK;

/**
 * Room for the reply that hands a grant out. To be reserved before the commit: what is committed
 * has to be said, or the client is left with a spent token.
 */
enum { GRANT_REPLY_MAX = 4096 };

/** Issues one token of a kind, 43 characters to `out`. */
enum status grant_token(struct store_view *tx, struct token *token,
                        char out[TOKEN_TEXT_SIZE]) MUST_CHECK;

/**
 * The refresh grant (RFC 6749 section 6) with rotation: a refresh token works once. Used again by
 * its client within 10 s of that it gives the same pair again; later, or by another client, it was
 * stolen, and takes its family with it.
 */
struct refresh {
    struct store_command command; /* first */
    /* in */
    const struct auth *auth;
    struct arena *arena;
    struct text token;
    struct text client_id;                 /* `at` NULL: the one that the token was issued to */
    const struct sockaddr *from;           /* of the client; NULL: not known */
    void (*done)(struct refresh *refresh); /* on the writer's thread */
    void *owner;
    /* out; STATUS_OK, UNAUTHENTICATED (invalid_grant), BROKEN */
    enum status result;
    struct grant grant;
    int64_t ended_user_id;       /* whose family was ended; 0: nobody's */
    enum sign_in_event ended_by; /* and why */
};

enum status refresh_start(struct refresh *refresh) MUST_CHECK;

#endif

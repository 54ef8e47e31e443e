/* Issues tokens, and exchanges a refresh token for a new pair. */
#include "auth/token_pair.h"

#include "base/container_of.h"
#include "base/network.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/tables.h"

#include <stdio.h>

/* How long after its first use a refresh token gives the same pair again: two tabs may refresh at
 * once, and a reply may be lost. */
enum { SAME_PAIR_MS = 10 * 1000, HOUR_MS = 60 * 60 * 1000 };

/* How many refresh tokens of a family may be spent before the family ends: one every five minutes
 * for 15 days. Spent tokens are never forgotten while the family lives; otherwise a thief could
 * refresh until the stolen one is forgotten. */
enum { SPENT_MAX = 5000 };

static enum status keep(struct store_tx *tx, struct token *token,
                        const char text[TOKEN_TEXT_SIZE]) {
    token->hash = token_hash((struct text){ text, TOKEN_TEXT_SIZE });
    return store_add_token(tx, token);
}

enum status token_pair_issue_one(struct store_tx *tx, struct token *token,
                                 char out[TOKEN_TEXT_SIZE]) {
    token_generate(out);
    return keep(tx, token, out);
}

struct token token_pair_session(int64_t user_id, struct text client_id) {
    return (struct token){ .user_id = user_id,
                           .client_id = client_id,
                           .family = token_family(),
                           .ends_ms = TOKEN_ENDLESS };
}

struct token token_pair_derived(const struct principal *maker, int64_t user_id) {
    const struct credential *by = &maker->credential;
    struct token token = token_pair_session(user_id, TEXT(""));
    bool is_own = by->kind != CREDENTIAL_password && maker->user_id == user_id;
    token.family = is_own ? by->family : token.family;
    token.parent = is_own ? by->parent : by->family;
    token.ends_ms = by->expires_ms;
    return token;
}

int64_t token_pair_expiry(const struct token *session, int64_t now_ms, int64_t lifetime_ms) {
    int64_t expires_ms;
    bool is_endless = __builtin_add_overflow(now_ms, lifetime_ms, &expires_ms);
    return is_endless || expires_ms > session->ends_ms ? session->ends_ms : expires_ms;
}

/* Stores the pair in `pair`. The session is not over at `now_ms`: the caller has asked that very
 * reading of the clock, which may have jumped since. */
static enum status keep_pair(const struct auth *auth, struct store_tx *tx,
                             const struct token *session, int64_t now_ms, struct token_pair *pair) {
    struct token token = *session;
    token.kind = TOKEN_ACCESS;
    token.issued_ms = now_ms;
    token.expires_ms = token_pair_expiry(session, token.issued_ms, auth->token_lifetime_ms);
    pair->lifetime_ms = token.expires_ms - token.issued_ms;
    enum status status =
        store_revoke_client(tx, session->user_id, session->client_id, TOKEN_REFRESH);
    if (status == STATUS_OK)
        status = keep(tx, &token, pair->access);
    token.kind = TOKEN_REFRESH;
    token.expires_ms = token_pair_expiry(session, token.issued_ms, auth->refresh_lifetime_ms);
    if (status == STATUS_OK)
        status = keep(tx, &token, pair->refresh);
    return status;
}

/* Audits a client that is new to the user. A caller with another client name at each sign-in must
 * not fill the disk, so above a number of sessions in an hour no more rows are written. The kinds
 * are bits. */
static enum status audit_client(struct store_tx *tx, const struct token *session,
                                const struct author *by) {
    enum { OF_CLIENTS = 1 << TOKEN_ACCESS | 1 << TOKEN_REFRESH | 1 << TOKEN_SPENT };
    enum status status = store_is_new_client(tx, session, OF_CLIENTS, by->now_ms - HOUR_MS);
    if (status == STATUS_OK)
        status = store_audit_tokens(tx, session->user_id, TEXT("SignIn"), session->client_id, by);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status token_pair_issue(const struct auth *auth, struct store_tx *tx,
                             const struct token *session, const struct author *by,
                             struct token_pair *pair) {
    token_generate(pair->access);
    token_generate(pair->refresh);
    struct token begun = *session;
    begun.signed_in_ms = by->now_ms;
    enum status status = audit_client(tx, session, by);
    return status == STATUS_OK ? keep_pair(auth, tx, &begun, by->now_ms, pair) : status;
}

/* Derives a token of the pair that follows a refresh token. Without the server's key it is as good
 * as random; every process with the key derives the same. So the pair can be given again without
 * storing it in clear text. */
static void follow(const struct seal_key *key, struct text spent, enum token_kind kind,
                   char out[TOKEN_TEXT_SIZE]) {
    char text[64 + TOKEN_TEXT_SIZE];
    int len = snprintf(text, sizeof text, "token %d that follows %.*s", (int)kind,
                       (int)TOKEN_TEXT_SIZE, spent.at);
    struct token_hash bits = seal_mac(key, (struct text){ text, (size_t)len });
    token_write(&bits, out);
    secret_wipe(&bits, sizeof bits);
    secret_wipe(text, sizeof text);
}

static void follow_with_pair(struct refresh *refresh) {
    const struct seal_key *key = refresh->auth->key;
    follow(key, refresh->token, TOKEN_ACCESS, refresh->pair.access);
    follow(key, refresh->token, TOKEN_REFRESH, refresh->pair.refresh);
}

static enum status find(struct store_tx *tx, const char text[TOKEN_TEXT_SIZE], struct arena *arena,
                        struct token *token) {
    struct token_hash hash = token_hash((struct text){ text, TOKEN_TEXT_SIZE });
    return store_token(tx->session, &hash, arena, token);
}

static bool is_of_client(const struct refresh *refresh, const struct token *token) {
    return !refresh->client_id.at || text_equal(refresh->client_id, token->client_id);
}

/* UNAUTHENTICATED if the user of the token is not admitted any more. */
static enum status check_user(const struct refresh *refresh, struct store_tx *tx,
                              const struct token *token) {
    struct record user;
    enum status status =
        store_load(tx->session, &user_table, token->user_id, refresh->arena, &user);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    bool is_admitted = status == STATUS_OK && auth_is_admitted(&user) &&
                       !value_is_true(&user.values[USER_MustResetPassword]);
    return is_admitted ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

/* Sets the remaining lifetime of the pair's access token; 0 if that has expired, which the refresh
 * token may outlive. */
static enum status find_lifetime(struct refresh *refresh, struct store_tx *tx, int64_t now_ms) {
    struct token access;
    enum status status = find(tx, refresh->pair.access, refresh->arena, &access);
    refresh->pair.lifetime_ms = 0;
    if (status == STATUS_OK && access.expires_ms > now_ms)
        refresh->pair.lifetime_ms = access.expires_ms - now_ms +
                                    999; /* rounded up, so that it is unchanged right after issue */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A spent token came again: finds the pair that it was exchanged for. NOT_FOUND: its first use was
 * too long ago, it comes from another client, or the pair is gone. The pair was issued at the first
 * use. The clocks of two machines may differ a little, so a small negative age is accepted. */
static enum status find_pair(struct refresh *refresh, struct store_tx *tx,
                             const struct token *spent) {
    struct token next;
    follow_with_pair(refresh);
    int64_t now_ms = time_now_ms();
    enum status status = find(tx, refresh->pair.refresh, refresh->arena, &next);
    if (status != STATUS_OK)
        return status;
    int64_t since_ms = now_ms - next.issued_ms;
    if (!is_of_client(refresh, spent) || since_ms > SAME_PAIR_MS || since_ms < -SAME_PAIR_MS)
        return STATUS_NOT_FOUND;
    return find_lifetime(refresh, tx, now_ms);
}

static enum status end_family(struct refresh *refresh, struct store_tx *tx,
                              const struct token *token, enum sign_in_event why) {
    const struct author nobody = { TEXT("unknown"), time_now_ms(),
                                   text_of(refresh->origin.request) };
    bool is_stolen = why == SIGN_IN_EVENT_reused;
    enum status status = store_end_family(tx, token->family);
    if (status == STATUS_OK)
        status =
            store_audit_tokens(tx, token->user_id, TEXT("RefreshTokens"),
                               is_stolen ? TEXT("used again") : TEXT("used too often"), &nobody);
    refresh->ended_user_id = token->user_id;
    refresh->ended_by = why;
    return status;
}

static enum status decide_again(struct refresh *refresh, struct store_tx *tx,
                                const struct token *spent) {
    enum status status = find_pair(refresh, tx, spent);
    if (status == STATUS_NOT_FOUND)
        return end_family(refresh, tx, spent, SIGN_IN_EVENT_reused);
    if (status == STATUS_OK)
        status = check_user(refresh, tx, spent);
    if (status == STATUS_OK)
        refresh->result = STATUS_OK;
    return status == STATUS_UNAUTHENTICATED ? STATUS_OK : status;
}

/* Replaces the token by the pair that follows it, for the client where it is now. */
static enum status renew(struct refresh *refresh, struct store_tx *tx, const struct token *token,
                         int64_t now_ms) {
    struct token session = *token;
    session.client_address = network_address(refresh->origin.from, refresh->arena);
    follow_with_pair(refresh);
    enum status status = store_spend_token(tx, &token->hash);
    return status == STATUS_OK ? keep_pair(refresh->auth, tx, &session, now_ms, &refresh->pair)
                               : status;
}

static enum status trade(struct refresh *refresh, struct store_tx *tx, const struct token *token) {
    const int64_t now_ms = time_now_ms();
    if (token->kind != TOKEN_REFRESH || !token_is_current(token, now_ms) ||
        !is_of_client(refresh, token))
        return STATUS_OK;
    enum status status = check_user(refresh, tx, token);
    if (status != STATUS_OK)
        return status == STATUS_UNAUTHENTICATED ? STATUS_OK : status;
    status = store_has_spent(tx, token->family, SPENT_MAX);
    if (status == STATUS_OK)
        return end_family(refresh, tx, token, SIGN_IN_EVENT_worn);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = renew(refresh, tx, token, now_ms);
    if (status == STATUS_OK)
        refresh->result = STATUS_OK;
    return status;
}

static enum status decide_refresh(struct refresh *refresh, struct store_tx *tx) {
    struct token token;
    struct token_hash hash = token_hash(refresh->token);
    refresh->result = STATUS_UNAUTHENTICATED;
    refresh->ended_user_id = 0; /* this may be the second run */
    enum status status = store_token(tx->session, &hash, refresh->arena, &token);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    token.hash = hash;
    return token.kind == TOKEN_SPENT ? decide_again(refresh, tx, &token)
                                     : trade(refresh, tx, &token);
}

static enum status run_refresh(struct store_tx *tx, struct store_command *command) {
    struct refresh *refresh = container_of(command, struct refresh, command);
    enum status status = decide_refresh(refresh, tx);
    bool can_reply = !refresh->arena->failed && arena_reserve(refresh->arena, TOKEN_PAIR_REPLY_MAX);
    return can_reply ? status : STATUS_INTERNAL;
}

static void finish_refresh(struct store_command *command) {
    struct refresh *refresh = container_of(command, struct refresh, command);
    if (command->status != STATUS_OK)
        refresh->result = command->status;
    else if (refresh->ended_user_id)
        sign_in_log_add(refresh->auth->log, refresh->ended_by, refresh->ended_user_id,
                        &refresh->origin);
    refresh->done(refresh);
}

enum status refresh_start(struct refresh *refresh) {
    refresh->command.on_behalf_of = &store_nobody;
    refresh->command.run = run_refresh;
    refresh->command.done = finish_refresh;
    return store_submit(refresh->auth->store, &refresh->command);
}

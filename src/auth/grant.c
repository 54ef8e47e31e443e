/* Handing tokens out, and trading a refresh token for a new pair. */
#include "auth/grant.h"

#include "base/time.h"
#include "model/tables.h"

enum status grant_token(struct store_view *tx, struct token *token, char out[TOKEN_TEXT_SIZE]) {
    token_generate(out);
    token->hash = token_hash((struct text){ out, TOKEN_TEXT_SIZE });
    return store_add_token(tx, token);
}

struct token grant_session(int64_t user_id, struct text client_id) {
    return (struct token){ .user_id = user_id,
                           .client_id = client_id,
                           .family = token_family(),
                           .ends_ms = TOKEN_ENDLESS };
}

struct token grant_derived(const struct principal *maker, int64_t user_id) {
    const struct credential *by = &maker->credential;
    struct token token = grant_session(user_id, TEXT(""));
    bool is_own = by->kind != CREDENTIAL_password && maker->user_id == user_id;
    token.family = is_own ? by->family : token.family;
    token.parent = is_own ? by->parent : by->family;
    token.ends_ms = by->expires_ms;
    return token;
}

int64_t grant_expiry(const struct token *session, int64_t now_ms, int64_t lifetime_ms) {
    int64_t left_ms = session->ends_ms - now_ms;
    return lifetime_ms < left_ms ? now_ms + lifetime_ms : session->ends_ms;
}

enum status grant_issue(const struct auth *auth, struct store_view *tx, const struct token *session,
                        struct grant *grant) {
    struct token token = *session;
    token.kind = TOKEN_ACCESS;
    token.issued_ms = time_now_ms();
    token.expires_ms = grant_expiry(session, token.issued_ms, auth->token_lifetime_ms);
    grant->lifetime_ms = token.expires_ms - token.issued_ms;
    enum status status =
        store_revoke_client(tx, session->user_id, session->client_id, TOKEN_REFRESH);
    if (status == STATUS_OK)
        status = grant_token(tx, &token, grant->access);
    token.kind = TOKEN_REFRESH;
    token.expires_ms = grant_expiry(session, token.issued_ms, auth->refresh_lifetime_ms);
    if (status == STATUS_OK)
        status = grant_token(tx, &token, grant->refresh);
    return status;
}

/* May this token be traded in by this client? UNAUTHENTICATED: no, and nothing happens. */
static enum status judge(const struct refresh *refresh, struct store_view *tx,
                         const struct token *token) {
    struct record user;
    bool is_other_client =
        refresh->client_id.at && !text_equal(refresh->client_id, token->client_id);
    if (token->kind != TOKEN_REFRESH || !token_is_current(token, time_now_ms()) || is_other_client)
        return STATUS_UNAUTHENTICATED;
    enum status status = store_load(tx, &user_table, token->user_id, refresh->arena, &user);
    if (status == STATUS_BROKEN)
        return status;
    bool is_admitted = status == STATUS_OK && auth_is_admitted(&user) &&
                       !value_is_true(&user.values[USER_MustResetPassword]);
    return is_admitted ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

static enum status decide_refresh(struct refresh *refresh, struct store_view *tx) {
    struct token token;
    struct token_hash hash = token_hash(refresh->token);
    refresh->result = STATUS_UNAUTHENTICATED;
    enum status status = store_token(tx, &hash, refresh->arena, &token);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (token.kind == TOKEN_SPENT)
        return store_end_family(tx, token.family);
    status = judge(refresh, tx, &token);
    if (status != STATUS_OK)
        return status == STATUS_UNAUTHENTICATED ? STATUS_OK : status;
    status = store_spend_token(tx, &hash);
    if (status == STATUS_OK)
        status = grant_issue(refresh->auth, tx, &token, &refresh->grant);
    if (status == STATUS_OK)
        refresh->result = STATUS_OK;
    return status;
}

static enum status run_refresh(struct store_view *tx, struct store_command *command) {
    struct refresh *refresh = (struct refresh *)command;
    enum status status = decide_refresh(refresh, tx);
    bool can_reply = !refresh->arena->failed && arena_reserve(refresh->arena, GRANT_REPLY_MAX);
    return can_reply ? status : STATUS_BROKEN;
}

static void finish_refresh(struct store_command *command) {
    struct refresh *refresh = (struct refresh *)command;
    if (command->status != STATUS_OK)
        refresh->result = STATUS_BROKEN;
    refresh->done(refresh);
}

enum status refresh_start(struct refresh *refresh) {
    refresh->command.on_behalf_of = &store_nobody;
    refresh->command.run = run_refresh;
    refresh->command.done = finish_refresh;
    return store_submit(refresh->auth->store, &refresh->command);
}

/* One-time sign-in tokens (docs/contract.md section 6.6). */
#include "auth/one_time.h"

#include "base/buffer.h"
#include "base/container_of.h"
#include "base/network.h"
#include "base/time.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "json/json.h"
#include "model/tables.h"

/* The claims of the JWT. The random id makes each token unique. */
static struct text make_claims(const struct one_time *one_time, const struct record *user,
                               const struct token *kept) {
    char id[TOKEN_TEXT_SIZE];
    struct buffer claims;
    token_generate(id);
    buffer_init(&claims, one_time->arena, 256);
    buffer_add(&claims, TEXT("{\"email\":"));
    json_add_string(&claims, value_as_text(&user->values[USER_Email]));
    buffer_printf(&claims,
                  ",\"iss\":\"self\",\"aud\":\"roster\",\"nbf\":%lld,\"exp\":%lld,\"jti\":\"",
                  (long long)(kept->issued_ms / 1000), (long long)(kept->expires_ms / 1000));
    buffer_add(&claims, (struct text){ id, sizeof id });
    buffer_add(&claims, TEXT("\"}"));
    if (claims.failed)
        return (struct text){ 0 };
    return buffer_text(&claims);
}

static struct text sign(const struct one_time *one_time, struct text claims) {
    struct arena *arena = one_time->arena;
    struct token_hash key = seal_mac(one_time->auth->key, TEXT("one-time tokens"));
    unsigned char mac[HMAC_SIZE];
    struct buffer token;
    struct text header = base64url_encode(TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), arena);
    struct text payload = base64url_encode(claims, arena);
    buffer_init(&token, arena, header.len + payload.len + 64);
    buffer_add(&token, header);
    buffer_add_char(&token, '.');
    buffer_add(&token, payload);
    hmac_sha256((struct text){ (const char *)key.bytes, sizeof key.bytes }, buffer_text(&token),
                mac);
    struct text signature = base64url_encode((struct text){ (const char *)mac, sizeof mac }, arena);
    buffer_add_char(&token, '.');
    buffer_add(&token, signature);
    if (!header.at || !payload.at || !signature.at || token.failed)
        return (struct text){ 0 };
    return buffer_text(&token);
}

/* May the caller have a token for this user? A one-time token needs neither password nor code. So
 * there is none for users who must set a new password, and only unrestricted administrators get one
 * for another user. */
static enum status check_user(const struct one_time *one_time, struct store_tx *tx,
                              struct record *user) {
    const struct principal *caller = one_time->caller;
    if (caller->user_id != one_time->user_id && !caller->is_admin)
        return STATUS_FORBIDDEN;
    enum status status =
        store_load(tx->session, &user_table, one_time->user_id, one_time->arena, user);
    if (status != STATUS_OK)
        return status;
    bool may_sign_in =
        auth_is_admitted(user) && !value_is_true(&user->values[USER_MustResetPassword]);
    return may_sign_in ? STATUS_OK : STATUS_CONFLICT;
}

enum status one_time_issue(struct store_tx *tx, struct store_command *command) {
    struct one_time *one_time = container_of(command, struct one_time, command);
    const struct principal *caller = one_time->caller;
    struct record user;
    enum status status = check_user(one_time, tx, &user);
    if (status != STATUS_OK)
        return status;
    struct author by = { caller->email, time_now_ms(), one_time->request_id };
    struct token token = token_pair_derived(caller, one_time->user_id);
    token.kind = TOKEN_ONE_TIME;
    token.issued_ms = by.now_ms;
    token.expires_ms = token_pair_expiry(&token, by.now_ms, one_time->lifetime_ms);
    struct text claims = make_claims(one_time, &user, &token);
    one_time->token = claims.at ? sign(one_time, claims) : claims;
    if (!one_time->token.at)
        return STATUS_INTERNAL;
    token.hash = token_hash(one_time->token);
    status = store_add_token(tx, &token);
    if (status == STATUS_OK &&
        caller->user_id != one_time->user_id) /* one's own token is a sign-in, not audited here */
        status =
            store_audit_tokens(tx, one_time->user_id, TEXT("OneTimeToken"), TEXT("issued"), &by);
    return status;
}

enum status one_time_trade(struct store_tx *tx, struct store_command *command) {
    struct one_time_exchange *exchange = container_of(command, struct one_time_exchange, command);
    struct token_hash hash = token_hash(exchange->token);
    struct token token;
    const int64_t now_ms = time_now_ms();
    enum status status = store_token(tx->session, &hash, exchange->arena, &token);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && (token.kind != TOKEN_ONE_TIME ||
                                                               !token_is_current(&token, now_ms))))
        return STATUS_UNAUTHENTICATED;
    struct record user;
    if (status == STATUS_OK)
        status = store_load(tx->session, &user_table, token.user_id, exchange->arena, &user);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK &&
         (!auth_is_admitted(&user) || value_is_true(&user.values[USER_MustResetPassword]))))
        return STATUS_UNAUTHENTICATED;
    if (status != STATUS_OK)
        return status;
    status = store_drop_token(tx, &hash);
    token.client_id = TEXT("one-time");
    token.client_address = network_address(exchange->origin.from, exchange->arena);
    token.ends_ms = token_pair_expiry(&token, now_ms, exchange->session_ms);
    if (status == STATUS_OK)
        status = token_pair_issue(exchange->auth, tx, &token,
                                  &(struct author){ value_as_text(&user.values[USER_Email]), now_ms,
                                                    text_of(exchange->origin.request) },
                                  &exchange->pair);
    bool can_reply =
        !exchange->arena->failed && arena_reserve(exchange->arena, TOKEN_PAIR_REPLY_MAX);
    return status == STATUS_OK && can_reply ? STATUS_OK : STATUS_INTERNAL;
}

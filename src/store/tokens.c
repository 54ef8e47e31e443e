/* Stores tokens, and ends them with their families. */
#include "store/reading.h"

#include <assert.h>

static struct text hash_bytes(const struct token_hash *hash) {
    return (struct text){ (const char *)hash->bytes, sizeof hash->bytes };
}

/* ---- Reading ---- */

enum status store_token(struct store_session *session, const struct token_hash *hash,
                        struct arena *arena, struct token *token) {
    struct sql_statement *statement = reading_begin(session, SQL_token);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, (struct text){ (const char *)hash->bytes, sizeof hash->bytes });
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        *token = (struct token){
            .hash = *hash,
            .kind = (enum token_kind)sql_integer(statement, 0),
            .user_id = sql_integer(statement, 1),
            .client_id = sql_text(statement, 2, arena),
            .issued_ms = sql_integer(statement, 3),
            .expires_ms = sql_integer(statement, 4),
            .family = sql_integer(statement, 5),
            .parent = sql_integer(statement, 6),
            .ends_ms = sql_integer(statement, 7),
            .signed_in_ms = sql_integer(statement, 8),
        };
        if (!token->client_id.at || !sql_integer(statement, 9))
            status = STATUS_INTERNAL;
    }
    reading_end(session, statement);
    return status;
}

enum status store_token_owners(struct store_session *session, int64_t behind, int64_t *ids,
                               size_t limit, size_t *count) {
    struct sql_statement *statement = reading_begin(session, SQL_token_owners);
    enum status status = STATUS_OK;
    *count = 0;
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, behind);
    sql_bind_integer(statement, 2, (int64_t)limit);
    while (*count < limit && (status = sql_step(statement)) == STATUS_OK)
        ids[(*count)++] = sql_integer(statement, 0);
    reading_end(session, statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_has_spent(struct store_tx *tx, int64_t family, int64_t count) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_spent_of_family);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, family);
    sql_bind_integer(statement, 2, count);
    enum status status = sql_step(statement);
    sql_done(statement);
    return status;
}

enum status store_is_new_client(struct store_tx *tx, const struct token *session, unsigned kinds,
                                int64_t since_ms) {
    enum { SESSIONS_MAX = 50 };
    struct sql_statement *statement = sql_statement(tx->session, SQL_new_client);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, session->user_id);
    sql_bind_text(statement, 2, session->client_id);
    sql_bind_integer(statement, 3, kinds);
    sql_bind_integer(statement, 4, since_ms);
    sql_bind_integer(statement, 5, SESSIONS_MAX);
    enum status status = sql_step(statement);
    sql_done(statement);
    return status;
}

/* ---- Writing ---- */

/* Bounds the tokens of a user and kind, since a user may sign in any number of times. The newest
 * token always stays, even if others have the same millisecond. */
static enum status bound_tokens(struct store_tx *tx, const struct token_hash *newest,
                                enum token_kind kind) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_bound_tokens);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, hash_bytes(newest));
    sql_bind_integer(statement, 2, kind);
    sql_bind_integer(statement, 3, tx->session->user_tokens - 1);
    enum status status = sql_execute(statement);
    if (status == STATUS_OK && sql_changed(statement) > 0)
        tx->session->access_changed |=
            kind == TOKEN_ACCESS; /* only access tokens are cached in memory */
    return status;
}

/* The address is kept once for each session: in its refresh token. */
static void bind_session(struct sql_statement *statement, const struct token *token) {
    const bool is_session = token->kind == TOKEN_REFRESH;
    if (is_session && token->signed_in_ms)
        sql_bind_integer(statement, 10, token->signed_in_ms);
    else
        sql_bind_null(statement, 10);
    sql_bind_text(statement, 11, is_session ? token->client_address : (struct text){ 0 });
}

enum status store_add_token(struct store_tx *tx, const struct token *token) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_add_token);
    assert(token->family && token->expires_ms <= token->ends_ms);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, hash_bytes(&token->hash));
    sql_bind_integer(statement, 2, token->kind);
    sql_bind_integer(statement, 3, token->user_id);
    sql_bind_text(statement, 4, token->client_id);
    sql_bind_integer(statement, 5, token->issued_ms);
    sql_bind_integer(statement, 6, token->expires_ms);
    sql_bind_integer(statement, 7, token->family);
    sql_bind_integer(statement, 8, token->parent);
    sql_bind_integer(statement, 9, token->ends_ms);
    bind_session(statement, token);
    enum status status = sql_execute(statement);
    return status == STATUS_OK ? bound_tokens(tx, &token->hash, token->kind) : status;
}

enum status store_drop_token(struct store_tx *tx, const struct token_hash *hash) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_drop_token);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, hash_bytes(hash));
    tx->session->access_changed = true;
    return sql_execute(statement);
}

enum status store_spend_token(struct store_tx *tx, const struct token_hash *hash) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_spend_token);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, hash_bytes(hash));
    sql_bind_integer(statement, 2, TOKEN_SPENT);
    return sql_execute(statement);
}

/* ---- Revoking ---- */

static enum status end_families(struct store_tx *tx, enum statement which, int64_t of) {
    struct sql_statement *statement = sql_statement(tx->session, which);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, of);
    tx->session->access_changed = true;
    return sql_execute(statement);
}

enum status store_revoke_all(struct store_tx *tx, int64_t user_id) {
    return end_families(tx, SQL_revoke_all, user_id);
}

enum status store_end_family(struct store_tx *tx, int64_t family) {
    return end_families(tx, SQL_end_family, family);
}

enum status store_end_family_of(struct store_tx *tx, int64_t refresh_id) {
    return end_families(tx, SQL_end_family_of, refresh_id);
}

enum status store_revoke_client(struct store_tx *tx, int64_t user_id, struct text client_id,
                                enum token_kind kind) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_revoke_client);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, user_id);
    sql_bind_text(statement, 2, client_id);
    sql_bind_integer(statement, 3, kind);
    tx->session->access_changed |= kind == TOKEN_ACCESS;
    return sql_execute(statement);
}

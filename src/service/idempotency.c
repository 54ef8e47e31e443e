/* Idempotency-Keys. Remembered are a keyed hash of path and body, never the body, and only what was
 * done. */
#include "service/idempotency.h"

#include "rules/messages.h"

enum { KEY_MAX = 255 };

static void add_key_error(struct mutation *mutation, struct text message) {
    errors_add(&mutation->errors, mutation->context->arena,
               &(struct error){ .property = TEXT("Idempotency-Key"), .message = message });
}

void idempotency_take(struct mutation *mutation, const struct idempotency_key *key,
                      struct text body) {
    const struct table *table = mutation->resource->table;
    struct arena *arena = mutation->context->arena;
    struct buffer whole;
    if (mutation->kind != MUTATION_create || !key->key.len)
        return;
    if (key->key.len > KEY_MAX || key->count > 1) {
        add_key_error(mutation, key->count > 1 ? MESSAGE_TEXT(repeated) : MESSAGE_TEXT(repeat_key));
        return;
    }
    struct text own = arena_printf(arena, "%s %.*s", table->entity, (int)key->key.len, key->key.at);
    buffer_init(&whole, arena, body.len + 64);
    buffer_add(&whole, text_of(table->name));
    buffer_add_char(&whole, ' ');
    buffer_add(&whole, body);
    mutation->errors.failed |= whole.failed || !own.at;
    mutation->idempotency =
        (struct idempotency_use){ .caller = mutation->context->caller->user_id,
                                  .key = own,
                                  .mac = seal_mac(mutation->context->key, buffer_text(&whole)) };
}

enum status idempotency_find(struct mutation *mutation, struct store_session *session) {
    struct idempotency_use first = mutation->idempotency;
    if (!first.key.at)
        return STATUS_NOT_FOUND;
    enum status status =
        store_find_idempotency(session, &first, mutation->context->now_ms - IDEMPOTENCY_WINDOW_MS,
                               mutation->context->arena);
    if (status != STATUS_OK)
        return status;
    if (memcmp(first.mac.bytes, mutation->idempotency.mac.bytes, sizeof first.mac.bytes) != 0)
        return STATUS_UNPROCESSABLE;
    mutation->result =
        (struct mutation_result){ .id = first.record_id,
                                  .version = 1, /* as it was made */
                                  .by = { .email = first.author, .now_ms = first.at_ms } };
    return STATUS_OK;
}

enum status idempotency_keep(struct mutation *mutation, struct store_tx *tx) {
    const struct mutation_result *result = &mutation->result;
    if (!mutation->idempotency.key.at)
        return STATUS_OK;
    mutation->idempotency.record_id = result->id;
    mutation->idempotency.at_ms = result->by.now_ms;
    mutation->idempotency.author = result->by.email;
    return store_add_idempotency(tx, &mutation->idempotency);
}

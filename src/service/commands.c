/* Commands on records (docs/contract.md section 3.3). All ids of a run are in one transaction, each
 * with an outcome of its own. */
#include "service/commands.h"

#include "model/tables.h"
#include "rules/merge.h"
#include "rules/messages.h"
#include "service/mutation_run.h"

/* By the rules of an edit that changes nothing. */
static enum status revoke_tokens(struct mutation *mutation, struct store_tx *tx) {
    enum status status = mutation_decide(mutation, tx->session);
    if (status != STATUS_OK)
        return status;
    int64_t user_id = record_id(&mutation->before);
    struct author author = mutation_author(mutation);
    status = store_revoke_all(tx, user_id);
    if (status == STATUS_OK)
        status = store_audit_tokens(tx, user_id, TEXT("RefreshTokens"), TEXT("revoked"), &author);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

static enum status repeat_delivery(struct mutation *mutation, struct store_tx *tx,
                                   const struct record *webhook) {
    const struct author author = mutation_author(mutation);
    char room[INT64_TEXT_MAX];
    struct text id = { room, text_from_int64(record_id(&mutation->before), room) };
    enum status status = store_redeliver(tx, &mutation->before, mutation->rules.now_ms);
    return status == STATUS_OK ? store_audit_event(tx, webhook, TEXT("Redelivery"), id, &author)
                               : status;
}

/* The user of a test delivery, who does not exist. */
static enum status make_up_user(const struct mutation *mutation, struct record *user) {
    struct rules rules = { .now_ms = mutation->rules.now_ms,
                           .author = mutation->context->caller->email };
    struct arena *arena = mutation->context->arena;
    struct change change = change_new(&user_table, arena);
    if (!change.values)
        return STATUS_INTERNAL;
    change.values[USER_Id] = value_integer(0);
    change.values[USER_UniqueId] = value_text(TEXT("00000000-0000-0000-0000-000000000000"));
    change.values[USER_FullName] = value_text(TEXT("Test delivery"));
    change.values[USER_Email] = value_text(TEXT("test@example.invalid"));
    change.values[USER_Language] = value_integer(1);
    change.values[USER_PasswordSalt] = value_text(TEXT(""));
    change.values[USER_LastHelpVisited] = value_integer(0);
    change.values[USER_InvalidLoginAttempts] = value_integer(0);
    return merge_new(&change, &rules, arena, user);
}

/* A delivery like any other, so it also shows whether the secret and the address are right. */
static enum status test_webhook(struct mutation *mutation, struct store_tx *tx) {
    const struct author author = mutation_author(mutation);
    struct record user;
    enum status status = mutation_permit(mutation, tx->session);
    if (status != STATUS_OK)
        return status;
    if (!value_is_true(&mutation->before.values[WEB_HOOK_Active])) {
        mutation_add_error(mutation, WEB_HOOK_Active, MESSAGE_TEXT(web_hook_inactive));
        return STATUS_CONFLICT;
    }
    status = make_up_user(mutation, &user);
    if (status == STATUS_OK)
        status = store_test_webhook(tx, &mutation->before, &user, &author);
    if (status == STATUS_CONFLICT)
        mutation_add_error(mutation, WEB_HOOK_Id, MESSAGE_TEXT(web_hook_tested));
    return status == STATUS_OK
               ? store_audit_event(tx, &mutation->before, TEXT("Test"), TEXT("sent"), &author)
               : status;
}

/* Only an active webhook gets deliveries. */
static enum status redeliver(struct mutation *mutation, struct store_tx *tx) {
    struct record webhook, *delivery = &mutation->before;
    struct arena *arena = mutation->context->arena;
    enum status status = mutation_permit(mutation, tx->session);
    if (status != STATUS_OK)
        return status;
    status = store_load(tx->session, &web_hook_table,
                        delivery->values[WEB_HOOK_DELIVERY_WebHookId].integer, arena, &webhook);
    if (status == STATUS_INTERNAL)
        return status;
    if (status == STATUS_OK && value_is_true(&webhook.values[WEB_HOOK_Active]))
        return repeat_delivery(mutation, tx, &webhook);
    struct text message = MESSAGE_TEXT(web_hook_idle);
    if (status == STATUS_NOT_FOUND)
        message = MESSAGE_TEXT(web_hook_gone);
    mutation_add_error(mutation, WEB_HOOK_DELIVERY_WebHookId, message);
    return STATUS_CONFLICT;
}

/* Deletes a user; erase_rest then takes out what is left of all of them, and of those who were
 * deleted before. */
static enum status erase_user(struct mutation *mutation, struct store_tx *tx) {
    if (!mutation->context->caller->is_admin) {
        mutation_add_error(mutation, USER_Id, MESSAGE_TEXT(erase_denied));
        return STATUS_FORBIDDEN_CHANGE;
    }
    mutation->kind = MUTATION_delete;
    return mutation_run(mutation, tx);
}

static enum status erase_rest(struct command_batch *batch, struct store_tx *tx) {
    const struct value *ids = batch->ids;
    struct arena *arena = batch->context->arena;
    struct erased *erased = arena_calloc(arena, ids->len, sizeof *erased);
    const struct author by = { batch->context->caller->email, batch->context->now_ms,
                               batch->context->request_id };
    size_t count = 0;
    if (!erased)
        return STATUS_INTERNAL;
    for (uint32_t i = 0; i < ids->len; i++) {
        const struct command_outcome *outcome = &batch->outcomes[i];
        if (outcome->status == STATUS_OK)
            erased[count++] = (struct erased){
                .id = ids->ids[i],
                .email = value_as_text(&outcome->mutation->before.values[USER_Email]),
            };
        else if (outcome->status == STATUS_NOT_FOUND)
            erased[count++] = (struct erased){ .id = ids->ids[i] };
    }
    enum status status = count ? store_erase(tx, erased, count, arena, &by) : STATUS_OK;
    for (uint32_t i = 0, at = 0; i < ids->len; i++) {
        struct command_outcome *outcome = &batch->outcomes[i];
        if (outcome->status != STATUS_OK && outcome->status != STATUS_NOT_FOUND)
            continue;
        outcome->status = erased[at++].was_known ? STATUS_OK : STATUS_NOT_FOUND;
    }
    return status;
}

const struct command commands[] = {
#define CHANGE(of, key, name, field, value) { &of##_resource, key, name, field, value, NULL, NULL },
#define ACTION(of, key, name, act) { &of##_resource, key, name, 0, 0, act, NULL },
#define FOR_ALL(of, key, name, act, finish) { &of##_resource, key, name, 0, 0, act, finish },
#include "service/commands.def"
#undef CHANGE
#undef ACTION
#undef FOR_ALL
};
const unsigned command_count = sizeof commands / sizeof commands[0];

const struct command *command_find(const struct resource *resource, struct text key) {
    for (unsigned i = 0; i < command_count; i++)
        if (commands[i].resource == resource && text_equal_nocase(text_of(commands[i].key), key))
            return &commands[i];
    return NULL;
}

enum status command_batch_prepare(struct command_batch *batch) {
    const struct command *command = batch->command;
    batch->outcomes = arena_calloc(batch->context->arena, batch->ids->len, sizeof *batch->outcomes);
    for (uint32_t i = 0; batch->outcomes && i < batch->ids->len; i++) {
        struct mutation *mutation =
            mutation_new_on(batch->context, command->resource, MUTATION_patch, batch->ids->ids[i]);
        if (!mutation)
            return STATUS_INTERNAL;
        if (!command->act)
            mutation->change.values[command->field] = value_integer(command->value);
        batch->outcomes[i].mutation = mutation;
    }
    return batch->outcomes ? STATUS_OK : STATUS_INTERNAL;
}

static enum status run_one(const struct command *command, struct mutation *mutation,
                           struct store_tx *tx) {
    mutation->errors = (struct errors){ 0 }; /* this may be a second run */
    return command->act ? command->act(mutation, tx) : mutation_run(mutation, tx);
}

enum status command_batch_run(struct command_batch *batch, struct store_tx *tx) {
    for (uint32_t i = 0; i < batch->ids->len; i++) {
        struct command_outcome *outcome = &batch->outcomes[i];
        outcome->status = run_one(batch->command, outcome->mutation, tx);
        if (outcome->status == STATUS_INTERNAL)
            return STATUS_INTERNAL;
    }
    return batch->command->finish ? batch->command->finish(batch, tx) : STATUS_OK;
}

struct text command_reason(const struct command_outcome *outcome) {
    const struct error *error = outcome->mutation->errors.first;
    bool has_reason =
        outcome->status == STATUS_CONFLICT || outcome->status == STATUS_PRECONDITION_FAILED;
    if (!error && has_reason && outcome->mutation->conflict.at)
        return outcome->mutation->conflict;
    return error ? error->message : (struct text){ 0 };
}

/* Commands on records (docs/contract.md section 3.3): what they are, and running them. All ids of a
 * run are in one transaction, each with an outcome of its own. */
#include "api/body.h"
#include "api/handlers.h"
#include "service/resource_rules.h"
#include "api/reply.h"
#include "api/wait.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "rules/permit.h"

struct running;

struct command {
    const struct resource *resource;
    const char *key, *name;
    unsigned field; /* is set to `value`, where there is no action */
    int64_t value;
    enum status (*act)(struct writing *writing, struct store_view *tx);
    enum status (*finish)(struct running *running, struct store_view *tx); /* NULL: nothing */
};

/* Who may not edit a record may not do this to it either. */
static enum status revoke_tokens(struct writing *writing, struct store_view *tx) {
    enum status status = writing_decide(writing, tx);
    if (status != STATUS_OK)
        return status;
    int64_t user_id = record_id(&writing->before);
    struct author author = writing_author(writing);
    status = store_revoke_all(tx, user_id);
    if (status == STATUS_OK)
        status = store_audit_tokens(tx, user_id, TEXT("RefreshTokens"), TEXT("revoked"), &author);
    return status == STATUS_OK ? STATUS_OK : STATUS_BROKEN;
}

/* Only an active webhook is told anything. */
static enum status repeat_delivery(struct writing *writing, struct store_view *tx) {
    struct record hook, *delivery = &writing->before;
    struct arena *arena = writing->request->arena;
    enum status status = writing_permit(writing, tx);
    if (status != STATUS_OK)
        return status;
    status = store_load(tx, &web_hook_table, delivery->values[WEB_HOOK_DELIVERY_WebHookId].integer,
                        arena, &hook);
    if (status == STATUS_BROKEN)
        return status;
    if (status == STATUS_OK && value_is_true(&hook.values[WEB_HOOK_Active]))
        return store_repeat_delivery(tx, delivery, writing->rules.now_ms);
    struct text message = MESSAGE_TEXT(web_hook_idle);
    if (status == STATUS_NOT_FOUND)
        message = MESSAGE_TEXT(web_hook_gone);
    writing_complain(writing, WEB_HOOK_DELIVERY_WebHookId, message);
    return STATUS_CONFLICT;
}

/* What is left of somebody who was deleted before can be erased too, which erase_rest looks at. */
static enum status erase(struct writing *writing, struct store_view *tx) {
    if (!writing->request->principal.is_admin) {
        writing_complain(writing, USER_Id, MESSAGE_TEXT(erase_denied));
        return STATUS_DENIED;
    }
    writing->kind = WRITING_delete;
    return writing_run(writing, tx);
}

static enum status erase_rest(struct running *running, struct store_view *tx);

static const struct command commands[] = {
#define CHANGE(of, key, name, field, value) { &of##_resource, key, name, field, value, NULL, NULL },
#define ACTION(of, key, name, act) { &of##_resource, key, name, 0, 0, act, NULL },
#define FOR_ALL(of, key, name, act, finish) { &of##_resource, key, name, 0, 0, act, finish },
#include "service/commands.def"
#undef CHANGE
#undef ACTION
#undef FOR_ALL
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void describe(struct buffer *body, const struct command *command, unsigned order) {
    buffer_add(body, TEXT("{\"Key\":"));
    json_add_string(body, text_of(command->key));
    buffer_add(body, TEXT(",\"Name\":"));
    json_add_string(body, text_of(command->name));
    buffer_add(body,
               TEXT(",\"AppliesOnlyToMultipleEntities\":false,\"AppliesOnlyToOneEntity\":false,"
                    "\"AppliesOnlyToTwoEntities\":false,\"DisplayInDropdown\":true,"
                    "\"DisplayInDropdownV2\":true,\"DisplayInGrid\":false,\"Icon\":null,"
                    "\"NeedsEntitiesToRun\":true"));
    buffer_printf(body, ",\"Order\":%u,\"RequiresParameters\":[]}", order);
}

void resource_commands(struct request *request) {
    struct buffer body;
    unsigned count = 0;
    buffer_init(&body, request->arena, 1024);
    buffer_add_char(&body, '[');
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (commands[i].resource != request->route->resource)
            continue;
        if (count++)
            buffer_add_char(&body, ',');
        describe(&body, &commands[i], count);
    }
    buffer_add_char(&body, ']');
    reply_json(request, 200, &body);
}

/* ---- Running ---- */

/* Room for the reply to what is committed then: of each id's failure, twice, and of all else. What
 * a failure says is escaped, and may have names in it. */
enum { OUTCOME_MAX = 2 * 512, OUTCOMES_MAX = 8192, ESCAPED_MAX = 2 * 2 };

struct running {
    struct store_command store; /* first */
    struct request *request;
    const struct command *command;
    struct change body;
    struct errors errors;
    struct outcome {
        struct writing *writing;
        enum status status;
    } * outcomes; /* one for each id */
};

static enum status erase_rest(struct running *running, struct store_view *tx) {
    struct request *request = running->request;
    const struct value *ids = &running->body.values[COMMAND_Ids];
    struct erased *erased = arena_calloc(request->arena, ids->len, sizeof *erased);
    const struct author by = { request->principal.email,
                               running->outcomes[0].writing->rules.now_ms };
    size_t count = 0;
    if (!erased)
        return STATUS_BROKEN;
    for (uint32_t i = 0; i < ids->len; i++) {
        const struct outcome *outcome = &running->outcomes[i];
        if (outcome->status == STATUS_OK)
            erased[count++] = (struct erased){
                .id = ids->ids[i],
                .email = value_as_text(&outcome->writing->before.values[USER_Email]),
            };
        else if (outcome->status == STATUS_NOT_FOUND)
            erased[count++] = (struct erased){ .id = ids->ids[i] };
    }
    enum status status = count ? store_erase(tx, erased, count, request->arena, &by) : STATUS_OK;
    for (uint32_t i = 0, at = 0; i < ids->len; i++) {
        struct outcome *outcome = &running->outcomes[i];
        if (outcome->status != STATUS_OK && outcome->status != STATUS_NOT_FOUND)
            continue;
        outcome->status = erased[at++].was_known ? STATUS_OK : STATUS_NOT_FOUND;
    }
    return status;
}

static enum status run_one(const struct running *running, struct writing *writing,
                           struct store_view *tx) {
    writing->errors = (struct errors){ 0 }; /* this may be a second run */
    if (running->command->act)
        return running->command->act(writing, tx);
    return writing_run(writing, tx);
}

static struct text reason_of(const struct outcome *outcome) {
    const struct error *error = outcome->writing->errors.first;
    bool is_told = outcome->status == STATUS_CONFLICT || outcome->status == STATUS_STALE;
    if (!error && is_told && outcome->writing->conflict.at)
        return outcome->writing->conflict;
    return error ? error->message : text_of(status_message(outcome->status));
}

static bool prepare_reply(const struct running *running) {
    const struct value *ids = &running->body.values[COMMAND_Ids];
    size_t size = OUTCOMES_MAX + ids->len * (size_t)OUTCOME_MAX;
    for (uint32_t i = 0; i < ids->len; i++)
        if (running->outcomes[i].status != STATUS_OK)
            size += ESCAPED_MAX * reason_of(&running->outcomes[i]).len;
    return arena_reserve(running->request->arena, size);
}

static enum status run(struct store_view *tx, struct store_command *command) {
    struct running *running = (struct running *)command;
    const struct value *ids = &running->body.values[COMMAND_Ids];
    for (uint32_t i = 0; i < ids->len; i++) {
        struct outcome *outcome = &running->outcomes[i];
        outcome->status = run_one(running, outcome->writing, tx);
        if (outcome->status == STATUS_BROKEN)
            return STATUS_BROKEN;
    }
    enum status status =
        running->command->finish ? running->command->finish(running, tx) : STATUS_OK;
    return status == STATUS_OK && prepare_reply(running) ? STATUS_OK : STATUS_BROKEN;
}

static void resume(struct store_command *command) {
    exchange_resume(((struct running *)command)->request->exchange);
}

/* HTTP 200 even when it failed (docs/contract.md section 4.3); Errors has one entry for each id
 * that did. */
static void reply_outcomes(struct running *running) {
    struct request *request = running->request;
    const struct value *ids = &running->body.values[COMMAND_Ids];
    struct buffer failures;
    unsigned failed = 0;
    buffer_init(&failures, request->arena, ids->len * (size_t)OUTCOME_MAX / 2);
    for (uint32_t i = 0; i < ids->len; i++) {
        const struct outcome *outcome = &running->outcomes[i];
        if (outcome->status == STATUS_OK)
            continue;
        buffer_printf(&failures, "%s{\"AttemptedValue\":%lld,\"Message\":", failed++ ? "," : "[",
                      (long long)ids->ids[i]);
        json_add_string(&failures, reason_of(outcome));
        buffer_add(&failures, TEXT(",\"PropertyName\":\"Ids\"}"));
    }
    if (failed)
        buffer_add_char(&failures, ']');
    struct text message = arena_printf(request->arena, "%s: %u of %u done.", running->command->name,
                                       ids->len - failed, ids->len);
    struct author by = writing_author(running->outcomes[0].writing);
    by.email = request->principal.email;
    reply_action(request, &(struct action){ .http_status = 200,
                                            .message = message,
                                            .by = by,
                                            .errors = failed ? buffer_text(&failures)
                                                             : (struct text){ 0 } });
}

static void ran(struct exchange *exchange) {
    struct running *running = exchange->state;
    if (running->store.status == STATUS_OK)
        reply_outcomes(running);
    else
        reply_failure(running->request, running->store.status, NULL, NULL);
}

static const struct command *find_command(const struct resource *resource, struct text key) {
    for (unsigned i = 0; i < COMMANDS; i++)
        if (commands[i].resource == resource && text_equal_nocase(text_of(commands[i].key), key))
            return &commands[i];
    return NULL;
}

static enum status read_body(struct running *running) {
    struct request *request = running->request;
    struct rules rules = { .strict = request_is_strict(request) };
    enum status status = request_body(request, &command_table, &running->body, &running->errors);
    if (status != STATUS_OK)
        return status;
    const struct value *values = running->body.values;
    validate(&running->body, &rules, request->arena, &running->errors);
    if (values[COMMAND_Ids].kind == VALUE_IDS && values[COMMAND_Ids].len == 0)
        validate_complain(&running->body, COMMAND_Ids, MESSAGE_TEXT(required), request->arena,
                          &running->errors);
    if (values[COMMAND_Key].kind == VALUE_TEXT) {
        running->command =
            find_command(request->route->resource, value_as_text(&values[COMMAND_Key]));
        if (!running->command)
            validate_complain(&running->body, COMMAND_Key, MESSAGE_TEXT(command), request->arena,
                              &running->errors);
    }
    return running->errors.first || running->errors.failed ? STATUS_BAD_INPUT : STATUS_OK;
}

static enum status prepare(struct running *running) {
    const struct value *ids = &running->body.values[COMMAND_Ids];
    running->outcomes = arena_calloc(running->request->arena, ids->len, sizeof *running->outcomes);
    for (uint32_t i = 0; running->outcomes && i < ids->len; i++) {
        struct writing *writing =
            writing_new_patch(running->request, running->request->route->resource, ids->ids[i]);
        if (!writing)
            return STATUS_BROKEN;
        if (!running->command->act)
            writing->change.values[running->command->field] =
                value_integer(running->command->value);
        running->outcomes[i].writing = writing;
    }
    return running->outcomes ? STATUS_OK : STATUS_BROKEN;
}

void resource_run_command(struct request *request) {
    struct running *running = arena_calloc(request->arena, 1, sizeof *running);
    if (!running) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    running->request = request;
    running->store = (struct store_command){ .run = run, .done = resume };
    enum status status = read_body(running);
    if (status == STATUS_OK)
        status = prepare(running);
    if (status == STATUS_BAD_INPUT) {
        reply_invalid(request, &running->errors);
        return;
    }
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    request->exchange->state = running;
    request_submit(request, &running->store, ran);
}

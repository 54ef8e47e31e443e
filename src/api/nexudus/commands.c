/* Commands on records (docs/contract.md section 3.3) over HTTP: listing them and running one. */
#include "service/commands.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/nexudus/write.h"
#include "api/reply.h"
#include "api/status.h"
#include "api/wait.h"
#include "base/container_of.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

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
    for (unsigned i = 0; i < command_count; i++) {
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

/* Memory for the reply is reserved before the commit: for each Id's failure, twice because buffers
 * double, and for the rest. The message of a failure may contain names, and is escaped. */
enum { OUTCOME_MAX = 2 * 512, OUTCOMES_MAX = 8192, ESCAPED_MAX = 2 * 2 };

struct running {
    struct store_command command;
    struct request *request;
    struct command_batch batch;
    struct change body;
    struct errors errors;
};

static struct text reason_of(const struct command_outcome *outcome) {
    struct text reason = command_reason(outcome);
    return reason.at ? reason : text_of(status_message(outcome->status));
}

static bool reserve_reply(const struct running *running) {
    const struct command_batch *batch = &running->batch;
    size_t size = OUTCOMES_MAX + batch->ids->len * (size_t)OUTCOME_MAX;
    for (uint32_t i = 0; i < batch->ids->len; i++)
        if (batch->outcomes[i].status != STATUS_OK)
            size += ESCAPED_MAX * reason_of(&batch->outcomes[i]).len;
    return arena_reserve(running->request->arena, size);
}

static enum status run_running(struct store_tx *tx, struct store_command *command) {
    struct running *running = container_of(command, struct running, command);
    enum status status = command_batch_run(&running->batch, tx);
    return status == STATUS_OK && reserve_reply(running) ? STATUS_OK : STATUS_INTERNAL;
}

static void resume_running(struct store_command *command) {
    exchange_resume(container_of(command, struct running, command)->request->exchange);
}

/* HTTP 200 even when it failed (docs/contract.md section 4.3); Errors has one entry for each id
 * that did. */
static void reply_outcomes(struct running *running) {
    struct request *request = running->request;
    const struct value *ids = running->batch.ids;
    struct buffer failures;
    unsigned failed = 0;
    buffer_init(&failures, request->arena, ids->len * (size_t)OUTCOME_MAX / 2);
    for (uint32_t i = 0; i < ids->len; i++) {
        const struct command_outcome *outcome = &running->batch.outcomes[i];
        if (outcome->status == STATUS_OK)
            continue;
        buffer_printf(&failures, "%s{\"AttemptedValue\":%lld,\"Message\":", failed++ ? "," : "[",
                      (long long)ids->ids[i]);
        json_add_string(&failures, reason_of(outcome));
        buffer_add(&failures, TEXT(",\"PropertyName\":\"Ids\"}"));
    }
    if (failed)
        buffer_add_char(&failures, ']');
    struct text message = arena_printf(request->arena, "%s: %u of %u done.",
                                       running->batch.command->name, ids->len - failed, ids->len);
    struct author by = { .email = request->principal.email,
                         .now_ms = running->batch.context->now_ms };
    reply_action(request, &(struct action){ .http_status = 200,
                                            .message = message,
                                            .by = by,
                                            .errors = failed ? buffer_text(&failures)
                                                             : (struct text){ 0 } });
}

static void ran(struct exchange *exchange) {
    struct running *running = exchange->state;
    if (running->command.status == STATUS_OK)
        reply_outcomes(running);
    else
        reply_failure(running->request, running->command.status, NULL, NULL);
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
        validate_add_error(&running->body, COMMAND_Ids, MESSAGE_TEXT(required), request->arena,
                           &running->errors);
    if (values[COMMAND_Key].kind == VALUE_TEXT) {
        running->batch.command =
            command_find(request->route->resource, value_as_text(&values[COMMAND_Key]));
        if (!running->batch.command)
            validate_add_error(&running->body, COMMAND_Key, MESSAGE_TEXT(command), request->arena,
                               &running->errors);
    }
    return running->errors.first || running->errors.failed ? STATUS_BAD_INPUT : STATUS_OK;
}

static void run_body(struct running *running) {
    struct request *request = running->request;
    enum status status = read_body(running);
    if (status == STATUS_OK) {
        running->batch.ids = &running->body.values[COMMAND_Ids];
        status = command_batch_prepare(&running->batch);
    }
    if (status == STATUS_OK)
        request_submit(request, &running->command, ran);
    else if (status == STATUS_BAD_INPUT)
        reply_invalid(request, &running->errors);
    else
        reply_failure(request, status, NULL, NULL);
}

void resource_run_command(struct request *request) {
    struct running *running = arena_calloc(request->arena, 1, sizeof *running);
    const struct mutation_context *context = write_context(request);
    if (!running || !context) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    running->request = request;
    running->batch.context = context;
    running->command = (struct store_command){ .run = run_running, .done = resume_running };
    request->exchange->state = running;
    run_body(running);
}

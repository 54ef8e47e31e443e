/* A request that changes one record. The table `steps` below is its whole way: the body becomes a
 * mutation (service/mutation.h), what takes time is done on threads of its own, and the writer
 * decides and writes in one transaction. A plain change waits for the writer alone. One that is
 * wrong already, or asks for slow work, is decided on before that as well, so that the caller who
 * may not make it causes no work and learns of all errors at once. */
#include "api/body.h"
#include "api/nexudus/write.h"
#include "api/reply.h"
#include "api/steps.h"
#include "auth/auth.h"
#include "base/container_of.h"
#include "base/time.h"
#include "model/tables.h"
#include "service/idempotency.h"
#include "service/mutation_run.h"
#include "service/resources.h"

const struct mutation_context *write_context(struct request *request) {
    struct mutation_context *context = arena_alloc(request->arena, sizeof *context);
    unsigned count;
    if (!context)
        return NULL;
    *context = (struct mutation_context){
        .arena = request->arena,
        .caller = &request->principal,
        .key = request->app->auth.key,
        .now_ms = time_now_ms(),
        .request_id = text_of(request->exchange->request_id),
        .nexudus = request->app->nexudus,
        .strict = request_is_strict(request),
        .if_match = exchange_header_list(request->exchange, "If-Match", &count),
        .if_none_match = exchange_header_list(request->exchange, "If-None-Match", &count),
    };
    return context;
}

static struct mutation *mutation_of(const struct request *request) {
    const struct write *write = request->exchange->state;
    return write->mutation;
}

/* ---- Before the transaction ---- */

static enum status read_body(struct request *request) {
    struct mutation *mutation = mutation_of(request);
    struct idempotency_key key;
    if (mutation->change.values) /* of a DELETE, or a new password, it is there already */
        return STATUS_OK;
    key.key = exchange_header_list(request->exchange, "Idempotency-Key", &key.count);
    /* Before reading the body changes it. */
    idempotency_take(mutation, &key, request->exchange->body);
    enum status status =
        request_body(request, mutation->resource->table, &mutation->change, &mutation->errors);
    return status == STATUS_OK ? mutation_validate(mutation, request->id) : status;
}

static enum status ask_idempotency(struct store_session *session, struct request *request) {
    return idempotency_find(mutation_of(request), session);
}

static enum status find_idempotency(struct request *request) {
    return mutation_of(request)->idempotency.key.at ? steps_ask(request, ask_idempotency)
                                                    : STATUS_OK;
}

static enum status idempotency_found(struct request *request, enum status status) {
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && !reply_prepare(request))
        return STATUS_INTERNAL;
    if (status == STATUS_OK)
        steps_finish(request);
    return status;
}

/* Another request with the same key may have been carried out since the key was looked for. Its
 * record then uses the address of this one, which is no mistake. */
static enum status ask_decision(struct store_session *session, struct request *request) {
    struct mutation *mutation = mutation_of(request);
    enum status status = mutation_decide(mutation, session);
    if (status == STATUS_OK)
        return status;
    enum status found = idempotency_find(mutation, session);
    return found == STATUS_NOT_FOUND ? status : found;
}

static enum status decided(struct request *request, enum status status) {
    const bool is_repeated = status == STATUS_OK && mutation_of(request)->result.version;
    return is_repeated ? idempotency_found(request, status) : status;
}

static enum status decide_early(struct request *request) {
    const struct mutation *mutation = mutation_of(request);
    const struct resource *resource = mutation->resource;
    if (!mutation_is_wrong(mutation) && !(resource->is_slow && resource->is_slow(mutation)))
        return STATUS_OK;
    return steps_ask(request, ask_decision);
}

static enum status seal_fields(struct request *request) {
    return mutation_seal(mutation_of(request));
}

/* ---- The transaction ---- */

/* The room for the reply is made before the commit. */
static enum status run_write(struct store_tx *tx, struct store_command *command) {
    struct write *write = container_of(command, struct write, command);
    enum status status = mutation_run(write->mutation, tx);
    return status == STATUS_OK && !reply_prepare(write->request) ? STATUS_INTERNAL : status;
}

static void resume_written(struct store_command *command) {
    exchange_resume(container_of(command, struct write, command)->request->exchange);
}

static enum status submit_write(struct request *request) {
    struct write *write = request->exchange->state;
    write->command = (struct store_command){ .target = mutation_target(write->mutation),
                                             .run = run_write,
                                             .done = resume_written };
    return steps_submit(request, &write->command);
}

/* ---- The reply ---- */

static void add_etag(struct request *request, int64_t id, int64_t version) {
    struct text etag = record_etag(id, version, request->arena);
    if (etag.at)
        reply_header(request->exchange, "ETag", etag.at);
}

static void reply_written(struct request *request, const struct mutation *mutation) {
    static const char *const done[] = { [MUTATION_create] = "created",
                                        [MUTATION_replace] = "updated",
                                        [MUTATION_patch] = "updated",
                                        [MUTATION_delete] = "deleted" };
    const struct mutation_result *result = &mutation->result;
    const struct log_origin origin = request_origin(request);
    if (request->principal.credential.kind == CREDENTIAL_reset)
        sign_in_log_add(request->app->auth.log, SIGN_IN_EVENT_reset, request->principal.user_id,
                        &origin);
    if (result->version)
        add_etag(request, result->id, result->version);
    struct text message = arena_printf(request->arena, "%s was successfully %s.",
                                       mutation->resource->table->entity, done[mutation->kind]);
    reply_success(request, message, result->id, &result->by);
}

static void reply_write(struct request *request, enum status status) {
    const struct mutation *mutation = mutation_of(request);
    const struct record *before = &mutation->before;
    if ((status == STATUS_PRECONDITION_FAILED || status == STATUS_CONFLICT) && before->version)
        add_etag(request, record_id(before), before->version); /* the version that is there */
    switch (status) {
    case STATUS_OK: reply_written(request, mutation); break;
    case STATUS_BAD_INPUT: reply_invalid(request, &mutation->errors); break;
    case STATUS_FORBIDDEN_CHANGE:
        reply_failure(request, status, NULL, mutation->errors.first);
        break;
    case STATUS_CONFLICT:
    case STATUS_PRECONDITION_FAILED:
        reply_failure(request, status, mutation->conflict.at, NULL);
        break;
    default: reply_failure(request, status, NULL, NULL); break;
    }
}

/* ---- The way ---- */

static const struct step steps[] = {
    { "read body", read_body, NULL, NULL },
    { "find idempotency key", find_idempotency, idempotency_found, NULL },
    { "decide early", decide_early, decided, NULL },
    { "seal fields", seal_fields, NULL, NULL },
    { "take password", user_take_password_step, NULL, NULL },
    { "fetch avatar", user_fetch_avatar, user_avatar_fetched, NULL },
    { "check avatar", user_check_avatar, user_avatar_checked, NULL },
    { "compare password", user_compare_password, user_password_compared, NULL },
    { "hash password", user_hash_password, user_password_hashed, NULL },
    { "submit", submit_write, NULL, NULL },
    { "reply", NULL, NULL, reply_write },
};

void write_mutation(struct request *request, struct mutation *mutation) {
    struct write *write = arena_calloc(request->arena, 1, sizeof *write);
    if (!write || !mutation) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    write->request = request;
    write->mutation = mutation;
    request->exchange->state = write;
    steps_start(request, steps);
}

void write_start(struct request *request, enum mutation_kind kind) {
    const struct mutation_context *context = write_context(request);
    const struct resource *resource = request->route->resource;
    struct mutation *mutation = NULL;
    if (context && kind == MUTATION_delete)
        mutation = mutation_new_on(context, resource, kind, request->id);
    else if (context)
        mutation = mutation_new(context, resource, kind);
    write_mutation(request, mutation);
}

void write_password(struct request *request, struct text password) {
    const struct mutation_context *context = write_context(request);
    int64_t id = request->principal.user_id;
    struct mutation *mutation = NULL;
    if (context)
        mutation = mutation_new_on(context, &user_resource, MUTATION_patch, id);
    if (mutation) {
        mutation->change.values[USER_NewPassword] = value_text(password);
        if (mutation_validate(mutation, id) != STATUS_OK)
            mutation = NULL;
    }
    write_mutation(request, mutation);
}

/* The first administrator of a database that has none: made by whoever has the link that the start
 * printed. The link's secret stands behind the # of its address, so no log of a server or proxy has
 * it. It is compared before anything is hashed or written. The transaction that writes the
 * administrator finds no user, or writes nothing: so one wins, of requests at the same time and of
 * processes on one database, and the secrets of the others are worth nothing from then on. */
#include "api/body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/steps.h"
#include "base/container_of.h"
#include "base/time.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "service/seed.h"
#include "service/user_rules.h"

/* ---- GET /api/auth/firstadministrator ---- */

static enum status find_state(struct store_session *session, struct request *request) {
    return seed_find(session, request->exchange->state);
}

static void reply_due(struct request *request, bool is_due) {
    struct buffer body;
    buffer_init(&body, request->arena, 32);
    buffer_printf(&body, "{\"IsDue\":%s}", is_due ? "true" : "false");
    reply_json(request, 200, &body);
}

/* Another process may have its administrator since. */
static void found_state(struct request *request, enum status status) {
    const struct seed_state *state = request->exchange->state;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    if (state->has_users)
        request->app->first_run.is_due = false;
    reply_due(request, !state->has_users);
}

void first_administrator_get(struct request *request) {
    if (!request->app->first_run.is_due) {
        reply_due(request, false);
        return;
    }
    request->exchange->state = arena_calloc(request->arena, 1, sizeof(struct seed_state));
    if (request->exchange->state)
        request_ask(request, find_state, found_state);
    else
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
}

/* ---- POST /api/auth/firstadministrator ---- */

struct making {
    struct seeding seeding;
    struct request *request;
    struct password_job password;
    struct mutation_context context;
    struct mutation *mutation; /* by which the rules judge the administrator; never run */
    bool with_demo;
};

static void note(struct request *request, enum sign_in_event event, int64_t user_id) {
    const struct log_origin origin = request_origin(request);
    sign_in_log_add(request->app->auth.log, event, user_id, &origin);
}

static enum status read_body(struct request *request) {
    struct making *making = request->exchange->state;
    const struct value *values = making->mutation->change.values;
    enum status status = mutation_validate(making->mutation, 0);
    if (status == STATUS_OK && mutation_is_wrong(making->mutation))
        status = STATUS_BAD_INPUT;
    making->password.password = value_as_text(&values[USER_NewPassword]);
    return status;
}

static void resume_hashed(struct password_job *job) {
    exchange_resume(container_of(job, struct making, password)->request->exchange);
}

static enum status hand_to_passwords(struct request *request, void *job) {
    return password_submit(request->app->auth.passwords, job);
}

static enum status hash_password(struct request *request) {
    struct making *making = request->exchange->state;
    making->password.done = resume_hashed;
    return steps_wait(request, hand_to_passwords, &making->password);
}

static enum status password_hashed(struct request *request, enum status status) {
    const struct making *making = request->exchange->state;
    return status == STATUS_OK && making->password.failed ? STATUS_INTERNAL : status;
}

static void resume_written(struct store_command *command) {
    struct making *making = container_of(command, struct making, seeding.command);
    exchange_resume(making->request->exchange);
}

static enum status write_seed(struct request *request) {
    struct making *making = request->exchange->state;
    const struct value *values = making->mutation->change.values;
    const struct seed seed = { .email = value_as_text(&values[USER_Email]),
                               .name = value_as_text(&values[USER_FullName]),
                               .password_hash = text_of(making->password.made),
                               .with_demo = making->with_demo };
    if (!reply_prepare(request))
        return STATUS_INTERNAL;
    seeding_prepare(&making->seeding, &seed, making->context.request_id, request->arena);
    making->seeding.command.done = resume_written;
    return steps_submit(request, &making->seeding.command);
}

static void reply_made(struct request *request, enum status status) {
    const struct making *making = request->exchange->state;
    const int64_t id = making->seeding.caller.user_id;
    const struct author by = { .email = making->seeding.caller.email,
                               .now_ms = making->seeding.context.now_ms };
    switch (status) {
    case STATUS_OK:
        note(request, SIGN_IN_EVENT_first_administrator, id);
        request->app->first_run.is_due = false;
        reply_success(request, TEXT("User was successfully created."), id, &by);
        break;
    case STATUS_BAD_INPUT: reply_invalid(request, &making->mutation->errors); break;
    case STATUS_CONFLICT: reply_failure(request, status, message_first_made, NULL); break;
    default: reply_failure(request, status, NULL, NULL); break;
    }
}

static const struct step steps[] = {
    { "read body", read_body, NULL, NULL },
    { "hash password", hash_password, password_hashed, NULL },
    { "submit", write_seed, NULL, NULL },
    { "reply", NULL, NULL, reply_made },
};

/* NULL: no memory. */
static struct making *making_new(struct request *request, const struct value *values) {
    static const struct principal administrator = { .is_admin = true, .permissions = UINT64_MAX };
    struct making *making = arena_calloc(request->arena, 1, sizeof *making);
    if (!making)
        return NULL;
    making->request = request;
    making->with_demo = value_is_true(&values[FIRST_ADMINISTRATOR_WithDemo]);
    making->context =
        (struct mutation_context){ .arena = request->arena,
                                   .caller = &administrator,
                                   .now_ms = time_now_ms(),
                                   .request_id = text_of(request->exchange->request_id) };
    making->mutation = user_new_administrator(
        &making->context, value_as_text(&values[FIRST_ADMINISTRATOR_FullName]),
        value_as_text(&values[FIRST_ADMINISTRATOR_Email]),
        value_as_text(&values[FIRST_ADMINISTRATOR_NewPassword]));
    return making->mutation ? making : NULL;
}

void first_administrator_post(struct request *request) {
    struct change change;
    if (!request_read(request, &first_administrator_table, &change))
        return;
    if (!first_run_is_right(&request->app->first_run,
                            value_as_text(&change.values[FIRST_ADMINISTRATOR_Secret]))) {
        note(request, SIGN_IN_EVENT_first_link, 0);
        reply_failure(request, STATUS_FORBIDDEN, message_first_link, NULL);
        return;
    }
    request->exchange->state = making_new(request, change.values);
    if (request->exchange->state)
        steps_start(request, steps);
    else
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
}

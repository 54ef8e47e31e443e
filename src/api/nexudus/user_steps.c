/* The slow steps of a change of a user: fetching and checking a picture, comparing and hashing a
 * password. Each runs on its own threads, so that neither an I/O thread nor the writer waits. */
#include "api/nexudus/write.h"
#include "api/steps.h"
#include "base/container_of.h"
#include "crypto/base64.h"
#include "fetch/image.h"
#include "fetch/strip.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "rules/url.h"
#include "service/resources.h"

enum { AVATAR_MAX = 5 * 1024 * 1024, AVATAR_TIMEOUT_MS = 5000 };

static bool is_of_user(const struct write *write) {
    return write->mutation->resource == &user_resource;
}

static struct user_mutation *user_of(const struct write *write) {
    return user_mutation_of(write->mutation);
}

/* ---- The picture ---- */

static enum status refuse_avatar(struct write *write, struct text message) {
    mutation_add_error(write->mutation, USER_NewAvatarUrl, message);
    return STATUS_BAD_INPUT;
}

static void resume_fetched(struct fetch_job *fetch) {
    struct write *write = container_of(fetch, struct write, fetch);
    exchange_resume(write->request->exchange);
}

static enum status hand_to_fetcher(struct request *request, void *fetch) {
    return fetch_submit(request->app->fetcher, fetch);
}

enum status user_fetch_avatar(struct request *request) {
    struct write *write = request->exchange->state;
    if (!is_of_user(write))
        return STATUS_OK;
    const struct value *url = &write->mutation->change.values[USER_NewAvatarUrl];
    if (url->kind != VALUE_TEXT)
        return STATUS_OK;
    write->fetch.url = value_as_text(url);
    if (url_picture(write->fetch.url).at)
        return STATUS_OK;
    write->fetch = (struct fetch_job){ .url = write->fetch.url,
                                       .arena = request->arena,
                                       .max_size = AVATAR_MAX,
                                       .timeout_ms = AVATAR_TIMEOUT_MS,
                                       .done = resume_fetched };
    return steps_wait(request, hand_to_fetcher, &write->fetch);
}

enum status user_avatar_fetched(struct request *request, enum status status) {
    struct write *write = request->exchange->state;
    if (status != STATUS_OK)
        return status;
    switch (write->fetch.outcome) {
    case FETCH_OK: return STATUS_OK;
    case FETCH_STOPPED: return STATUS_UNAVAILABLE;
    case FETCH_NO_MEMORY: return STATUS_INTERNAL;
    case FETCH_TOO_LARGE: return refuse_avatar(write, MESSAGE_TEXT(avatar_too_large));
    default: break;
    }
    return refuse_avatar(write, arena_printf(request->arena, message_avatar_not_fetched,
                                             fetch_reason(write->fetch.outcome)));
}

/* On a thread of the pool: to decode a hostile picture takes up to a second. */
static void check_picture(struct job *job) {
    struct write *write = container_of(job, struct write, check);
    struct text inside = url_picture(write->fetch.url);
    if (inside.at)
        write->fetch.body = base64_decode(inside, write->request->arena);
    /* The metadata may say where the picture was taken; viewers need not learn that. */
    if (write->fetch.body.at)
        write->fetch.body = image_strip(write->fetch.body, write->request->arena);
    write->avatar_type = write->fetch.body.at ? image_type(write->fetch.body) : NULL;
    exchange_resume(write->request->exchange);
}

static enum status hand_to_pictures(struct request *request, void *job) {
    return pool_submit(request->app->pictures, job);
}

enum status user_check_avatar(struct request *request) {
    struct write *write = request->exchange->state;
    if (!write->fetch.url.at)
        return STATUS_OK;
    write->check.run = check_picture;
    return steps_wait(request, hand_to_pictures, &write->check);
}

enum status user_avatar_checked(struct request *request, enum status status) {
    struct write *write = request->exchange->state;
    if (status != STATUS_OK || request->arena->failed)
        return status != STATUS_OK ? status : STATUS_INTERNAL;
    if (!write->avatar_type)
        return refuse_avatar(write, MESSAGE_TEXT(not_an_image));
    struct user_mutation *user = user_of(write);
    user->avatar = (struct avatar){ text_of(write->avatar_type), write->fetch.body };
    user->avatar_extension = image_extension(write->avatar_type);
    return STATUS_OK;
}

/* ---- The password ---- */

enum status user_take_password_step(struct request *request) {
    struct write *write = request->exchange->state;
    if (is_of_user(write))
        user_take_password(user_of(write));
    return STATUS_OK;
}

static void resume_password(struct password_job *job) {
    struct write *write = container_of(job, struct write, password);
    exchange_resume(write->request->exchange);
}

static enum status hand_to_passwords(struct request *request, void *job) {
    return password_submit(request->app->auth.passwords, job);
}

/* Has it compared with a hash; `hash.at` NULL: has it hashed. */
static enum status submit_password(struct write *write, struct text hash) {
    write->password = (struct password_job){ .password = user_of(write)->new_password,
                                             .hash = hash,
                                             .done = resume_password };
    return steps_wait(write->request, hand_to_passwords, &write->password);
}

static bool has_password(const struct write *write) {
    return is_of_user(write) && user_of(write)->new_password.at;
}

/* A change that sets a password was decided on early, so the record as it was is there. */
enum status user_compare_password(struct request *request) {
    struct write *write = request->exchange->state;
    if (!has_password(write) || !user_must_differ(user_of(write)))
        return STATUS_OK;
    struct text stored = value_as_text(&write->mutation->before.values[USER_Password]);
    return stored.at ? submit_password(write, stored) : STATUS_OK;
}

enum status user_password_compared(struct request *request, enum status status) {
    struct write *write = request->exchange->state;
    if (status != STATUS_OK || write->password.failed)
        return status != STATUS_OK ? status : STATUS_INTERNAL;
    user_of(write)->compared = write->password.hash;
    if (write->password.match == PASSWORD_WRONG)
        return STATUS_OK;
    user_refuse_same_password(user_of(write));
    return STATUS_BAD_INPUT;
}

enum status user_hash_password(struct request *request) {
    struct write *write = request->exchange->state;
    return has_password(write) ? submit_password(write, (struct text){ 0 }) : STATUS_OK;
}

enum status user_password_hashed(struct request *request, enum status status) {
    struct write *write = request->exchange->state;
    if (status != STATUS_OK || write->password.failed)
        return status != STATUS_OK ? status : STATUS_INTERNAL;
    user_set_hash(user_of(write), text_of(write->password.made));
    return STATUS_OK;
}

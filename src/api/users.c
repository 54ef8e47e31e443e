/* /api/sys/users: reading a user, and the main job, updating one. */
#include "api/request.h"
#include "api/update.h"
#include "base/time.h"
#include "fetch/image.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

enum { AVATAR_MAX = 5 * 1024 * 1024, AVATAR_TIMEOUT_MS = 5000 };

static struct text send_etag(struct request *request, int64_t id, int64_t version) {
    struct text etag = record_etag(id, version, request->arena);
    if (etag.at)
        reply_header(request->exchange, "ETag", etag.at);
    return etag;
}

/* RFC 9110 section 13.1.2; a weak tag of a record is as good as its strong one here. */
static bool is_known_already(const struct request *request, struct text etag) {
    struct text list = exchange_header(request->exchange, "If-None-Match");
    while (list.at) {
        struct text known = text_trim(text_cut(&list, ','));
        if (known.len > 2 && known.at[0] == 'W' && known.at[1] == '/')
            known = (struct text){ known.at + 2, known.len - 2 };
        if (etag.at && (text_equal(known, etag) || text_equal(known, TEXT("*"))))
            return true;
    }
    return false;
}

void users_get(struct request *request) {
    struct record user;
    struct buffer body;
    enum status status =
        store_load(request->worker->view, &user_table, request->id, request->arena, &user);
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    struct text etag = send_etag(request, request->id, user.version);
    if (is_known_already(request, etag)) {
        request->exchange->reply.http_status = 304;
        return;
    }
    buffer_init(&body, request->arena, 4096);
    json_add_record(&body, &user);
    reply_json(request, 200, &body);
}

static void reply_to_update(struct update *update, enum status status) {
    struct request *request = update->request;
    switch (status) {
    case STATUS_OK:
        (void)send_etag(request, update->change.values[USER_Id].integer, update->version);
        reply_success(request, TEXT("User was successfully updated."),
                      update->change.values[USER_Id].integer, update->updated_on_ms);
        break;
    case STATUS_BAD_INPUT: reply_invalid(request, &update->errors); break;
    case STATUS_DENIED:
        if (update->errors.first)
            reply_failure(request, status, NULL, update->errors.first);
        else
            reply_forbidden(request, (unsigned)request->route->permission);
        break;
    case STATUS_UNAUTHENTICATED: reply_unauthenticated(request, "invalid_token"); break;
    default: reply_failure(request, status, NULL, NULL); break;
    }
}

static void update_written(struct exchange *exchange) {
    struct update *update = exchange->state;
    reply_to_update(update, update->command.status);
}

static void resume_update(struct store_command *command) {
    exchange_resume(((struct update *)command)->request->exchange);
}

static void write_update(struct update *update) {
    update->command.run = update_run;
    update->command.done = resume_update;
    request_suspend(update->request, update_written);
    enum status status = store_submit(update->request->app->store, &update->command);
    if (status == STATUS_OK)
        return; /* the update is the writer's now */
    update->command.status = status;
    exchange_resume(update->request->exchange);
}

static struct update *update_of_job(struct password_job *job) {
    return (struct update *)((char *)job - offsetof(struct update, job));
}

static struct update *update_of_fetch(struct fetch_job *fetch) {
    return (struct update *)((char *)fetch - offsetof(struct update, fetch));
}

static void password_hashed(struct exchange *exchange) {
    struct update *update = exchange->state;
    if (update->job.failed) {
        reply_to_update(update, STATUS_BROKEN);
        return;
    }
    update->change.values[USER_Password] = value_text(text_of(update->job.made));
    write_update(update);
}

static void resume_hashed(struct password_job *job) {
    exchange_resume(update_of_job(job)->request->exchange);
}

static void hash_password(struct update *update) {
    if (!update->new_password.at) {
        write_update(update);
        return;
    }
    update->job = (struct password_job){ .password = update->new_password, .done = resume_hashed };
    request_suspend(update->request, password_hashed);
    enum status status = password_pool_submit(update->request->app->auth.pool, &update->job);
    if (status == STATUS_OK)
        return;
    update->command.status = status;
    update->request->exchange->next = update_written;
    exchange_resume(update->request->exchange);
}

static void refuse_avatar(struct update *update, struct text message) {
    validate_complain(&update->change, USER_NewAvatarUrl, message, update->request->arena,
                      &update->errors);
    reply_to_update(update, STATUS_BAD_INPUT);
}

static void avatar_fetched(struct exchange *exchange) {
    struct update *update = exchange->state;
    if (update->fetch.outcome != FETCH_OK) {
        refuse_avatar(update,
                      arena_printf(update->request->arena, "could not be fetched: %s",
                                   fetch_reason(update->fetch.outcome)));
        return;
    }
    const char *type = image_type(update->fetch.body);
    if (!type) {
        refuse_avatar(update, MESSAGE_TEXT(not_an_image));
        return;
    }
    update->avatar = (struct avatar){ text_of(type), update->fetch.body };
    update->avatar_file_name =
        arena_printf(update->request->arena, "%lld.%s",
                     (long long)update->change.values[USER_Id].integer, image_extension(type));
    hash_password(update);
}

static void resume_fetched(struct fetch_job *fetch) {
    exchange_resume(update_of_fetch(fetch)->request->exchange);
}

static void fetch_avatar(struct update *update) {
    const struct value *url = &update->change.values[USER_NewAvatarUrl];
    if (url->kind != VALUE_TEXT) {
        hash_password(update);
        return;
    }
    update->fetch = (struct fetch_job){ .url = value_as_text(url),
                                        .arena = update->request->arena,
                                        .max_size = AVATAR_MAX,
                                        .timeout_ms = AVATAR_TIMEOUT_MS,
                                        .done = resume_fetched };
    request_suspend(update->request, avatar_fetched);
    enum status status = fetch_submit(update->request->app->fetcher, &update->fetch);
    if (status == STATUS_OK)
        return;
    update->command.status = status;
    update->request->exchange->next = update_written;
    exchange_resume(update->request->exchange);
}

/* Puts what is stored in place of what was sent: sealed fields, and the password to be hashed. */
static bool prepare_secrets(struct update *update) {
    struct value *values = update->change.values;
    struct request *request = update->request;
    for (unsigned i = 0; i < update->change.table->count; i++) {
        const struct field *field = &update->change.table->fields[i];
        if (!field_is_sealed(field) || values[i].kind != VALUE_TEXT || values[i].len == 0)
            continue;
        struct text place = auth_sealed_place(values[USER_Id].integer, field->name, request->arena);
        values[i] = value_text(
            seal(request->app->auth.key, value_as_text(&values[i]), place, request->arena));
        if (values[i].kind != VALUE_TEXT)
            return false;
    }
    struct value *password = &values[USER_Password];
    bool is_hash =
        password->kind == VALUE_TEXT && password_form(value_as_text(password)) == PASSWORD_HASH;
    if (values[USER_NewPassword].kind == VALUE_TEXT)
        update->new_password = value_as_text(&values[USER_NewPassword]);
    else if (password->kind == VALUE_TEXT && !is_hash)
        update->new_password = value_as_text(password);
    if (update->new_password.at && !value_is_true(&values[USER_MustResetPassword]))
        values[USER_MustResetPassword] = value_integer(0);
    return true;
}

static bool is_strict(const struct request *request) {
    struct text list = exchange_header(request->exchange, "Prefer");
    while (list.at) {
        struct text value = text_cut(&list, ','), name = text_cut(&value, '=');
        value = text_trim(value);
        if (value.len > 2 && value.at[0] == '"')
            value = (struct text){ value.at + 1, value.len - 2 };
        if (text_equal_nocase(text_trim(name), TEXT("handling")) &&
            text_equal_nocase(value, TEXT("strict")))
            return true;
    }
    return false;
}

/* A plain update goes to the writer at once, which decides. One that is wrong already, or asks
 * for slow things first, is decided on here as well. */
static void start_update(struct update *update) {
    struct record before, after;
    bool is_wrong = update->errors.first || update->errors.failed;
    if (update->change.values[USER_Id].kind != VALUE_INTEGER) {
        reply_to_update(update, STATUS_BAD_INPUT);
        return;
    }
    if (!is_wrong && !prepare_secrets(update)) {
        reply_to_update(update, STATUS_BROKEN);
        return;
    }
    if (is_wrong || update->new_password.at ||
        update->change.values[USER_NewAvatarUrl].kind == VALUE_TEXT) {
        enum status status = update_decide(update, update->request->worker->view, &before, &after);
        if (status != STATUS_OK) {
            reply_to_update(update, status);
            return;
        }
    }
    fetch_avatar(update);
}

void users_put(struct request *request) {
    struct update *update = arena_calloc(request->arena, 1, sizeof *update);
    if (!update) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    request->exchange->state = update;
    update->request = request;
    update->if_match = exchange_header(request->exchange, "If-Match");
    update->rules = (struct rules){ .nexudus = request->app->nexudus,
                                    .strict = is_strict(request),
                                    .now_ms = time_now_ms() };
    enum status status = json_read_change(request->exchange->body, &user_table, request->arena,
                                          &update->change, &update->errors);
    if (status != STATUS_OK) {
        reply_to_update(update, status);
        return;
    }
    validate(&update->change, &update->rules, request->arena, &update->errors);
    start_update(update);
}

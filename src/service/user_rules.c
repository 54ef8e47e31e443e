/* What is particular about users: who may change whom, the e-mail address, the last administrator,
 * the password and the picture. */
#include "service/user_rules.h"
#include "api/reply.h"
#include "api/wait.h"

#include "service/resource_rules.h"
#include "auth/auth.h"
#include "base/time.h"
#include "crypto/password.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "fetch/image.h"
#include "fetch/strip.h"
#include "model/tables.h"
#include "rules/base32.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/password.h"
#include "rules/permit.h"

enum { AVATAR_MAX = 5 * 1024 * 1024, AVATAR_TIMEOUT_MS = 5000 };

/* A writing of a user with what only users have. */
struct user_writing {
    struct writing writing;   /* first */
    struct text new_password; /* in clear, to be hashed; `at` NULL: none */
    struct text compared;     /* the stored hash that it is none of; `at` NULL: not asked for */
    struct password_job job;
    struct fetch_job fetch;
    struct job look;         /* at what was fetched */
    const char *avatar_type; /* NULL: no picture */
    struct avatar avatar;    /* the new one, when `content` is not NULL */
    const char *avatar_extension;
};

static struct user_writing *user_of(struct writing *writing) {
    return (struct user_writing *)writing;
}

/* ---- Rules ---- */

static enum status judge_role(struct writing *writing, struct store_view *view, unsigned field,
                              int64_t id) {
    struct record role;
    struct arena *arena = writing->request->arena;
    enum status status = store_load(view, &user_role_table, id, arena, &role);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* the references' business */
    uint64_t permissions = permissions_from_roles(value_as_text(&role.values[USER_ROLE_Roles]));
    if (permit_grant(&writing->request->principal, permissions))
        return STATUS_OK;
    writing_complain(writing, field, arena_printf(arena, message_role_beyond, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status permit(struct writing *writing, struct store_view *view) {
    struct request *request = writing->request;
    permit_user_change(&request->principal, &writing->before, &writing->change, request->arena,
                       &writing->errors);
    if (request->principal.is_admin)
        return STATUS_OK;
    enum status status = writing_each_new_id(writing, USER_UserRoles, view, judge_role);
    if (status == STATUS_OK)
        status = writing_each_new_id(writing, USER_AddedUserRoles, view, judge_role);
    return status;
}

static enum status check_email(struct writing *writing, struct store_view *view) {
    const struct value *email = &writing->change.values[USER_Email];
    int64_t owner;
    if (email->kind != VALUE_TEXT || value_equal(email, &writing->before.values[USER_Email]))
        return STATUS_OK;
    struct text key = email_key(value_as_text(email), writing->request->arena);
    if (!key.at)
        return STATUS_BROKEN;
    enum status status = store_find_user(view, key, &owner);
    if (status == STATUS_OK && (!writing->before.version || owner != record_id(&writing->before)))
        writing_complain(writing, USER_Email, MESSAGE_TEXT(email_taken));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The plain password that the change sets, and its field; `at` NULL: none. */
static struct text new_password(const struct user_writing *user, unsigned *field) {
    const struct value *values = user->writing.change.values;
    bool is_new = values[USER_NewPassword].kind == VALUE_TEXT;
    *field = is_new ? USER_NewPassword : USER_Password;
    if (is_new || user->new_password.at)
        return is_new ? value_as_text(&values[USER_NewPassword]) : user->new_password;
    struct text password = value_as_text(&values[USER_Password]);
    return password_form(password) == PASSWORD_PLAIN ? password : (struct text){ 0 };
}

/* In another spelling of what is one address too: a domain in A-labels, quotes, blanks around it.
 */
static bool is_address(struct text password, struct text email, struct arena *arena) {
    struct text given = email_key(text_trim(password), arena), own = email_key(email, arena);
    return given.len && text_equal(given, own);
}

/* Beside what the record will have, whether the change says it or not. */
static void check_personal(struct writing *writing) {
    unsigned field;
    struct text password = new_password(user_of(writing), &field);
    const struct value *after = writing->after.values;
    struct text email = value_as_text(&after[USER_Email]);
    if (password.at &&
        (password_is_personal(password, email, value_as_text(&after[USER_FullName])) ||
         is_address(password, email, writing->request->arena)))
        writing_complain(writing, field, MESSAGE_TEXT(password_personal));
}

/* What was asked for is another password, which is not set by giving the old one again. */
static bool must_differ(const struct user_writing *user) {
    const struct writing *writing = &user->writing;
    return user->new_password.at && writing->before.version &&
           value_is_true(&writing->before.values[USER_MustResetPassword]) &&
           !value_is_true(&writing->change.values[USER_MustResetPassword]);
}

/* Inside the transaction: is it still the stored password that the new one was compared with? */
static enum status check_compared(struct writing *writing) {
    const struct user_writing *user = user_of(writing);
    bool is_hashed = user->job.made[0];
    struct text stored = value_as_text(&writing->before.values[USER_Password]);
    if (!is_hashed || !must_differ(user) || text_equal(stored, user->compared))
        return STATUS_OK;
    writing->conflict = MESSAGE_TEXT(password_changed);
    return STATUS_CONFLICT;
}

/* The failures that were counted were those of the password that was; unless the body says how many
 * they are from now on. */
static void forget_failures(struct writing *writing) {
    const struct record *before = &writing->before;
    const struct value *said = &writing->change.values[USER_InvalidLoginAttempts];
    struct value *after = writing->after.values;
    if (!before->version || value_equal(&before->values[USER_Password], &after[USER_Password]))
        return;
    if (said->kind != VALUE_INTEGER ||
        value_equal(said, &before->values[USER_InvalidLoginAttempts]))
        after[USER_InvalidLoginAttempts] = value_integer(0);
}

/* 0: it does not open, or is none that works. */
static size_t totp_bits(const struct writing *writing, const struct value *sealed,
                        unsigned char bits[TOTP_SECRET_MAX]) {
    struct request *request = writing->request;
    struct text place =
        seal_place(&user_table, record_id(&writing->before), USER_TwoFactorSecret, request->arena);
    struct text secret =
        unseal(request->app->auth.key, value_as_text(sealed), place, request->arena);
    /* Older versions took longer ones, which never worked. */
    if (!secret.at || base32_decode(secret, NULL) > TOTP_SECRET_MAX)
        return 0;
    return base32_decode(secret, bits);
}

/* The same second factor again, however it is spelled, changes nothing; sealed anew it would
 * differ. Before it is sealed, when what is certain to fail is looked for, it does not matter. */
static void keep_second_factor(struct writing *writing) {
    unsigned char old_bits[TOTP_SECRET_MAX], new_bits[TOTP_SECRET_MAX];
    const struct value *old = &writing->before.values[USER_TwoFactorSecret];
    const struct value *new = &writing->change.values[USER_TwoFactorSecret];
    if (!writing->before.version || !old->len || old->kind != VALUE_TEXT || !new->len ||
        new->kind != VALUE_TEXT)
        return;
    size_t len = totp_bits(writing, old, old_bits);
    if (len && len == totp_bits(writing, new, new_bits) && !memcmp(old_bits, new_bits, len))
        writing->after.values[USER_TwoFactorSecret] = *old;
    secret_wipe(old_bits, sizeof old_bits);
    secret_wipe(new_bits, sizeof new_bits);
}

/* What the change does to the picture is no value of the body's. */
static bool merge_avatar(struct user_writing *user) {
    struct writing *writing = &user->writing;
    struct value *name = &writing->after.values[USER_AvatarFileName];
    if (value_is_true(&writing->change.values[USER_ClearAvatarFile]))
        *name = value_null();
    if (user->avatar.content.at)
        *name = value_text(arena_printf(writing->request->arena, "%.36s.%s",
                                        value_as_text(&writing->after.values[USER_UniqueId]).at,
                                        user->avatar_extension));
    return !user->avatar.content.at || name->kind == VALUE_TEXT;
}

static enum status check_merged(struct writing *writing, struct store_view *view) {
    const struct record *before = &writing->before, *after = &writing->after;
    if (writing->kind != WRITING_delete && !merge_avatar(user_of(writing)))
        return STATUS_BROKEN;
    if (writing->kind != WRITING_delete) {
        check_personal(writing);
        forget_failures(writing);
        keep_second_factor(writing);
    }
    if (!permit_ends_administrator(before, after))
        return STATUS_OK;
    enum status status = store_other_administrator(view, record_id(before));
    if (status != STATUS_NOT_FOUND)
        return status;
    unsigned field = value_is_true(&after->values[USER_IsAdmin]) ? USER_Active : USER_IsAdmin;
    writing_complain(writing, writing->kind == WRITING_delete ? (unsigned)USER_Id : field,
                     MESSAGE_TEXT(last_admin));
    return STATUS_OK;
}

static bool falls(const struct record *before, const struct record *after, unsigned field) {
    return value_is_true(&before->values[field]) && !value_is_true(&after->values[field]);
}

/* A changed password, the demand for one, deactivation, demotion and deletion end every session
 * (docs/api.md "tokens"). */
static bool ends_sessions(const struct record *before, const struct record *after) {
    return before->version &&
           (!value_equal(&before->values[USER_Password], &after->values[USER_Password]) ||
            !after->version || falls(before, after, USER_Active) ||
            falls(before, after, USER_IsAdmin) || falls(after, before, USER_MustResetPassword));
}

/* Who may sign in with the password alone, and reset it, may not any more once nobody asks for it.
 */
static enum status end_tokens(const struct writing *writing, struct store_view *tx) {
    const struct record *before = &writing->before, *after = &writing->after;
    if (ends_sessions(before, after))
        return store_revoke_all(tx, record_id(before));
    if (falls(before, after, USER_MustResetPassword))
        return store_revoke_client(tx, record_id(before), TEXT(""), TOKEN_RESET);
    return STATUS_OK;
}

static bool locks(const struct record *before, const struct record *after) {
    const struct value *was = &before->values[USER_InvalidLoginAttempts],
                       *is = &after->values[USER_InvalidLoginAttempts];
    return before->version && is->kind == VALUE_INTEGER &&
           (was->kind != VALUE_INTEGER || is->integer > was->integer);
}

static enum status write_avatar(struct user_writing *user, struct store_view *tx) {
    const struct record *before = &user->writing.before, *after = &user->writing.after;
    if (user->avatar.content.at)
        return store_set_avatar(tx, record_id(after), &user->avatar);
    if (before->values[USER_AvatarFileName].kind != VALUE_TEXT ||
        value_equal(&before->values[USER_AvatarFileName], &after->values[USER_AvatarFileName]))
        return STATUS_OK;
    return store_set_avatar(tx, record_id(before), NULL);
}

static enum status audit_reset(const struct writing *writing, struct store_view *tx) {
    struct author author = writing_author(writing);
    return store_audit_tokens(tx, record_id(&writing->before), TEXT("PasswordReset"), TEXT("used"),
                              &author);
}

static enum status write(struct writing *writing, struct store_view *tx) {
    enum status status = write_avatar(user_of(writing), tx);
    if (status == STATUS_OK)
        status = end_tokens(writing, tx);
    if (status == STATUS_OK && writing->request->principal.credential.kind == CREDENTIAL_reset)
        status = audit_reset(writing, tx);
    if (locks(&writing->before, &writing->after))
        store_change_access(tx); /* a Basic password that is remembered is forgotten */
    return status;
}

/* ---- What takes time ---- */

static bool is_slow(const struct writing *writing) {
    const struct value *values = writing->change.values;
    return values[USER_NewPassword].kind == VALUE_TEXT ||
           values[USER_Password].kind == VALUE_TEXT || values[USER_NewAvatarUrl].kind == VALUE_TEXT;
}

static struct user_writing *user_of_job(struct password_job *job) {
    return (struct user_writing *)((char *)job - offsetof(struct user_writing, job));
}

static struct user_writing *user_of_fetch(struct fetch_job *fetch) {
    return (struct user_writing *)((char *)fetch - offsetof(struct user_writing, fetch));
}

static void password_hashed(struct exchange *exchange) {
    struct user_writing *user = exchange->state;
    if (user->job.failed) {
        writing_reply(&user->writing, STATUS_BROKEN);
        return;
    }
    user->writing.change.values[USER_Password] = value_text(text_of(user->job.made));
    writing_submit(&user->writing);
}

static void resume_hashed(struct password_job *job) {
    exchange_resume(user_of_job(job)->writing.request->exchange);
}

/* Hands the password to the pool, to be compared with `hash` (`at` NULL: hashed). */
static void submit_password(struct user_writing *user, struct text hash,
                            void (*step)(struct exchange *exchange)) {
    struct request *request = user->writing.request;
    user->job = (struct password_job){ .password = user->new_password,
                                       .hash = hash,
                                       .done = resume_hashed };
    request_suspend(request, step);
    enum status status = password_submit(request->app->auth.passwords, &user->job);
    if (status != STATUS_OK)
        writing_give_up(&user->writing, status);
}

static void password_compared(struct exchange *exchange) {
    struct user_writing *user = exchange->state;
    unsigned field;
    if (user->job.failed) {
        writing_reply(&user->writing, STATUS_BROKEN);
        return;
    }
    user->compared = user->job.hash;
    if (user->job.match == PASSWORD_WRONG) {
        submit_password(user, (struct text){ 0 }, password_hashed);
        return;
    }
    (void)new_password(user, &field);
    writing_complain(&user->writing, field, MESSAGE_TEXT(password_same));
    writing_reply(&user->writing, STATUS_BAD_INPUT);
}

/* A change that sets a password was decided on early, so the record as it was is there. */
static void hash_password(struct user_writing *user) {
    struct text stored = { 0 };
    if (!user->new_password.at) {
        writing_submit(&user->writing);
        return;
    }
    if (must_differ(user))
        stored = value_as_text(&user->writing.before.values[USER_Password]);
    submit_password(user, stored, stored.at ? password_compared : password_hashed);
}

static void refuse_avatar(struct user_writing *user, struct text message) {
    writing_complain(&user->writing, USER_NewAvatarUrl, message);
    writing_reply(&user->writing, STATUS_BAD_INPUT);
}

static struct user_writing *user_of_look(struct job *look) {
    return (struct user_writing *)((char *)look - offsetof(struct user_writing, look));
}

static void avatar_looked_at(struct exchange *exchange) {
    struct user_writing *user = exchange->state;
    if (exchange->arena->failed) {
        writing_reply(&user->writing, STATUS_BROKEN);
        return;
    }
    if (!user->avatar_type) {
        refuse_avatar(user, MESSAGE_TEXT(not_an_image));
        return;
    }
    user->avatar = (struct avatar){ text_of(user->avatar_type), user->fetch.body };
    user->avatar_extension = image_extension(user->avatar_type);
    hash_password(user);
}

static void look(struct job *job) {
    struct user_writing *user = user_of_look(job);
    /* Who sees the picture need not learn where it was taken. */
    user->fetch.body = image_strip(user->fetch.body, user->writing.request->arena);
    user->avatar_type = user->fetch.body.at ? image_type(user->fetch.body) : NULL;
    exchange_resume(user->writing.request->exchange);
}

/* To decode a hostile picture takes up to a second: not on this thread. */
static void avatar_fetched(struct exchange *exchange) {
    struct user_writing *user = exchange->state;
    struct request *request = user->writing.request;
    if (user->fetch.outcome == FETCH_NO_MEMORY || user->fetch.outcome == FETCH_STOPPED) {
        bool is_stopping = user->fetch.outcome == FETCH_STOPPED; /* neither is the caller's fault */
        writing_reply(&user->writing, is_stopping ? STATUS_UNAVAILABLE : STATUS_BROKEN);
        return;
    }
    if (user->fetch.outcome != FETCH_OK) {
        bool is_large = user->fetch.outcome == FETCH_TOO_LARGE;
        const char *reason =
            is_large ? "it is larger than 5 MiB" : fetch_reason(user->fetch.outcome);
        refuse_avatar(user, arena_printf(exchange->arena, "could not be fetched: %s", reason));
        return;
    }
    user->look.run = look;
    request_suspend(request, avatar_looked_at);
    enum status status = pool_submit(request->app->pictures, &user->look);
    if (status != STATUS_OK)
        writing_give_up(&user->writing, status);
}

static void resume_fetched(struct fetch_job *fetch) {
    exchange_resume(user_of_fetch(fetch)->writing.request->exchange);
}

static void fetch_avatar(struct user_writing *user) {
    struct request *request = user->writing.request;
    const struct value *url = &user->writing.change.values[USER_NewAvatarUrl];
    if (url->kind != VALUE_TEXT) {
        hash_password(user);
        return;
    }
    user->fetch = (struct fetch_job){ .url = value_as_text(url),
                                      .arena = request->arena,
                                      .max_size = AVATAR_MAX,
                                      .timeout_ms = AVATAR_TIMEOUT_MS,
                                      .done = resume_fetched };
    request_suspend(request, avatar_fetched);
    enum status status = fetch_submit(request->app->fetcher, &user->fetch);
    if (status != STATUS_OK)
        writing_give_up(&user->writing, status);
}

/* A plain `Password` is a new password; a hash is imported as it is. */
static void prepare(struct writing *writing) {
    struct user_writing *user = user_of(writing);
    struct value *values = writing->change.values, *password = &values[USER_Password];
    bool is_hash =
        password->kind == VALUE_TEXT && password_form(value_as_text(password)) == PASSWORD_HASH;
    if (values[USER_NewPassword].kind == VALUE_TEXT)
        user->new_password = value_as_text(&values[USER_NewPassword]);
    else if (password->kind == VALUE_TEXT && !is_hash)
        user->new_password = value_as_text(password);
    if (user->new_password.at && !value_is_true(&values[USER_MustResetPassword]))
        values[USER_MustResetPassword] = value_integer(0);
    fetch_avatar(user);
}

static enum status check(struct writing *writing, struct store_view *view) {
    enum status status = check_compared(writing);
    return status == STATUS_OK ? check_email(writing, view) : status;
}

void user_set_password(struct request *request, struct text password) {
    struct writing *writing =
        writing_new_patch(request, &user_resource, request->principal.user_id);
    if (!writing) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    request->exchange->state = writing;
    writing->change.values[USER_NewPassword] = value_text(password);
    validate(&writing->change, &writing->rules, request->arena, &writing->errors);
    enum status status = writing_decide(writing, request->worker->view);
    if (status == STATUS_OK)
        prepare(writing);
    else
        writing_reply(writing, status);
}

const struct resource user_resource = {
    .table = &user_table,
    .writing_size = sizeof(struct user_writing),
    .permit = permit,
    .check = check,
    .check_merged = check_merged,
    .write = write,
    .prepare = prepare,
    .is_slow = is_slow,
};

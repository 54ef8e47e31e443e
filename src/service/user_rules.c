/* The rules of users: who may change whom, the e-mail address, the last administrator, the password
 * and the picture. */
#include "service/user_rules.h"

#include "base/container_of.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "rules/base32.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/password.h"
#include "rules/permit.h"
#include "service/resources.h"

enum { LANGUAGE_ENGLISH = 1 };

struct user_mutation *user_mutation_of(struct mutation *mutation) {
    return container_of(mutation, struct user_mutation, mutation);
}

static struct mutation *allocate(struct arena *arena) {
    struct user_mutation *user = arena_calloc(arena, 1, sizeof *user);
    return user ? &user->mutation : NULL;
}

struct mutation *user_new_administrator(const struct mutation_context *context, struct text name,
                                        struct text email, struct text password) {
    static const unsigned set[] = { USER_Active, USER_IsAdmin, USER_APIAccess, USER_Validated };
    struct mutation *mutation = mutation_new(context, &user_resource, MUTATION_create);
    if (mutation)
        mutation->change = change_new(&user_table, context->arena);
    if (!mutation || !mutation->change.values)
        return NULL;
    struct value *values = mutation->change.values;
    values[USER_FullName] = value_text(name);
    values[USER_Email] = value_text(email);
    values[USER_NewPassword] = value_text(password);
    values[USER_Language] = value_integer(LANGUAGE_ENGLISH);
    values[USER_PasswordSalt] = value_text(TEXT(""));
    values[USER_LastHelpVisited] = values[USER_InvalidLoginAttempts] = value_integer(0);
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        values[set[i]] = value_integer(1);
    return mutation;
}

/* ---- Rules ---- */

static enum status check_role(struct mutation *mutation, struct store_session *session,
                              unsigned field, int64_t id) {
    struct record role;
    struct arena *arena = mutation->context->arena;
    enum status status = store_load(session, &user_role_table, id, arena, &role);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* the references' business */
    uint64_t permissions = permissions_from_roles(value_as_text(&role.values[USER_ROLE_Roles]));
    if (permit_grant(mutation->context->caller, permissions))
        return STATUS_OK;
    mutation_add_error(mutation, field, arena_printf(arena, message_role_beyond, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status permit(struct mutation *mutation, struct store_session *session) {
    const struct principal *caller = mutation->context->caller;
    permit_user_change(caller, &mutation->before, &mutation->change, mutation->context->arena,
                       &mutation->errors);
    if (caller->is_admin)
        return STATUS_OK;
    enum status status = mutation_each_new_id(mutation, USER_UserRoles, session, check_role);
    if (status == STATUS_OK)
        status = mutation_each_new_id(mutation, USER_AddedUserRoles, session, check_role);
    return status;
}

static enum status check_email(struct mutation *mutation, struct store_session *session) {
    const struct value *email = &mutation->change.values[USER_Email];
    int64_t owner;
    if (email->kind != VALUE_TEXT || value_equal(email, &mutation->before.values[USER_Email]))
        return STATUS_OK;
    struct text key = email_key(value_as_text(email), mutation->context->arena);
    if (!key.at)
        return STATUS_INTERNAL;
    enum status status = store_find_user(session, key, &owner);
    if (status == STATUS_OK && (!mutation->before.version || owner != record_id(&mutation->before)))
        mutation_add_error(mutation, USER_Email, MESSAGE_TEXT(email_taken));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The plain password that the change sets, and its field; `at` NULL: none. */
static struct text new_password(const struct user_mutation *user, unsigned *field) {
    const struct value *values = user->mutation.change.values;
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
static void check_personal(struct mutation *mutation) {
    unsigned field;
    struct text password = new_password(user_mutation_of(mutation), &field);
    const struct value *after = mutation->after.values;
    struct text email = value_as_text(&after[USER_Email]);
    if (password.at &&
        (password_is_personal(password, email, value_as_text(&after[USER_FullName])) ||
         is_address(password, email, mutation->context->arena)))
        mutation_add_error(mutation, field, MESSAGE_TEXT(password_personal));
}

bool user_must_differ(const struct user_mutation *user) {
    const struct mutation *mutation = &user->mutation;
    return user->new_password.at && mutation->before.version &&
           value_is_true(&mutation->before.values[USER_MustResetPassword]) &&
           !value_is_true(&mutation->change.values[USER_MustResetPassword]);
}

/* Inside the transaction: is it still the stored password that the new one was compared with? */
static enum status check_compared(struct mutation *mutation) {
    const struct user_mutation *user = user_mutation_of(mutation);
    struct text stored = value_as_text(&mutation->before.values[USER_Password]);
    if (!user->is_hashed || !user_must_differ(user) || text_equal(stored, user->compared))
        return STATUS_OK;
    mutation->conflict = MESSAGE_TEXT(password_changed);
    return STATUS_CONFLICT;
}

/* The failures that were counted were those of the password that was; unless the body says how many
 * they are from now on. */
static void forget_failures(struct mutation *mutation) {
    const struct record *before = &mutation->before;
    const struct value *said = &mutation->change.values[USER_InvalidLoginAttempts];
    struct value *after = mutation->after.values;
    if (!before->version || value_equal(&before->values[USER_Password], &after[USER_Password]))
        return;
    if (said->kind != VALUE_INTEGER ||
        value_equal(said, &before->values[USER_InvalidLoginAttempts]))
        after[USER_InvalidLoginAttempts] = value_integer(0);
}

/* 0: it does not open, or is none that works. */
static size_t totp_bits(const struct mutation *mutation, const struct value *sealed,
                        unsigned char bits[TOTP_SECRET_MAX]) {
    const struct mutation_context *context = mutation->context;
    struct text place =
        seal_place(&user_table, record_id(&mutation->before), USER_TwoFactorSecret, context->arena);
    struct text secret = unseal(context->key, value_as_text(sealed), place, context->arena);
    /* Older versions took longer ones, which never worked. */
    if (!secret.at || base32_decode(secret, NULL) > TOTP_SECRET_MAX)
        return 0;
    return base32_decode(secret, bits);
}

/* The same second factor again, in whatever spelling, changes nothing; sealed again it would
 * differ. In an early decision it is not sealed yet, and this does not matter. */
static void keep_second_factor(struct mutation *mutation) {
    unsigned char old_bits[TOTP_SECRET_MAX], new_bits[TOTP_SECRET_MAX];
    const struct value *old = &mutation->before.values[USER_TwoFactorSecret];
    const struct value *new = &mutation->change.values[USER_TwoFactorSecret];
    if (!mutation->before.version || !old->len || old->kind != VALUE_TEXT || !new->len ||
        new->kind != VALUE_TEXT)
        return;
    size_t len = totp_bits(mutation, old, old_bits);
    if (len && len == totp_bits(mutation, new, new_bits) && !memcmp(old_bits, new_bits, len))
        mutation->after.values[USER_TwoFactorSecret] = *old;
    secret_wipe(old_bits, sizeof old_bits);
    secret_wipe(new_bits, sizeof new_bits);
}

/* The file name of the picture is no value of the body: it follows from the new picture. */
static bool merge_avatar(struct user_mutation *user) {
    struct mutation *mutation = &user->mutation;
    struct value *name = &mutation->after.values[USER_AvatarFileName];
    if (value_is_true(&mutation->change.values[USER_ClearAvatarFile]))
        *name = value_null();
    if (user->avatar.content.at)
        *name = value_text(arena_printf(mutation->context->arena, "%.36s.%s",
                                        value_as_text(&mutation->after.values[USER_UniqueId]).at,
                                        user->avatar_extension));
    return !user->avatar.content.at || name->kind == VALUE_TEXT;
}

static enum status check_merged(struct mutation *mutation, struct store_session *session) {
    const struct record *before = &mutation->before, *after = &mutation->after;
    if (mutation->kind != MUTATION_delete && !merge_avatar(user_mutation_of(mutation)))
        return STATUS_INTERNAL;
    if (mutation->kind != MUTATION_delete) {
        check_personal(mutation);
        forget_failures(mutation);
        keep_second_factor(mutation);
    }
    if (!permit_ends_administrator(before, after))
        return STATUS_OK;
    enum status status = store_other_administrator(session, record_id(before));
    if (status != STATUS_NOT_FOUND)
        return status;
    unsigned field = value_is_true(&after->values[USER_IsAdmin]) ? USER_Active : USER_IsAdmin;
    mutation_add_error(mutation, mutation->kind == MUTATION_delete ? (unsigned)USER_Id : field,
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

/* A reset token works only while the user is asked for a new password. */
static enum status end_tokens(const struct mutation *mutation, struct store_tx *tx) {
    const struct record *before = &mutation->before, *after = &mutation->after;
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

static enum status write_avatar(struct user_mutation *user, struct store_tx *tx) {
    const struct record *before = &user->mutation.before, *after = &user->mutation.after;
    if (user->avatar.content.at)
        return store_set_avatar(tx, record_id(after), &user->avatar);
    if (before->values[USER_AvatarFileName].kind != VALUE_TEXT ||
        value_equal(&before->values[USER_AvatarFileName], &after->values[USER_AvatarFileName]))
        return STATUS_OK;
    return store_set_avatar(tx, record_id(before), NULL);
}

static enum status audit_reset(const struct mutation *mutation, struct store_tx *tx) {
    struct author author = mutation_author(mutation);
    return store_audit_tokens(tx, record_id(&mutation->before), TEXT("PasswordReset"), TEXT("used"),
                              &author);
}

static enum status write(struct mutation *mutation, struct store_tx *tx) {
    enum status status = write_avatar(user_mutation_of(mutation), tx);
    if (status == STATUS_OK)
        status = end_tokens(mutation, tx);
    if (status == STATUS_OK && mutation->context->caller->credential.kind == CREDENTIAL_reset)
        status = audit_reset(mutation, tx);
    if (locks(&mutation->before, &mutation->after))
        store_change_access(tx); /* a Basic password that is remembered is forgotten */
    return status;
}

static enum status check(struct mutation *mutation, struct store_session *session) {
    enum status status = check_compared(mutation);
    return status == STATUS_OK ? check_email(mutation, session) : status;
}

/* ---- Slow work ---- */

static bool is_slow(const struct mutation *mutation) {
    const struct value *values = mutation->change.values;
    return values[USER_NewPassword].kind == VALUE_TEXT ||
           values[USER_Password].kind == VALUE_TEXT || values[USER_NewAvatarUrl].kind == VALUE_TEXT;
}

void user_take_password(struct user_mutation *user) {
    struct value *values = user->mutation.change.values, *password = &values[USER_Password];
    bool is_hash =
        password->kind == VALUE_TEXT && password_form(value_as_text(password)) == PASSWORD_HASH;
    if (values[USER_NewPassword].kind == VALUE_TEXT)
        user->new_password = value_as_text(&values[USER_NewPassword]);
    else if (password->kind == VALUE_TEXT && !is_hash)
        user->new_password = value_as_text(password);
    if (user->new_password.at && !value_is_true(&values[USER_MustResetPassword]))
        values[USER_MustResetPassword] = value_integer(0);
}

void user_refuse_same_password(struct user_mutation *user) {
    unsigned field;
    (void)new_password(user, &field);
    mutation_add_error(&user->mutation, field, MESSAGE_TEXT(password_same));
}

void user_set_hash(struct user_mutation *user, struct text hash) {
    user->is_hashed = true;
    user->mutation.change.values[USER_Password] = value_text(hash);
}

const struct resource user_resource = {
    .table = &user_table,
    .allocate = allocate,
    .permit = permit,
    .check = check,
    .check_merged = check_merged,
    .write = write,
    .is_slow = is_slow,
};

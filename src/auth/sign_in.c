/* Signing in, in three steps on three threads.
 *
 * 1. A question to the store finds the user of the address and the stored hash (find_user). Where
 * the store counts attempts by address, a command does so first (begin_and_find).
 *
 * 2. The password pool compares the password with that hash (password_checked).
 *
 * 3. The writer decides, in one transaction: lock-out, second factor, counters, tokens
 * (run_sign_in).
 *
 * All three steps are done even if the first finds nobody, and an unknown user's password is
 * compared with a hash too, so the time does not tell which addresses exist. The hash may change
 * between the steps, for example because another sign-in has renewed it. The writer then has the
 * password compared once more (is_outdated), since that is no reason to refuse.
 *
 * The writer may run a step twice when a group of commands is repeated, so run_sign_in sets every
 * result again. The attempt of the client's address begins before anything is looked up, and ends
 * with the decision (run_sign_in) if it is counted in the store, else in `conclude` or `give_up`.
 */
#include "auth/sign_in.h"

#include "auth/token_pair.h"
#include "auth/totp.h"
#include "base/container_of.h"
#include "base/network.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "rules/base32.h"
#include "rules/email.h"

#include <stdio.h>

enum { RESET_LIFETIME_MS = 60 * 60 * 1000, COMPARISONS_MAX = 4 };

static struct sign_in *of_job(struct password_job *job) {
    return container_of(job, struct sign_in, job);
}

static struct sign_in *of_command(struct store_command *command) {
    return container_of(command, struct sign_in, command);
}

enum totp_state { TOTP_NOT_NEEDED, TOTP_MISSING, TOTP_WRONG, TOTP_RIGHT, TOTP_BROKEN };

/* LastTotpStep holds the step of the last code that was used and, above it, a mark of the secret
 * that the code belongs to. So a used code stays used even if its secret is removed and set again,
 * and codes of another secret are not affected. Rows from before there were marks apply to any
 * secret. */
enum { STEP_BITS = 32 };

static int64_t mark_of(const struct sign_in *sign_in, struct text secret) {
    static const char purpose[] = "one-time passwords";
    unsigned char bytes[sizeof purpose + TOTP_SECRET_MAX] = { 0 };
    uint32_t mark;
    if (base32_decode(secret, NULL) <= TOTP_SECRET_MAX)
        (void)base32_decode(secret, bytes + sizeof purpose);
    memcpy(bytes, purpose, sizeof purpose);
    struct token_hash mac =
        seal_mac(sign_in->auth->key, (struct text){ (const char *)bytes, sizeof bytes });
    memcpy(&mark, mac.bytes, sizeof mark);
    secret_wipe(bytes, sizeof bytes);
    return (int64_t)(mark >> 2) + 1;
}

static int64_t last_step(const struct record *user, int64_t mark) {
    const struct value *last = &user->values[USER_LastTotpStep];
    int64_t whole = value_as_integer(last), of = whole >> STEP_BITS;
    if (last->kind != VALUE_INTEGER || (of && of != mark))
        return -1;
    return whole & UINT32_MAX;
}

static enum totp_state check_totp(const struct sign_in *sign_in, struct record *user,
                                  int64_t now_ms) {
    struct text sealed = value_as_text(&user->values[USER_TwoFactorSecret]);
    if (!sealed.at)
        return TOTP_NOT_NEEDED;
    if (!text_trim(sign_in->totp).len)
        return TOTP_MISSING;
    struct text place =
        seal_place(&user_table, sign_in->user_id, USER_TwoFactorSecret, sign_in->arena);
    struct text secret = unseal(sign_in->auth->key, sealed, place, sign_in->arena);
    int64_t step = 0;
    if (!secret.at)
        return TOTP_BROKEN;
    int64_t mark = mark_of(sign_in, secret);
    bool right = totp_check(secret, sign_in->totp, now_ms, last_step(user, mark), &step);
    if (right)
        user->values[USER_LastTotpStep] = value_integer(mark << STEP_BITS | step);
    return right ? TOTP_RIGHT : TOTP_WRONG;
}

/* Decides the result for a known user, and updates the counters in `after`. */
static enum sign_in_result decide_known(struct sign_in *sign_in, const struct record *before,
                                        struct record *after, int64_t now_ms) {
    const struct value *hash = &before->values[USER_Password];
    bool right =
        sign_in->job.match != PASSWORD_WRONG && text_equal(value_as_text(hash), sign_in->job.hash);
    int64_t failures = value_as_integer(&before->values[USER_InvalidLoginAttempts]);
    if (failures >= sign_in->auth->lockout->attempts)
        failures = 0; /* the lock-out is over: counting starts again */
    enum totp_state totp = right ? check_totp(sign_in, after, now_ms) : TOTP_NOT_NEEDED;
    after->values[USER_LastLoginAttempt] = value_integer(now_ms);
    if (totp == TOTP_BROKEN)
        return SIGN_IN_BROKEN;
    sign_in->has_wrong_code = totp == TOTP_WRONG;
    failures += !right || totp == TOTP_WRONG;
    after->values[USER_InvalidLoginAttempts] = value_integer(failures);
    sign_in->refusal = !right               ? SIGN_IN_EVENT_password
                       : totp == TOTP_WRONG ? SIGN_IN_EVENT_code
                                            : SIGN_IN_EVENT_code_due;
    if (!right || totp == TOTP_WRONG)
        return right ? SIGN_IN_TWO_FACTOR : SIGN_IN_WRONG;
    if (totp == TOTP_MISSING)
        return SIGN_IN_TWO_FACTOR;
    sign_in->refusal = SIGN_IN_EVENT_admission;
    if (!auth_is_admitted(before))
        return SIGN_IN_WRONG;
    sign_in->refusal = SIGN_IN_EVENT_reset_due;
    if (sign_in->job.match == PASSWORD_RIGHT_BUT_OLD)
        after->values[USER_Password] = value_text(text_of(sign_in->job.made));
    after->values[USER_InvalidLoginAttempts] = value_integer(0);
    if (value_is_true(&before->values[USER_MustResetPassword]))
        return SIGN_IN_MUST_RESET;
    after->values[USER_LastAccess] = value_integer(now_ms);
    return SIGN_IN_OK;
}

/* Audits that a reset token was issued: one row for all that are issued until one is used or
 * expires. */
static enum status audit_demand(struct store_tx *tx, const struct token *token,
                                const struct author *by) {
    enum status status =
        store_is_new_client(tx, token, 1 << TOKEN_RESET, token->issued_ms - RESET_LIFETIME_MS);
    if (status == STATUS_OK)
        status =
            store_audit_tokens(tx, token->user_id, TEXT("PasswordReset"), TEXT("demanded"), by);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status hand_out(struct sign_in *sign_in, struct store_tx *tx,
                            const struct record *user) {
    struct text client_id = sign_in->client_id;
    const struct author by = { value_as_text(&user->values[USER_Email]), time_now_ms(),
                               text_of(sign_in->origin.request) };
    if (!client_id.len)
        client_id = by.email;
    struct token token = token_pair_session(sign_in->user_id, client_id);
    if (sign_in->result == SIGN_IN_OK && sign_in->wants_tokens) {
        token.client_address = network_address(sign_in->origin.from, sign_in->arena);
        return token_pair_issue(sign_in->auth, tx, &token, &by, &sign_in->pair);
    }
    if (sign_in->result != SIGN_IN_MUST_RESET || !sign_in->wants_tokens)
        return STATUS_OK;
    token.kind = TOKEN_RESET;
    token.client_id = TEXT("");
    token.issued_ms = by.now_ms;
    token.expires_ms = token.issued_ms + RESET_LIFETIME_MS;
    /* a user has only one of them, the last */
    enum status status = audit_demand(tx, &token, &by);
    if (status == STATUS_OK)
        status = store_revoke_client(tx, token.user_id, token.client_id, TOKEN_RESET);
    return status == STATUS_OK ? token_pair_issue_one(tx, &token, sign_in->pair.access) : status;
}

/* Audits the lock-out, and invalidates cached credentials, so that a cached Basic password is
 * refused too. */
static enum status lock_out(struct sign_in *sign_in, struct store_tx *tx,
                            const struct record *after) {
    char text[64];
    const struct author nobody = { TEXT("unknown"), after->values[USER_LastLoginAttempt].integer,
                                   text_of(sign_in->origin.request) };
    int len = snprintf(text, sizeof text, "after %lld failures",
                       (long long)value_as_integer(&after->values[USER_InvalidLoginAttempts]));
    store_change_access(tx);
    sign_in->has_locked = true;
    return store_audit_tokens(tx, sign_in->user_id, TEXT("LockOut"),
                              (struct text){ text, (size_t)len }, &nobody);
}

static enum status run_known(struct sign_in *sign_in, struct store_tx *tx,
                             const struct record *before, int64_t now_ms) {
    struct record after = record_next(before, sign_in->arena);
    if (!after.values)
        return STATUS_INTERNAL;
    sign_in->result = decide_known(sign_in, before, &after, now_ms);
    if (sign_in->result == SIGN_IN_BROKEN)
        return STATUS_INTERNAL;
    enum status status = store_update_login_state(tx, before, &after);
    if (status == STATUS_OK && auth_is_locked(sign_in->auth, &after, now_ms))
        status = lock_out(sign_in, tx, &after);
    if (status == STATUS_OK)
        status = hand_out(sign_in, tx, before);
    if (status != STATUS_OK || sign_in->result != SIGN_IN_OK || sign_in->wants_tokens)
        return status;
    struct text hash = value_as_text(&after.values[USER_Password]);
    sign_in->principal =
        (struct principal){ .user_id = sign_in->user_id,
                            .credential = auth_password_credential(sign_in->user_id, hash) };
    return auth_decide(sign_in->auth, tx->session, sign_in->arena, &sign_in->principal);
}

/* True if the password was compared with a hash that has changed since: another sign-in may have
 * renewed it, or a new password was set. It is then compared with the new hash. job.hash stays
 * unchanged here, since this function may run a second time. */
static bool is_outdated(struct sign_in *sign_in, const struct record *user) {
    struct text hash = value_as_text(&user->values[USER_Password]);
    if (text_equal(hash, sign_in->job.hash) || sign_in->comparisons >= COMPARISONS_MAX)
        return false;
    sign_in->other_hash = hash.at ? hash : TEXT("");
    return true;
}

static enum status decide_sign_in(struct sign_in *sign_in, struct store_tx *tx) {
    int64_t now_ms = time_now_ms();
    struct record user;
    enum status status = STATUS_NOT_FOUND;
    sign_in->result = SIGN_IN_WRONG;
    sign_in->has_wrong_code = sign_in->has_locked = false; /* this may be the second run */
    sign_in->refusal = SIGN_IN_EVENT_unknown;
    sign_in->other_hash = (struct text){ 0 };
    if (sign_in->user_id)
        status = store_load(tx->session, &user_table, sign_in->user_id, sign_in->arena, &user);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    /* If the account was locked at the first step, the password was not compared with its hash. */
    sign_in->met_lock = status == STATUS_OK &&
                        (sign_in->began_locked || auth_is_locked(sign_in->auth, &user, now_ms));
    if (sign_in->met_lock)
        sign_in->refusal = SIGN_IN_EVENT_locked;
    if (status == STATUS_NOT_FOUND || sign_in->met_lock)
        return store_count_unknown_login(tx);
    if (is_outdated(sign_in, &user))
        return STATUS_OK;
    return run_known(sign_in, tx, &user, now_ms);
}

/* Did the client give a wrong password or code? */
static bool has_failed(const struct sign_in *sign_in) {
    return sign_in->result == SIGN_IN_WRONG ||
           (sign_in->result == SIGN_IN_TWO_FACTOR && sign_in->has_wrong_code);
}

static enum status run_sign_in(struct store_tx *tx, struct store_command *command) {
    struct sign_in *sign_in = of_command(command);
    enum status status = decide_sign_in(sign_in, tx);
    sign_in->attempt_ends = sign_in->attempt.where == ATTEMPT_IN_STORE && !sign_in->other_hash.at;
    if (status == STATUS_OK && sign_in->attempt_ends)
        status = store_end_attempt(tx, &sign_in->attempt.stored, has_failed(sign_in));
    bool can_reply = !sign_in->arena->failed && arena_reserve(sign_in->arena, TOKEN_PAIR_REPLY_MAX);
    return can_reply ? status : STATUS_INTERNAL;
}

/* True if the caller on whose behalf the sign-in was made has lost the right to ask. It then counts
 * neither as a sign-in nor for the address. */
static bool was_refused(const struct sign_in *sign_in) {
    return sign_in->command.status == STATUS_UNAUTHENTICATED ||
           sign_in->command.status == STATUS_FORBIDDEN;
}

/* Logs the result. Failures of the server itself are logged where they occur. */
static void log_result(const struct sign_in *sign_in) {
    enum sign_in_event event = sign_in->refusal;
    if (sign_in->result == SIGN_IN_BUSY)
        event = SIGN_IN_EVENT_busy;
    if (sign_in->result != SIGN_IN_OK && sign_in->result != SIGN_IN_BROKEN)
        sign_in_log_add(sign_in->auth->log, event, sign_in->user_id, &sign_in->origin);
    if (sign_in->has_locked && sign_in->result != SIGN_IN_BROKEN)
        sign_in_log_add(sign_in->auth->log, SIGN_IN_EVENT_lock_out, sign_in->user_id,
                        &sign_in->origin);
}

/* Ends the attempt of the address, unless the command that decided has done so, or may have. */
static void end_attempt(struct sign_in *sign_in) {
    enum status status = sign_in->command.status;
    bool may_have_ended =
        sign_in->attempt_ends && (status == STATUS_OK || status == STATUS_UNKNOWN);
    if (sign_in->attempt.where != ATTEMPT_IN_STORE)
        address_attempt_end(sign_in->auth, &sign_in->attempt, has_failed(sign_in));
    else if (!may_have_ended)
        address_attempt_give_back(sign_in->auth, &sign_in->attempt);
}

static void conclude(struct sign_in *sign_in) {
    bool met_lock = sign_in->met_lock && sign_in->result == SIGN_IN_WRONG;
    unsigned which = met_lock ? SIGN_IN_LOCKED : sign_in->result;
    if (!was_refused(sign_in)) {
        atomic_fetch_add_explicit(&sign_in->auth->counts->of[which], 1, memory_order_relaxed);
        log_result(sign_in);
    }
    end_attempt(sign_in);
    sign_in->done(sign_in);
}

static enum status compare(struct sign_in *sign_in, struct text hash) {
    sign_in->job.hash = hash;
    sign_in->comparisons++;
    return password_submit(sign_in->auth->passwords, &sign_in->job);
}

static void finish(struct store_command *command) {
    struct sign_in *sign_in = of_command(command);
    if (command->status != STATUS_OK)
        sign_in->result = SIGN_IN_BROKEN;
    else if (sign_in->other_hash.at && compare(sign_in, sign_in->other_hash) == STATUS_OK)
        return;
    else if (sign_in->other_hash.at)
        sign_in->result = SIGN_IN_BUSY;
    conclude(sign_in);
}

static void password_checked(struct password_job *job) {
    struct sign_in *sign_in = of_job(job);
    sign_in->command.on_behalf_of = sign_in->on_behalf_of;
    sign_in->command.run = run_sign_in;
    sign_in->command.done = finish;
    sign_in->result = SIGN_IN_BROKEN;
    enum status status = STATUS_INTERNAL;
    if (!job->failed)
        status = store_submit(sign_in->auth->store, &sign_in->command);
    if (status == STATUS_OK)
        return;
    sign_in->command.status = status;
    if (status == STATUS_TOO_MANY)
        sign_in->result = SIGN_IN_BUSY;
    conclude(sign_in);
}

enum status sign_in_failure(const struct sign_in *sign_in) {
    enum status status = sign_in->command.status;
    if (sign_in->result == SIGN_IN_BUSY)
        return STATUS_TOO_MANY;
    return status == STATUS_UNAVAILABLE || status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE
                                                                    : STATUS_INTERNAL;
}

/* The client's address has to wait. */
static void refuse(struct sign_in *sign_in, int64_t wait_s) {
    sign_in_log_add(sign_in->auth->log, SIGN_IN_EVENT_address, 0, &sign_in->origin);
    sign_in->wait_s = wait_s;
    sign_in->result = SIGN_IN_BUSY;
    sign_in->done(sign_in);
}

/* The first step failed: this counts neither as a sign-in nor for the address. */
static void give_up(struct sign_in *sign_in, enum status status) {
    if (sign_in->attempt.where != ATTEMPT_IN_STORE)
        address_attempt_end(sign_in->auth, &sign_in->attempt, false);
    else if (sign_in->command.status == STATUS_OK) /* else it was not kept */
        address_attempt_give_back(sign_in->auth, &sign_in->attempt);
    if (status == STATUS_TOO_MANY)
        sign_in_log_add(sign_in->auth->log, SIGN_IN_EVENT_busy, sign_in->user_id, &sign_in->origin);
    sign_in->command.status = status;
    sign_in->result = status == STATUS_TOO_MANY ? SIGN_IN_BUSY : SIGN_IN_BROKEN;
    sign_in->done(sign_in);
}

static enum status find_user(struct store_session *session, struct store_command *command) {
    struct sign_in *sign_in = of_command(command);
    struct record user;
    struct text key = email_key(text_trim(sign_in->email), sign_in->arena);
    sign_in->first_hash = TEXT("");
    if (!key.at)
        return STATUS_INTERNAL;
    enum status status = store_find_user(session, key, &sign_in->user_id);
    if (status == STATUS_OK)
        status = store_load(session, &user_table, sign_in->user_id, sign_in->arena, &user);
    if (status == STATUS_NOT_FOUND) {
        sign_in->user_id = 0;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    /* For a locked account a hash of our own is computed, so that an expensive imported hash costs
     * nothing extra. */
    sign_in->began_locked = auth_is_locked(sign_in->auth, &user, time_now_ms());
    if (!sign_in->began_locked && user.values[USER_Password].kind == VALUE_TEXT)
        sign_in->first_hash = value_as_text(&user.values[USER_Password]);
    return STATUS_OK;
}

static void compare_first(struct store_command *command) {
    struct sign_in *sign_in = of_command(command);
    enum status status = command->status;
    int64_t wait_ms = sign_in->attempt.stored.wait_ms;
    if (status == STATUS_OK && wait_ms) {
        refuse(sign_in, (wait_ms + 999) / 1000);
        return;
    }
    if (status == STATUS_OK)
        status = compare(sign_in, sign_in->first_hash);
    if (status != STATUS_OK)
        give_up(sign_in, status);
}

static enum status begin_and_find(struct store_tx *tx, struct store_command *command) {
    struct sign_in *sign_in = of_command(command);
    enum status status = store_begin_attempt(tx, &sign_in->attempt.stored);
    if (status != STATUS_OK || sign_in->attempt.stored.wait_ms)
        return status;
    return find_user(tx->session, command);
}

static void find_first(struct sign_in *sign_in, struct store_session *session) {
    sign_in->command = (struct store_command){ .on_behalf_of = sign_in->on_behalf_of,
                                               .read = find_user,
                                               .run = begin_and_find,
                                               .done = compare_first };
    const bool counts = sign_in->attempt.where == ATTEMPT_IN_STORE;
    enum status status = counts ? store_submit(sign_in->auth->store, &sign_in->command)
                                : store_ask(session, &sign_in->command);
    if (counts && status == STATUS_OK)
        return;
    if (status == STATUS_PENDING)
        return;
    sign_in->command.status = status;
    compare_first(&sign_in->command);
}

void sign_in_start(struct sign_in *sign_in, struct store_session *session) {
    sign_in->job = (struct password_job){ .password = sign_in->password, .done = password_checked };
    sign_in->attempt = address_attempt(sign_in->auth, sign_in->origin.from);
    int64_t wait_s = address_attempt_begin(sign_in->auth, &sign_in->attempt);
    if (wait_s)
        refuse(sign_in, wait_s);
    else
        find_first(sign_in, session);
}

/* Rows of an import. A row names its user by Id, or by e-mail address. An address that nobody has
 * makes a new user. A user may be named once: with two rows for one user it would depend on their
 * order what becomes of the user, and a trial run could not tell it. */
#include "service/import.h"

#include "base/container_of.h"
#include "crypto/hash_kind.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "service/mutation_run.h"
#include "service/resources.h"
#include "service/user_rules.h"

const char *const import_outcome_names[IMPORT_OUTCOMES] = {
    [IMPORT_created] = "created", [IMPORT_updated] = "updated", [IMPORT_unchanged] = "unchanged",
    [IMPORT_deleted] = "deleted", [IMPORT_refused] = "refused",
};

/* ---- Users that were seen ---- */

bool import_seen_init(struct import_seen *seen, size_t rows, struct arena *arena) {
    seen->room = 16;
    while (seen->room < rows * 2 * IMPORT_KEYS)
        seen->room *= 2;
    seen->sights = arena_calloc(arena, seen->room, sizeof *seen->sights);
    return seen->sights;
}

/* The place of a key, or the free one where it belongs. */
static struct import_sight *place_of(const struct import_seen *seen, uint64_t key) {
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (seen->room - 1);
    while (seen->sights[at].key && seen->sights[at].key != key)
        at = (at + 1) & (seen->room - 1);
    return &seen->sights[at];
}

static uint64_t key_of_id(int64_t id) {
    return (uint64_t)id; /* Ids have at most 53 bits */
}

/* FNV-1a of 63 bits, apart from all Ids. 0: no memory. Of 100,000 addresses two have the same one
 * with a probability of 1 to 2,000,000,000. */
static uint64_t key_of_email(struct text email, struct arena *arena) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    struct text key = email_key(email, arena);
    if (!key.at)
        return 0;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.at[i]) * UINT64_C(0x100000001B3);
    return hash | UINT64_C(1) << 63;
}

static void see(struct import *import, struct import_row *row, uint64_t key) {
    struct import_sight *place = place_of(import->seen, key);
    unsigned at = 0;
    if (place->key)
        return;
    *place = (struct import_sight){ key, row->line };
    while (row->added[at])
        at++;
    row->added[at] = key;
}

void import_forget_row(struct import *import, struct import_row *row) {
    /* In reverse: a key never lies behind a place that is freed before it. */
    for (unsigned i = IMPORT_KEYS; i-- > 0; row->added[i] = 0)
        if (row->added[i])
            place_of(import->seen, row->added[i])->key = 0;
}

static enum status see_user(struct import *import, struct import_row *row,
                            const struct mutation *mutation) {
    const struct record *records[] = { &mutation->before, &mutation->after };
    for (unsigned i = 0; i < 2; i++) {
        if (!records[i]->version)
            continue;
        uint64_t key =
            key_of_email(value_as_text(&records[i]->values[USER_Email]), import->context->arena);
        if (!key)
            return STATUS_INTERNAL;
        see(import, row, key);
    }
    if (row->id)
        see(import, row, key_of_id(row->id));
    return STATUS_OK;
}

/* ---- Whose row it is ---- */

static void add_error(struct import *import, struct import_row *row, unsigned field,
                      struct text message) {
    errors_add(&row->errors, import->context->arena,
               &(struct error){ .property = user_table.fields[field].name, .message = message });
}

/* The user was named by a row before. */
static bool is_second(struct import *import, struct import_row *row, unsigned field, uint64_t key) {
    const struct import_sight *place = place_of(import->seen, key);
    if (!place->key)
        return false;
    add_error(import, row, field,
              arena_printf(import->context->arena, message_import_second, (long long)place->line));
    return true;
}

/* An Id as the file has it, which may be a text. False: there is none, or it is none. */
static bool read_id(const struct value *value, int64_t *id) {
    *id = value_as_integer(value);
    return *id > 0 || (text_to_int64(text_trim(value_as_text(value)), id) && *id > 0);
}

static bool is_given(const struct value *value) {
    return value->kind != VALUE_ABSENT && value->kind != VALUE_NULL &&
           !(value->kind == VALUE_TEXT && value->len == 0);
}

static enum status find_by_email(struct import *import, struct import_row *row,
                                 const struct value *value) {
    struct arena *arena = import->context->arena;
    struct text email = email_normal(text_trim(value_as_text(value)), arena);
    struct text key = email.at ? email_key(email, arena) : email;
    if (!key.at)
        return STATUS_INTERNAL;
    row->email = email;
    if (is_second(import, row, USER_Email, key_of_email(email, arena)))
        return STATUS_BAD_INPUT;
    return store_find_user(import->session, key, &row->id);
}

/* OK: the row is about a user, `row->id`. NOT_FOUND: about a new one. BAD_INPUT, with errors. */
static enum status find_user(struct import *import, struct import_row *row,
                             const struct value *values) {
    if (is_given(&values[USER_Id])) {
        if (!read_id(&values[USER_Id], &row->id)) {
            add_error(import, row, USER_Id, MESSAGE_TEXT(import_id));
            return STATUS_BAD_INPUT;
        }
        return is_second(import, row, USER_Id, key_of_id(row->id)) ? STATUS_BAD_INPUT : STATUS_OK;
    }
    if (values[USER_Email].kind == VALUE_TEXT && values[USER_Email].len)
        return find_by_email(import, row, &values[USER_Email]);
    add_error(import, row, USER_Email, MESSAGE_TEXT(import_who));
    return STATUS_BAD_INPUT;
}

/* ---- The change ---- */

/* An import hashes no passwords and fetches no pictures: each takes longer than all else of a row.
 */
static void refuse_slow(struct mutation *mutation) {
    struct value *values = mutation->change.values;
    struct text password = value_as_text(&values[USER_Password]);
    if (is_given(&values[USER_NewPassword]))
        mutation_add_error(mutation, USER_NewPassword, MESSAGE_TEXT(import_password));
    if (password.len && !hash_kind(password)) {
        mutation_add_error(mutation, USER_Password, MESSAGE_TEXT(import_password));
        values[USER_Password].kind = VALUE_ABSENT;
    }
    if (is_given(&values[USER_NewAvatarUrl]))
        mutation_add_error(mutation, USER_NewAvatarUrl, MESSAGE_TEXT(import_picture));
    values[USER_NewPassword].kind = values[USER_NewAvatarUrl].kind = VALUE_ABSENT;
}

/* Fields that a request has to give, although most programs give all users the same. */
static void add_defaults(struct value *values) {
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        if (!(field->flags & REQUIRED) || (field->flags & FILLED) || values[i].kind != VALUE_ABSENT)
            continue;
        if (field->type == TYPE_choice)
            values[i] = value_integer(field->choices[0].number);
        else
            values[i] = field->type == TYPE_integer ? value_integer(0) : value_text(TEXT(""));
    }
}

/* Whether the caller may change users at all was asked; what else does this one need? */
static bool is_permitted(struct import *import, struct import_row *row, enum mutation_kind kind) {
    static const unsigned needed[] = { [MUTATION_create] = PERMISSION(User, Create),
                                       [MUTATION_patch] = PERMISSION(User, Edit),
                                       [MUTATION_delete] = PERMISSION(User, Delete) };
    if (principal_may(import->context->caller, needed[kind]))
        return true;
    row->status = STATUS_FORBIDDEN;
    row->reason =
        kind == MUTATION_create ? MESSAGE_TEXT(import_create) : MESSAGE_TEXT(import_delete);
    return false;
}

static struct mutation *make_mutation(struct import *import, struct import_row *row,
                                      enum mutation_kind kind, const struct change *change) {
    if (kind == MUTATION_delete)
        return mutation_new_on(import->context, &user_resource, kind, row->id);
    struct mutation *mutation = mutation_new(import->context, &user_resource, kind);
    if (!mutation)
        return NULL;
    mutation->change = *change;
    if (kind == MUTATION_create)
        add_defaults(mutation->change.values);
    refuse_slow(mutation);
    if (mutation_validate(mutation, row->id) != STATUS_OK)
        return NULL;
    user_take_password(user_mutation_of(mutation));
    return mutation_seal(mutation) == STATUS_OK ? mutation : NULL;
}

static bool is_unchanged(const struct mutation *mutation) {
    const struct common_fields *common = &user_table.common;
    for (unsigned i = 0; mutation->kind == MUTATION_patch && i < user_table.count; i++)
        if (i != common->updated_on && i != common->updated_by &&
            !value_equal(&mutation->before.values[i], &mutation->after.values[i]))
            return false;
    return mutation->kind == MUTATION_patch;
}

static enum import_outcome outcome_of(const struct mutation *mutation) {
    if (mutation->kind == MUTATION_delete)
        return IMPORT_deleted;
    if (mutation->kind == MUTATION_create)
        return IMPORT_created;
    return is_unchanged(mutation) ? IMPORT_unchanged : IMPORT_updated;
}

static void note_refusal(struct import_row *row, const struct mutation *mutation,
                         enum status status) {
    row->status = status;
    row->errors = mutation->errors;
    if (status == STATUS_CONFLICT || status == STATUS_PRECONDITION_FAILED)
        row->reason = mutation->conflict;
}

static enum status run(struct import *import, struct import_row *row, struct mutation *mutation) {
    enum status status = mutation_decide(mutation, import->session);
    const struct record *known = mutation->before.version ? &mutation->before : &mutation->after;
    if (status == STATUS_INTERNAL)
        return status;
    if (known->version)
        row->email = value_as_text(&known->values[USER_Email]);
    if (status != STATUS_OK) {
        note_refusal(row, mutation, status);
        return STATUS_OK;
    }
    row->outcome = outcome_of(mutation);
    if (import->tx && row->outcome != IMPORT_unchanged) {
        if (mutation_write(mutation, import->tx) != STATUS_OK)
            return STATUS_INTERNAL;
        row->id = mutation->result.id;
    }
    return see_user(import, row, mutation);
}

/* Clears the results of an earlier run; errors of the file itself stay. */
static void reset(struct import_row *row) {
    *row = (struct import_row){ .json = row->json,
                                .line = row->line,
                                .errors = row->errors,
                                .outcome = IMPORT_refused,
                                .status = STATUS_BAD_INPUT };
    if (row->json.at)
        row->errors = (struct errors){ 0 };
}

enum status import_run_row(struct import *import, struct import_row *row) {
    const struct json_body body = { row->json, import->context->strict };
    struct change change;
    reset(row);
    if (!row->json.at)
        return STATUS_OK;
    enum status status =
        json_read_change(&body, &user_table, import->context->arena, &change, &row->errors);
    if (status == STATUS_OK && !is_given(&change.values[USER_Id]))
        change.values[USER_Id].kind = VALUE_ABSENT;
    if (status == STATUS_OK)
        status = find_user(import, row, change.values);
    enum mutation_kind kind = status == STATUS_OK ? MUTATION_patch : MUTATION_create;
    if (import->deletes && status == STATUS_NOT_FOUND) {
        add_error(import, row, USER_Email, MESSAGE_TEXT(import_nobody));
        status = STATUS_BAD_INPUT;
    }
    if (status == STATUS_INTERNAL || row->errors.failed)
        return STATUS_INTERNAL;
    if (status == STATUS_BAD_INPUT)
        return STATUS_OK;
    kind = import->deletes ? MUTATION_delete : kind;
    if (!is_permitted(import, row, kind))
        return STATUS_OK;
    struct mutation *mutation = make_mutation(import, row, kind, &change);
    return mutation ? run(import, row, mutation) : STATUS_INTERNAL;
}

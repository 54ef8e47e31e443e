/* A change of a record. What looks at the stored record is decided inside the transaction, where
 * nobody can change it meanwhile. */
#include "api/body.h"
#include "service/backlinks.h"
#include "api/reply.h"
#include "api/wait.h"

#include "auth/auth.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/collections.h"
#include "rules/merge.h"
#include "rules/messages.h"

void writing_complain(struct writing *writing, unsigned field, struct text message) {
    validate_complain(&writing->change, field, message, writing->request->arena, &writing->errors);
}

enum { REPEAT_KEY_MAX = 255 };

/* ---- The decision ---- */

enum status writing_each_new_id(struct writing *writing, unsigned field, struct store_view *view,
                                enum status (*judge)(struct writing *, struct store_view *,
                                                     unsigned, int64_t)) {
    const struct value *named = &writing->change.values[field];
    enum field_type type = writing->change.table->fields[field].type;
    unsigned links = field - (type == TYPE_added) - 2 * (type == TYPE_removed);
    if (named->kind != VALUE_IDS || named->len == 0)
        return STATUS_OK;
    struct arena *arena = writing->request->arena;
    struct value present = ids_from_stored(&writing->before.values[links], arena);
    if (present.ids)
        present = ids_sorted(&present, arena);
    enum status status = present.ids ? STATUS_OK : STATUS_BROKEN;
    for (uint32_t i = 0; status == STATUS_OK && i < named->len; i++)
        if (!ids_sorted_have(&present, named->ids[i]))
            status = judge(writing, view, field, named->ids[i]);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status check_permission(struct writing *writing, struct store_view *view) {
    struct errors invalid = writing->errors;
    if (!writing->resource->permit)
        return STATUS_OK;
    writing->errors = (struct errors){ 0 };
    enum status status = writing->resource->permit(writing, view);
    if (status != STATUS_OK)
        return status;
    if (writing->errors.first || writing->errors.failed)
        return STATUS_DENIED;
    writing->errors = invalid;
    return STATUS_OK;
}

static enum status judge_reference(struct writing *writing, struct store_view *view, unsigned field,
                                   int64_t id) {
    const struct table *target = writing->change.table->fields[field].target;
    enum status status = store_exists(view, target, id);
    if (status != STATUS_NOT_FOUND)
        return status;
    writing_complain(
        writing, field,
        arena_printf(writing->request->arena, message_missing_row, target->noun, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status check_references(struct writing *writing, struct store_view *view) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < writing->change.table->count; i++) {
        const struct value *value = &writing->change.values[i];
        if (!writing->change.table->fields[i].target)
            continue;
        if (value->kind == VALUE_IDS)
            status = writing_each_new_id(writing, i, view, judge_reference);
        else if (value->kind == VALUE_INTEGER && !value_equal(value, &writing->before.values[i]))
            status = judge_reference(writing, view, i, value->integer);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* Records of a table are called by their names only to who may read them. */
static bool may_read(const struct principal *caller, const struct table *table) {
    return principal_may(caller, permission(table->rights, OPERATION_Read));
}

/* Who still points to a record keeps it. */
static enum status check_referrers(struct writing *writing, struct store_view *view) {
    struct arena *arena = writing->request->arena;
    struct referrers referrers;
    struct text noun = text_of(writing->resource->table->noun);
    enum status status = store_referrers(view, &writing->before, arena, &referrers);
    if (status != STATUS_OK || !referrers.count)
        return status;
    writing->conflict = arena_printf(
        arena, "This %s is still used by %lld %s%s: %s%s. Take it away there first.", noun.at,
        (long long)referrers.count, referrers.table->noun, referrers.count == 1 ? "" : "s",
        may_read(&writing->request->principal, referrers.table) ? referrers.names.at
                                                                : referrers.ids.at,
        referrers.is_cut ? " and others" : "");
    return writing->conflict.at ? STATUS_CONFLICT : STATUS_BROKEN;
}

/* RFC 9110 sections 13.1.1 and 13.1.2. What does not exist yet has no ETag. */
static enum status check_conditions(struct writing *writing) {
    const struct record *before = &writing->before;
    struct text etag = { 0 };
    writing->conflict = (struct text){ 0 };
    if (before->version) {
        etag = record_etag(record_id(before), before->version, writing->request->arena);
        if (!etag.at)
            return STATUS_BROKEN;
    }
    if (writing->if_match.at && !etag_is_listed(writing->if_match, etag, ETAG_STRONG))
        return STATUS_STALE;
    if (!etag_is_listed(writing->if_none_match, etag, ETAG_WEAK))
        return STATUS_OK;
    writing->conflict = TEXT("If-None-Match has the record's ETag, or is * and there is one.");
    return STATUS_STALE;
}

static enum status load_before(struct writing *writing, struct store_view *view) {
    const struct table *table = writing->resource->table;
    struct arena *arena = writing->request->arena;
    if (writing->kind != WRITING_create) {
        enum status status = store_load(
            view, table, writing->change.values[table->common.id].integer, arena, &writing->before);
        return status == STATUS_OK ? owners_load(writing, view) : status;
    }
    writing->before = record_new(table, arena);
    return writing->before.values ? STATUS_OK : STATUS_BROKEN;
}

static enum status merge_after(struct writing *writing) {
    struct arena *arena = writing->request->arena;
    switch (writing->kind) {
    case WRITING_create:
        return merge_new(&writing->change, &writing->rules, arena, &writing->after);
    case WRITING_replace:
    case WRITING_patch:
        return merge(&writing->before, &writing->change, &writing->rules, arena, &writing->after);
    case WRITING_delete: break;
    }
    writing->after = record_new(writing->resource->table, arena);
    return writing->after.values ? STATUS_OK : STATUS_BROKEN;
}

enum status writing_permit(struct writing *writing, struct store_view *view) {
    enum status status = load_before(writing, view);
    return status == STATUS_OK ? check_permission(writing, view) : status;
}

enum status writing_decide(struct writing *writing, struct store_view *view) {
    const struct resource *resource = writing->resource;
    enum status status = writing_permit(writing, view);
    if (status == STATUS_OK)
        status = check_references(writing, view);
    if (status == STATUS_OK && resource->check)
        status = resource->check(writing, view);
    writing->rules.author = writing->request->principal.email;
    /* What was wrong is missing, and of such pieces no new record can be made. */
    if (status == STATUS_OK && writing->kind == WRITING_create && writing->errors.first)
        return STATUS_BAD_INPUT;
    if (status == STATUS_OK)
        status = merge_after(writing);
    if (status == STATUS_OK && resource->check_merged)
        status = resource->check_merged(writing, view);
    if (status == STATUS_OK && writing->kind != WRITING_delete)
        status = owners_check(writing, view);
    else if (status == STATUS_OK && !writing->errors.first)
        status = check_referrers(writing, view);
    if (status != STATUS_OK)
        return status;
    if (writing->errors.first || writing->errors.failed)
        return STATUS_BAD_INPUT;
    return check_conditions(writing);
}

/* ---- Writing ---- */

/* Puts what is stored in place of what was sent. */
static bool seal_fields(const struct writing *writing, int64_t id, struct value *values) {
    const struct request *request = writing->request;
    const struct table *table = writing->resource->table;
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!field_is_sealed(field) || values[i].kind != VALUE_TEXT || values[i].len == 0)
            continue;
        struct text place = seal_place(table, id, i, request->arena);
        values[i] = value_text(
            seal(request->app->auth.key, value_as_text(&values[i]), place, request->arena));
        if (values[i].kind != VALUE_TEXT)
            return false;
    }
    return true;
}

static enum status insert(struct writing *writing, struct store_view *tx,
                          const struct author *author) {
    struct value *values = writing->after.values;
    int64_t id;
    enum status status = store_new_id(tx, writing->resource->table, &id);
    if (status != STATUS_OK || !seal_fields(writing, id, values))
        return STATUS_BROKEN;
    values[writing->resource->table->common.id] = value_integer(id);
    return store_insert(tx, &writing->after, author);
}

struct author writing_author(const struct writing *writing) {
    return (struct author){ writing->rules.author, writing->rules.now_ms };
}

static enum status write_row(struct writing *writing, struct store_view *tx) {
    struct author author = writing_author(writing);
    switch (writing->kind) {
    case WRITING_create: return insert(writing, tx, &author);
    case WRITING_delete:
        if (writing->resource->erase)
            return writing->resource->erase(writing, tx);
        return store_delete(tx, &writing->before, &author);
    case WRITING_replace:
    case WRITING_patch: break;
    }
    return store_update(tx, &writing->before, &writing->after, &author);
}

/* A key that was used before: the same body has its first answer again (STATUS_OK), another body
 * none. STATUS_NOT_FOUND: it is new, or there is none. */
static enum status find_repeat(struct writing *writing, struct store_view *view) {
    struct repeat first = writing->repeat;
    const struct common_fields *common = &writing->resource->table->common;
    if (!first.key.at)
        return STATUS_NOT_FOUND;
    enum status status = store_find_repeat(view, &first, writing->rules.now_ms - WRITING_REPEAT_MS,
                                           writing->request->arena);
    if (status != STATUS_OK)
        return status;
    if (memcmp(first.mac.bytes, writing->repeat.mac.bytes, sizeof first.mac.bytes) != 0)
        return STATUS_UNPROCESSABLE;
    writing->after = record_new(writing->resource->table, writing->request->arena);
    if (!writing->after.values || !reply_prepare(writing->request))
        return STATUS_BROKEN;
    writing->after.version = 1;
    writing->after.values[common->id] = value_integer(first.record_id);
    writing->after.values[common->updated_on] = value_integer(first.at_ms);
    writing->after.values[common->updated_by] = value_text(first.author);
    return STATUS_OK;
}

static enum status keep_repeat(struct writing *writing, struct store_view *tx) {
    const struct common_fields *common = &writing->resource->table->common;
    if (!writing->repeat.key.at)
        return STATUS_OK;
    writing->repeat.record_id = record_id(&writing->after);
    writing->repeat.at_ms = writing->after.values[common->updated_on].integer;
    writing->repeat.author = value_as_text(&writing->after.values[common->updated_by]);
    return store_add_repeat(tx, &writing->repeat);
}

enum status writing_run(struct writing *writing, struct store_view *tx) {
    enum status repeated = find_repeat(writing, tx);
    if (repeated != STATUS_NOT_FOUND)
        return repeated;
    writing->errors = (struct errors){ 0 }; /* none of validation; this may be a second run */
    enum status status = writing_decide(writing, tx);
    if (status != STATUS_OK)
        return status;
    status = write_row(writing, tx);
    if (status == STATUS_OK && writing->kind != WRITING_delete)
        status = owners_write(writing, tx);
    if (status == STATUS_OK && writing->resource->write)
        status = writing->resource->write(writing, tx);
    if (status == STATUS_OK)
        status = keep_repeat(writing, tx);
    if (!reply_prepare(writing->request) || writing->request->arena->failed)
        status = STATUS_BROKEN;
    return status == STATUS_OK ? STATUS_OK : STATUS_BROKEN;
}

static enum status run(struct store_view *tx, struct store_command *command) {
    return writing_run((struct writing *)command, tx);
}

static void written(struct exchange *exchange) {
    struct writing *writing = exchange->state;
    writing_reply(writing, writing->command.status);
}

static void resume(struct store_command *command) {
    exchange_resume(((struct writing *)command)->request->exchange);
}

void writing_give_up(struct writing *writing, enum status status) {
    writing->command.status = status;
    writing->request->exchange->next = written;
    exchange_resume(writing->request->exchange);
}

void writing_submit(struct writing *writing) {
    writing->command.run = run;
    writing->command.done = resume;
    request_submit(writing->request, &writing->command, written);
}

/* ---- The request and its reply ---- */

static void add_etag(struct request *request, const struct record *record) {
    struct text etag = record_etag(record_id(record), record->version, request->arena);
    if (etag.at)
        reply_header(request->exchange, "ETag", etag.at);
}

static void reply_success_to(struct writing *writing) {
    static const char *const done[] = { [WRITING_create] = "created",
                                        [WRITING_replace] = "updated",
                                        [WRITING_patch] = "updated",
                                        [WRITING_delete] = "deleted" };
    struct request *request = writing->request;
    const struct table *table = writing->resource->table;
    const struct record *record =
        writing->kind == WRITING_delete ? &writing->before : &writing->after;
    struct author by = { request->principal.email, writing->rules.now_ms };
    if (writing->kind != WRITING_delete) {
        add_etag(request, record);
        by = (struct author){ value_as_text(&record->values[table->common.updated_by]),
                              record->values[table->common.updated_on].integer };
    }
    struct text message =
        arena_printf(request->arena, "%s was successfully %s.", table->entity, done[writing->kind]);
    reply_success(request, message, record_id(record), &by);
}

static void succeed(struct writing *writing) {
    const struct request *request = writing->request;
    if (request->principal.credential.kind == CREDENTIAL_reset)
        sign_in_log_add(request->app->auth.log, SIGN_IN_EVENT_reset, request->principal.user_id,
                        exchange_peer(request->exchange));
    reply_success_to(writing);
}

void writing_reply(struct writing *writing, enum status status) {
    struct request *request = writing->request;
    if ((status == STATUS_STALE || status == STATUS_CONFLICT) && writing->before.version)
        add_etag(request, &writing->before); /* the version that is there */
    switch (status) {
    case STATUS_OK: succeed(writing); break;
    case STATUS_BAD_INPUT: reply_invalid(request, &writing->errors); break;
    case STATUS_DENIED: reply_failure(request, status, NULL, writing->errors.first); break;
    case STATUS_CONFLICT:
    case STATUS_STALE: reply_failure(request, status, writing->conflict.at, NULL); break;
    default: reply_failure(request, status, NULL, NULL); break;
    }
}

static struct writing *writing_new(struct request *request, const struct resource *resource,
                                   enum writing_kind kind) {
    size_t size = resource->writing_size ? resource->writing_size : sizeof(struct writing);
    struct writing *writing = arena_calloc(request->arena, 1, size);
    unsigned count;
    if (!writing)
        return NULL;
    writing->request = request;
    writing->resource = resource;
    writing->kind = kind;
    writing->if_match = exchange_header_list(request->exchange, "If-Match", &count);
    writing->if_none_match = exchange_header_list(request->exchange, "If-None-Match", &count);
    writing->rules = (struct rules){ .nexudus = request->app->nexudus,
                                     .strict = request_is_strict(request),
                                     .is_new = kind == WRITING_create,
                                     .is_patch = kind == WRITING_patch,
                                     .now_ms = time_now_ms() };
    return writing;
}

struct writing *writing_new_patch(struct request *request, const struct resource *resource,
                                  int64_t id) {
    struct writing *writing = writing_new(request, resource, WRITING_patch);
    if (!writing)
        return NULL;
    writing->change = change_new(writing->resource->table, request->arena);
    if (!writing->change.values)
        return NULL;
    writing->change.values[writing->resource->table->common.id] = value_integer(id);
    return writing;
}

static bool has_path_id(const struct writing *writing) {
    return writing->kind != WRITING_create && writing->request->id;
}

/* The Id stands in the path, and if the body has one too, it must be the same. */
static void take_path_id(struct writing *writing) {
    unsigned field = writing->resource->table->common.id;
    struct value *id = &writing->change.values[field];
    if (id->kind == VALUE_INTEGER && id->integer != writing->request->id)
        writing_complain(writing, field, MESSAGE_TEXT(other_id));
    *id = value_integer(writing->request->id);
}

static bool make_unique_id(struct writing *writing) {
    char *guid = arena_alloc(writing->request->arena, 36);
    if (!guid)
        return false;
    random_guid(guid);
    writing->change.values[writing->resource->table->common.unique_id] =
        value_text((struct text){ guid, 36 });
    return true;
}

/* Remembered are a keyed hash of path and body, never the body, and only what was done. */
static void take_repeat_key(struct writing *writing) {
    struct request *request = writing->request;
    unsigned count;
    struct text key = exchange_header_list(request->exchange, "Idempotency-Key", &count);
    if (writing->kind != WRITING_create || !key.len)
        return;
    if (key.len > REPEAT_KEY_MAX || count > 1) {
        errors_add(&writing->errors, request->arena,
                   &(struct error){ .property = TEXT("Idempotency-Key"),
                                    .message = count > 1 ? MESSAGE_TEXT(repeated)
                                                         : MESSAGE_TEXT(repeat_key) });
        return;
    }
    const struct table *table = writing->resource->table;
    struct text own = arena_printf(request->arena, "%s %.*s", table->entity, (int)key.len, key.at);
    struct buffer whole;
    buffer_init(&whole, request->arena, request->exchange->body.len + 64);
    buffer_add(&whole, text_of(table->name));
    buffer_add_char(&whole, ' ');
    buffer_add(&whole, request->exchange->body);
    writing->errors.failed |= whole.failed || !own.at;
    writing->repeat =
        (struct repeat){ .caller = request->principal.user_id,
                         .key = own,
                         .mac = seal_mac(request->app->auth.key, buffer_text(&whole)) };
}

static enum status read_body(struct writing *writing) {
    struct request *request = writing->request;
    const struct table *table = writing->resource->table;
    if (writing->kind == WRITING_delete) {
        writing->change = change_new(table, request->arena);
        if (!writing->change.values)
            return STATUS_BROKEN;
        take_path_id(writing);
        return STATUS_OK;
    }
    take_repeat_key(writing); /* before reading the body changes it */
    enum status status = request_body(request, table, &writing->change, &writing->errors);
    if (status != STATUS_OK)
        return status;
    if (has_path_id(writing) && !change_has(&writing->change, table->common.id))
        writing->change.values[table->common.id] = value_integer(request->id);
    validate(&writing->change, &writing->rules, request->arena, &writing->errors);
    if (has_path_id(writing))
        take_path_id(writing);
    else if (writing->kind == WRITING_create && !make_unique_id(writing))
        return STATUS_BROKEN;
    else if (writing->kind == WRITING_replace &&
             writing->change.values[table->common.id].kind != VALUE_INTEGER)
        return STATUS_BAD_INPUT;
    return STATUS_OK;
}

/* A plain change goes to the writer at once, which decides. One that is wrong already, or asks for
 * slow things first, is decided on here as well. */
static enum status decide_early(struct writing *writing) {
    const struct resource *resource = writing->resource;
    bool is_wrong = writing->errors.first || writing->errors.failed;
    if (!is_wrong && !(resource->is_slow && resource->is_slow(writing)))
        return STATUS_OK;
    return writing_decide(writing, writing->request->worker->view);
}

void writing_start(struct request *request, enum writing_kind kind) {
    struct writing *writing = writing_new(request, request->route->resource, kind);
    if (!writing) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    request->exchange->state = writing;
    enum status status = read_body(writing);
    enum status repeated = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        repeated = find_repeat(writing, request->worker->view);
    if (repeated != STATUS_NOT_FOUND) {
        writing_reply(writing, repeated);
        return;
    }
    if (status == STATUS_OK)
        status = decide_early(writing);
    struct value *values = writing->change.values;
    if (status == STATUS_OK && kind != WRITING_create &&
        !seal_fields(writing, values[writing->resource->table->common.id].integer, values))
        status = STATUS_BROKEN;
    if (status != STATUS_OK)
        writing_reply(writing, status);
    else if (writing->resource->prepare)
        writing->resource->prepare(writing);
    else
        writing_submit(writing);
}

bool request_read(struct request *request, const struct table *table, struct change *change) {
    struct errors errors = { 0 };
    struct rules rules = { .strict = request_is_strict(request) };
    enum status status = request_body(request, table, change, &errors);
    if (status == STATUS_OK)
        validate(change, &rules, request->arena, &errors);
    if (status == STATUS_OK && !errors.first && !errors.failed)
        return true;
    if (status == STATUS_BROKEN)
        reply_failure(request, status, NULL, NULL);
    else
        reply_invalid(request, &errors);
    return false;
}

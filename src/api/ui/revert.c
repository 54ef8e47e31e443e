/* POST /api/sys/audittrailentries/revert: puts values back that the audit trail has, by an update
 * of the record like any other. */
#include "service/revert.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/nexudus/write.h"
#include "api/reply.h"
#include "api/wait.h"
#include "model/tables.h"
#include "rules/messages.h"

struct reverting {
    struct value ids;
    struct record *rows; /* as many */
    struct errors errors;
    bool overwrites;
};

static void refuse_missing(struct reverting *reverting, int64_t id, struct arena *arena) {
    struct text message =
        arena_printf(arena, message_missing_row, audit_trail_entry_table.noun, (long long)id);
    reverting->errors.failed |= !message.at;
    errors_add(&reverting->errors, arena,
               &(struct error){ .property = TEXT("Ids"), .message = message });
}

static enum status load_rows(struct store_session *session, struct request *request) {
    struct reverting *reverting = request->exchange->state;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < reverting->ids.len; i++) {
        int64_t id = reverting->ids.ids[i];
        status =
            store_load(session, &audit_trail_entry_table, id, request->arena, &reverting->rows[i]);
        if (status != STATUS_NOT_FOUND)
            continue;
        refuse_missing(reverting, id, request->arena);
        status = STATUS_OK;
    }
    return status;
}

/* Besides the rows, the caller needs what any update of their record needs. */
static void need_edit(struct request *request, const struct resource *resource) {
    enum permission_entity entity = resource->table->permission_entity;
    uint64_t shows_users = resource->shows_users >> OPERATION_Edit & 1;
    request->needs |=
        UINT64_C(1) << permission(entity, OPERATION_Edit) | shows_users << PERMISSION(User, Read);
}

static void run_mutation(struct request *request, struct mutation *mutation) {
    need_edit(request, mutation->resource);
    int lacking = request_lacking(request);
    if (lacking < 0)
        write_mutation(request, mutation);
    else
        reply_forbidden(request, (unsigned)lacking);
}

static void revert_rows(struct request *request, enum status status) {
    struct reverting *reverting = request->exchange->state;
    const struct revert revert = { .context = write_context(request),
                                   .rows = reverting->rows,
                                   .count = reverting->ids.len,
                                   .overwrites = reverting->overwrites };
    struct mutation *mutation = NULL;
    bool is_wrong = reverting->errors.first || reverting->errors.failed;
    if (status == STATUS_OK && revert.context && !is_wrong)
        mutation = revert_mutation(&revert, &reverting->errors);
    is_wrong = reverting->errors.first || reverting->errors.failed;
    if (mutation)
        run_mutation(request, mutation);
    else if (status == STATUS_OK && is_wrong)
        reply_invalid(request, &reverting->errors);
    else
        reply_failure(request, status == STATUS_OK ? STATUS_INTERNAL : status, NULL, NULL);
}

static void refuse_empty(struct request *request) {
    struct errors errors = { 0 };
    errors_add(&errors, request->arena,
               &(struct error){ .property = TEXT("Ids"), .message = MESSAGE_TEXT(required) });
    reply_invalid(request, &errors);
}

void audit_revert(struct request *request) {
    struct change change;
    struct reverting *reverting = arena_calloc(request->arena, 1, sizeof *reverting);
    if (!reverting) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    if (!request_read(request, &revert_table, &change))
        return;
    reverting->ids = change.values[REVERT_Ids];
    reverting->overwrites = value_is_true(&change.values[REVERT_Overwrite]);
    reverting->rows = arena_calloc(request->arena, reverting->ids.len, sizeof *reverting->rows);
    request->exchange->state = reverting;
    if (reverting->ids.len == 0)
        refuse_empty(request);
    else if (reverting->rows)
        request_ask(request, load_rows, revert_rows);
    else
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
}

/* /api/utils/maintenance: a backup or a check of the database, for unrestricted administrators. No
 * request chooses a folder: backup-dir does, and without it there is neither. */
#include "api/handlers.h"
#include "api/ops/upkeep.h"
#include "api/reply.h"
#include "base/log.h"
#include "json/json.h"

#include <sysexits.h>

static const char *const task_names[] = { [UPKEEP_backup] = "Backup", [UPKEEP_check] = "Check" };

static void add_date(struct buffer *out, bool is_known, int64_t ms) {
    if (is_known)
        json_add_date(out, ms);
    else
        buffer_add(out, TEXT("null"));
}

static void add_lines(struct buffer *out, const struct upkeep_result *result) {
    struct text rest = { result->output, result->len };
    const char *separator = "";
    buffer_add(out, TEXT(",\"Lines\":["));
    while (rest.len) {
        struct text line = text_cut(&rest, '\n');
        buffer_add(out, text_of(separator));
        json_add_string(out, line);
        separator = ",";
    }
    buffer_printf(out, "],\"HasMoreLines\":%s}", result->is_cut ? "true" : "false");
}

static void add_task(struct buffer *out, const struct upkeep_state *state) {
    const bool has_ended = state->task && !state->is_running;
    if (state->task)
        buffer_printf(out, ",\"Task\":\"%s\",\"StartedOn\":", task_names[state->task]);
    else
        buffer_add(out, TEXT(",\"Task\":null,\"StartedOn\":"));
    add_date(out, state->task, state->started_ms);
    buffer_add(out, TEXT(",\"EndedOn\":"));
    add_date(out, has_ended, state->ended_ms);
    buffer_printf(out, ",\"IsRunning\":%s,\"HasSucceeded\":%s",
                  state->is_running ? "true" : "false",
                  !has_ended                    ? "null"
                  : state->result.code == EX_OK ? "true"
                                                : "false");
    add_lines(out, &state->result);
}

static void reply_state(struct request *request) {
    struct upkeep *upkeep = request->app->upkeep;
    struct upkeep_state state = { 0 };
    struct buffer body;
    if (upkeep)
        upkeep_read(upkeep, &state);
    buffer_init(&body, request->arena, 1024);
    buffer_add(&body, TEXT("{\"BackupFolder\":"));
    if (upkeep)
        json_add_string(&body, text_of(upkeep_folder(upkeep)));
    else
        buffer_add(&body, TEXT("null"));
    add_task(&body, &state);
    reply_json(request, 200, &body);
}

void maintenance_get(struct request *request) {
    if (request->principal.is_admin)
        reply_state(request);
    else
        reply_failure(request, STATUS_FORBIDDEN, NULL, NULL);
}

static const char *why_not(enum status status) {
    if (status == STATUS_NOT_FOUND)
        return "The setting backup-dir names no folder, so nothing can be started here.";
    return status == STATUS_CONFLICT
               ? "A backup or a check is running. Wait for its end."
               : "The process that runs backups has ended. Restart the server.";
}

static void begin(struct request *request, enum upkeep_task task) {
    struct upkeep *upkeep = request->app->upkeep;
    if (!request->principal.is_admin) {
        reply_failure(request, STATUS_FORBIDDEN, NULL, NULL);
        return;
    }
    const enum status status = upkeep ? upkeep_begin(upkeep, task) : STATUS_NOT_FOUND;
    if (status != STATUS_OK) {
        reply_failure(request, status, why_not(status), NULL);
        return;
    }
    log_info("user %lld has started a %s", (long long)request->principal.user_id,
             task == UPKEEP_backup ? "backup" : "check");
    reply_state(request);
}

void maintenance_back_up(struct request *request) {
    begin(request, UPKEEP_backup);
}

void maintenance_check(struct request *request) {
    begin(request, UPKEEP_check);
}

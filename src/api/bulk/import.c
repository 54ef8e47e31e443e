/* Imports: a file of users, row by row through the rules of single changes.
 *
 * The rows go to the writer in batches, each of them one transaction, and the reply tells of each
 * batch after its commit, in pieces (http.h). So a client sees how far an import has come, and ends
 * it by going away; what is stored then are whole rows, from the first one on. A trial run decides
 * on a reader's thread and writes nothing. Within a batch the caller's rights are asked for before
 * each row, since a row may take them away. */
#include "api/bulk/rows.h"
#include "api/handlers.h"
#include "api/ignored.h"
#include "api/reply.h"
#include "api/status.h"
#include "api/wait.h"
#include "base/container_of.h"
#include "base/time.h"
#include "json/json.h"
#include "rules/messages.h"

enum {
    ROWS_AT_ONCE = 100, /* other writers wait for a batch */
    BATCH_LIMIT = 64 * 1024 * 1024,
    REPLY_EXPECTED = 16 * 1024,
};

struct importing {
    struct store_command command;
    struct request *request;
    struct rows rows;
    struct import import;
    struct import_seen seen;
    struct mutation_context context;
    struct principal caller; /* as of the row that is run */
    struct import_row batch[ROWS_AT_ONCE];
    unsigned count, ran;
    enum status stopped; /* why a batch was not run to its end; OK */
    struct buffer out;   /* in request->piece, as all of a batch */
    int64_t totals[IMPORT_OUTCOMES], next_line;
    struct column_map *maps;
    struct errors errors;
    bool is_dry, has_begun;
};

/* ---- A batch, on the thread that runs it ---- */

static void add_text_or_null(struct buffer *out, struct text text) {
    if (text.at)
        json_add_string(out, text);
    else
        buffer_add(out, TEXT("null"));
}

static void add_error(struct buffer *out, const struct importing *importing,
                      const struct error *error) {
    buffer_add(out, TEXT("{\"Column\":"));
    json_add_string(out, rows_column(&importing->rows, error->property));
    buffer_add(out, TEXT(",\"PropertyName\":"));
    json_add_string(out, error->property);
    buffer_add(out, TEXT(",\"Message\":"));
    json_add_string(out, error->message);
    buffer_add(out, TEXT(",\"AttemptedValue\":"));
    json_add_submitted(out, error->attempted);
    buffer_add_char(out, '}');
}

static struct text reason_of(const struct import_row *row) {
    if (row->outcome != IMPORT_refused || row->errors.first)
        return (struct text){ 0 };
    return row->reason.at ? row->reason : text_of(status_message(row->status));
}

static void add_line(struct buffer *out, const struct importing *importing,
                     const struct import_row *row) {
    buffer_printf(out, "{\"Line\":%lld,\"Outcome\":\"%s\",\"Id\":", (long long)row->line,
                  import_outcome_names[row->outcome]);
    if (row->id)
        buffer_add_int64(out, row->id);
    else
        buffer_add(out, TEXT("null"));
    buffer_add(out, TEXT(",\"Email\":"));
    add_text_or_null(out, row->email);
    buffer_add(out, TEXT(",\"Message\":"));
    add_text_or_null(out, reason_of(row));
    buffer_add(out, TEXT(",\"Errors\":["));
    for (const struct error *error = row->errors.first; error && row->outcome == IMPORT_refused;
         error = error->next) {
        add_error(out, importing, error);
        if (error->next)
            buffer_add_char(out, ',');
    }
    buffer_add(out, TEXT("]}\n"));
}

static enum status confirm(struct importing *importing, struct store_session *session) {
    struct request *request = importing->request;
    enum status status =
        auth_confirm(&request->app->auth, session, &request->piece, &importing->caller);
    if (status == STATUS_OK && !principal_may(&importing->caller, PERMISSION(User, Edit)))
        return STATUS_FORBIDDEN;
    return status;
}

static enum status run_rows(struct importing *importing) {
    enum status status = STATUS_OK;
    importing->caller = importing->request->principal;
    importing->stopped = STATUS_OK;
    importing->out.len = importing->ran = 0;
    for (unsigned i = importing->count; i-- > 0;) /* this may be a second run */
        import_forget_row(&importing->import, &importing->batch[i]);
    for (unsigned i = 0; status == STATUS_OK && i < importing->count; i++) {
        status = importing->stopped = confirm(importing, importing->import.session);
        if (status == STATUS_OK)
            status = import_run_row(&importing->import, &importing->batch[i]);
        if (status != STATUS_OK)
            break;
        add_line(&importing->out, importing, &importing->batch[i]);
        importing->ran++;
    }
    if (status == STATUS_INTERNAL || importing->out.failed || importing->request->piece.failed)
        return STATUS_INTERNAL;
    return STATUS_OK; /* what was run before the caller lost the right stays */
}

static enum status write_batch(struct store_tx *tx, struct store_command *command) {
    struct importing *importing = container_of(command, struct importing, command);
    importing->import.session = tx->session;
    importing->import.tx = tx;
    return run_rows(importing);
}

static enum status try_batch(struct store_session *session, struct store_command *command) {
    struct importing *importing = container_of(command, struct importing, command);
    importing->import.session = session;
    importing->import.tx = NULL;
    return run_rows(importing);
}

static void resume_batch(struct store_command *command) {
    exchange_resume(container_of(command, struct importing, command)->request->exchange);
}

/* ---- The reply ---- */

static void next_batch(struct importing *importing);

static void go_on(struct exchange *exchange) {
    next_batch(exchange->state);
}

static void end_reply(struct exchange *exchange) {
    exchange->reply.goes_on = false;
    exchange->reply.body = (struct text){ 0 };
}

static void begin_piece(struct importing *importing, size_t size) {
    struct arena *piece = &importing->request->piece;
    arena_close(piece);
    arena_init_counted(piece, BATCH_LIMIT);
    buffer_init(&importing->out, piece, size);
}

static void send_piece(struct importing *importing, void (*next)(struct exchange *exchange)) {
    struct exchange *exchange = importing->request->exchange;
    struct reply *reply = &exchange->reply;
    if (!importing->has_begun) {
        reply->http_status = 200;
        reply->content_type = "application/jsonl";
        reply_header(exchange, "Cache-Control", "no-store");
        importing->has_begun = true;
    }
    reply->is_cut = importing->out.failed;
    reply->goes_on = !reply->is_cut;
    reply->body = buffer_text(&importing->out);
    if (reply->is_cut)
        reply->body = (struct text){ 0 };
    exchange->state = importing;
    exchange->next = next;
}

static void add_ignored(struct buffer *out, const struct rows *rows) {
    const char *separator = "[";
    for (unsigned i = 0; i < rows->count; i++) {
        if (rows->columns[i].field || rows->columns[i].is_mapped)
            continue;
        buffer_add(out, text_of(separator));
        json_add_string(out, rows->columns[i].name);
        separator = ",";
    }
    buffer_add(out, *separator == '[' ? TEXT("[]") : TEXT("]"));
}

/* The last line says what became of the whole, and where to go on if it is not the end. */
static void add_summary(struct importing *importing, enum status status) {
    struct buffer *out = &importing->out;
    int64_t rows = 0;
    for (unsigned i = 0; i < IMPORT_OUTCOMES; i++)
        rows += importing->totals[i];
    buffer_printf(out, "{\"IsWhole\":%s,\"DryRun\":%s,\"Rows\":%lld,\"Counts\":",
                  status == STATUS_OK ? "true" : "false", importing->is_dry ? "true" : "false",
                  (long long)rows);
    for (unsigned i = 0; i < IMPORT_OUTCOMES; i++)
        buffer_printf(out, "%c\"%s\":%lld", i ? ',' : '{', import_outcome_names[i],
                      (long long)importing->totals[i]);
    buffer_add(out, TEXT("},\"IgnoredColumns\":"));
    add_ignored(out, &importing->rows);
    buffer_add(out, TEXT(",\"NextLine\":"));
    if (status == STATUS_OK)
        buffer_add(out, TEXT("null,\"Message\":null}\n"));
    else {
        buffer_printf(out, "%lld,\"Message\":", (long long)importing->next_line);
        json_add_string(out, text_of(status_message(status)));
        buffer_add(out, TEXT("}\n"));
    }
}

static void batch_ended(struct exchange *exchange) {
    struct request *request = exchange->request;
    struct importing *importing = container_of(request->command, struct importing, command);
    enum status status = importing->command.status;
    if (status != STATUS_OK && !importing->has_begun) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    if (status != STATUS_OK) {
        begin_piece(importing, 1024);
        add_summary(importing, status);
        send_piece(importing, end_reply);
        return;
    }
    for (unsigned i = 0; i < importing->ran; i++)
        importing->totals[importing->batch[i].outcome]++;
    if (importing->stopped != STATUS_OK) {
        importing->next_line = importing->batch[importing->ran].line;
        add_summary(importing, importing->stopped);
    }
    send_piece(importing, importing->stopped == STATUS_OK ? go_on : end_reply);
}

static void next_batch(struct importing *importing) {
    struct request *request = importing->request;
    begin_piece(importing, REPLY_EXPECTED);
    importing->count = 0;
    while (importing->count < ROWS_AT_ONCE) {
        struct import_row *row = &importing->batch[importing->count];
        *row = (struct import_row){ 0 };
        if (!rows_next(&importing->rows, &request->piece, row))
            break;
        importing->count++;
    }
    if (!importing->count) {
        add_summary(importing, STATUS_OK);
        send_piece(importing, end_reply);
        return;
    }
    importing->next_line = importing->batch[0].line;
    importing->context.now_ms = time_now_ms();
    importing->command = (struct store_command){ .run = importing->is_dry ? NULL : write_batch,
                                                 .read = importing->is_dry ? try_batch : NULL,
                                                 .done = resume_batch };
    if (importing->is_dry)
        request_read_on(request, &importing->command, batch_ended);
    else
        request_submit(request, &importing->command, batch_ended);
}

/* ---- The request ---- */

static void refuse(struct importing *importing, struct text name, struct text message,
                   struct text value) {
    errors_add(&importing->errors, importing->request->arena,
               &(struct error){ .property = name, .message = message, .attempted_text = value });
}

static void take_flag(struct importing *importing, struct text name, struct text value,
                      bool *flag) {
    *flag = text_equal_nocase(value, TEXT("true"));
    if (!*flag && !text_equal_nocase(value, TEXT("false")))
        refuse(importing, name, MESSAGE_TEXT(import_flag), value);
}

/* COLUMN:FIELD; the name of a column may have a colon itself. */
static void take_map(struct importing *importing, struct text name, struct text value) {
    const char *colon = value.len ? memrchr(value.at, ':', value.len) : NULL;
    size_t size = colon ? (size_t)(colon - value.at) : 0;
    struct text field = { value.at + size + 1, colon ? value.len - size - 1 : 0 };
    struct column_map *map = arena_calloc(importing->request->arena, 1, sizeof *map);
    if (!map) {
        importing->errors.failed = true;
        return;
    }
    *map = (struct column_map){ importing->maps, { value.at, size }, NULL };
    importing->maps = map;
    if (field.len)
        map->field = rows_field(field);
    if (!colon || (field.len && !map->field))
        refuse(importing, name, MESSAGE_TEXT(import_map), value);
}

static void take_parameter(struct importing *importing, struct text name, struct text value,
                           struct ignored *ignored) {
    if (!name.at || !value.at || !validate_is_line(name, SIZE_MAX) ||
        !validate_is_line(value, SIZE_MAX))
        refuse(importing, TEXT("query"), MESSAGE_TEXT(parameter_text), (struct text){ 0 });
    else if (text_equal_nocase(name, TEXT("dryRun")))
        take_flag(importing, name, value, &importing->is_dry);
    else if (text_equal_nocase(name, TEXT("delete")))
        take_flag(importing, name, value, &importing->import.deletes);
    else if (text_equal_nocase(name, TEXT("map")))
        take_map(importing, name, value);
    else if (importing->context.strict)
        refuse(importing, name, MESSAGE_TEXT(unknown_parameter), value);
    else
        ignored_add(ignored, name);
}

static void read_query(struct importing *importing) {
    struct request *request = importing->request;
    struct text rest = exchange_query(request->exchange), name, value;
    struct ignored ignored;
    ignored_init(&ignored, request->arena);
    while (form_next(&rest, request->arena, &name, &value))
        take_parameter(importing, name, value, &ignored);
    ignored_reply(&ignored, request);
}

static struct importing *importing_new(struct request *request) {
    struct importing *importing = arena_calloc(request->arena, 1, sizeof *importing);
    if (!importing)
        return NULL;
    importing->request = request;
    importing->context = (struct mutation_context){
        .arena = &request->piece,
        .caller = &importing->caller,
        .key = request->app->auth.key,
        .request_id = text_of(request->exchange->request_id),
        .nexudus = request->app->nexudus,
        .strict = request_is_strict(request),
    };
    importing->import.context = &importing->context;
    importing->import.seen = &importing->seen;
    return importing;
}

/* The strict want nothing to be left out that they did not map. */
static enum status check_columns(struct importing *importing) {
    for (unsigned i = 0; importing->context.strict && i < importing->rows.count; i++) {
        const struct column *column = &importing->rows.columns[i];
        if (!column->field && !column->is_mapped)
            refuse(importing, TEXT("Body"),
                   arena_printf(importing->request->arena, message_import_unknown,
                                (int)column->name.len, column->name.at),
                   (struct text){ 0 });
    }
    return importing->errors.first ? STATUS_BAD_INPUT : STATUS_OK;
}

void users_import(struct request *request) {
    struct importing *importing = importing_new(request);
    enum status status = importing ? STATUS_OK : STATUS_INTERNAL;
    if (importing)
        read_query(importing);
    if (importing && (importing->errors.first || importing->errors.failed))
        status = STATUS_BAD_INPUT;
    if (status == STATUS_OK)
        status = rows_open(&importing->rows, request->exchange->body, importing->maps,
                           request->arena, &importing->errors);
    if (status == STATUS_OK)
        status = check_columns(importing);
    if (status == STATUS_OK &&
        !import_seen_init(&importing->seen, importing->rows.lines, request->arena))
        status = STATUS_INTERNAL;
    if (status == STATUS_BAD_INPUT)
        reply_invalid(request, &importing->errors);
    else if (status != STATUS_OK)
        reply_failure(request, status, NULL, NULL);
    else
        next_batch(importing);
}

/* Exports: all users, or all rows of the audit trail, that a search finds, as CSV or as JSON Lines,
 * in the order of Ids.
 *
 * The body goes on in pieces (http.h). Each piece is a page of the search, read by a reader thread
 * behind the last Id of the page before, so that the memory of an export does not grow with the
 * number of records, and no transaction stays open. A record that exists from the beginning to the
 * end is in it exactly once; one that is created or deleted meanwhile may be. Before each page the
 * caller's credential and permissions are checked again. A failure after the head was sent cuts the
 * body, so that the client does not take a part for the whole. */
#include "api/bulk/columns.h"
#include "api/bulk/csv.h"
#include "api/handlers.h"
#include "api/nexudus/search.h"
#include "api/reply.h"
#include "api/wait.h"
#include "base/container_of.h"
#include "json/json.h"

enum {
    PAGE_RECORDS = 500,
    PAGE_EXPECTED = 64 * 1024,
    PIECE_LIMIT = 64 * 1024 * 1024, /* the store ends a page at 8 MiB */
};

struct export {
    struct store_command command;
    struct request *request;
    struct search wanted;
    struct search_result found;
    struct buffer records; /* of a page, in request->piece */
    bool is_csv, has_begun;
};

static void read_piece(struct export *export);

/* ---- From records to a piece ---- */

static bool is_text(struct text json) {
    return json.len && json.at[0] == '"';
}

/* [1,2] as 1 2, "a" as a, null as an empty cell. */
static void add_cell(struct buffer *out, struct text json) {
    struct arena arena = { 0 };
    if (is_text(json)) {
        struct text text = json_decode(json, &arena);
        out->failed |= !text.at;
        csv_add_cell(out, text);
    } else if (json.len && json.at[0] == '[') {
        for (size_t i = 1; i + 1 < json.len; i++)
            buffer_add_char(out, json.at[i] == ',' ? ' ' : json.at[i]);
    } else if (!text_equal(json, TEXT("null"))) {
        buffer_add(out, json);
    }
    arena_close(&arena);
}

static void add_member(struct buffer *out, const struct field *field, struct text json) {
    buffer_add_char(out, '"');
    buffer_add(out, field->name);
    buffer_add(out, TEXT("\":"));
    buffer_add(out, json.len ? json : TEXT("null"));
}

/* `values` has the JSON of each field. */
static void add_record(struct buffer *out, const struct export *export, const struct text *values) {
    const struct table *table = export->wanted.table;
    const char *separator = export->is_csv ? "" : "{";
    for (unsigned i = 0; i < table->count; i++) {
        if (!column_is_exported(&table->fields[i]))
            continue;
        buffer_add(out, text_of(separator));
        separator = ",";
        if (export->is_csv)
            add_cell(out, values[i]);
        else
            add_member(out, &table->fields[i], values[i]);
    }
    buffer_add(out, export->is_csv ? TEXT("\r\n") : TEXT("}\n"));
}

static void add_records(struct buffer *out, const struct export *export) {
    const struct table *table = export->wanted.table;
    struct text records = buffer_text(&export->records), name, value;
    while (records.len) {
        struct text values[CHANGE_FIELDS_MAX] = { 0 };
        unsigned expected = 0;
        while (json_next_member(&records, &name, &value)) {
            const struct field *field = table_field(table, name, expected);
            if (!field)
                continue;
            expected = (unsigned)(field - table->fields);
            values[expected++] = value;
        }
        out->failed |= !records.at;
        add_record(out, export, values);
    }
}

static void add_names(struct buffer *out, const struct table *table) {
    const char *separator = "";
    for (unsigned i = 0; i < table->count; i++) {
        if (!column_is_exported(&table->fields[i]))
            continue;
        buffer_add(out, text_of(separator));
        buffer_add(out, table->fields[i].name);
        separator = ",";
    }
    buffer_add(out, TEXT("\r\n"));
}

/* ---- The pieces ---- */

static void next_piece(struct exchange *exchange) {
    struct export *export = exchange->state;
    struct reply *reply = &exchange->reply;
    if (export->found.has_more) {
        export->wanted.behind = export->found.last_id;
        read_piece(export);
        return;
    }
    reply->goes_on = false;
    reply->body = (struct text){ 0 };
}

static void fail(struct export *export, enum status status) {
    struct reply *reply = &export->request->exchange->reply;
    if (!export->has_begun) {
        reply_failure(export->request, status, NULL, NULL);
        return;
    }
    reply->goes_on = false;
    reply->is_cut = true;
    reply->body = (struct text){ 0 };
}

/* "audit_trail_entries.csv" */
static const char *file_header(const struct export *export) {
    return arena_printf(export->request->arena, "attachment; filename=\"%s.%s\"",
                        export->wanted.table->name, export->is_csv ? "csv" : "jsonl")
        .at;
}

/* False: there is no memory. */
static bool begin_reply(struct export *export) {
    struct exchange *exchange = export->request->exchange;
    const char *file = file_header(export);
    if (!file)
        return false;
    exchange->reply.http_status = 200;
    exchange->reply.content_type = export->is_csv ? "text/csv; charset=utf-8" : "application/jsonl";
    reply_header(exchange, "Cache-Control", "no-store");
    reply_header(exchange, "Content-Disposition", file);
    export->has_begun = true;
    return true;
}

static void send_piece(struct export *export) {
    struct request *request = export->request;
    struct exchange *exchange = request->exchange;
    struct buffer out;
    buffer_init(&out, &request->piece, export->records.len + 4096);
    if (export->is_csv && !export->has_begun)
        add_names(&out, export->wanted.table);
    add_records(&out, export);
    if (out.failed || export->records.failed || request->piece.failed) {
        fail(export, request->piece.is_over_budget ? STATUS_FULL : STATUS_INTERNAL);
        return;
    }
    if (!export->has_begun && !begin_reply(export)) {
        fail(export, STATUS_INTERNAL);
        return;
    }
    exchange->reply.body = buffer_text(&out);
    exchange->reply.goes_on = out.len > 0;
    exchange->state = export;
    exchange->next = next_piece;
}

static void piece_was_read(struct exchange *exchange) {
    struct export *export =
        container_of(((struct request *)exchange->request)->command, struct export, command);
    enum status status = export->command.status;
    if (status == STATUS_OK) {
        send_piece(export);
    } else if (status == STATUS_TOO_LARGE && export->wanted.limit > 1) {
        export->wanted.limit /= 2;
        read_piece(export);
    } else {
        fail(export, status);
    }
}

static enum status run_piece(struct store_session *session, struct store_command *command) {
    struct export *export = container_of(command, struct export, command);
    return store_search(session, &export->wanted, &export->found);
}

static void resume_piece(struct store_command *command) {
    exchange_resume(container_of(command, struct export, command)->request->exchange);
}

static void read_piece(struct export *export) {
    struct arena *piece = &export->request->piece;
    arena_close(piece);
    arena_init_counted(piece, PIECE_LIMIT);
    buffer_init(&export->records, piece, PAGE_EXPECTED);
    export->found = (struct search_result){ .json = &export->records };
    export->command = (struct store_command){ .read = run_piece, .done = resume_piece };
    request_read_on(export->request, &export->command, piece_was_read);
}

static void start(struct request *request, bool is_csv) {
    struct export *export = arena_calloc(request->arena, 1, sizeof *export);
    if (!export) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    export->request = request;
    export->is_csv = is_csv;
    if (!search_read_filters(request, &export->wanted))
        return;
    export->wanted.limit = PAGE_RECORDS;
    export->wanted.is_whole = true;
    export->wanted.is_uncounted = true;
    read_piece(export);
}

void export_csv(struct request *request) {
    start(request, true);
}

void export_json_lines(struct request *request) {
    start(request, false);
}

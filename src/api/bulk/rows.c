#include "api/bulk/rows.h"

#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "rules/validate.h"

#include <string.h>

const struct field *rows_field(struct text name) {
    const struct field *field = table_field_nocase(&user_table, name);
    return field && field_is_writable(field) ? field : NULL;
}

static void add_error(struct errors *errors, struct arena *arena, struct text message) {
    errors_add(errors, arena, &(struct error){ .property = TEXT("Body"), .message = message });
}

/* ---- The first line ---- */

static void find_field(struct column *column, const struct column_map *maps) {
    for (const struct column_map *map = maps; map; map = map->next)
        if (text_equal(map->column, column->name)) {
            column->field = map->field;
            column->is_mapped = true;
            return;
        }
    column->field = rows_field(text_trim(column->name));
}

/* Is another column before it for the same field? */
static bool is_second(const struct rows *rows, unsigned at) {
    for (unsigned i = 0; i < at; i++)
        if (rows->columns[at].field && rows->columns[i].field == rows->columns[at].field)
            return true;
    return false;
}

static void check_column(const struct rows *rows, unsigned at, struct arena *arena,
                         struct errors *errors) {
    const struct column *column = &rows->columns[at];
    if (is_second(rows, at))
        add_error(errors, arena,
                  arena_printf(arena, message_import_column_twice, (int)column->name.len,
                               column->name.at, (int)column->field->name.len,
                               column->field->name.at));
}

static void read_columns(struct rows *rows, const struct column_map *maps, struct arena *arena,
                         struct errors *errors) {
    enum csv_result result = CSV_cell;
    unsigned known = 0;
    rows->reader.separator = csv_separator(rows->reader.rest);
    while (result == CSV_cell && rows->count < COLUMNS_MAX) {
        struct column *column = &rows->columns[rows->count];
        result = csv_next(&rows->reader, arena, &column->name);
        if (result == CSV_unclosed)
            break;
        find_field(column, maps);
        check_column(rows, rows->count++, arena, errors);
        known += column->field != NULL;
    }
    if (result == CSV_unclosed)
        add_error(errors, arena, MESSAGE_TEXT(import_open_quote));
    else if (result == CSV_cell)
        add_error(errors, arena, MESSAGE_TEXT(import_columns));
    else if (!known)
        add_error(errors, arena, MESSAGE_TEXT(import_no_columns));
}

static size_t count_lines(struct text file) {
    size_t lines = 1;
    for (size_t i = 0; i < file.len; i++)
        lines += file.at[i] == '\n' || file.at[i] == '\r';
    return lines;
}

enum status rows_open(struct rows *rows, struct text file, const struct column_map *maps,
                      struct arena *arena, struct errors *errors) {
    file = text_without_mark(file);
    rows->reader = (struct csv_reader){ file, 1, ',' };
    rows->is_json = text_trim(file).len && text_trim(file).at[0] == '{';
    rows->lines = count_lines(file);
    if (!validate_is_utf8(file) || (file.len && memchr(file.at, '\0', file.len)))
        add_error(errors, arena, MESSAGE_TEXT(import_utf8));
    else if (rows->lines > ROW_LINES_MAX)
        add_error(errors, arena, MESSAGE_TEXT(import_lines));
    else if (!csv_next_row(&rows->reader))
        add_error(errors, arena, MESSAGE_TEXT(import_empty));
    else if (rows->is_json && maps)
        add_error(errors, arena, MESSAGE_TEXT(import_map_json));
    else if (!rows->is_json)
        read_columns(rows, maps, arena, errors);
    if (!errors->first && !csv_next_row(&rows->reader))
        add_error(errors, arena, MESSAGE_TEXT(import_empty));
    if (errors->failed || arena->failed)
        return STATUS_INTERNAL;
    return errors->first ? STATUS_BAD_INPUT : STATUS_OK;
}

/* ---- The rows ---- */

/* Ids with blanks, commas or semicolons between them. */
static void add_list(struct buffer *json, struct text cell) {
    const char *separator = "[";
    for (size_t at = 0; at < cell.len;) {
        size_t end = at;
        while (end < cell.len && !memchr(" ,;", cell.at[end], 3))
            end++;
        if (end > at) {
            buffer_add(json, text_of(separator));
            json_add_string(json, (struct text){ cell.at + at, end - at });
            separator = ",";
        }
        at = end + 1;
    }
    buffer_add(json, *separator == '[' ? TEXT("[]") : TEXT("]"));
}

/* An empty cell says nothing of its field. */
static void add_member(struct buffer *json, const struct field *field, struct text cell) {
    if (!field || !cell.len)
        return;
    buffer_add_char(json, json->len ? ',' : '{');
    json_add_string(json, field->name);
    buffer_add_char(json, ':');
    if (field_is_list(field) || field->type == TYPE_added || field->type == TYPE_removed)
        add_list(json, cell);
    else
        json_add_string(json, cell);
}

static void read_cells(struct rows *rows, struct arena *arena, struct import_row *row) {
    struct buffer json;
    struct text cell;
    unsigned count = 0;
    enum csv_result result = CSV_cell;
    buffer_init(&json, arena, 256);
    while (result == CSV_cell && (result = csv_next(&rows->reader, arena, &cell)) != CSV_unclosed)
        if (count++ < rows->count)
            add_member(&json, rows->columns[count - 1].field, cell);
    if (result == CSV_unclosed)
        add_error(&row->errors, arena, MESSAGE_TEXT(import_open_quote));
    else if (count != rows->count)
        add_error(&row->errors, arena,
                  arena_printf(arena, message_import_cells, count, rows->count));
    buffer_add(&json, json.len ? TEXT("}") : TEXT("{}"));
    row->errors.failed |= json.failed;
    if (!row->errors.first && !json.failed)
        row->json = buffer_text(&json);
}

static void read_line(struct rows *rows, struct import_row *row) {
    struct text rest = rows->reader.rest;
    size_t size = 0;
    while (size < rest.len && rest.at[size] != '\n' && rest.at[size] != '\r')
        size++;
    row->json = (struct text){ rest.at, size };
    rows->reader.rest = (struct text){ rest.at + size, rest.len - size };
}

bool rows_next(struct rows *rows, struct arena *arena, struct import_row *row) {
    if (!csv_next_row(&rows->reader))
        return false;
    row->line = rows->reader.line;
    if (rows->is_json)
        read_line(rows, row);
    else
        read_cells(rows, arena, row);
    return true;
}

struct text rows_column(const struct rows *rows, struct text property) {
    for (unsigned i = 0; i < rows->count; i++)
        if (rows->columns[i].field && text_equal(rows->columns[i].field->name, property))
            return rows->columns[i].name;
    return property;
}

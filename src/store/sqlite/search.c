/* Searches: SQL put together from the field table. Values are always bound, never written into it.
 */
#include "store/sqlite/sqlite.h"

#include "base/buffer.h"
#include "rules/fold.h"

#include <assert.h>
#include <stdio.h>

/* Texts are looked through for a folded needle by this function; see fold.h. */
static void contains(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    struct text text = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    struct text needle = { (const char *)sqlite3_value_text(arguments[1]), 0 };
    text.len = (size_t)sqlite3_value_bytes(arguments[0]);
    needle.len = (size_t)sqlite3_value_bytes(arguments[1]);
    int found = text.at && needle.at ? fold_contains(text, needle) : 0;
    if (found < 0)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_int(context, found);
}

/* For exact matches, and for the migration that makes the index of texts. */
static void fold_text(sqlite3_context *context, int count, sqlite3_value **arguments) {
    struct arena arena = { 0 };
    struct text text = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    (void)count;
    text.len = (size_t)sqlite3_value_bytes(arguments[0]);
    if (!text.at)
        return; /* null stays null */
    struct text folded = fold(text, &arena);
    if (folded.at)
        sqlite3_result_text64(context, folded.at, folded.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_error_nomem(context);
    arena_close(&arena);
}

bool search_prepare(sqlite3 *db) {
    return sqlite3_create_function_v2(db, "fold", 1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                      fold_text, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_create_function_v2(db, "contains", 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                      contains, NULL, NULL, NULL) == SQLITE_OK;
}

static void add_condition(struct buffer *sql, const struct search *search,
                          const struct filter *filter, int *parameter) {
    const struct table *table = search->table;
    const char *name = table->fields[filter->field].name.at;
    switch (filter->match) {
    case MATCH_equal: buffer_printf(sql, "%s = ?%d", name, ++*parameter); break;
    case MATCH_contains:
        buffer_printf(sql, "contains(%s, ?%d)", name, ++*parameter);
        if (filter->is_indexed)
            buffer_printf(sql,
                          " AND Id IN (SELECT rowid FROM %s_texts WHERE %s_texts MATCH"
                          " '%s : \"' || replace(?%d, '\"', '\"\"') || '\"')",
                          table->name, table->name, name, *parameter);
        break;
    case MATCH_from: buffer_printf(sql, "%s >= ?%d", name, ++*parameter); break;
    case MATCH_to: buffer_printf(sql, "%s <= ?%d", name, ++*parameter); break;
    case MATCH_linked:
        buffer_printf(sql, "Id IN (SELECT owner FROM links WHERE field = '%s.%s' AND target = ?%d)",
                      table->name, name, ++*parameter);
        break;
    case MATCH_any:
        buffer_printf(sql, "%s IN (SELECT value FROM json_each(?%d))", name, ++*parameter);
        break;
    case MATCH_nothing: buffer_add(sql, TEXT("0")); break;
    }
}

static void add_conditions(struct buffer *sql, const struct search *search) {
    const char *word = " WHERE ";
    int parameter = 0;
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        buffer_add(sql, text_of(word));
        add_condition(sql, search, filter, &parameter);
        word = " AND ";
    }
}

/* `?n` here is the same value again: contains(FullName, ?1) and FullName = ?1. */
static void add_exact_first(struct buffer *sql, const struct search *search) {
    int parameter = 0;
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        if (filter->match != MATCH_nothing)
            parameter++;
        if (filter->match == MATCH_contains)
            buffer_printf(sql, "fold(%s) = ?%d DESC, ",
                          search->table->fields[filter->field].name.at, parameter);
    }
}

static void add_order(struct buffer *sql, const struct search *search) {
    const struct field *field = &search->table->fields[search->order];
    bool is_text = field->type == TYPE_text || field->type == TYPE_email;
    buffer_add(sql, TEXT(" ORDER BY "));
    if (search->exact_first)
        add_exact_first(sql, search);
    buffer_printf(sql, "%s%s%s", field->name.at, is_text ? " COLLATE NOCASE" : "",
                  search->descending ? " DESC" : "");
    if (field->type != TYPE_id)
        buffer_printf(sql, ", Id%s", search->descending ? " DESC" : "");
    buffer_printf(sql, " LIMIT %lld OFFSET %lld", (long long)search->limit,
                  (long long)search->skip);
}

static bool bind_filters(sqlite3_stmt *statement, const struct search *search,
                         struct arena *arena) {
    int parameter = 0;
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        struct value value = filter->value;
        if (filter->match == MATCH_nothing)
            continue;
        if (filter->match == MATCH_any)
            value = ids_to_stored(&value, arena);
        if (value.kind == VALUE_INTEGER)
            bind_integer(statement, ++parameter, value.integer);
        else
            bind_text(statement, ++parameter, value_as_text(&value));
        if (value.kind != VALUE_INTEGER && value.kind != VALUE_TEXT)
            return false;
    }
    return true;
}

/* A prepared search; the caller finalizes it. NULL: logged. */
static sqlite3_stmt *prepare(struct store_view *view, const struct search *search,
                             struct buffer *sql) {
    sqlite3_stmt *statement = NULL;
    buffer_add_char(sql, '\0');
    if (sql->failed)
        return NULL;
    if (sqlite3_prepare_v2(view->db, sql->at, -1, &statement, NULL) != SQLITE_OK)
        view_log(view, "preparing a search");
    if (statement && !bind_filters(statement, search, sql->arena)) {
        (void)sqlite3_finalize(statement); /* nothing ran */
        return NULL;
    }
    return statement;
}

static enum status count_all(struct store_view *view, const struct search *search,
                             struct arena *arena, int64_t *total) {
    struct buffer sql;
    buffer_init(&sql, arena, 512);
    buffer_printf(&sql, "SELECT count(*) FROM %s", search->table->name);
    add_conditions(&sql, search);
    sqlite3_stmt *statement = prepare(view, search, &sql);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK)
        *total = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return status;
}

static enum status read_records(struct store_view *view, sqlite3_stmt *statement,
                                const struct search *search, struct found *found) {
    enum status status = STATUS_BROKEN;
    while ((status = view_step(view, statement)) == STATUS_OK) {
        struct record *record = &found->records[found->count];
        assert((int64_t)found->count < search->limit);
        *record = record_new(search->table, found->arena);
        if (!record->values || !view_read_record(statement, found->arena, record))
            return STATUS_BROKEN;
        found->count++;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_page(struct store_view *view, const struct search *search,
                             struct found *found) {
    struct buffer sql;
    buffer_init(&sql, found->arena, 4096);
    buffer_add(&sql, TEXT("SELECT Version"));
    view_add_columns(&sql, search->table);
    buffer_printf(&sql, " FROM %s", search->table->name);
    add_conditions(&sql, search);
    add_order(&sql, search);
    found->count = 0;
    found->records = arena_calloc(found->arena, (size_t)search->limit, sizeof *found->records);
    sqlite3_stmt *statement = found->records ? prepare(view, search, &sql) : NULL;
    enum status status = statement ? read_records(view, statement, search, found) : STATUS_BROKEN;
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return status;
}

/* Both statements see one snapshot. */
enum status store_search(struct store_view *view, const struct search *search,
                         struct found *found) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    status = count_all(view, search, found->arena, &found->total);
    if (status == STATUS_OK)
        status = read_page(view, search, found);
    view_leave(view);
    return status;
}

enum { NAMED_MAX = 3 };

/* "Maria Lopez (87654321), ..." of the first few rows of a query for ids. */
static enum status name_referrers(struct store_view *view, sqlite3_stmt *statement,
                                  const struct record *of, struct referrers *referrers) {
    enum status status = STATUS_BROKEN;
    struct buffer names;
    buffer_init(&names, referrers->arena, 128);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, record_id(of));
    while ((status = view_step(view, statement)) == STATUS_OK) {
        struct text name = column_text(statement, 1, referrers->arena);
        referrers->count = sqlite3_column_int64(statement, 2);
        buffer_printf(&names, "%s%.*s (%lld)", names.len ? ", " : "", (int)name.len,
                      name.at ? name.at : "", (long long)sqlite3_column_int64(statement, 0));
    }
    referrers->is_cut = referrers->count > NAMED_MAX;
    buffer_add_char(&names, '\0');
    referrers->names = buffer_text(&names);
    return status == STATUS_NOT_FOUND && !names.failed ? STATUS_OK : STATUS_BROKEN;
}

static enum status find_referrers(struct store_view *view, const struct record *of,
                                  const struct table *table, const struct field *field,
                                  struct referrers *referrers) {
    struct buffer sql;
    sqlite3_stmt *statement = NULL;
    buffer_init(&sql, referrers->arena, 320);
    buffer_add(&sql, TEXT("SELECT t.Id, t.ToStringText, count(*) OVER () FROM "));
    if (field->type == TYPE_links)
        buffer_printf(&sql,
                      "links AS l JOIN %s AS t ON t.Id = l.owner"
                      " WHERE l.field = '%s.%s' AND l.target = ?1",
                      table->name, table->name, field->name.at);
    else
        buffer_printf(&sql, "%s AS t WHERE t.%s = ?1", table->name, field->name.at);
    buffer_printf(&sql, " ORDER BY 1 LIMIT %d", NAMED_MAX);
    buffer_add_char(&sql, '\0');
    if (sql.failed)
        return STATUS_BROKEN;
    referrers->table = table;
    if (sqlite3_prepare_v2(view->db, sql.at, -1, &statement, NULL) != SQLITE_OK)
        view_log(view, "preparing a search for referrers");
    enum status status = name_referrers(view, statement, of, referrers);
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return status;
}

enum status store_referrers(struct store_view *view, const struct record *of, struct arena *arena,
                            struct referrers *referrers) {
    enum status status = view_enter(view);
    *referrers = (struct referrers){ .arena = arena };
    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct field *field = &tables[i]->fields[j];
            bool points = field->target == of->table && !(field->flags & READ_ONLY) &&
                          (field->type == TYPE_links || field->type == TYPE_reference);
            if (points && !referrers->count)
                status = find_referrers(view, of, tables[i], field, referrers);
        }
    view_leave(view);
    return status;
}

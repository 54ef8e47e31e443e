/* Searches: SQL put together from the field table. Values are always bound, never written into it.
 */
#include "store/sqlite/sqlite.h"

#include "base/buffer.h"
#include "json/json.h"
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

/* A member of a record that is kept as JSON, as a column of its own would have it; the second
 * argument is the index of its field. */
static void member(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct table *table = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct value value = { 0 };
    struct text json = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    int64_t field = sqlite3_value_int64(arguments[1]);
    (void)count;
    json.len = (size_t)sqlite3_value_bytes(arguments[0]);
    if (!json.at || field < 0 || field >= table->count ||
        !json_read_member(json, &table->fields[field], &arena, &value))
        sqlite3_result_error(context, "a row cannot be read", -1);
    else if (value.kind == VALUE_INTEGER)
        sqlite3_result_int64(context, value.integer);
    else if (value.kind == VALUE_TEXT)
        sqlite3_result_text64(context, value.text, value.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    arena_close(&arena);
}

void search_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                      const char *row) {
    if (field->type == TYPE_name)
        buffer_printf(sql, "(SELECT named.Name FROM %s AS named WHERE named.Id = %s.%s)",
                      field->target->name, row, field[-1].name.at);
    else if (field_has_column(table, field))
        buffer_printf(sql, "%s.%s", row, field->name.at);
    else
        buffer_printf(sql, "%s_member(%s.Members, %d)", table->name, row,
                      (int)(field - table->fields));
}

static bool add_function(sqlite3 *db, const char *name, int arguments,
                         void (*function)(sqlite3_context *, int, sqlite3_value **),
                         const struct table *table) {
    return sqlite3_create_function_v2(db, name, arguments,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                      (void *)table, function, NULL, NULL, NULL) == SQLITE_OK;
}

bool search_prepare(sqlite3 *db) {
    char name[64];
    bool added = add_function(db, "fold", 1, fold_text, NULL) &&
                 add_function(db, "contains", 2, contains, NULL);
    for (unsigned i = 0; added && i < TABLES; i++) {
        (void)snprintf(name, sizeof name, "%s_member", tables[i]->name);
        if (tables[i]->is_kept_as_json)
            added = add_function(db, name, 2, member, tables[i]);
    }
    return added;
}

static void add_condition(struct buffer *sql, const struct search *search,
                          const struct filter *filter, int *parameter) {
    const struct table *table = search->table;
    const struct field *field = &table->fields[filter->field];
    const char *name = field->name.at;
    switch (filter->match) {
    case MATCH_equal:
        search_add_value(sql, table, field, table->name);
        buffer_printf(sql, " = ?%d", ++*parameter);
        break;
    case MATCH_contains:
        buffer_add(sql, TEXT("contains("));
        search_add_value(sql, table, field, table->name);
        buffer_printf(sql, ", ?%d)", ++*parameter);
        if (filter->is_indexed)
            buffer_printf(sql,
                          " AND Id IN (SELECT rowid FROM %s_texts WHERE %s_texts MATCH"
                          " '%s : \"' || replace(?%d, '\"', '\"\"') || '\"')",
                          table->name, table->name, name, *parameter);
        break;
    case MATCH_from:
    case MATCH_to:
        search_add_value(sql, table, field, table->name);
        buffer_printf(sql, " %s ?%d", filter->match == MATCH_from ? ">=" : "<=", ++*parameter);
        break;
    case MATCH_linked:
        buffer_printf(sql, "Id IN (SELECT owner FROM links WHERE field = '%s.%s' AND target = ?%d)",
                      table->name, name, ++*parameter);
        break;
    case MATCH_owned:
        buffer_printf(sql, "Id IN (SELECT target FROM links WHERE field = '%s.%s' AND owner = ?%d)",
                      field->target->name,
                      field->target->fields[field_other_side(table, field)].name.at, ++*parameter);
        break;
    case MATCH_any:
        search_add_value(sql, table, field, table->name);
        buffer_printf(sql, " IN (SELECT value FROM json_each(?%d))", ++*parameter);
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
        if (filter->match != MATCH_contains)
            continue;
        buffer_add(sql, TEXT("fold("));
        search_add_value(sql, search->table, &search->table->fields[filter->field],
                         search->table->name);
        buffer_printf(sql, ") = ?%d DESC, ", parameter);
    }
}

static void add_order(struct buffer *sql, const struct search *search) {
    const struct field *field = &search->table->fields[search->order];
    bool is_text =
        field->type == TYPE_text || field->type == TYPE_email || field->type == TYPE_name;
    buffer_add(sql, TEXT(" ORDER BY "));
    if (search->exact_first)
        add_exact_first(sql, search);
    search_add_value(sql, search->table, field, search->table->name);
    buffer_printf(sql, "%s%s", is_text ? " COLLATE NOCASE" : "", search->descending ? " DESC" : "");
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
    status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    for (size_t i = 0; status == STATUS_OK && i < found->count; i++)
        status = view_complete(view, &found->records[i], found->arena, search->is_whole);
    return status;
}

static enum status read_page(struct store_view *view, const struct search *search,
                             struct found *found) {
    struct buffer sql;
    buffer_init(&sql, found->arena, 4096);
    buffer_add(&sql, TEXT("SELECT "));
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
    struct buffer names, ids;
    buffer_init(&names, referrers->arena, 128);
    buffer_init(&ids, referrers->arena, 64);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, record_id(of));
    while ((status = view_step(view, statement)) == STATUS_OK) {
        struct text name = column_text(statement, 1, referrers->arena);
        referrers->count = sqlite3_column_int64(statement, 2);
        long long id = sqlite3_column_int64(statement, 0);
        buffer_printf(&names, "%s%.*s (%lld)", names.len ? ", " : "", (int)name.len,
                      name.at ? name.at : "", id);
        buffer_printf(&ids, "%s%lld", ids.len ? ", " : "", id);
    }
    referrers->is_cut = referrers->count > NAMED_MAX;
    buffer_add_char(&names, '\0');
    buffer_add_char(&ids, '\0');
    referrers->names = buffer_text(&names);
    referrers->ids = buffer_text(&ids);
    return status == STATUS_NOT_FOUND && !names.failed && !ids.failed ? STATUS_OK : STATUS_BROKEN;
}

static enum status find_referrers(struct store_view *view, const struct record *of,
                                  const struct table *table, const struct field *field,
                                  struct referrers *referrers) {
    struct buffer sql;
    sqlite3_stmt *statement = NULL;
    buffer_init(&sql, referrers->arena, 320);
    buffer_add(&sql, TEXT("SELECT t.Id, "));
    search_add_value(&sql, table, &table->fields[table->common.to_string_text], "t");
    buffer_add(&sql, TEXT(", count(*) OVER () FROM "));
    if (field->type == TYPE_links)
        buffer_printf(&sql,
                      "links AS l JOIN %s AS t ON t.Id = l.owner"
                      " WHERE l.field = '%s.%s' AND l.target = ?1",
                      table->name, table->name, field->name.at);
    else {
        buffer_printf(&sql, "%s AS t WHERE ", table->name);
        search_add_value(&sql, table, field, "t");
        buffer_add(&sql, TEXT(" = ?1"));
    }
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

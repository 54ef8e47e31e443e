/* Searches: SQL put together from the field table. Values are always bound, never written into it.
 */
#include "store/email_index.h"
#include "store/row_compression.h"
#include "store/sqlite/text_index.h"

#include "base/buffer.h"
#include "base/log.h"
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

/* For exact matches, and for what compares records with the blocks of texts: fold, or fold_case. */
static void fold_text(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const bool keeps_accents = sqlite3_user_data(context) != NULL;
    struct arena arena = { 0 };
    struct text text = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    (void)count;
    text.len = (size_t)sqlite3_value_bytes(arguments[0]);
    if (!text.at)
        return; /* null stays null */
    struct text folded = keeps_accents ? fold_case(text, &arena) : fold(text, &arena);
    if (folded.at)
        sqlite3_result_text64(context, folded.at, folded.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_error_nomem(context);
    arena_close(&arena);
}

/* A member of a record that is kept as JSON, as a column of its own would have it; the second
 * argument is the index of its field. */
static void member(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct view_table *of = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct buffer json;
    struct value value = { 0 };
    int64_t field = sqlite3_value_int64(arguments[1]);
    (void)count;
    buffer_init(&json, &arena, 0);
    if (field < 0 || field >= of->table->count ||
        unpack(of->view, arguments[0], &json) != STATUS_OK ||
        !json_read_member(buffer_text(&json), &of->table->fields[field], &arena, &value))
        sqlite3_result_error(context, "a row cannot be read", -1);
    else if (value.kind == VALUE_INTEGER)
        sqlite3_result_int64(context, value.integer);
    else if (value.kind == VALUE_TEXT)
        sqlite3_result_text64(context, value.text, value.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    arena_close(&arena);
}

/* For the check. */
static void reading(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct view_table *of = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct record record = record_new(of->table, &arena);
    enum reading_of_row found = ROW_UNREADABLE;
    (void)count;
    if (record.values && view_read_members(of->view, arguments[0], &arena, &record))
        found = record.unknown.len ? ROW_HAS_UNKNOWN : ROW_READABLE;
    sqlite3_result_int(context, found);
    arena_close(&arena);
}

/* For the migration that packs rows. */
static void pack_members(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct view_table *of = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct record record = record_new(of->table, &arena);
    struct text packed = { 0 };
    (void)count;
    if (record.values && view_read_members(of->view, arguments[0], &arena, &record) &&
        pack(of->view, &record, &arena, &packed) == STATUS_OK)
        sqlite3_result_blob64(context, packed.at, packed.len, SQLITE_TRANSIENT);
    else
        sqlite3_result_error(context, "a row cannot be packed", -1);
    arena_close(&arena);
}

void search_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                      const char *row) {
    if (field->type == TYPE_name)
        buffer_printf(sql, "(SELECT named.Name FROM %s AS named WHERE named.Id = %s.%s)",
                      field->target->name, row, field[-1].name.at);
    else if (field->flags & SHARED)
        buffer_printf(sql, "(SELECT text FROM payloads WHERE payloads.id = %s.%s)", row,
                      field->name.at);
    else if (field_has_column(table, field)) {
        buffer_add(sql, text_of(row));
        buffer_add_char(sql, '.');
        buffer_add(sql, field->name);
    } else
        buffer_printf(sql, "%s_member(%s.Members, %d)", table->name, row,
                      (int)(field - table->fields));
}

static bool add_function(sqlite3 *db, const char *name, int arguments,
                         void (*function)(sqlite3_context *, int, sqlite3_value **), void *of) {
    return sqlite3_create_function_v2(db, name, arguments,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, of,
                                      function, NULL, NULL, NULL) == SQLITE_OK;
}

bool search_prepare(struct store_view *view) {
    char name[64];
    bool added = add_function(view->db, "fold", 1, fold_text, NULL) &&
                 add_function(view->db, "fold_case", 1, fold_text, view) &&
                 add_function(view->db, "contains", 2, contains, NULL);
    for (unsigned i = 0; added && i < TABLES; i++) {
        view->tables[i] = (struct view_table){ view, tables[i] };
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(name, sizeof name, "%s_member", tables[i]->name);
        added = add_function(view->db, name, 2, member, &view->tables[i]);
        (void)snprintf(name, sizeof name, "%s_reading", tables[i]->name);
        added &= add_function(view->db, name, 1, reading, &view->tables[i]);
        (void)snprintf(name, sizeof name, "%s_pack", tables[i]->name);
        added &= add_function(view->db, name, 1, pack_members, &view->tables[i]);
    }
    return added;
}

/* Rows of which it is known beforehand that they fulfil a condition: by an index, or since all
 * texts were looked through. */
struct candidates {
    struct candidates *next;
    const struct filter *filter;
    struct text_matches matches; /* by the index of addresses: no more than ADDRESSES_MAX + 1 */
};

/* As many can be bound as a list; to be looked up one by one takes as long as to walk along an
 * index to the first page of more than these. */
enum { LISTED_MAX = 20000, ADDRESSES_MAX = 1000 };

/* A search on its way to a statement: what is bound is gathered with the SQL that wants it. */
struct query {
    const struct search *search;
    const struct candidates *candidates; /* NULL: a condition each */
    struct buffer sql;
    struct value *values;
    int count, room;
};

static void query_init(struct query *query, const struct search *search, struct arena *arena) {
    enum { FOR_THE_PAGE = 3, FOR_A_FILTER = 6 };
    *query = (struct query){ .search = search, .room = FOR_THE_PAGE };
    for (const struct filter *filter = search->filters; filter; filter = filter->next)
        query->room += FOR_A_FILTER;
    query->values = arena_calloc(arena, (size_t)query->room, sizeof *query->values);
    buffer_init(&query->sql, arena, 768);
}

/* Returns the number that SQL names it by. */
static int keep_value(struct query *query, struct value value) {
    assert(query->count < query->room);
    if (query->values)
        query->values[query->count] = value;
    return ++query->count;
}

static void add_value(struct query *query, struct value value) {
    buffer_add_char(&query->sql, '?');
    buffer_add_int64(&query->sql, keep_value(query, value));
}

/* What finds the rows whose text can contain the needle. */
enum help { HELP_NONE, HELP_ADDRESSES, HELP_TEXTS };

static enum help help_with(const struct filter *filter) {
    const struct field *field = &filter->table->fields[filter->field];
    struct text needle = value_as_text(&filter->value);
    if (filter->match != MATCH_contains || !(field->flags & SEARCHED))
        return HELP_NONE;
    return field->type == TYPE_email && addresses_can_find(needle) ? HELP_ADDRESSES : HELP_TEXTS;
}

static void add_address_range(struct query *query, const struct filter *filter) {
    struct address_range range = address_range(value_as_text(&filter->value), query->sql.arena);
    query->sql.failed |= range.failed;
    buffer_add(&query->sql, TEXT("SELECT owner FROM "));
    int first = keep_value(query, value_text(range.from));
    (void)keep_value(query, value_text(range.to));
    (void)keep_value(query, value_text(range.domain));
    addresses_add_range(&query->sql, filter->table, first);
}

/* "Id = ?", or one of several. */
static void add_ids(struct query *query, const int64_t *ids, size_t count) {
    const struct value list = value_ids(ids, count);
    if (count == 1) {
        buffer_add(&query->sql, TEXT("Id = "));
        add_value(query, value_integer(ids[0]));
        return;
    }
    buffer_add(&query->sql, TEXT("Id IN (SELECT value FROM json_each("));
    add_value(query, ids_to_stored(&list, query->sql.arena));
    buffer_add(&query->sql, TEXT("))"));
}

/* What is known of those who fulfil a condition; NULL: nothing. */
static const struct text_matches *matches_of(const struct query *query,
                                             const struct filter *filter) {
    const struct candidates *candidates = query->candidates;
    while (candidates && candidates->filter != filter)
        candidates = candidates->next;
    return candidates ? &candidates->matches : NULL;
}

/* Who fulfils a condition on texts, if that is known and they are few enough to be listed. */
static const struct text_matches *listed(const struct query *query, const struct filter *filter) {
    const struct text_matches *matches = matches_of(query, filter);
    return matches && matches->total <= LISTED_MAX && matches->total == (int64_t)matches->count
               ? matches
               : NULL;
}

static void add_contains(struct query *query, const struct filter *filter) {
    const struct table *table = filter->table;
    enum help help = help_with(filter);
    const struct text_matches *matches = listed(query, filter);
    if (matches)
        add_ids(query, matches->ids, matches->count);
    else if (help == HELP_ADDRESSES) {
        buffer_add(&query->sql, TEXT("Id IN ("));
        add_address_range(query, filter);
        buffer_add_char(&query->sql, ')');
    }
    if (help == HELP_TEXTS && matches)
        return;
    if (help == HELP_ADDRESSES) /* a quoted local part may have another "@" */
        buffer_add(&query->sql, TEXT(" AND "));
    buffer_add(&query->sql, TEXT("contains("));
    search_add_value(&query->sql, table, &table->fields[filter->field], table->name);
    buffer_add(&query->sql, TEXT(", "));
    add_value(query, filter->value);
    buffer_add_char(&query->sql, ')');
}

/* Those who point to any of some ids, by the index of links. */
static void add_linked(struct query *query, const struct table *table, const struct field *field) {
    buffer_printf(&query->sql, "Id IN (SELECT owner FROM links WHERE field = '%s.%s' AND target ",
                  table->name, field->name.at);
}

/* On a row of the filter's own table. */
static void add_match(struct query *query, const struct filter *filter) {
    const struct table *table = filter->table;
    const struct field *field = &table->fields[filter->field];
    struct buffer *sql = &query->sql;
    switch (filter->match) {
    case MATCH_equal:
    case MATCH_from:
    case MATCH_to:
        search_add_value(sql, table, field, table->name);
        buffer_add(sql, filter->match == MATCH_equal  ? TEXT(" = ")
                        : filter->match == MATCH_from ? TEXT(" >= ")
                                                      : TEXT(" <= "));
        add_value(query, filter->value);
        break;
    case MATCH_contains: add_contains(query, filter); break;
    case MATCH_linked:
        add_linked(query, table, field);
        buffer_add(sql, TEXT("= "));
        add_value(query, filter->value);
        buffer_add_char(sql, ')');
        break;
    case MATCH_owned:
        buffer_printf(sql, "Id IN (SELECT target FROM links WHERE field = '%s.%s' AND owner = ",
                      field->target->name,
                      field->target->fields[field_other_side(table, field)].name.at);
        add_value(query, filter->value);
        buffer_add_char(sql, ')');
        break;
    case MATCH_any:
        if (field_is_linked(field))
            add_linked(query, table, field);
        else
            search_add_value(sql, table, field, table->name);
        buffer_add(sql, TEXT(" IN (SELECT value FROM json_each("));
        add_value(query, ids_to_stored(&filter->value, sql->arena));
        buffer_add(sql, field_is_linked(field) ? TEXT(")))") : TEXT("))"));
        break;
    case MATCH_null:
    case MATCH_not_null:
        search_add_value(sql, table, field, table->name);
        buffer_add(sql, filter->match == MATCH_null ? TEXT(" IS NULL") : TEXT(" IS NOT NULL"));
        break;
    case MATCH_nothing: buffer_add(sql, TEXT("0")); break;
    }
}

/* On a row, or on the row that a reference of it points to. */
static void add_condition(struct query *query, const struct filter *filter) {
    const struct table *table = query->search->table;
    if (!filter->through) {
        add_match(query, filter);
        return;
    }
    bool is_linked = field_is_linked(filter->through);
    if (is_linked)
        add_linked(query, table, filter->through);
    else
        search_add_value(&query->sql, table, filter->through, table->name);
    buffer_printf(&query->sql, " IN (SELECT Id FROM %s WHERE ", filter->table->name);
    add_match(query, filter);
    buffer_add(&query->sql, is_linked ? TEXT("))") : TEXT(")"));
}

static void add_conditions(struct query *query) {
    const char *word = " WHERE ";
    for (const struct filter *filter = query->search->filters; filter; filter = filter->next) {
        buffer_add(&query->sql, text_of(word));
        add_condition(query, filter);
        word = " AND ";
    }
}

static void add_equal(struct query *query, const struct filter *filter, const char *function,
                      struct value folded) {
    const struct table *table = filter->table;
    buffer_add(&query->sql, text_of(function));
    search_add_value(&query->sql, table, &table->fields[filter->field], table->name);
    buffer_add(&query->sql, TEXT(") = "));
    add_value(query, folded);
}

/* Pages that were cut from a list of exact matches which has not all of them know no accents
 * (find_same): neither do those behind them. */
static void add_exact_first(struct query *query) {
    for (const struct filter *filter = query->search->filters; filter; filter = filter->next) {
        if (filter->match != MATCH_contains || filter->through)
            continue;
        const struct text_matches *matches = matches_of(query, filter);
        if (!matches || !matches->exact_is_cut) {
            add_equal(query, filter, "fold_case(", filter->cased);
            buffer_add(&query->sql, TEXT(" DESC, "));
        }
        add_equal(query, filter, "fold(", filter->value);
        buffer_add(&query->sql, TEXT(" DESC, "));
    }
}

/* At most one row can be found. */
static bool is_of_one(const struct query *query) {
    for (const struct candidates *one = query->candidates; one; one = one->next)
        if (one->matches.total == 1 && !one->filter->through)
            return true;
    return false;
}

static void add_order(struct query *query) {
    const struct search *search = query->search;
    if (is_of_one(query))
        return; /* what there is to know of one row's place is whether it is on the page */
    const struct field *field = &search->table->fields[search->order];
    bool is_text =
        field->type == TYPE_text || field->type == TYPE_email || field->type == TYPE_name;
    struct buffer *sql = &query->sql;
    buffer_add(sql, TEXT(" ORDER BY "));
    if (search->exact_first)
        add_exact_first(query);
    search_add_value(sql, search->table, field, search->table->name);
    buffer_add(sql, is_text ? TEXT(" COLLATE NOCASE") : TEXT(""));
    buffer_add(sql, search->descending ? TEXT(" DESC") : TEXT(""));
    if (field->type != TYPE_id)
        buffer_printf(sql, ", Id%s", search->descending ? " DESC" : "");
}

static void add_limit(struct query *query) {
    const struct search *search = query->search;
    struct buffer *sql = &query->sql;
    buffer_add(sql, TEXT(" LIMIT "));
    add_value(query, value_integer(search->limit + 1)); /* is there more? */
    buffer_add(sql, TEXT(" OFFSET "));
    add_value(query, value_integer(search->behind ? 0 : search->skip));
}

/* The statement, kept by the view, with all that it wants; to be reset. NULL: logged. */
static sqlite3_stmt *prepare(struct store_view *view, struct query *query) {
    buffer_add_char(&query->sql, '\0');
    if (query->sql.failed || !query->values)
        return NULL;
    sqlite3_stmt *statement = view_search_statement(view, query->sql.at);
    for (int i = 0; statement && i < query->count; i++) {
        const struct value *value = &query->values[i];
        if (value->kind == VALUE_INTEGER)
            bind_integer(statement, i + 1, value->integer);
        else if (value->kind == VALUE_TEXT)
            bind_text(statement, i + 1, value_as_text(value));
        else
            return NULL; /* memory was short */
    }
    return statement;
}

/* Where rows are never taken away but from the beginning, there is nothing to count. */
static bool add_quick_count(struct query *query) {
    const struct table *table = query->search->table;
    if (query->search->filters || table == &refresh_token_table)
        return false;
    if (table == &audit_trail_entry_table)
        buffer_add(&query->sql, TEXT("SELECT ifnull((SELECT max(id) FROM audit) + 1 -"
                                     " (SELECT min(id) FROM audit), 0)"));
    else
        buffer_printf(&query->sql, "SELECT rows FROM row_counts WHERE kind = '%s'", table->name);
    return true;
}

static enum status count_all(struct store_view *view, const struct search *search,
                             const struct candidates *candidates, struct found *found) {
    struct query query;
    query_init(&query, search, found->json->arena);
    query.candidates = candidates;
    if (!add_quick_count(&query)) {
        buffer_printf(&query.sql, "SELECT count(*) FROM %s", search->table->name);
        add_conditions(&query);
    }
    sqlite3_stmt *statement = prepare(view, &query);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK)
        found->total = sqlite3_column_int64(statement, 0);
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status;
}

/* The rows of an address: more of them than can be listed need not be counted. */
static enum status gather_addresses(struct store_view *view, const struct search *search,
                                    const struct filter *filter, struct arena *arena,
                                    struct text_matches *matches) {
    struct query query;
    enum status status = STATUS_OK;
    int64_t *ids = arena_alloc(arena, (ADDRESSES_MAX + 1) * sizeof *ids);
    if (!ids)
        return STATUS_BROKEN;
    query_init(&query, search, arena);
    add_address_range(&query, filter);
    sqlite3_stmt *statement = prepare(view, &query);
    *matches = (struct text_matches){ .ids = ids };
    while (matches->total <= ADDRESSES_MAX && (status = view_step(view, statement)) == STATUS_OK)
        ids[matches->total++] = sqlite3_column_int64(statement, 0);
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    if (matches->total <= ADDRESSES_MAX)
        matches->count = (size_t)matches->total; /* else all that is known is that they are many */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Of one filter among several only a list is of use. */
static enum status search_listed(const struct texts *texts, struct text needle, struct arena *arena,
                                 struct text_matches *matches) {
    struct arena scratch = { 0 };
    struct text_matches all;
    enum status status = texts_search(texts, needle, &scratch, &all);
    *matches = (struct text_matches){ .total = all.total };
    if (status == STATUS_OK && all.total && all.total <= LISTED_MAX) {
        matches->ids = arena_alloc(arena, all.count * sizeof *all.ids);
        if (matches->ids)
            memcpy(matches->ids, all.ids, all.count * sizeof *all.ids);
        matches->count = matches->ids ? all.count : 0;
        status = matches->ids ? STATUS_OK : STATUS_BROKEN;
    }
    arena_close(&scratch);
    return status;
}

static enum status gather(struct store_view *view, const struct search *search,
                          struct candidates *candidates, struct arena *arena) {
    const struct filter *filter = candidates->filter;
    const struct texts texts = { view, filter->table, &filter->table->fields[filter->field] };
    struct text needle = value_as_text(&filter->value);
    if (help_with(filter) == HELP_ADDRESSES)
        return gather_addresses(view, search, filter, arena, &candidates->matches);
    return search->filters->next ? search_listed(&texts, needle, arena, &candidates->matches)
                                 : texts_search(&texts, needle, arena, &candidates->matches);
}

/* The candidates of each filter that something helps with; where there are none, no others are
 * looked for. */
static enum status find_candidates(struct store_view *view, const struct search *search,
                                   struct arena *arena, struct candidates **found) {
    enum status status = STATUS_OK;
    *found = NULL;
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        if (help_with(filter) == HELP_NONE)
            continue;
        struct candidates *candidates = arena_alloc(arena, sizeof *candidates);
        if (!candidates)
            return STATUS_BROKEN;
        *candidates = (struct candidates){ *found, filter, { 0 } };
        *found = candidates;
        status = gather(view, search, candidates, arena);
        if (status != STATUS_OK || !candidates->matches.total)
            break;
    }
    return status;
}

/* Growing takes three times as much in all, and a request has 64 MiB. */
enum { PAGE_MAX = 8 * 1024 * 1024 };

static enum status add_record(struct store_view *view, sqlite3_stmt *statement,
                              const struct search *search, struct found *found) {
    struct buffer *json = found->json;
    struct arena arena = { 0 };
    struct record record = record_new(search->table, &arena);
    enum status status = STATUS_BROKEN;
    if (record.values && view_read_record(view, statement, &arena, &record))
        status = view_complete(view, &record, &arena, search->is_whole);
    if (status == STATUS_OK && search->is_whole)
        json_add_record(json, &record);
    else if (status == STATUS_OK)
        json_add_listed(json, &record);
    if (status == STATUS_OK)
        found->last_id = record_id(&record);
    arena_close(&arena);
    return status;
}

static enum status add_members(struct store_view *view, sqlite3_value *members,
                               const struct search *search, struct found *found) {
    struct buffer *whole = &found->row;
    if (search->is_whole)
        return view_add_members(view, search->table, members, found->json);
    whole->len = 0;
    enum status status = view_add_members(view, search->table, members, whole);
    if (status == STATUS_OK)
        json_add_without_links(found->json, buffer_text(whole));
    return status;
}

static enum status add_row(struct store_view *view, sqlite3_stmt *statement,
                           const struct search *search, struct found *found) {
    struct buffer *json = found->json;
    enum status status = STATUS_OK;
    if (found->count)
        buffer_add_char(json, ',');
    found->count++;
    if (search->table->is_kept_as_json) {
        status = add_members(view, sqlite3_column_value(statement, 0), search, found);
        found->last_id = sqlite3_column_int64(statement, 1);
    } else
        status = add_record(view, statement, search, found);
    if (json->len > PAGE_MAX)
        return STATUS_TOO_LARGE;
    return json->failed ? STATUS_BROKEN : status;
}

static enum status read_rows(struct store_view *view, struct query *query, struct found *found) {
    sqlite3_stmt *statement = prepare(view, query);
    enum status status;
    while ((status = view_step(view, statement)) == STATUS_OK) {
        found->has_more = (int64_t)found->count == query->search->limit;
        if (found->has_more)
            break;
        if ((status = add_row(view, statement, query->search, found)) != STATUS_OK)
            break;
    }
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void begin_page(struct query *query, const struct search *search, struct found *found) {
    query_init(query, search, found->json->arena);
    buffer_add(&query->sql, TEXT("SELECT "));
    if (search->table->is_kept_as_json)
        buffer_add(&query->sql, TEXT("Members, Id"));
    else
        view_add_columns(&query->sql, search->table);
    buffer_add(&query->sql, TEXT(" FROM "));
    buffer_add(&query->sql, text_of(search->table->name));
}

static enum status read_page(struct store_view *view, const struct search *search,
                             const struct candidates *candidates, struct found *found) {
    struct query query;
    begin_page(&query, search, found);
    query.candidates = candidates;
    add_conditions(&query);
    if (search->behind) {
        buffer_printf(&query.sql, " %s Id %c ", search->filters ? "AND" : "WHERE",
                      search->descending ? '<' : '>');
        add_value(&query, value_integer(search->behind));
    }
    add_order(&query);
    add_limit(&query);
    return read_rows(view, &query, found);
}

/* A page that is being cut from lists of Ids, each of which has those of the list before in it. */
struct cutting {
    const struct search *search;
    int64_t *page;
    size_t room, count, skip;
};

static void cut_from(struct cutting *cutting, struct value ids, struct value before) {
    const struct search *search = cutting->search;
    for (uint32_t i = 0; i < ids.len && cutting->count < cutting->room; i++) {
        int64_t id = ids.ids[search->descending ? ids.len - 1 - i : i];
        if (before.len && ids_sorted_have(&before, id))
            continue;
        if (search->behind && (search->descending ? id >= search->behind : id <= search->behind))
            continue;
        if (cutting->skip)
            cutting->skip--;
        else
            cutting->page[cutting->count++] = id;
    }
}

/* Goes through the matches in the order of a page: the exact ones first, if those are wanted. */
static size_t cut_page(const struct search *search, const struct text_matches *matches,
                       int64_t *page, size_t room) {
    const struct value none = value_ids(NULL, 0),
                       same = value_ids(matches->same, matches->same_count);
    const struct value exact = value_ids(matches->exact, matches->exact_count);
    const struct value all = value_ids(matches->ids, matches->count);
    struct cutting cutting = { search, page, room, 0, search->behind ? 0 : (size_t)search->skip };
    if (search->exact_first) {
        cut_from(&cutting, same, none);
        cut_from(&cutting, exact, same);
    }
    if (!search->exact_first || !matches->exact_is_cut) /* else the others come later */
        cut_from(&cutting, all, search->exact_first ? exact : none);
    return cutting.count;
}

/* Among the exact matches, which are without accents, those that have the same ones: they come
 * first. Of more than are listed accents do not count. */
static enum status find_same(struct store_view *view, const struct search *search,
                             struct text_matches *matches, struct arena *arena) {
    const struct filter *filter = search->filters;
    struct query query;
    if (!search->exact_first || matches->exact_count < 2 || matches->exact_is_cut)
        return STATUS_OK;
    matches->same = arena_calloc(arena, matches->exact_count, sizeof *matches->same);
    if (!matches->same)
        return STATUS_BROKEN;
    query_init(&query, search, arena);
    buffer_printf(&query.sql, "SELECT Id FROM %s WHERE ", search->table->name);
    add_ids(&query, matches->exact, matches->exact_count);
    buffer_add(&query.sql, TEXT(" AND "));
    add_equal(&query, filter, "fold_case(", filter->cased);
    buffer_add(&query.sql, TEXT(" ORDER BY Id"));
    sqlite3_stmt *statement = prepare(view, &query);
    enum status status;
    while ((status = view_step(view, statement)) == STATUS_OK)
        matches->same[matches->same_count++] = sqlite3_column_int64(statement, 0);
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The rows of a page, and of one behind it, if all of them are known: then `*page` is not NULL. */
static enum status find_page(const struct search *search, const struct text_matches *matches,
                             struct arena *arena, int64_t **page, size_t *count) {
    const size_t wanted = (size_t)search->limit + 1;
    bool knows_all = matches->total == (int64_t)matches->count;
    *page = NULL;
    if (search->table->fields[search->order].type != TYPE_id || (search->descending && !knows_all))
        return STATUS_OK;
    int64_t *room = arena_alloc(arena, wanted * sizeof *room);
    if (!room)
        return STATUS_BROKEN;
    *count = cut_page(search, matches, room, wanted);
    if (knows_all || *count == wanted)
        *page = room;
    return STATUS_OK;
}

static enum status read_known_page(struct store_view *view, const struct search *search,
                                   const int64_t *page, size_t count, struct found *found) {
    struct query query;
    const size_t limit = (size_t)search->limit;
    found->has_more = count > limit;
    begin_page(&query, search, found);
    buffer_add(&query.sql, TEXT(" WHERE Id = "));
    add_value(&query, value_integer(0));
    sqlite3_stmt *statement = prepare(view, &query);
    enum status status = statement ? STATUS_OK : STATUS_BROKEN;
    for (size_t i = 0; status == STATUS_OK && i < count && i < limit; i++) {
        bind_integer(statement, 1, page[i]);
        status = view_step(view, statement);
        if (status == STATUS_OK)
            status = add_row(view, statement, search, found);
        else if (status == STATUS_NOT_FOUND) {
            log_error("database: texts are kept of %s %lld, which does not exist",
                      search->table->name, (long long)page[i]);
            status = STATUS_BROKEN;
        }
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    }
    return status;
}

static enum status search_by(struct store_view *view, const struct search *search,
                             struct candidates *candidates, struct found *found) {
    const struct filter *only = search->filters;
    bool is_counted = only && !only->next && !only->through && help_with(only) == HELP_TEXTS;
    enum status status;
    found->total = candidates ? candidates->matches.total : 0;
    if (candidates && !found->total)
        return STATUS_OK;
    if (is_counted && candidates) {
        int64_t *page;
        size_t count;
        struct arena *arena = found->json->arena;
        status = find_same(view, search, &candidates->matches, arena);
        if (status == STATUS_OK)
            status = find_page(search, &candidates->matches, arena, &page, &count);
        if (status != STATUS_OK)
            return status;
        if (page)
            return read_known_page(view, search, page, count, found);
    }
    status = read_page(view, search, candidates, found);
    if (is_counted || status != STATUS_OK)
        return status;
    /* The last page says itself how many there are. */
    found->total = search->skip + (int64_t)found->count;
    if (found->has_more || search->behind || (found->count == 0 && search->skip))
        return count_all(view, search, candidates, found);
    return STATUS_OK;
}

static bool is_certain(sqlite3_stmt *statement) {
    struct text row = { sqlite3_column_blob(statement, 2), 0 };
    row.len = (size_t)sqlite3_column_bytes(statement, 2);
    return addresses_are_certain(row);
}

/* Who looks for an address mostly looks for one user: the first page of a search by nothing else,
 * in one statement. NOT_FOUND: there may be several, and nothing is found yet. */
static enum status search_address(struct store_view *view, const struct search *search,
                                  struct found *found) {
    const struct filter *filter = search->filters;
    struct address_range range = address_range(value_as_text(&filter->value), found->json->arena);
    sqlite3_stmt *statement = view_table_statement(view, search->table, TABLE_ADDRESSED);
    const size_t len = found->json->len;
    if (!statement || range.failed)
        return STATUS_BROKEN;
    bind_text(statement, 1, range.from);
    bind_text(statement, 2, range.to);
    bind_text(statement, 3, range.domain);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK && is_certain(statement) &&
        (status = add_row(view, statement, search, found)) == STATUS_OK)
        status = view_step(view, statement);
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    if (status == STATUS_OK) {
        found->json->len = len;
        found->count = 0;
        return STATUS_NOT_FOUND;
    }
    found->total = (int64_t)found->count;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool is_of_address(const struct search *search) {
    const struct filter *filter = search->filters;
    return filter && !filter->next && !filter->through && help_with(filter) == HELP_ADDRESSES &&
           search->table->is_kept_as_json && !search->skip && !search->behind;
}

static enum status search_by_candidates(struct store_view *view, const struct search *search,
                                        struct found *found) {
    struct candidates *candidates;
    enum status status = find_candidates(view, search, found->json->arena, &candidates);
    return status == STATUS_OK ? search_by(view, search, candidates, found) : status;
}

/* All statements see one snapshot. */
enum status store_search(struct store_view *view, const struct search *search,
                         struct found *found) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    found->count = 0;
    found->has_more = false;
    buffer_init(&found->row, found->json->arena, 0);
    status = is_of_address(search) ? search_address(view, search, found) : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND)
        status = search_by_candidates(view, search, found);
    view_leave(view);
    return status;
}

/* Does an index lead to the rows, or to the first of them, at once? */
static bool is_quick(const struct search *search) {
    enum { ROWS_MAX = 100, IDS_MAX = 32 };
    const struct table *table = search->table;
    const struct field *order = &table->fields[search->order];
    const struct filter *only = search->filters;
    if ((search->behind ? 0 : search->skip) + search->limit > ROWS_MAX &&
        !(only && only->match == MATCH_any))
        return false;
    if (!only)
        return (order->type == TYPE_id || order->flags & SEARCHED) && table->is_kept_as_json;
    if (only->next || only->through)
        return false;
    if (only->match == MATCH_any)
        return table->fields[only->field].type == TYPE_id && only->value.len <= IDS_MAX;
    return help_with(only) == HELP_ADDRESSES;
}

static int is_spent(void *argument) {
    struct store_view *view = argument;
    view->ended_as = STATUS_TOO_SLOW;
    return view->turns_left-- <= 0;
}

enum status store_search_quickly(struct store_view *view, const struct search *search,
                                 struct found *found) {
    enum { STEPS_A_TURN = 1000, TURNS = 4 }; /* a millisecond or so */
    size_t len = found->json->len;
    if (!is_quick(search))
        return STATUS_TOO_SLOW;
    view->turns_left = TURNS;
    sqlite3_progress_handler(view->db, STEPS_A_TURN, is_spent, view);
    enum status status = store_search(view, search, found);
    sqlite3_progress_handler(view->db, 0, NULL, NULL);
    if (status != STATUS_OK)
        found->json->len = len;
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
    buffer_printf(&sql,
                  "links AS l JOIN %s AS t ON t.Id = l.owner"
                  " WHERE l.field = '%s.%s' AND l.target = ?1 ORDER BY l.owner LIMIT %d",
                  table->name, table->name, field->name.at, NAMED_MAX);
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
            if (field->target == of->table && field_is_linked(field) && !referrers->count)
                status = find_referrers(view, of, tables[i], field, referrers);
        }
    view_leave(view);
    return status;
}

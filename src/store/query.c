/* Builds the SQL of a search from the field table. Values are always bound, never written into the
 * SQL: the query collects each value as it adds the parameter for it. */
#include "store/query.h"

#include "store/engine.h"
#include "store/rows.h"
#include "store/scan.h"

#include <assert.h>

void query_init(struct query *query, const struct engine *engine, const struct search *search,
                struct arena *arena) {
    enum { FOR_THE_PAGE = 5, FOR_A_FILTER = 6 };
    *query = (struct query){ .engine = engine, .search = search, .room = FOR_THE_PAGE };
    for (const struct filter *filter = search->filters; filter; filter = filter->next)
        query->room += FOR_A_FILTER;
    query->values = arena_calloc(arena, (size_t)query->room, sizeof *query->values);
    buffer_init(&query->sql, arena, 768);
}

/* Keeps a value to be bound; returns the number of its parameter. */
static int keep_value(struct query *query, struct value value) {
    assert(query->count < query->room);
    if (query->values)
        query->values[query->count] = value;
    return ++query->count;
}

void query_add_value(struct query *query, struct value value) {
    buffer_add_char(&query->sql, '?');
    buffer_add_int64(&query->sql, keep_value(query, value));
}

static void add_any_of(struct query *query, struct value ids) {
    buffer_add(&query->sql, text_of(query->engine->dialect->any_of.before));
    query_add_value(query, ids);
    buffer_add(&query->sql, text_of(query->engine->dialect->any_of.after));
}

enum help query_help(const struct filter *filter) {
    const struct field *field = &filter->table->fields[filter->field];
    struct text needle = value_as_text(&filter->value);
    if (filter->match != MATCH_contains || !(field->flags & SEARCHED))
        return HELP_NONE;
    return field->type == TYPE_email && email_index_can_find(needle) ? HELP_EMAILS : HELP_TEXTS;
}

void query_add_email_range(struct query *query, const struct filter *filter) {
    struct email_range range = email_range(value_as_text(&filter->value), query->sql.arena);
    query->sql.failed |= range.failed;
    buffer_add(&query->sql, TEXT("SELECT owner FROM "));
    int first = keep_value(query, value_text(range.from));
    (void)keep_value(query, value_text(range.to));
    (void)keep_value(query, value_text(range.domain));
    email_index_add_range(&query->sql, query->engine, filter->table, first);
}

/* One Id is compared, several are bound as a list. */
void query_add_ids(struct query *query, const int64_t *ids, size_t count) {
    buffer_add(&query->sql, TEXT("Id"));
    if (count == 1) {
        buffer_add(&query->sql, TEXT(" = "));
        query_add_value(query, value_integer(ids[0]));
    } else
        add_any_of(query, value_ids(ids, count));
}

static const struct candidates *candidates_of(const struct query *query,
                                              const struct filter *filter) {
    const struct candidates *candidates = query->candidates;
    while (candidates && candidates->filter != filter)
        candidates = candidates->next;
    return candidates;
}

/* The rows that are already known to match a filter; NULL: none are known. */
static const struct text_matches *matches_of(const struct query *query,
                                             const struct filter *filter) {
    const struct candidates *candidates = candidates_of(query, filter);
    return candidates ? &candidates->matches : NULL;
}

/* All rows that match a filter, if they were found by a scan. */
static const struct text_matches *scanned(const struct query *query, const struct filter *filter) {
    const struct candidates *candidates = candidates_of(query, filter);
    return candidates && candidates->is_scanned ? &candidates->matches : NULL;
}

/* The rows that match a filter on texts, if all of them are known and few enough to be listed. */
static const struct text_matches *listed(const struct query *query, const struct filter *filter) {
    const struct text_matches *matches = matches_of(query, filter);
    return matches && matches->total <= LISTED_MAX && matches->total == (int64_t)matches->count
               ? matches
               : NULL;
}

/* Adds the condition that the folded text of a filter's field contains the value. */
static void add_folded_contains(struct query *query, const struct filter *filter) {
    const struct table *table = filter->table;
    const struct engine_dialect *dialect = query->engine->dialect;
    struct buffer folded;
    if (!dialect->add_folded) {
        buffer_add(&query->sql, TEXT("contains("));
        row_add_value(&query->sql, table, &table->fields[filter->field], table->name);
        buffer_add(&query->sql, TEXT(", "));
        query_add_value(query, filter->value);
        buffer_add_char(&query->sql, ')');
        return;
    }
    buffer_init(&folded, query->sql.arena, 128);
    dialect->add_folded(&folded, table, &table->fields[filter->field]);
    buffer_add_char(&folded, '\0');
    query->sql.failed |= folded.failed;
    if (!folded.failed)
        dialect->add_has_bytes(&query->sql, folded.at, keep_value(query, filter->value));
}

static void add_contains(struct query *query, const struct filter *filter) {
    enum help help = query_help(filter);
    const struct text_matches *matches = listed(query, filter);
    if (matches)
        query_add_ids(query, matches->ids, matches->count);
    else if (help == HELP_EMAILS) {
        buffer_add(&query->sql, TEXT("Id IN ("));
        query_add_email_range(query, filter);
        buffer_add_char(&query->sql, ')');
    }
    if (help == HELP_TEXTS && matches)
        return;
    if (help ==
        HELP_EMAILS) /* a quoted local part may have another "@": look at the address itself too */
        buffer_add(&query->sql, TEXT(" AND "));
    add_folded_contains(query, filter);
}

/* Adds the begin of "the rows that point to any of a list of Ids", by the index of links. */
static void add_linked(struct query *query, const struct table *table, const struct field *field) {
    buffer_printf(&query->sql, "Id IN (SELECT owner FROM links WHERE field = '%s.%s' AND target",
                  table->name, field->name.at);
}

/* Adds the condition of a filter on a row of the filter's own table. */
static void add_match(struct query *query, const struct filter *filter) {
    const struct table *table = filter->table;
    const struct field *field = &table->fields[filter->field];
    const struct text_matches *found = scanned(query, filter);
    struct buffer *sql = &query->sql;
    if (found) {
        query_add_ids(query, found->ids, found->count);
        return;
    }
    switch (filter->match) {
    case MATCH_equal:
    case MATCH_from:
    case MATCH_to:
        row_add_value(sql, table, field, table->name);
        buffer_add(sql, filter->match == MATCH_equal  ? TEXT(" = ")
                        : filter->match == MATCH_from ? TEXT(" >= ")
                                                      : TEXT(" <= "));
        query_add_value(query, filter->value);
        break;
    case MATCH_contains: add_contains(query, filter); break;
    case MATCH_linked:
        add_linked(query, table, field);
        buffer_add(sql, TEXT(" = "));
        query_add_value(query, filter->value);
        buffer_add_char(sql, ')');
        break;
    case MATCH_linked_from:
        buffer_printf(sql, "Id IN (SELECT target FROM links WHERE field = '%s.%s' AND owner = ",
                      field->target->name, field->target->fields[field->base].name.at);
        query_add_value(query, filter->value);
        buffer_add_char(sql, ')');
        break;
    case MATCH_any:
        if (field_is_linked(field))
            add_linked(query, table, field);
        else
            row_add_value(sql, table, field, table->name);
        add_any_of(query, filter->value);
        buffer_add(sql, field_is_linked(field) ? TEXT(")") : TEXT(""));
        break;
    case MATCH_null:
    case MATCH_not_null:
        row_add_value(sql, table, field, table->name);
        buffer_add(sql, filter->match == MATCH_null ? TEXT(" IS NULL") : TEXT(" IS NOT NULL"));
        break;
    case MATCH_nothing: buffer_add(sql, TEXT("1 = 0")); break;
    }
}

/* Adds the condition of a filter on a row, or on the row that a reference of it points to. */
static void add_condition(struct query *query, const struct filter *filter) {
    const struct table *table = query->search->table;
    if (!filter->through || (scanned(query, filter) && scan_is_of_search(query->search, filter))) {
        add_match(query, filter);
        return;
    }
    bool is_linked = field_is_linked(filter->through);
    if (is_linked)
        add_linked(query, table, filter->through);
    else
        row_add_value(&query->sql, table, filter->through, table->name);
    buffer_printf(&query->sql, " IN (SELECT Id FROM %s WHERE ", filter->table->name);
    add_match(query, filter);
    buffer_add(&query->sql, is_linked ? TEXT("))") : TEXT(")"));
}

void query_add_conditions(struct query *query) {
    const char *word = " WHERE ";
    for (const struct filter *filter = query->search->filters; filter; filter = filter->next) {
        buffer_add(&query->sql, text_of(word));
        add_condition(query, filter);
        word = " AND ";
    }
}

void query_add_equal(struct query *query, const struct filter *filter, const char *function,
                     struct value folded) {
    const struct table *table = filter->table;
    buffer_add(&query->sql, text_of(function));
    row_add_value(&query->sql, table, &table->fields[filter->field], table->name);
    buffer_add(&query->sql, TEXT(") = "));
    query_add_value(query, folded);
}

/* Adds the conditions by which exact matches come first, where SQL cannot fold texts. */
static void add_known_exact_first(struct query *query, const struct filter *filter) {
    const struct text_matches *matches = matches_of(query, filter);
    const struct engine_dialect *dialect = query->engine->dialect;
    if (matches && matches->same_count) {
        query_add_ids(query, matches->same, matches->same_count);
        buffer_add(&query->sql, TEXT(" DESC, "));
    }
    if (matches && (scanned(query, filter) || listed(query, filter))) {
        if (!matches->exact_count)
            return;
        query_add_ids(query, matches->exact, matches->exact_count);
    } else {
        dialect->add_folded(&query->sql, filter->table, &filter->table->fields[filter->field]);
        buffer_add(&query->sql, TEXT(" = "));
        query_add_value(query, filter->value);
    }
    buffer_add(&query->sql, TEXT(" DESC, "));
}

/* When the list of exact matches is incomplete, the first pages are cut from it without regard to
 * accents (find_same). The order of the pages after them must then ignore accents too. */
static void add_exact_first(struct query *query) {
    for (const struct filter *filter = query->search->filters; filter; filter = filter->next) {
        if (filter->match != MATCH_contains || filter->through)
            continue;
        if (query->engine->dialect->add_folded) {
            add_known_exact_first(query, filter);
            continue;
        }
        const struct text_matches *matches = matches_of(query, filter);
        if (!matches || !matches->exact_is_cut) {
            query_add_equal(query, filter, "fold_case(", filter->cased);
            buffer_add(&query->sql, TEXT(" DESC, "));
        }
        query_add_equal(query, filter, "fold(", filter->value);
        buffer_add(&query->sql, TEXT(" DESC, "));
    }
}

/* Does the search find at most one row? */
static bool is_of_one(const struct query *query) {
    for (const struct candidates *one = query->candidates; one; one = one->next)
        if (one->matches.total == 1 && !one->filter->through)
            return true;
    return false;
}

/* Adds the value that the rows are ordered by. */
static void add_ordered_value(struct query *query) {
    const struct search *search = query->search;
    const struct field *field = &search->table->fields[search->order];
    const bool is_text =
        field->type == TYPE_text || field->type == TYPE_email || field->type == TYPE_name;
    const struct engine_spelling without_case = query->engine->dialect->without_case;
    buffer_add(&query->sql, text_of(is_text ? without_case.before : ""));
    row_add_value(&query->sql, search->table, field, search->table->name);
    buffer_add(&query->sql, text_of(is_text ? without_case.after : ""));
}

void query_add_order(struct query *query) {
    const struct search *search = query->search;
    if (is_of_one(query))
        return; /* a single row needs no order */
    const struct field *field = &search->table->fields[search->order];
    struct buffer *sql = &query->sql;
    buffer_add(sql, TEXT(" ORDER BY "));
    if (search->exact_first)
        add_exact_first(query);
    add_ordered_value(query);
    if (field->type == TYPE_id) {
        buffer_add(sql, search->descending ? TEXT(" DESC") : TEXT(""));
        return;
    }
    const struct engine_dialect *dialect = query->engine->dialect;
    buffer_add(sql, text_of(search->descending ? dialect->descending : dialect->ascending));
    buffer_printf(sql, ", Id%s", search->descending ? " DESC" : "");
}

void query_add_position(struct query *query, const struct position *position) {
    const bool descending = query->search->descending;
    struct buffer *sql = &query->sql;
    if (!position->has_key)
        return;
    buffer_add(sql, TEXT(" WHERE "));
    if (position->key.at) {
        add_ordered_value(query);
        buffer_add(sql, descending ? TEXT(" <= ") : TEXT(" >= "));
        query_add_value(query, value_text(position->key));
        buffer_add(sql, TEXT(" AND ("));
        add_ordered_value(query);
        buffer_add(sql, descending ? TEXT(" < ") : TEXT(" > "));
        query_add_value(query, value_text(position->key));
        buffer_add(sql, TEXT(" OR "));
    }
    buffer_add(sql, descending ? TEXT("Id < ") : TEXT("Id >= "));
    query_add_value(query, value_integer(position->id));
    buffer_add(sql, position->key.at ? TEXT(")") : TEXT(""));
}

void query_add_limit(struct query *query, int64_t skip) {
    const struct search *search = query->search;
    struct buffer *sql = &query->sql;
    buffer_add(sql, TEXT(" LIMIT "));
    query_add_value(query, value_integer(search->limit + 1)); /* one row more, for has_more */
    buffer_add(sql, TEXT(" OFFSET "));
    query_add_value(query, value_integer(skip));
}

/* Counts rows without looking at them. The audit trail is deleted only from its beginning, so its
 * first and last Id give the number; other tables have a stored count. */
static bool add_quick_count(struct query *query) {
    const struct table *table = query->search->table;
    if (query->search->filters || table == &refresh_token_table)
        return false;
    if (table == &audit_trail_entry_table)
        buffer_add(&query->sql, TEXT("SELECT coalesce((SELECT max(id) FROM audit) + 1 -"
                                     " (SELECT min(id) FROM audit), 0)"));
    else
        buffer_printf(&query->sql, "SELECT rows FROM row_counts WHERE kind = '%s'", table->name);
    return true;
}

void query_add_count(struct query *query) {
    if (add_quick_count(query))
        return;
    buffer_printf(&query->sql, "SELECT count(*) FROM %s", query->search->table->name);
    query_add_conditions(query);
}

void query_begin_page(struct query *query, const struct engine *engine, const struct search *search,
                      struct arena *arena) {
    query_init(query, engine, search, arena);
    buffer_add(&query->sql, TEXT("SELECT "));
    if (search->table->is_kept_as_json) {
        buffer_add(&query->sql, TEXT("Id, "));
        row_add_members_columns(&query->sql, engine);
    } else
        row_add_columns(&query->sql, engine, search->table);
    buffer_add(&query->sql, TEXT(" FROM "));
    buffer_add(&query->sql, text_of(search->table->name));
}

static bool bind_ids(struct sql_statement *statement, int at, const struct value *ids,
                     struct arena *arena) {
    const struct value list = ids_to_stored(ids, arena);
    sql_bind_list(statement, at, value_as_text(&list));
    return list.kind == VALUE_TEXT;
}

struct sql_statement *query_prepare(struct store_session *session, struct query *query) {
    buffer_add_char(&query->sql, '\0');
    if (query->sql.failed || !query->values)
        return NULL;
    struct sql_statement *statement = sql_text_statement(session, query->sql.at);
    for (int i = 0; statement && i < query->count; i++) {
        const struct value *value = &query->values[i];
        if (value->kind == VALUE_INTEGER)
            sql_bind_integer(statement, i + 1, value->integer);
        else if (value->kind == VALUE_TEXT)
            sql_bind_text(statement, i + 1, value_as_text(value));
        else if (value->kind != VALUE_IDS || !bind_ids(statement, i + 1, value, query->sql.arena))
            return NULL; /* memory ran out */
    }
    return statement;
}

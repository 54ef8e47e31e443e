/* Judges and orders rows in C: see scan_search.h. */
#include "store/scan_search.h"

#include "rules/fold.h"
#include "store/engine.h"
#include "store/scan.h"

#include <stdlib.h>

/* ---- Lists of Ids ---- */

static bool add_id(struct buffer *ids, int64_t id) {
    buffer_add(ids, (struct text){ (const char *)&id, sizeof id });
    return !ids->failed;
}

static struct value ids_in(const struct buffer *ids) {
    return value_ids((const int64_t *)(const void *)ids->at, ids->len / sizeof(int64_t));
}

/* ---- Matching ---- */

static int compare_texts(struct text a, struct text b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Null comes before numbers, and these before texts. */
static int compare_values(const struct value *a, const struct value *b) {
    if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT)
        return compare_texts(value_as_text(a), value_as_text(b));
    if (a->kind == VALUE_INTEGER && b->kind == VALUE_INTEGER)
        return (a->integer > b->integer) - (a->integer < b->integer);
    int rank_a = a->kind == VALUE_TEXT ? 2 : a->kind == VALUE_INTEGER;
    int rank_b = b->kind == VALUE_TEXT ? 2 : b->kind == VALUE_INTEGER;
    return rank_a - rank_b;
}

static bool is_nothing(const struct value *value) {
    return value->kind != VALUE_TEXT && value->kind != VALUE_INTEGER;
}

/* As SQL does: null neither equals nor exceeds anything. 1, 0, or -1 if there is no memory. */
static int matches_value(const struct filter *filter, const struct value *value) {
    switch (filter->match) {
    case MATCH_null: return is_nothing(value);
    case MATCH_not_null: return !is_nothing(value);
    case MATCH_equal: return !is_nothing(value) && compare_values(value, &filter->value) == 0;
    case MATCH_from: return !is_nothing(value) && compare_values(value, &filter->value) >= 0;
    case MATCH_to: return !is_nothing(value) && compare_values(value, &filter->value) <= 0;
    case MATCH_any:
        return value->kind == VALUE_INTEGER && ids_sorted_have(&filter->value, value->integer);
    case MATCH_contains:
        return value->kind == VALUE_TEXT
                   ? fold_contains(value_as_text(value), value_as_text(&filter->value))
                   : 0;
    default: return false;
    }
}

struct matching {
    struct scanned scanned;
    const struct filter *filter;
    struct buffer ids, exact, same;
};

/* Notes a match; is the whole text what is searched for? */
static bool note_match(struct matching *matching, int64_t id, const struct value *value,
                       struct arena *scratch) {
    const struct filter *filter = matching->filter;
    if (!add_id(&matching->ids, id))
        return false;
    if (filter->match != MATCH_contains || value->kind != VALUE_TEXT)
        return true;
    struct text folded = fold(value_as_text(value), scratch);
    struct text cased = fold_case(value_as_text(value), scratch);
    bool added = folded.at && cased.at;
    if (added && text_equal(folded, value_as_text(&filter->value)))
        added = add_id(&matching->exact, id);
    if (added && text_equal(cased, value_as_text(&filter->cased)))
        added = add_id(&matching->same, id);
    return added;
}

static enum status match_row(void *argument, int64_t id, const struct value *value) {
    struct matching *matching = argument;
    struct arena scratch = { 0 };
    int matches = matches_value(matching->filter, value);
    bool noted = matches == 0 || (matches == 1 && note_match(matching, id, value, &scratch));
    arena_close(&scratch);
    return noted ? STATUS_OK : STATUS_INTERNAL;
}

static void begin_matching(struct matching *matching, struct store_session *session,
                           const struct filter *filter, struct arena *arena) {
    *matching = (struct matching){
        .scanned = { session, filter->table, &filter->table->fields[filter->field] },
        .filter = filter,
    };
    buffer_init(&matching->ids, arena, 0);
    buffer_init(&matching->exact, arena, 0);
    buffer_init(&matching->same, arena, 0);
}

static void take_exact(const struct matching *matching, struct text_matches *matches) {
    matches->exact = (int64_t *)(void *)matching->exact.at;
    matches->exact_count = matching->exact.len / sizeof(int64_t);
    matches->same = (int64_t *)(void *)matching->same.at;
    matches->same_count = matching->same.len / sizeof(int64_t);
}

static enum status scan_own(struct store_session *session, const struct filter *filter,
                            struct arena *arena, struct text_matches *matches) {
    struct matching matching;
    struct filter sorted = *filter;
    if (filter->match == MATCH_any)
        sorted.value = ids_sorted(&filter->value, arena);
    if (filter->match == MATCH_any && !sorted.value.ids)
        return STATUS_INTERNAL;
    begin_matching(&matching, session, &sorted, arena);
    enum status status = scan_each(&matching.scanned, match_row, &matching);
    *matches = (struct text_matches){ .ids = (int64_t *)(void *)matching.ids.at,
                                      .count = matching.ids.len / sizeof(int64_t) };
    matches->total = (int64_t)matches->count;
    take_exact(&matching, matches);
    return status;
}

/* The Ids of all rows of a filter's table that match it. */
static enum status find_targets(struct store_session *session, const struct filter *filter,
                                struct arena *arena, struct value *targets) {
    struct filter own = *filter;
    own.through = NULL;
    own.next = NULL;
    const struct search search = { .table = filter->table, .filters = &own };
    struct text_matches matches = { 0 };
    struct query query;
    struct buffer ids;
    enum status status;
    if (scan_is_needed(session->engine, &search, &own)) {
        status = scan_own(session, &own, arena, &matches);
        *targets = value_ids(matches.ids, matches.count);
        return status;
    }
    buffer_init(&ids, arena, 0);
    query_init(&query, session->engine, &search, arena);
    buffer_printf(&query.sql, "SELECT Id FROM %s", filter->table->name);
    query_add_conditions(&query);
    buffer_add(&query.sql, TEXT(" ORDER BY Id"));
    struct sql_statement *statement = query_prepare(session, &query);
    while ((status = sql_step(statement)) == STATUS_OK)
        if (!add_id(&ids, sql_integer(statement, 0)))
            break;
    sql_done(statement);
    *targets = ids_in(&ids);
    return ids.failed ? STATUS_INTERNAL : status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status scan_filter(struct store_session *session, const struct search *search,
                        const struct filter *filter, struct arena *arena,
                        struct text_matches *matches) {
    struct filter through = { .table = search->table, .match = MATCH_any };
    if (!scan_is_of_search(search, filter))
        return scan_own(session, filter, arena, matches);
    through.field = (unsigned)(filter->through - search->table->fields);
    *matches = (struct text_matches){ 0 };
    enum status status = find_targets(session, filter, arena, &through.value);
    if (status != STATUS_OK || !through.value.len)
        return status;
    return scan_own(session, &through, arena, matches);
}

enum status scan_exact(struct store_session *session, const struct filter *filter, struct value ids,
                       struct arena *arena, struct text_matches *matches) {
    const struct search search = { .table = filter->table };
    struct matching matching;
    struct query query;
    struct scan_progress progress = { 0 };
    begin_matching(&matching, session, filter, arena);
    query_init(&query, session->engine, &search, arena);
    buffer_add(&query.sql, TEXT("SELECT Id, "));
    scan_add_column(&query.sql, &matching.scanned, filter->table->name);
    buffer_printf(&query.sql, " FROM %s WHERE ", filter->table->name);
    query_add_ids(&query, ids.ids, ids.len);
    buffer_add(&query.sql, TEXT(" ORDER BY Id"));
    enum status status = scan_rows(&matching.scanned, query_prepare(session, &query), match_row,
                                   &matching, &progress);
    take_exact(&matching, matches);
    return status;
}

/* ---- Ordering ---- */

struct key {
    struct value value;
    int64_t id;
    unsigned rank; /* of an exact match when these come first: 0 with the same accents, 1 without */
};

struct ordering {
    struct scanned scanned;
    const struct candidates *exact; /* whose exact matches come first; NULL: none do */
    bool ignores_case, descending;
    struct arena arena; /* of the texts, and of the keys */
    struct buffer keys;
};

static int compare_keys(const void *a, const void *b, void *argument) {
    const struct ordering *ordering = argument;
    const struct key *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    int order = compare_values(&left->value, &right->value);
    if (!order)
        order = (left->id > right->id) - (left->id < right->id);
    return ordering->descending ? -order : order;
}

static unsigned rank_of(const struct ordering *ordering, int64_t id) {
    if (!ordering->exact)
        return 0;
    const struct text_matches *matches = &ordering->exact->matches;
    const struct value same = value_ids(matches->same, matches->same_count);
    const struct value exact = value_ids(matches->exact, matches->exact_count);
    if (ids_sorted_have(&same, id))
        return 0;
    return ids_sorted_have(&exact, id) ? 1 : 2;
}

/* The value by which a row is ordered: a text in lower case (of ASCII letters). */
static enum status add_key(void *argument, int64_t id, const struct value *value) {
    struct ordering *ordering = argument;
    struct key key = { .value = *value, .id = id, .rank = rank_of(ordering, id) };
    if (value->kind == VALUE_TEXT) {
        struct text copy = arena_text(&ordering->arena, value_as_text(value));
        char *at = (char *)(uintptr_t)copy.at;
        for (size_t i = 0; at && ordering->ignores_case && i < copy.len; i++)
            at[i] = text_lower(at[i]);
        key.value = value_text(copy);
    }
    buffer_add(&ordering->keys, (struct text){ (const char *)&key, sizeof key });
    return ordering->keys.failed || ordering->arena.failed ? STATUS_INTERNAL : STATUS_OK;
}

/* Reads the keys of the next rows that fulfil the conditions. */
static enum status add_keys(struct ordering *ordering, const struct query *conditions,
                            struct scan_progress *progress) {
    const struct search *search = conditions->search;
    struct arena scratch = { 0 };
    struct query query;
    query_init(&query, ordering->scanned.session->engine, search, &scratch);
    query.candidates = conditions->candidates;
    buffer_add(&query.sql, TEXT("SELECT Id, "));
    scan_add_column(&query.sql, &ordering->scanned, search->table->name);
    buffer_printf(&query.sql, " FROM %s", search->table->name);
    query_add_conditions(&query);
    buffer_add(&query.sql, search->filters ? TEXT(" AND Id > ") : TEXT(" WHERE Id > "));
    query_add_value(&query, value_integer(progress->last));
    buffer_printf(&query.sql, " ORDER BY Id LIMIT %d", SCAN_AT_ONCE);
    enum status status =
        scan_rows(&ordering->scanned, query_prepare(ordering->scanned.session, &query), add_key,
                  ordering, progress);
    arena_close(&scratch);
    return status;
}

static enum status cut_page(struct ordering *ordering, const struct search *search,
                            struct arena *arena, struct value *page) {
    struct key *keys = (struct key *)(void *)ordering->keys.at;
    const size_t total = ordering->keys.len / sizeof *keys;
    struct buffer ids;
    buffer_init(&ids, arena, 0);
    if (total)
        qsort_r(keys, total, sizeof *keys, compare_keys, ordering);
    for (size_t i = (size_t)search->skip; i < total && i <= (size_t)(search->skip + search->limit);
         i++)
        if (!add_id(&ids, keys[i].id))
            return STATUS_INTERNAL;
    *page = ids_in(&ids);
    return STATUS_OK;
}

enum status scan_page(struct store_session *session, const struct query *query, struct arena *arena,
                      struct value *page, int64_t *total) {
    const struct search *search = query->search;
    const struct field *field = &search->table->fields[search->order];
    struct ordering ordering = {
        .scanned = { session, search->table, field },
        .ignores_case = field->type == TYPE_text || field->type == TYPE_email,
        .exact = search->exact_first ? query->candidates : NULL,
        .descending = search->descending,
    };
    struct scan_progress progress = { .count = SCAN_AT_ONCE };
    enum status status = STATUS_OK;
    buffer_init(&ordering.keys, &ordering.arena, 0);
    while (status == STATUS_OK && progress.count == SCAN_AT_ONCE)
        status = add_keys(&ordering, query, &progress);
    *total = (int64_t)(ordering.keys.len / sizeof(struct key));
    if (status == STATUS_OK)
        status = cut_page(&ordering, search, arena, page);
    arena_close(&ordering.arena);
    return status;
}

/* Runs searches.
 *
 * A search first asks the indexes for candidates: the rows that match a filter on a text, by the
 * index of e-mail addresses or by a scan of all texts. If the candidates give the page directly,
 * its rows are loaded by their Ids. Otherwise SQL finds the page; filters whose candidates are few
 * become lists of Ids in it.
 *
 * The total is the number of candidates if there is only one filter, or the number of rows up to
 * the last page, or else a query of its own. A search for one e-mail address, the most frequent
 * one, is a single statement. All statements of a search see one snapshot. */
#include "base/log.h"
#include "json/json.h"
#include "store/engine.h"
#include "store/query.h"
#include "store/records.h"
#include "store/rows.h"
#include "store/scan.h"
#include "store/scan_search.h"

static enum status count_all(struct store_session *session, const struct search *search,
                             const struct candidates *candidates, struct search_result *found) {
    struct query query;
    query_init(&query, session->engine, search, found->json->arena);
    query.candidates = candidates;
    query_add_count(&query);
    struct sql_statement *statement = query_prepare(session, &query);
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        found->total = sql_integer(statement, 0);
    sql_done(statement);
    return status;
}

/* Finds the rows of an address, up to one more than can be listed: they need not be counted exactly
 * beyond that. */
static enum status gather_emails(struct store_session *session, const struct search *search,
                                 const struct filter *filter, struct arena *arena,
                                 struct text_matches *matches) {
    struct query query;
    enum status status = STATUS_OK;
    int64_t *ids = arena_alloc(arena, (EMAILS_MAX + 1) * sizeof *ids);
    if (!ids)
        return STATUS_INTERNAL;
    query_init(&query, session->engine, search, arena);
    query_add_email_range(&query, filter);
    struct sql_statement *statement = query_prepare(session, &query);
    *matches = (struct text_matches){ .ids = ids };
    while (matches->total <= EMAILS_MAX && (status = sql_step(statement)) == STATUS_OK)
        ids[matches->total++] = sql_integer(statement, 0);
    sql_done(statement);
    if (matches->total <= EMAILS_MAX)
        matches->count =
            (size_t)matches->total; /* otherwise it is only known that there are many */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Finds the matches of one filter among several. Only a list of Ids can narrow the search, so more
 * matches than can be listed are only counted. */
static enum status search_listed(const struct text_index *index, struct text needle,
                                 struct arena *arena, struct text_matches *matches) {
    struct arena scratch = { 0 };
    struct text_matches all;
    enum status status = text_index_search(index, needle, &scratch, &all);
    *matches = (struct text_matches){ .total = all.total };
    if (status == STATUS_OK && all.total && all.total <= LISTED_MAX) {
        matches->ids = arena_alloc(arena, all.count * sizeof *all.ids);
        if (matches->ids)
            memcpy(matches->ids, all.ids, all.count * sizeof *all.ids);
        matches->count = matches->ids ? all.count : 0;
        status = matches->ids ? STATUS_OK : STATUS_INTERNAL;
    }
    arena_close(&scratch);
    return status;
}

static enum status gather(struct store_session *session, const struct search *search,
                          struct candidates *candidates, struct arena *arena) {
    const struct filter *filter = candidates->filter;
    const struct text_index index = { session, filter->table,
                                      &filter->table->fields[filter->field] };
    struct text needle = value_as_text(&filter->value);
    if (candidates->is_scanned)
        return scan_filter(session, search, filter, arena, &candidates->matches);
    if (query_help(filter) == HELP_EMAILS)
        return gather_emails(session, search, filter, arena, &candidates->matches);
    return search->filters->next ? search_listed(&index, needle, arena, &candidates->matches)
                                 : text_index_search(&index, needle, arena, &candidates->matches);
}

/* Where SQL cannot tell which of a filter's listed matches are exact, they are read and compared.
 */
static enum status find_exact(struct store_session *session, const struct search *search,
                              struct candidates *candidates, struct arena *arena) {
    const struct filter *filter = candidates->filter;
    struct text_matches *matches = &candidates->matches;
    if (!session->engine->dialect->add_folded || !search->exact_first || candidates->is_scanned ||
        filter->match != MATCH_contains || filter->through || !matches->count ||
        matches->total != (int64_t)matches->count || matches->total > LISTED_MAX)
        return STATUS_OK;
    return scan_exact(session, filter, value_ids(matches->ids, matches->count), arena, matches);
}

/* Finds the candidates of each filter that an index helps with. A filter without candidates ends
 * it: the search then finds nothing. */
static enum status find_candidates(struct store_session *session, const struct search *search,
                                   struct arena *arena, struct candidates **found) {
    enum status status = STATUS_OK;
    *found = NULL;
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        const bool is_scanned = scan_is_needed(session->engine, search, filter);
        if (query_help(filter) == HELP_NONE && !is_scanned)
            continue;
        struct candidates *candidates = arena_alloc(arena, sizeof *candidates);
        if (!candidates)
            return STATUS_INTERNAL;
        *candidates = (struct candidates){ *found, filter, is_scanned, { 0 } };
        *found = candidates;
        status = gather(session, search, candidates, arena);
        if (status == STATUS_OK)
            status = find_exact(session, search, candidates, arena);
        if (status != STATUS_OK || !candidates->matches.total)
            break;
    }
    return status;
}

/* A growing buffer takes three times its final size in all, and a request has 64 MiB. */
enum { PAGE_MAX = 8 * 1024 * 1024 };

static enum status add_record(struct store_session *session, struct sql_statement *statement,
                              const struct search *search, struct search_result *found) {
    struct buffer *json = found->json;
    struct arena arena = { 0 };
    struct record record = record_new(search->table, &arena);
    enum status status =
        record.values ? row_read(session, statement, &arena, &record) : STATUS_INTERNAL;
    if (status == STATUS_OK)
        status = record_complete(session, &record, &arena, search->is_whole);
    if (status == STATUS_OK && search->is_whole)
        json_add_record(json, &record);
    else if (status == STATUS_OK)
        json_add_listed(json, &record);
    if (status == STATUS_OK)
        found->last_id = record_id(&record);
    arena_close(&arena);
    return status;
}

static enum status add_members(struct store_session *session, const struct row_members *members,
                               const struct search *search, struct search_result *found) {
    struct buffer *whole = &found->row;
    if (search->is_whole)
        return row_add_members(session, search->table, members, found->json);
    whole->len = 0;
    enum status status = row_add_members(session, search->table, members, whole);
    if (status == STATUS_OK)
        json_add_without_links(found->json, buffer_text(whole));
    return status;
}

static enum status add_row(struct store_session *session, struct sql_statement *statement,
                           const struct search *search, struct search_result *found) {
    struct buffer *json = found->json;
    enum status status = STATUS_OK;
    if (found->count)
        buffer_add_char(json, ',');
    found->count++;
    if (search->table->is_kept_as_json) {
        found->last_id = sql_integer(statement, 0);
        const struct row_members members = row_members(statement, 1, found->last_id);
        status = add_members(session, &members, search, found);
    } else
        status = add_record(session, statement, search, found);
    if (json->len > PAGE_MAX)
        return STATUS_TOO_LARGE;
    return json->failed ? STATUS_INTERNAL : status;
}

static enum status read_rows(struct store_session *session, struct query *query,
                             struct search_result *found) {
    struct sql_statement *statement = query_prepare(session, query);
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK) {
        found->has_more = (int64_t)found->count == query->search->limit;
        if (found->has_more)
            break;
        if ((status = add_row(session, statement, query->search, found)) != STATUS_OK)
            break;
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_page(struct store_session *session, const struct search *search,
                             const struct candidates *candidates, const struct position *from,
                             struct search_result *found) {
    struct query query;
    query_begin_page(&query, session->engine, search, found->json->arena);
    query.candidates = candidates;
    query_add_conditions(&query);
    if (search->behind) {
        buffer_printf(&query.sql, " %s Id %c ", search->filters ? "AND" : "WHERE",
                      search->descending ? '<' : '>');
        query_add_value(&query, value_integer(search->behind));
    }
    query_add_position(&query, from);
    query_add_order(&query);
    query_add_limit(&query, search->behind ? 0 : from->skip);
    return read_rows(session, &query, found);
}

/* A page that is being cut from lists of Ids. Each list includes the Ids of the list before it. */
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

/* Collects the Ids of a page from the matches, in its order: the exact matches first, if the search
 * wants that. */
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
    if (!search->exact_first ||
        !matches->exact_is_cut) /* else they follow exact ones that are not listed */
        cut_from(&cutting, all, search->exact_first ? exact : none);
    return cutting.count;
}

/* Finds the exact matches that also have the same accents: they come before the others. If the list
 * of exact matches is incomplete, accents do not count. */
static enum status find_same(struct store_session *session, const struct search *search,
                             struct text_matches *matches, struct arena *arena) {
    const struct filter *filter = search->filters;
    struct query query;
    if (!search->exact_first || matches->exact_count < 2 || matches->exact_is_cut ||
        session->engine->dialect->add_folded) /* find_exact has found them */
        return STATUS_OK;
    matches->same = arena_calloc(arena, matches->exact_count, sizeof *matches->same);
    if (!matches->same)
        return STATUS_INTERNAL;
    query_init(&query, session->engine, search, arena);
    buffer_printf(&query.sql, "SELECT Id FROM %s WHERE ", search->table->name);
    query_add_ids(&query, matches->exact, matches->exact_count);
    buffer_add(&query.sql, TEXT(" AND "));
    query_add_equal(&query, filter, "fold_case(", filter->cased);
    buffer_add(&query.sql, TEXT(" ORDER BY Id"));
    struct sql_statement *statement = query_prepare(session, &query);
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK)
        matches->same[matches->same_count++] = sql_integer(statement, 0);
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Finds the Ids of a page, and of one row after it, if the matches give all of them; otherwise
 * `*page` is NULL. */
static enum status find_page(const struct search *search, const struct text_matches *matches,
                             struct arena *arena, int64_t **page, size_t *count) {
    const size_t wanted = (size_t)search->limit + 1;
    bool knows_all = matches->total == (int64_t)matches->count;
    *page = NULL;
    if (search->table->fields[search->order].type != TYPE_id || (search->descending && !knows_all))
        return STATUS_OK;
    int64_t *room = arena_alloc(arena, wanted * sizeof *room);
    if (!room)
        return STATUS_INTERNAL;
    *count = cut_page(search, matches, room, wanted);
    if (knows_all || *count == wanted)
        *page = room;
    return STATUS_OK;
}

static enum status read_known_page(struct store_session *session, const struct search *search,
                                   const int64_t *page, size_t count, struct search_result *found) {
    struct query query;
    const size_t limit = (size_t)search->limit;
    found->has_more = count > limit;
    query_begin_page(&query, session->engine, search, found->json->arena);
    buffer_add(&query.sql, TEXT(" WHERE Id = "));
    query_add_value(&query, value_integer(0));
    struct sql_statement *statement = query_prepare(session, &query);
    enum status status = statement ? STATUS_OK : STATUS_INTERNAL;
    for (size_t i = 0; status == STATUS_OK && i < count && i < limit; i++) {
        sql_bind_integer(statement, 1, page[i]);
        status = sql_step(statement);
        if (status == STATUS_OK)
            status = add_row(session, statement, search, found);
        else if (status == STATUS_NOT_FOUND) {
            log_error("database: texts are kept of %s %lld, which does not exist",
                      search->table->name, (long long)page[i]);
            status = STATUS_INTERNAL;
        }
        sql_done(statement);
    }
    return status;
}

/* Are the candidates' matches all rows of the search? */
static bool knows_rows(const struct search *search, const struct candidates *candidates) {
    const struct filter *only = search->filters;
    if (!only || only->next)
        return false;
    if (candidates && candidates->is_scanned)
        return !only->through || scan_is_of_search(search, only);
    return !only->through && query_help(only) == HELP_TEXTS;
}

/* Reads a page in the order of a field that is in packed rows. */
static enum status read_scanned_page(struct store_session *session, const struct search *search,
                                     const struct candidates *candidates,
                                     struct search_result *found) {
    struct query query;
    struct value page;
    query_init(&query, session->engine, search, found->json->arena);
    query.candidates = candidates;
    enum status status = scan_page(session, &query, found->json->arena, &page, &found->total);
    return status == STATUS_OK ? read_known_page(session, search, page.ids, page.len, found)
                               : status;
}

static enum status search_by(struct store_session *session, const struct search *search,
                             struct candidates *candidates, const struct position *from,
                             struct search_result *found) {
    const bool is_counted = knows_rows(search, candidates);
    enum status status;
    found->total = candidates ? candidates->matches.total : 0;
    if (candidates && !found->total)
        return STATUS_OK;
    if (is_counted && candidates) {
        int64_t *page;
        size_t count;
        struct arena *arena = found->json->arena;
        status = find_same(session, search, &candidates->matches, arena);
        if (status == STATUS_OK)
            status = find_page(search, &candidates->matches, arena, &page, &count);
        if (status != STATUS_OK)
            return status;
        if (page)
            return read_known_page(session, search, page, count, found);
    }
    if (scan_orders(session->engine, search))
        return read_scanned_page(session, search, candidates, found);
    status = read_page(session, search, candidates, from, found);
    if (is_counted || status != STATUS_OK || search->is_uncounted)
        return status;
    /* The last page shows how many rows there are in all. */
    found->total = search->skip + (int64_t)found->count;
    if (found->has_more || search->behind || (found->count == 0 && search->skip))
        return count_all(session, search, candidates, found);
    return STATUS_OK;
}

static bool is_certain(struct store_session *session, struct sql_statement *statement) {
    const int address = 1 + row_members_columns(session->engine);
    return email_index_is_certain(sql_bytes(statement, address));
}

/* Most searches for an address look for one user. This one finds the first page of such a search,
 * without other filters, in one statement. NOT_FOUND: there may be several users; nothing is added
 * to the result. */
static enum status search_email(struct store_session *session, const struct search *search,
                                struct search_result *found) {
    const struct filter *filter = search->filters;
    struct email_range range = email_range(value_as_text(&filter->value), found->json->arena);
    struct sql_statement *statement = email_index_find(session, search->table);
    const size_t len = found->json->len;
    if (!statement || range.failed)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, range.from);
    sql_bind_text(statement, 2, range.to);
    sql_bind_text(statement, 3, range.domain);
    enum status status = sql_step(statement);
    if (status == STATUS_OK && is_certain(session, statement) &&
        (status = add_row(session, statement, search, found)) == STATUS_OK)
        status = sql_step(statement);
    sql_done(statement);
    if (status == STATUS_OK) {
        found->json->len = len;
        found->count = 0;
        return STATUS_NOT_FOUND;
    }
    found->total = (int64_t)found->count;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool is_of_email(const struct search *search) {
    const struct filter *filter = search->filters;
    return filter && !filter->next && !filter->through && query_help(filter) == HELP_EMAILS &&
           search->table->is_kept_as_json && !search->skip && !search->behind;
}

static enum status search_by_candidates(struct store_session *session, const struct search *search,
                                        const struct position *from, struct search_result *found) {
    struct candidates *candidates;
    enum status status = find_candidates(session, search, found->json->arena, &candidates);
    return status == STATUS_OK ? search_by(session, search, candidates, from, found) : status;
}

static void begin_result(struct search_result *found) {
    found->count = 0;
    found->has_more = false;
    buffer_init(&found->row, found->json->arena, 0);
}

static enum status run_search(struct store_session *session, const struct search *search,
                              bool may_be_slow, struct search_result *found) {
    struct position from = { .skip = search->skip };
    begin_result(found);
    enum status status =
        positions_help(session->store, search)
            ? positions_begin_reading(session, search, may_be_slow, found->json->arena, &from)
            : engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = is_of_email(search) ? search_email(session, search, found) : STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND)
        status = search_by_candidates(session, search, &from, found);
    engine_end_reading(session);
    return status;
}

enum status store_search(struct store_session *session, const struct search *search,
                         struct search_result *found) {
    return run_search(session, search, true, found);
}

/* Does an index lead directly to the rows of the page, or to the first of them? */
static bool is_quick(const struct store_session *session, const struct search *search) {
    enum { ROWS_MAX = 100, IDS_MAX = 32 };
    const struct table *table = search->table;
    const struct field *order = &table->fields[search->order];
    const struct filter *only = search->filters;
    if (search->limit <= ROWS_MAX && positions_help(session->store, search))
        return positions_are_kept(session->store, search);
    if ((search->behind ? 0 : search->skip) + search->limit > ROWS_MAX &&
        !(only && only->match == MATCH_any))
        return false;
    if (!only)
        return (order->type == TYPE_id || order->flags & SEARCHED) && table->is_kept_as_json;
    if (only->next || only->through)
        return false;
    if (only->match == MATCH_any)
        return table->fields[only->field].type == TYPE_id && only->value.len <= IDS_MAX;
    return query_help(only) == HELP_EMAILS;
}

/* An engine that cannot interrupt its work does only what never takes long: a page in the order of
 * the Ids, rows of given Ids, the user of an address that belongs to one alone. */
static enum status search_surely(struct store_session *session, const struct search *search,
                                 struct search_result *found) {
    const bool is_in_order = search->table->fields[search->order].type == TYPE_id;
    if (!is_of_email(search))
        return is_in_order && !(search->filters && query_help(search->filters) == HELP_EMAILS)
                   ? store_search(session, search, found)
                   : STATUS_TOO_SLOW;
    begin_result(found);
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = search_email(session, search, found);
    engine_end_reading(session);
    return status == STATUS_NOT_FOUND ? STATUS_TOO_SLOW : status;
}

enum status store_search_quickly(struct store_session *session, const struct search *search,
                                 struct search_result *found) {
    size_t len = found->json->len;
    enum status status;
    if (!is_quick(session, search))
        return STATUS_TOO_SLOW;
    if (engine_limit_work(session)) {
        status = run_search(session, search, false, found);
        engine_lift_limit(session);
    } else {
        status = search_surely(session, search, found);
    }
    if (status != STATUS_OK)
        found->json->len = len;
    return status;
}

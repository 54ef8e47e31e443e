/* Searches: from a query string to conditions on fields, and from a page of records to the envelope
 * (docs/contract.md section 5). Every name and type comes from the field table. */
#include "api/nexudus/search.h"

#include "api/handlers.h"
#include "api/ignored.h"
#include "api/page_cursor.h"
#include "api/reply.h"
#include "api/wait.h"
#include "api/writing.h"

#include "json/json.h"
#include "model/tables.h"
#include "rules/date.h"
#include "rules/email.h"
#include "rules/fold.h"
#include "rules/guid.h"
#include "rules/messages.h"
#include "rules/validate.h"

#include <string.h>

enum { SIZE_DEFAULT = 25, SIZE_MAX_ROWS = 1000, BODY_EXPECTED = 2800 };

struct searching {
    struct store_command command; /* first */
    struct request *request;
    struct search search;
    struct found found;
    struct buffer body;
    int64_t page, size;
    unsigned order_field; /* as asked for; `search.order` is what comes to the same */
    bool is_batch, has_order;
    bool is_strict;
    struct errors errors;
    struct ignored ignored; /* names of parameters */
};

/* A parameter on its way to a condition. */
struct parameter {
    struct text name; /* as it came */
    struct text value;
    enum match match; /* MATCH_equal, or MATCH_from and MATCH_to by prefix */
    const struct table *table;
    const struct field *through; /* the reference that leads to the table; NULL: none does */
    const struct field *field;
};

static void complain(struct searching *searching, struct text name, struct text message) {
    errors_add(&searching->errors, searching->request->arena,
               &(struct error){ .property = name, .message = message });
}

/* Of a value that can be shown again. `wrong.at` NULL: nothing is wrong. */
static void complain_of(struct searching *searching, const struct parameter *parameter,
                        struct text wrong) {
    if (wrong.at)
        errors_add(&searching->errors, searching->request->arena,
                   &(struct error){ .property = parameter->name,
                                    .message = wrong,
                                    .attempted_text = parameter->value });
}

/* ---- Names ---- */

static bool take_prefix(struct text *text, struct text prefix) {
    if (!text_starts_nocase(*text, prefix))
        return false;
    *text = (struct text){ text->at + prefix.len, text->len - prefix.len };
    return true;
}

/* References go by their name without Id too, and one member has a short name of its own. */
struct text search_name(const struct field *field, unsigned which) {
    if (which == 0)
        return field->name;
    if (field->type == TYPE_reference)
        return field_link_name(field);
    return text_equal(field->name, TEXT("ClearAvatarFile")) ? TEXT("ClearAvatar")
                                                            : (struct text){ 0 };
}

static bool is_called(const struct field *field, struct text name) {
    struct text shorter = search_name(field, 1);
    return text_equal_nocase(field->name, name) || (shorter.at && text_equal_nocase(shorter, name));
}

static const struct field *find_field(const struct table *table, struct text name) {
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_shown(&table->fields[i]) && is_called(&table->fields[i], name))
            return &table->fields[i];
    return NULL;
}

/* PreferredLanguage_Name: a field of what a reference points to. */
static const struct field *find_through(struct parameter *parameter, struct text name) {
    struct text link = text_cut(&name, '_');
    const struct field *reference = name.at ? find_field(parameter->table, link) : NULL;
    if (!reference || reference->type != TYPE_reference)
        return NULL;
    parameter->through = reference;
    parameter->table = reference->target;
    return find_field(parameter->table, name);
}

/* User_FullName, from_User_LastAccess, User_Application_Name, Id: false when no field is meant. */
static bool find_target(const struct table *table, struct parameter *parameter) {
    struct text name = parameter->name, entity = text_of(table->entity);
    parameter->match = MATCH_equal;
    parameter->table = table;
    parameter->through = NULL;
    if (take_prefix(&name, TEXT("from_")))
        parameter->match = MATCH_from;
    else if (take_prefix(&name, TEXT("to_")))
        parameter->match = MATCH_to;
    bool is_bare = text_equal_nocase(name, TEXT("Id")) || text_equal_nocase(name, TEXT("UniqueId"));
    if (!is_bare && (!take_prefix(&name, entity) || !take_prefix(&name, TEXT("_"))))
        return false;
    parameter->field = find_field(table, name);
    if (!parameter->field)
        parameter->field = find_through(parameter, name);
    if (!parameter->field)
        return false;
    return parameter->match == MATCH_equal || parameter->field->type == TYPE_date ||
           parameter->field->type == TYPE_integer;
}

/* ---- Values ---- */

static void add_folded(struct searching *searching, const struct parameter *parameter,
                       enum match match, struct value value, struct value cased) {
    struct filter *filter = arena_alloc(searching->request->arena, sizeof *filter);
    if (!filter) {
        searching->errors.failed = true;
        return;
    }
    *filter = (struct filter){ .table = parameter->table,
                               .through = parameter->through,
                               .field = (unsigned)(parameter->field - parameter->table->fields),
                               .match = match,
                               .value = value,
                               .cased = cased };
    struct filter **last = &searching->search.filters;
    while (*last)
        last = &(*last)->next;
    *last = filter;
}

static void add_filter(struct searching *searching, const struct parameter *parameter,
                       enum match match, struct value value) {
    add_folded(searching, parameter, match, value, value_null());
}

/* 1,2,3 and [1,2,3], blanks allowed; false for all else. */
static bool take_ids(struct text list, struct arena *arena, struct value *ids) {
    list = text_trim(list);
    if (list.len >= 2 && list.at[0] == '[' && list.at[list.len - 1] == ']')
        list = (struct text){ list.at + 1, list.len - 2 };
    int64_t *numbers = arena_calloc(arena, list.len / 2 + 1, sizeof *numbers);
    size_t count = 0;
    bool ok = numbers != NULL;
    while (ok && list.at && (list.len || count)) {
        struct text number = text_trim(text_cut(&list, ','));
        ok = text_to_int64(number, &numbers[count]) && numbers[count] >= 0;
        count++;
    }
    *ids = value_ids(numbers, count);
    return ok;
}

/* A repeated Id asks for any of them. */
static bool join_ids(struct searching *searching, const struct parameter *parameter,
                     const struct value *ids) {
    unsigned field = (unsigned)(parameter->field - parameter->table->fields);
    struct filter *filter = searching->search.filters;
    while (filter && (filter->field != field || filter->through != parameter->through ||
                      filter->match != MATCH_any))
        filter = filter->next;
    if (!filter)
        return false;
    size_t count = filter->value.len + (size_t)ids->len;
    int64_t *all = arena_calloc(searching->request->arena, count + 1, sizeof *all);
    if (!all) {
        searching->errors.failed = true;
        return true;
    }
    memcpy(all, filter->value.ids, filter->value.len * sizeof *all);
    memcpy(all + filter->value.len, ids->ids, ids->len * sizeof *all);
    filter->value = value_ids(all, count);
    return true;
}

static struct text take_number_list(struct searching *searching, const struct parameter *parameter,
                                    enum match match) {
    struct value ids;
    if (!take_ids(parameter->value, searching->request->arena, &ids))
        return TEXT("must be an Id, or a list of Ids such as [1,2,3]");
    bool is_single = match == MATCH_linked || match == MATCH_owned;
    if (is_single && ids.len == 1)
        add_filter(searching, parameter, match, value_integer(ids.ids[0]));
    else if (is_single)
        return TEXT("must be one Id");
    else if (parameter->field->type != TYPE_id || !join_ids(searching, parameter, &ids))
        add_filter(searching, parameter, MATCH_any, ids);
    return (struct text){ 0 };
}

static struct text take_reference(struct searching *searching, const struct parameter *parameter) {
    struct text word = text_trim(parameter->value);
    bool is_null = text_equal_nocase(word, TEXT("null"));
    if (!is_null && !text_equal_nocase(word, TEXT("notnull")))
        return take_number_list(searching, parameter, MATCH_any);
    add_filter(searching, parameter, is_null ? MATCH_null : MATCH_not_null, value_null());
    return (struct text){ 0 };
}

static struct text take_number(struct searching *searching, const struct parameter *parameter) {
    int64_t number;
    if (!text_to_int64(text_trim(parameter->value), &number))
        return TEXT("must be an integer");
    add_filter(searching, parameter, parameter->match, value_integer(number));
    return (struct text){ 0 };
}

/* By its name too, as in bodies. */
static struct text take_choice(struct searching *searching, const struct parameter *parameter) {
    int64_t number;
    if (searching->is_strict ||
        !choice_number(parameter->field, text_trim(parameter->value), &number))
        return take_number(searching, parameter);
    add_filter(searching, parameter, parameter->match, value_integer(number));
    return (struct text){ 0 };
}

static struct text take_boolean(struct searching *searching, const struct parameter *parameter) {
    struct text text = text_trim(parameter->value);
    bool is_true = text_equal_nocase(text, TEXT("true")) || text_equal(text, TEXT("1"));
    if (!is_true && !text_equal_nocase(text, TEXT("false")) && !text_equal(text, TEXT("0")))
        return MESSAGE_TEXT(boolean);
    if (field_is_stored(parameter->field) && field_is_shown(parameter->field))
        add_filter(searching, parameter, MATCH_equal, value_integer(is_true));
    else if (is_true) /* always false, or null */
        add_filter(searching, parameter, MATCH_nothing, value_null());
    return (struct text){ 0 };
}

/* A date stands for all of the unit that it is written to: 10:30 is a minute. */
static struct text take_date(struct searching *searching, const struct parameter *parameter) {
    int64_t ms, unit_ms;
    struct text text = text_trim(parameter->value);
    if (!searching->is_strict)
        text = date_with_plus(text, searching->request->arena);
    if (!date_parse_unit(text, &ms, &unit_ms))
        return MESSAGE_TEXT(date);
    if (parameter->match != MATCH_to)
        add_filter(searching, parameter, MATCH_from, value_integer(ms));
    if (parameter->match != MATCH_from)
        add_filter(searching, parameter, MATCH_to, value_integer(ms + unit_ms - 1));
    return (struct text){ 0 };
}

static struct text take_guid(struct searching *searching, const struct parameter *parameter) {
    char *guid = arena_alloc(searching->request->arena, GUID_TEXT_SIZE);
    if (!guid || !guid_parse(text_trim(parameter->value), guid))
        return MESSAGE_TEXT(guid);
    add_filter(searching, parameter, MATCH_equal,
               value_text((struct text){ guid, GUID_TEXT_SIZE }));
    return (struct text){ 0 };
}

/* Is a blank in what is looked for the plus of an address? Words in place of one have blanks. */
static bool is_plus_missing(const struct field *field, struct text text) {
    return field->type == TYPE_email ||
           (field->flags & ADDRESS && text.len && memchr(text.at, '@', text.len));
}

static struct text take_text(struct searching *searching, const struct parameter *parameter) {
    struct arena *arena = searching->request->arena;
    struct text text = parameter->value;
    if (is_plus_missing(parameter->field, text) && !searching->is_strict)
        text = email_with_plus(text, arena);
    struct text folded = fold(text, arena), cased = fold_case(text, arena);
    if (!folded.at || !cased.at)
        searching->errors.failed = true;
    else if (folded.len) /* every text contains the empty one: that is no condition */
        add_folded(searching, parameter, MATCH_contains, value_text(folded), value_text(cased));
    return (struct text){ 0 };
}

/* Adds the condition; `at` of what it returns is not NULL when the value is wrong. */
static struct text take_condition(struct searching *searching, const struct parameter *parameter) {
    enum field_type type = parameter->field->type;
    if (!field_is_searchable(parameter->field)) /* a guess that matched would tell it bit by bit */
        type = TYPE_empty;
    switch (type) {
    case TYPE_id: return take_number_list(searching, parameter, MATCH_any);
    case TYPE_reference: return take_reference(searching, parameter);
    case TYPE_links: return take_number_list(searching, parameter, MATCH_linked);
    case TYPE_owners: return take_number_list(searching, parameter, MATCH_owned);
    case TYPE_integer: return take_number(searching, parameter);
    case TYPE_choice: return take_choice(searching, parameter);
    case TYPE_boolean:
    case TYPE_no: return take_boolean(searching, parameter);
    case TYPE_date: return take_date(searching, parameter);
    case TYPE_guid: return take_guid(searching, parameter);
    case TYPE_text:
    case TYPE_email:
    case TYPE_url:
        if (field_is_stored(parameter->field))
            return take_text(searching, parameter);
        break;
    case TYPE_name: return take_text(searching, parameter);
    case TYPE_added:
    case TYPE_removed:
    case TYPE_sealed:
    case TYPE_totp:
    case TYPE_password:
    case TYPE_empty:
    case FIELD_TYPES: break;
    }
    add_filter(searching, parameter, MATCH_nothing, value_null());
    return (struct text){ 0 };
}

/* ---- Paging and order ---- */

/* `*number` stays as it is where it is none: the page is reckoned all the same. */
static bool take_positive(struct text text, int64_t *number) {
    int64_t taken;
    if (!text_to_int64(text_trim(text), &taken) || taken < 1 || taken > INT32_MAX)
        return false;
    *number = taken;
    return true;
}

static struct text take_direction(struct searching *searching, struct text value) {
    static const struct {
        struct text word;
        bool descending;
    } words[] = { { { "0", 1 }, false },         { { "asc", 3 }, false },
                  { { "ascending", 9 }, false }, { { "1", 1 }, true },
                  { { "-1", 2 }, true },         { { "desc", 4 }, true },
                  { { "descending", 10 }, true } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_equal_nocase(text_trim(value), words[i].word)) {
            searching->search.descending = words[i].descending;
            return (struct text){ 0 };
        }
    return TEXT("must be 0, asc or Ascending, or 1, desc or Descending");
}

bool search_orders_by(const struct field *field) {
    return field_is_shown(field) && field_is_searchable(field) && !field_is_list(field);
}

/* What is the same for every record, and when a row was made that is never changed, come to the
 * order of Ids. */
static void order_by(struct searching *searching, unsigned field) {
    const struct table *table = searching->search.table;
    bool is_constant =
        !field_is_stored(&table->fields[field]) && table->fields[field].type != TYPE_name;
    unsigned as_ids = searching->request->route->resource->order; /* 0: none */
    bool is_as_ids = as_ids && field == as_ids;
    searching->order_field = field;
    searching->search.order = is_constant || is_as_ids ? table->common.id : field;
}

static struct text take_order(struct searching *searching, struct text value) {
    const struct table *table = searching->search.table;
    const struct field *field = find_field(table, text_trim(value));
    if (!field || !search_orders_by(field))
        return TEXT("must be the name of a property with a single value");
    order_by(searching, (unsigned)(field - table->fields));
    searching->has_order = true;
    return (struct text){ 0 };
}

/* False when the name is none of the five. */
static bool take_paging(struct searching *searching, const struct parameter *parameter) {
    struct text name = parameter->name, wrong = { 0 };
    if (text_equal_nocase(name, TEXT("page"))) {
        if (!take_positive(parameter->value, &searching->page))
            wrong = TEXT("must be an integer from 1 on");
    } else if (text_equal_nocase(name, TEXT("size"))) {
        if (!take_positive(parameter->value, &searching->size))
            wrong = TEXT("must be an integer from 1 on");
    } else if (text_equal_nocase(name, TEXT("orderBy"))) {
        wrong = take_order(searching, parameter->value);
    } else if (text_equal_nocase(name, TEXT("dir"))) {
        wrong = take_direction(searching, parameter->value);
    } else {
        return false;
    }
    complain_of(searching, parameter, wrong);
    return true;
}

/* ---- The query ---- */

static bool is_bracketed(struct text value) {
    value = text_trim(value);
    return value.len >= 2 && value.at[0] == '[' && value.at[value.len - 1] == ']';
}

static bool asks_for_batch(struct text name, struct text value) {
    return name.at && value.at && text_equal_nocase(name, TEXT("id")) && is_bracketed(value);
}

/* Only a list is: most queries need not be taken apart to know that they are none. */
static bool may_have_list(struct text query) {
    return query.len && (memchr(query.at, '[', query.len) || memmem(query.at, query.len, "%5", 2));
}

bool search_is_batch(const struct request *request) {
    struct text rest = exchange_query(request->exchange), name, value;
    if (!may_have_list(rest))
        return false;
    while (form_next(&rest, request->arena, &name, &value))
        if (asks_for_batch(name, value))
            return true;
    return false;
}

static void ignore(struct searching *searching, struct text name) {
    if (searching->is_strict)
        complain(searching, name, TEXT("is not a known parameter"));
    ignored_add(&searching->ignored, name);
}

/* So that all of it can be said again in a reply. */
static bool is_plain(struct searching *searching, const struct parameter *parameter) {
    bool is_decoded = parameter->name.at && parameter->value.at;
    bool has_name = parameter->name.at && validate_is_line(parameter->name, SIZE_MAX);
    if (is_decoded && has_name && validate_is_line(parameter->value, SIZE_MAX))
        return true;
    complain(searching, has_name ? parameter->name : TEXT("query"),
             is_decoded ? TEXT("must be UTF-8 without control characters")
                        : TEXT("is not percent-encoded correctly"));
    return false;
}

/* Whoever may not search a table learns nothing of it by searching what points there. */
static void ask_permission(struct searching *searching, const struct table *table) {
    searching->request->needs |= UINT64_C(1) << permission(table->rights, OPERATION_List);
}

static void take_parameter(struct searching *searching, struct parameter *parameter) {
    struct text name = parameter->name; /* id[] and id[0] are id again */
    if (name.at && !searching->is_strict && text_take_brackets(&name))
        parameter->name = name;
    if (!is_plain(searching, parameter) || take_paging(searching, parameter))
        return;
    if (!find_target(searching->search.table, parameter)) {
        ignore(searching, parameter->name);
        return;
    }
    if (parameter->through)
        ask_permission(searching, parameter->table);
    complain_of(searching, parameter, take_condition(searching, parameter));
}

static void read_query(struct searching *searching) {
    struct request *request = searching->request;
    struct text rest = exchange_query(request->exchange);
    struct search *search = &searching->search;
    struct parameter parameter;
    while (form_next(&rest, request->arena, &parameter.name, &parameter.value)) {
        searching->is_batch |= asks_for_batch(parameter.name, parameter.value);
        take_parameter(searching, &parameter);
    }
    if (searching->size > SIZE_MAX_ROWS)
        searching->size = SIZE_MAX_ROWS;
    for (const struct filter *filter = search->filters; filter; filter = filter->next)
        search->exact_first |=
            filter->match == MATCH_contains && !filter->through && !searching->has_order;
    search->skip = (searching->page - 1) * searching->size;
    search->limit = searching->size;
    if (searching->is_batch) {
        search->skip = 0;
        search->limit = SIZE_MAX_ROWS;
        search->is_whole = true;
    }
}

/* ---- Page after page ---- */

/* This page of this search, by this credential; `search.at` NULL when memory is short. */
static struct walk walk_of(const struct searching *searching) {
    const struct request *request = searching->request;
    struct text rest = exchange_query(request->exchange), name, value;
    struct buffer walk;
    buffer_init(&walk, request->arena, 256);
    buffer_add(&walk, exchange_header(request->exchange, "Authorization"));
    buffer_add_char(&walk, '\n');
    buffer_add(&walk, request->route->path);
    while (form_next(&rest, request->arena, &name, &value))
        if (!text_equal_nocase(name, TEXT("page"))) {
            buffer_add_char(&walk, '\n');
            buffer_add(&walk, name);
            buffer_add_char(&walk, '=');
            buffer_add(&walk, value);
        }
    struct walk page = { .page = searching->page,
                         .connection = exchange_connection(request->exchange) };
    if (!walk.failed)
        page.search = buffer_text(&walk);
    return page;
}

static bool is_walk(const struct searching *searching) {
    const struct search *search = &searching->search;
    return !searching->is_batch && !search->exact_first &&
           search->order == search->table->common.id;
}

/* Where the page before ended for this reader, however many before it came or went since. */
static void go_on(struct searching *searching) {
    if (!is_walk(searching) || searching->page == 1)
        return;
    struct walk walk = walk_of(searching);
    if (walk.search.at)
        (void)walks_find(searching->request->app->walks, &walk, &searching->search.behind);
}

static void note_end(const struct searching *searching) {
    if (!is_walk(searching) || !searching->found.has_more)
        return;
    struct walk walk = walk_of(searching);
    if (walk.search.at)
        walks_note(searching->request->app->walks, &walk, searching->found.last_id);
}

/* ---- The reply ---- */

static void add_number(struct buffer *body, struct text name, int64_t number) {
    buffer_add(body, name);
    buffer_add_int64(body, number);
}

static void add_envelope(struct buffer *body, const struct searching *searching) {
    const struct search *search = &searching->search;
    int64_t total = searching->found.total, count = (int64_t)searching->found.count;
    int64_t pages = (total + searching->size - 1) / searching->size;
    bool has_more = searching->found.has_more;
    if (search->behind && (!has_more || pages <= searching->page))
        pages = searching->page + has_more; /* records of pages before came or went */
    add_number(body, TEXT(",\"CurrentPage\":"), searching->page);
    add_number(body, TEXT(",\"CurrentPageSize\":"), searching->size);
    buffer_add(body, TEXT(",\"CurrentOrderField\":\""));
    buffer_add(body, search->table->fields[searching->order_field].name);
    add_number(body, TEXT("\",\"CurrentSortDirection\":"), search->descending);
    add_number(body, TEXT(",\"FirstItem\":"), count ? search->skip + 1 : 0);
    add_number(body, TEXT(",\"LastItem\":"), count ? search->skip + count : 0);
    add_number(body, TEXT(",\"TotalItems\":"), total);
    add_number(body, TEXT(",\"TotalPages\":"), pages);
    buffer_add(body, TEXT(",\"HasNextPage\":"));
    buffer_add(body, has_more ? TEXT("true") : TEXT("false"));
    buffer_add(body, TEXT(",\"HasPreviousPage\":"));
    buffer_add(body, searching->page > 1 ? TEXT("true}") : TEXT("false}"));
}

static void reply_found(struct searching *searching, enum status status) {
    struct request *request = searching->request;
    struct buffer *body = &searching->body;
    if (status == STATUS_TOO_LARGE) {
        complain(searching, searching->is_batch ? TEXT("id") : TEXT("size"),
                 TEXT("is too large: these records take more than 8 MiB. Ask for fewer at once"));
        reply_invalid(request, &searching->errors);
        return;
    }
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_add_char(body, ']');
    if (!searching->is_batch)
        add_envelope(body, searching);
    note_end(searching);
    reply_json(request, 200, body);
}

static void found(struct exchange *exchange) {
    struct searching *searching = exchange->state;
    reply_found(searching, searching->command.status);
}

static enum status run(struct store_view *view, struct store_command *command) {
    struct searching *searching = (struct searching *)command;
    return store_search(view, &searching->search, &searching->found);
}

static void resume(struct store_command *command) {
    exchange_resume(((struct searching *)command)->request->exchange);
}

static enum status search_quickly(struct store_view *session, struct request *request) {
    struct searching *searching = request->exchange->state;
    return store_search_quickly(session, &searching->search, &searching->found);
}

static void reply_or_search_on(struct request *request, enum status status) {
    struct searching *searching = request->exchange->state;
    if (status == STATUS_TOO_SLOW)
        request_read_on(request, &searching->command, found);
    else
        reply_found(searching, status);
}

static void start_search(struct searching *searching) {
    struct request *request = searching->request;
    searching->command = (struct store_command){ .run = run, .done = resume };
    searching->found.json = &searching->body;
    buffer_init(&searching->body, request->arena, BODY_EXPECTED);
    buffer_add(&searching->body, searching->is_batch ? TEXT("[") : TEXT("{\"Records\":["));
    go_on(searching);
    request->exchange->state = searching;
    request_ask(request, search_quickly, reply_or_search_on);
}

static struct searching *searching_new(struct request *request) {
    struct searching *searching = arena_calloc(request->arena, 1, sizeof *searching);
    if (!searching)
        return NULL;
    const struct table *table = request->route->resource->table;
    searching->request = request;
    searching->search = (struct search){ .table = table };
    searching->is_strict = request_is_strict(request);
    order_by(searching,
             request->route->resource->order ? request->route->resource->order : table->common.id);
    searching->page = 1;
    searching->size = SIZE_DEFAULT;
    ignored_init(&searching->ignored, request->arena);
    return searching;
}

static void search(struct searching *searching) {
    struct request *request = searching->request;
    read_query(searching);
    ignored_reply(&searching->ignored, request);
    int lacking = request_lacking(request);
    if (lacking >= 0)
        reply_forbidden(request, (unsigned)lacking);
    else if (searching->errors.first || searching->errors.failed)
        reply_invalid(request, &searching->errors);
    else
        start_search(searching);
}

void resource_search(struct request *request) {
    struct searching *searching = searching_new(request);
    if (searching)
        search(searching);
    else
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
}

void application_search_own(struct request *request) {
    struct searching *searching = searching_new(request);
    if (!searching) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    const struct parameter developer = { .table = &application_table,
                                         .field =
                                             &application_table.fields[APPLICATION_DeveloperId] };
    add_filter(searching, &developer, MATCH_equal, value_integer(request->principal.user_id));
    search(searching);
}

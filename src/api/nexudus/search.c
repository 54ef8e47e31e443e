/* Searches (docs/contract.md section 5).
 *
 * A search goes from the query string to a `struct search`, from there to a page of records, and
 * from there to the envelope. rules/filter.c reads the filters; paging, order and the batch of Ids
 * are read here. A filter through a reference needs the permission to list the table that it leads
 * to.
 *
 * The I/O thread first tries store_search_quickly, which gives up after a few steps. A search that
 * is not done by then goes to a reader thread, and the request waits. A page of a search that is
 * ordered by Id starts behind the last Id of the page before (page_cursor.h). */
#include "api/nexudus/search.h"

#include "api/handlers.h"
#include "api/ignored.h"
#include "api/page_cursor.h"
#include "api/reply.h"
#include "api/wait.h"
#include "base/container_of.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/filter.h"
#include "rules/messages.h"
#include "rules/validate.h"
#include "service/mutation.h"

#include <string.h>

enum { SIZE_DEFAULT = 25, SIZE_MAX_ROWS = 1000, BODY_EXPECTED = 2800 };

/* A search on its way from the query string to the reply. */
struct search_request {
    struct store_command command;
    struct request *request;
    struct search wanted;
    struct search_result result;
    struct buffer body;
    struct filter_reader filters;
    int64_t page, size;
    unsigned
        order_field; /* as the client asked; `wanted.order` may be a field with the same order */
    bool is_batch, has_order;
    bool is_unpaged; /* has neither pages nor orders */
    struct errors errors;
    struct ignored ignored; /* unknown parameters */
};

/* A parameter of the query string. */
struct parameter {
    struct text name; /* as the client wrote it */
    struct text value;
};

static void add_error(struct search_request *search, struct text name, struct text message) {
    errors_add(&search->errors, search->request->arena,
               &(struct error){ .property = name, .message = message });
}

/* Adds an error that shows the value. `wrong.at` NULL: nothing is wrong. */
static void add_value_error(struct search_request *search, const struct parameter *parameter,
                            struct text wrong) {
    if (wrong.at)
        errors_add(&search->errors, search->request->arena,
                   &(struct error){ .property = parameter->name,
                                    .message = wrong,
                                    .attempted_text = parameter->value });
}

/* ---- Paging and order ---- */

/* False: no positive integer, and `*number` stays as it is. */
static bool take_positive(struct text text, int64_t *number) {
    int64_t taken;
    if (!text_to_int64(text_trim(text), &taken) || taken < 1 || taken > INT32_MAX)
        return false;
    *number = taken;
    return true;
}

/* Two orders are the same as that of Ids, which is the fastest: by a field that has one value in
 * all records, and by the time of creation where rows never change. */
static void order_by(struct search_request *search, unsigned field) {
    const struct table *table = search->wanted.table;
    bool is_constant =
        !field_is_stored(&table->fields[field]) && table->fields[field].type != TYPE_name;
    unsigned as_ids = search->request->route->resource->order; /* 0: none */
    bool is_as_ids = as_ids && field == as_ids;
    search->order_field = field;
    search->wanted.order = is_constant || is_as_ids ? table->common.id : field;
}

static struct text take_order(struct search_request *search, struct text value) {
    const struct table *table = search->wanted.table;
    const struct field *field = filter_find_field(table, text_trim(value));
    if (!field || !filter_can_order(field))
        return MESSAGE_TEXT(order);
    order_by(search, (unsigned)(field - table->fields));
    search->has_order = true;
    return (struct text){ 0 };
}

/* False: the parameter is none of these. */
static bool take_paging(struct search_request *search, const struct parameter *parameter) {
    struct text name = parameter->name, wrong = { 0 };
    if (text_equal_nocase(name, TEXT("page"))) {
        if (!take_positive(parameter->value, &search->page))
            wrong = MESSAGE_TEXT(page_number);
    } else if (text_equal_nocase(name, TEXT("size"))) {
        if (!take_positive(parameter->value, &search->size))
            wrong = MESSAGE_TEXT(page_number);
    } else if (text_equal_nocase(name, TEXT("orderBy"))) {
        wrong = take_order(search, parameter->value);
    } else if (text_equal_nocase(name, TEXT("dir"))) {
        if (!filter_direction(parameter->value, &search->wanted.descending))
            wrong = MESSAGE_TEXT(direction);
    } else {
        return false;
    }
    add_value_error(search, parameter, wrong);
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

/* A cheap test: only a list in brackets makes a batch, and most queries have no bracket. */
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

static void ignore(struct search_request *search, struct text name) {
    if (search->filters.is_strict)
        add_error(search, name, MESSAGE_TEXT(unknown_parameter));
    ignored_add(&search->ignored, name);
}

/* Can name and value be repeated in a reply? Adds an error if not. */
static bool is_plain(struct search_request *search, const struct parameter *parameter) {
    bool is_decoded = parameter->name.at && parameter->value.at;
    bool has_name = parameter->name.at && validate_is_line(parameter->name, SIZE_MAX);
    if (is_decoded && has_name && validate_is_line(parameter->value, SIZE_MAX))
        return true;
    add_error(search, has_name ? parameter->name : TEXT("query"),
              is_decoded ? MESSAGE_TEXT(parameter_text) : MESSAGE_TEXT(parameter_encoding));
    return false;
}

/* Without this, a caller could learn about records of a table by searching records that refer to
 * them. */
static void ask_permission(struct search_request *search, const struct table *table) {
    search->request->needs |= UINT64_C(1) << permission(table->permission_entity, OPERATION_List);
}

static void take_parameter(struct search_request *search, struct parameter *parameter) {
    struct text name = parameter->name; /* id[] and id[0] mean id */
    if (name.at && !search->filters.is_strict && text_take_brackets(&name))
        parameter->name = name;
    if (!is_plain(search, parameter) || (!search->is_unpaged && take_paging(search, parameter)))
        return;
    struct filter_target target;
    if (!filter_find_target(search->wanted.table, parameter->name, &target)) {
        ignore(search, parameter->name);
        return;
    }
    if (target.through)
        ask_permission(search, target.table);
    add_value_error(search, parameter, filter_read(&search->filters, &target, parameter->value));
}

static void read_query(struct search_request *search) {
    struct request *request = search->request;
    struct text rest = exchange_query(request->exchange);
    struct search *wanted = &search->wanted;
    struct parameter parameter;
    while (form_next(&rest, request->arena, &parameter.name, &parameter.value)) {
        search->is_batch |= asks_for_batch(parameter.name, parameter.value);
        take_parameter(search, &parameter);
    }
    if (search->size > SIZE_MAX_ROWS)
        search->size = SIZE_MAX_ROWS;
    wanted->filters = search->filters.first;
    search->errors.failed |= search->filters.failed;
    for (const struct filter *filter = wanted->filters; filter; filter = filter->next)
        wanted->exact_first |=
            filter->match == MATCH_contains && !filter->through && !search->has_order;
    wanted->skip = (search->page - 1) * search->size;
    wanted->limit = search->size;
    if (search->is_batch) {
        wanted->skip = 0;
        wanted->limit = SIZE_MAX_ROWS;
        wanted->is_whole = true;
    }
}

/* ---- Page after page ---- */

/* This page of this search, for this credential. `search.at` NULL: no memory. */
static struct page_cursor cursor_of(const struct search_request *search) {
    const struct request *request = search->request;
    struct text rest = exchange_query(request->exchange), name, value;
    struct buffer key;
    buffer_init(&key, request->arena, 256);
    buffer_add(&key, exchange_header(request->exchange, "Authorization"));
    buffer_add_char(&key, '\n');
    buffer_add(&key, request->route->path);
    while (form_next(&rest, request->arena, &name, &value))
        if (!text_equal_nocase(name, TEXT("page"))) {
            buffer_add_char(&key, '\n');
            buffer_add(&key, name);
            buffer_add_char(&key, '=');
            buffer_add(&key, value);
        }
    struct page_cursor cursor = { .page = search->page,
                                  .connection = exchange_connection(request->exchange) };
    if (!key.failed)
        cursor.search = buffer_text(&key);
    return cursor;
}

static bool has_cursor(const struct search_request *search) {
    const struct search *wanted = &search->wanted;
    return !search->is_batch && !wanted->exact_first && wanted->order == wanted->table->common.id;
}

/* Starts the page behind the last Id of the page before, if that is known. */
static void use_cursor(struct search_request *search) {
    if (!has_cursor(search) || search->page == 1)
        return;
    struct page_cursor cursor = cursor_of(search);
    if (cursor.search.at)
        (void)page_cursors_find(search->request->app->page_cursors, &cursor,
                                &search->wanted.behind);
}

/* Remembers where this page ended, for the next one. */
static void set_cursor(const struct search_request *search) {
    if (!has_cursor(search) || !search->result.has_more)
        return;
    struct page_cursor cursor = cursor_of(search);
    if (cursor.search.at)
        page_cursors_set(search->request->app->page_cursors, &cursor, search->result.last_id);
}

/* ---- The reply ---- */

static void add_number(struct buffer *body, struct text name, int64_t number) {
    buffer_add(body, name);
    buffer_add_int64(body, number);
}

static void add_envelope(struct buffer *body, const struct search_request *search) {
    const struct search *wanted = &search->wanted;
    int64_t total = search->result.total, count = (int64_t)search->result.count;
    int64_t pages = (total + search->size - 1) / search->size;
    bool has_more = search->result.has_more;
    if (wanted->behind && (!has_more || pages <= search->page))
        pages = search->page + has_more; /* records of earlier pages were added or deleted */
    add_number(body, TEXT(",\"CurrentPage\":"), search->page);
    add_number(body, TEXT(",\"CurrentPageSize\":"), search->size);
    buffer_add(body, TEXT(",\"CurrentOrderField\":\""));
    buffer_add(body, wanted->table->fields[search->order_field].name);
    add_number(body, TEXT("\",\"CurrentSortDirection\":"), wanted->descending);
    add_number(body, TEXT(",\"FirstItem\":"), count ? wanted->skip + 1 : 0);
    add_number(body, TEXT(",\"LastItem\":"), count ? wanted->skip + count : 0);
    add_number(body, TEXT(",\"TotalItems\":"), total);
    add_number(body, TEXT(",\"TotalPages\":"), pages);
    buffer_add(body, TEXT(",\"HasNextPage\":"));
    buffer_add(body, has_more ? TEXT("true") : TEXT("false"));
    buffer_add(body, TEXT(",\"HasPreviousPage\":"));
    buffer_add(body, search->page > 1 ? TEXT("true}") : TEXT("false}"));
}

static void reply_page(struct search_request *search, enum status status) {
    struct request *request = search->request;
    struct buffer *body = &search->body;
    if (status == STATUS_TOO_LARGE) {
        add_error(search, search->is_batch ? TEXT("id") : TEXT("size"),
                  MESSAGE_TEXT(page_too_large));
        reply_invalid(request, &search->errors);
        return;
    }
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_add_char(body, ']');
    if (!search->is_batch)
        add_envelope(body, search);
    set_cursor(search);
    reply_json(request, 200, body);
}

static void search_ended(struct exchange *exchange) {
    struct search_request *search = exchange->state;
    reply_page(search, search->command.status);
}

static enum status run_search(struct store_session *session, struct store_command *command) {
    struct search_request *search = container_of(command, struct search_request, command);
    return store_search(session, &search->wanted, &search->result);
}

static void resume_search(struct store_command *command) {
    exchange_resume(container_of(command, struct search_request, command)->request->exchange);
}

static enum status search_quickly(struct store_session *session, struct request *request) {
    struct search_request *search = request->exchange->state;
    return store_search_quickly(session, &search->wanted, &search->result);
}

static void reply_or_search_on(struct request *request, enum status status) {
    struct search_request *search = request->exchange->state;
    if (status == STATUS_TOO_SLOW)
        request_read_on(request, &search->command, search_ended);
    else
        reply_page(search, status);
}

static void start_search(struct search_request *search) {
    struct request *request = search->request;
    search->command = (struct store_command){ .read = run_search, .done = resume_search };
    search->result.json = &search->body;
    buffer_init(&search->body, request->arena, BODY_EXPECTED);
    buffer_add(&search->body, search->is_batch ? TEXT("[") : TEXT("{\"Records\":["));
    use_cursor(search);
    request->exchange->state = search;
    request_ask(request, search_quickly, reply_or_search_on);
}

static struct search_request *search_request_new(struct request *request) {
    struct search_request *search = arena_calloc(request->arena, 1, sizeof *search);
    if (!search)
        return NULL;
    const struct table *table = request->route->resource->table;
    search->request = request;
    search->wanted = (struct search){ .table = table };
    search->filters =
        (struct filter_reader){ .arena = request->arena, .is_strict = request_is_strict(request) };
    order_by(search,
             request->route->resource->order ? request->route->resource->order : table->common.id);
    search->page = 1;
    search->size = SIZE_DEFAULT;
    ignored_init(&search->ignored, request->arena);
    return search;
}

/* False: the search is refused. */
static bool read_permitted(struct search_request *search) {
    struct request *request = search->request;
    read_query(search);
    if (request_lacking(request) >= 0) {
        request_forbid(request);
        return false;
    }
    ignored_reply(&search->ignored, request);
    if (search->errors.first || search->errors.failed)
        reply_invalid(request, &search->errors);
    else
        return true;
    return false;
}

static void answer_search(struct search_request *search) {
    if (read_permitted(search))
        start_search(search);
}

void resource_search(struct request *request) {
    struct search_request *search = search_request_new(request);
    if (search)
        answer_search(search);
    else
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
}

bool search_read_filters(struct request *request, struct search *wanted) {
    struct search_request *search = search_request_new(request);
    if (!search) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return false;
    }
    search->is_unpaged = true;
    if (!read_permitted(search))
        return false;
    *wanted = search->wanted;
    wanted->order = wanted->table->common.id;
    wanted->exact_first = false;
    wanted->skip = 0;
    return true;
}

void application_search_own(struct request *request) {
    struct search_request *search = search_request_new(request);
    if (!search) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    const struct filter_target developer = {
        .table = &application_table, .field = &application_table.fields[APPLICATION_DeveloperId]
    };
    filter_add(&search->filters, &developer, MATCH_equal,
               value_integer(request->principal.user_id));
    answer_search(search);
}

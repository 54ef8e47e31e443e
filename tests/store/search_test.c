/* Searches: against a list that is looked through one by one, and what each condition means. */
#include "suite.h"

#include "rules/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

enum { FIRST_ID = 1000, USERS = 300, SEARCHES = 1500, ROLES = 4, ROLE_ID = 20 };

static uint64_t random_state;

static unsigned below(unsigned limit) {
    return suite_below(&random_state, limit);
}

/* ---- the list ---- */

struct list {
    struct record users[USERS];
};

/* Of few letters, so that parts are found and names are equal. */
static struct text some_name(struct suite *suite) {
    static const char *const letters[] = { "a", "A", "\xC3\xA9", "e", "\xC3\x89", "b", "\xC3\x9F" };
    struct buffer name;
    buffer_init(&name, &suite->arena, 16);
    for (unsigned i = 1 + below(4); i; i--)
        buffer_add(&name, text_of(letters[below(7)]));
    assert_false(name.failed);
    return buffer_text(&name);
}

static void add_list(struct suite *suite, struct list *list) {
    struct store_tx *tx = suite_write(suite);
    for (int i = 0; i < USERS; i++) {
        struct record user = suite_user(suite, FIRST_ID + i);
        struct value *values = user.values;
        int64_t roles[ROLES];
        size_t count = 0;
        for (int role = 0; role < ROLES; role++)
            if (below(4) == 0)
                roles[count++] = ROLE_ID + role;
        struct text name = some_name(suite);
        values[USER_FullName] = value_text(name);
        values[USER_Email] = value_text(arena_printf(&suite->arena, "%.*s%d@%s", (int)name.len,
                                                     name.at, i, below(2) ? "a.com" : "B.org"));
        values[USER_SystemId] = value_text(some_name(suite));
        values[USER_Active] = value_integer(below(2));
        values[USER_LastHelpVisited] = value_integer(below(10));
        values[USER_LastAccess] = value_integer(SUITE_NOW_MS + below(10));
        if (below(2))
            values[USER_DefaultBusinessId] = value_integer(below(3));
        else
            values[USER_DefaultBusinessId] = value_null();
        suite_link(suite, &user, USER_UserRoles, roles, count);
        assert_ok(store_insert(tx, &user, &suite_author));
        list->users[i] = user;
    }
    assert_ok(suite_commit(suite));
    /* Rows come and go, and are changed. */
    for (int i = 0; i < USERS; i += 7) {
        struct record next = suite_next(suite, &list->users[i]);
        next.values[USER_FullName] = value_text(some_name(suite));
        assert_ok(suite_update(suite, &list->users[i], &next));
        list->users[i] = next;
    }
}

static bool has_link(struct suite *suite, const struct value *stored, int64_t id) {
    struct value ids = ids_from_stored(stored, &suite->arena);
    return ids_have(&ids, id);
}

static bool fulfils(struct suite *suite, const struct record *user, const struct filter *filter) {
    const struct value *value = &user->values[filter->field];
    switch (filter->match) {
    case MATCH_equal: return value_equal(value, &filter->value);
    case MATCH_from: return value->integer >= filter->value.integer;
    case MATCH_to: return value->integer <= filter->value.integer;
    case MATCH_contains:
        return fold_contains(value_as_text(value), value_as_text(&filter->value)) == 1;
    case MATCH_linked: return has_link(suite, value, filter->value.integer);
    case MATCH_any: return ids_have(&filter->value, value->integer);
    case MATCH_null: return value->kind == VALUE_NULL;
    case MATCH_not_null: return value->kind != VALUE_NULL;
    default: return false;
    }
}

/* ---- searches at random ---- */

static void some_needle(struct suite *suite, struct filter *filter) {
    struct text part = some_name(suite);
    if (filter->field == USER_Email && below(2))
        part = arena_printf(&suite->arena, "%.*s%u@%s", (int)part.len, part.at, below(USERS),
                            below(2) ? "a" : "b.org");
    filter->value = value_text(fold(part, &suite->arena));
    filter->cased = value_text(fold_case(part, &suite->arena));
    assert_int_equal(filter->cased.kind, VALUE_TEXT);
}

static void some_filter(struct suite *suite, struct filter *filter) {
    static const struct {
        enum match match;
        unsigned field;
    } kinds[] = {
        { MATCH_equal, USER_Active },           { MATCH_equal, USER_SystemId },
        { MATCH_equal, USER_LastHelpVisited },  { MATCH_from, USER_LastAccess },
        { MATCH_to, USER_LastHelpVisited },     { MATCH_contains, USER_FullName },
        { MATCH_contains, USER_FullName },      { MATCH_contains, USER_Email },
        { MATCH_contains, USER_Email },         { MATCH_contains, USER_SystemId },
        { MATCH_linked, USER_UserRoles },       { MATCH_any, USER_Id },
        { MATCH_null, USER_DefaultBusinessId }, { MATCH_not_null, USER_DefaultBusinessId },
        { MATCH_nothing, USER_Password },
    };
    unsigned kind = below(sizeof kinds / sizeof *kinds);
    *filter = (struct filter){ .table = &user_table,
                               .match = kinds[kind].match,
                               .field = kinds[kind].field };
    int64_t *ids = arena_alloc(&suite->arena, 40 * sizeof *ids);
    assert_non_null(ids);
    switch (filter->match) {
    case MATCH_contains: some_needle(suite, filter); break;
    case MATCH_linked: filter->value = value_integer(ROLE_ID + below(ROLES + 1)); break;
    case MATCH_any:
        filter->value = value_ids(ids, 1 + below(40));
        for (uint32_t i = 0; i < filter->value.len; i++)
            ids[i] = FIRST_ID + below(USERS + 20);
        break;
    default:
        filter->value = filter->field == USER_LastAccess ? value_integer(SUITE_NOW_MS + below(11))
                        : filter->field == USER_SystemId ? value_text(some_name(suite))
                                                         : value_integer(below(10));
        if (filter->field == USER_Active)
            filter->value = value_integer(below(2));
    }
}

/* The search that is expected of, for the order of two users. */
static const struct search *ordered;

static int compare_texts(struct text a, struct text b) {
    size_t len = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < len; i++) {
        unsigned char x = (unsigned char)text_lower(a.at[i]),
                      y = (unsigned char)text_lower(b.at[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

/* 2: the text is what it should contain, 1: but for its accents, 0: it is not. */
static int exactness(const struct record *user, const struct filter *filter) {
    struct arena arena = { 0 };
    struct text text = value_as_text(&user->values[filter->field]);
    int exact = text_equal(fold_case(text, &arena), value_as_text(&filter->cased)) ? 2
                : text_equal(fold(text, &arena), value_as_text(&filter->value))    ? 1
                                                                                   : 0;
    arena_close(&arena);
    return exact;
}

static int by_order(const void *left, const void *right) {
    const struct record *a = *(const struct record *const *)left;
    const struct record *b = *(const struct record *const *)right;
    const struct value *x = &a->values[ordered->order], *y = &b->values[ordered->order];
    if (ordered->exact_first) {
        int exact_a = exactness(a, ordered->filters), exact_b = exactness(b, ordered->filters);
        if (exact_a != exact_b)
            return exact_a > exact_b ? -1 : 1;
    }
    int order = x->kind == VALUE_TEXT     ? compare_texts(value_as_text(x), value_as_text(y))
                : x->integer < y->integer ? -1
                                          : x->integer > y->integer;
    if (!order)
        order = record_id(a) < record_id(b) ? -1 : 1;
    return ordered->descending ? -order : order;
}

struct expected {
    const struct record *users[USERS];
    size_t count;
};

static void look_through(struct suite *suite, const struct list *list, const struct search *search,
                         struct expected *expected) {
    expected->count = 0;
    for (int i = 0; i < USERS; i++) {
        bool fits = true;
        for (const struct filter *filter = search->filters; filter; filter = filter->next)
            fits &= fulfils(suite, &list->users[i], filter);
        if (fits)
            expected->users[expected->count++] = &list->users[i];
    }
    ordered = search;
    qsort(expected->users, expected->count, sizeof expected->users[0], by_order);
}

/* Where the page begins among all that are expected. */
static size_t begin_of(const struct search *search, const struct expected *expected) {
    size_t begin = 0;
    if (!search->behind)
        return (size_t)search->skip < expected->count ? (size_t)search->skip : expected->count;
    while (begin < expected->count &&
           (search->descending ? record_id(expected->users[begin]) >= search->behind
                               : record_id(expected->users[begin]) <= search->behind))
        begin++;
    return begin;
}

static void assert_page(const struct suite_page *page, const struct search *search,
                        const struct expected *expected) {
    size_t begin = begin_of(search, expected), left = expected->count - begin;
    size_t count = left < (size_t)search->limit ? left : (size_t)search->limit;
    assert_int_equal(page->found.total, expected->count);
    assert_int_equal(page->count, count);
    assert_int_equal(page->found.has_more, left > count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(page->ids[i], record_id(expected->users[begin + i]));
    if (count)
        assert_int_equal(page->found.last_id, page->ids[count - 1]);
}

static void some_search(struct suite *suite, struct filter filters[3], struct search *search) {
    static const unsigned orders[] = {
        USER_Id, USER_Id, USER_FullName, USER_Email, USER_LastHelpVisited, USER_SystemId
    };
    unsigned count = below(4);
    *search = suite_all(&user_table);
    for (unsigned i = 0; i < count; i++) {
        some_filter(suite, &filters[i]);
        filters[i].next = search->filters;
        search->filters = &filters[i];
    }
    search->order = orders[below(6)];
    search->descending = below(2);
    search->limit = 1 + below(below(2) ? 30 : 400);
    search->skip = below(3) ? 0 : below(60);
    search->is_whole = below(2);
    search->exact_first =
        count == 1 && filters[0].match == MATCH_contains && filters[0].value.len && below(2);
    if (search->order == USER_Id && !search->exact_first && below(2))
        search->behind = FIRST_ID + below(USERS); /* whatever `skip` says */
}

/* A quick search that is answered has the same result; one that is not has none. */
static void assert_quick_is_same(struct suite *suite, const struct search *search,
                                 const struct suite_page *page) {
    struct buffer json;
    buffer_init(&json, &suite->arena, 64);
    buffer_add(&json, TEXT("before"));
    struct search_result found = { .json = &json };
    enum status status = store_search_quickly(suite->session, search, &found);
    if (status == STATUS_TOO_SLOW) {
        assert_text(buffer_text(&json), TEXT("before"));
        return;
    }
    assert_ok(status);
    assert_int_equal(found.total, page->found.total);
    assert_int_equal(found.count, page->found.count);
    assert_int_equal(found.has_more, page->found.has_more);
    struct text records = { json.at + 6, json.len - 6 };
    assert_text(records, buffer_text(&page->json));
}

static void a_search_finds_what_looking_through_all_records_finds(void **state) {
    struct suite *suite = *state;
    static struct list list;
    static struct expected expected;
    random_state = 88172645463325252u;
    add_list(suite, &list);
    for (int i = 0; i < SEARCHES; i++) {
        struct filter filters[3];
        struct search search;
        some_search(suite, filters, &search);
        look_through(suite, &list, &search, &expected);
        if (search.behind && expected.count && below(4)) /* as one who walks on */
            search.behind = record_id(expected.users[below((unsigned)expected.count)]);
        size_t left = expected.count - begin_of(&search, &expected);
        if (left && !below(3)) /* a page that ends with the last one */
            search.limit = (int64_t)left;
        const struct suite_page *page = suite_search(suite, &search);
        assert_page(page, &search, &expected);
        assert_quick_is_same(suite, &search, page);
    }
}

/* Neither a busy machine nor a database elsewhere makes these wait behind searches that take long.
 */
static void what_an_index_is_sure_to_answer_is_answered_at_once(void **state) {
    struct suite *suite = *state;
    const int64_t ids[] = { FIRST_ID, FIRST_ID + 7 };
    struct filter of_ids = { .table = &user_table, .field = USER_Id, .match = MATCH_any };
    struct filter of_address = { .table = &user_table,
                                 .field = USER_Email,
                                 .match = MATCH_contains };
    suite_add_users(suite, FIRST_ID, 50);
    of_ids.value = value_ids(ids, 2);
    of_address.value = of_address.cased = value_text(TEXT("user1007@example.com"));
    struct filter *const conditions[] = { NULL, &of_ids, &of_address };
    const int64_t totals[] = { 50, 2, 1 };
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        struct search search = suite_all(&user_table);
        struct buffer json;
        struct search_result found = { .json = &json };
        buffer_init(&json, &suite->arena, 64);
        search.filters = conditions[i];
        search.limit = 20;
        assert_ok(store_search_quickly(suite->session, &search, &found));
        assert_int_equal(found.total, totals[i]);
    }
}

static void pages_that_begin_behind_the_last_one_have_each_record_once(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, FIRST_ID, 50);
    for (int descending = 0; descending < 2; descending++) {
        struct search search = suite_all(&user_table);
        int64_t seen = 0;
        search.limit = 7;
        search.descending = descending;
        for (bool has_more = true; has_more;) {
            const struct suite_page *page = suite_search(suite, &search);
            for (size_t i = 0; i < page->count; i++, seen++)
                assert_int_equal(page->ids[i], descending ? FIRST_ID + 49 - seen : FIRST_ID + seen);
            assert_int_equal(page->found.total, 50);
            search.behind = page->found.last_id;
            has_more = page->found.has_more;
        }
        assert_int_equal(seen, 50);
    }
}

/* ---- what a condition means ---- */

static int64_t total_of(struct suite *suite, struct filter filter, const struct table *table) {
    struct search search = suite_all(table);
    search.filters = &filter;
    const struct suite_page *page = suite_search(suite, &search);
    assert_int_equal(page->count, page->found.total);
    return page->found.total;
}

static int64_t count_containing(struct suite *suite, unsigned field, const char *needle) {
    struct filter filter = { .table = &user_table, .field = field, .match = MATCH_contains };
    filter.value = value_text(fold(text_of(needle), &suite->arena));
    filter.cased = value_text(fold_case(text_of(needle), &suite->arena));
    return total_of(suite, filter, &user_table);
}

static void a_part_of_a_text_is_found_without_regard_to_case_and_accents(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID), next;
    user.values[USER_FullName] = value_text(TEXT("Mar\xC3\xAD"
                                                 "a STRASSE"));
    user.values[USER_Email] = value_text(TEXT("\"a@b\"@Example.com"));
    assert_ok(suite_insert(suite, &user));
    static const char *const found[] = { "maria", "MAR\xC3\x8D", "ia str",
                                         "stra\xC3\x9F"
                                         "e",
                                         "a" };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        assert_int_equal(count_containing(suite, USER_FullName, found[i]), 1);
    assert_int_equal(count_containing(suite, USER_FullName, "maria-"), 0);
    static const char *const addresses[] = { "b\"@exa",  "\"a@b\"@example.com", "a@b",
                                             "@example", "example.com",         "@" };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        assert_int_equal(count_containing(suite, USER_Email, addresses[i]), 1);
    assert_int_equal(count_containing(suite, USER_Email, "b@example.com"), 0);
    next = suite_next(suite, &user);
    next.values[USER_FullName] = value_text(TEXT("Ana"));
    next.values[USER_Email] = value_text(TEXT("ana@example.org"));
    assert_ok(suite_update(suite, &user, &next));
    assert_int_equal(count_containing(suite, USER_FullName, "maria"), 0);
    assert_int_equal(count_containing(suite, USER_Email, "a@b"), 0);
    assert_int_equal(count_containing(suite, USER_FullName, "ana"), 1);
    assert_int_equal(count_containing(suite, USER_Email, "ana@example.org"), 1);
    assert_ok(suite_delete(suite, &next));
    assert_int_equal(count_containing(suite, USER_FullName, "ana"), 0);
    assert_int_equal(count_containing(suite, USER_Email, "ana@example.org"), 0);
}

static void what_was_not_kept_is_not_found(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID);
    user.values[USER_FullName] = value_text(TEXT("Maria"));
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_insert(tx, &user, &suite_author));
    suite_roll_back(suite);
    assert_int_equal(count_containing(suite, USER_FullName, "maria"), 0);
    assert_int_equal(count_containing(suite, USER_Email, "user1000@example.com"), 0);
}

static void a_condition_may_be_on_what_a_link_or_a_reference_leads_to(void **state) {
    struct suite *suite = *state;
    static const int64_t roles[] = { ROLE_ID, ROLE_ID + 1 };
    struct record user = suite_user(suite, FIRST_ID);
    for (int i = 0; i < 2; i++) {
        struct record role = suite_record(suite, &user_role_table, roles[i]);
        struct record business = suite_record(suite, &business_table, 60 + i);
        role.values[USER_ROLE_BusinessId] = value_integer(60 + i);
        assert_ok(suite_insert(suite, &role));
        assert_ok(suite_insert(suite, &business));
    }
    suite_link(suite, &user, USER_UserRoles, roles, 1);
    assert_ok(suite_insert(suite, &user));
    struct filter by_role = { .table = &user_role_table,
                              .through = &user_table.fields[USER_UserRoles],
                              .field = USER_ROLE_Name,
                              .match = MATCH_equal,
                              .value = value_text(TEXT("Name 20")) };
    assert_int_equal(total_of(suite, by_role, &user_table), 1);
    by_role.value = value_text(TEXT("Name 21")); /* nobody has that one */
    assert_int_equal(total_of(suite, by_role, &user_table), 0);
    struct filter by_business = { .table = &business_table,
                                  .through = &user_role_table.fields[USER_ROLE_BusinessId],
                                  .field = BUSINESS_Name,
                                  .match = MATCH_equal,
                                  .value = value_text(TEXT("Name 61")) };
    assert_int_equal(total_of(suite, by_business, &user_role_table), 1);
    struct filter owned = { .table = &user_role_table,
                            .field = USER_ROLE_Users,
                            .match = MATCH_linked_from,
                            .value = value_integer(FIRST_ID) };
    assert_int_equal(total_of(suite, owned, &user_role_table), 1);
    owned.value = value_integer(FIRST_ID + 1);
    assert_int_equal(total_of(suite, owned, &user_role_table), 0);
    const int64_t wanted[] = { 61, 62 };
    struct filter any = { .table = &user_role_table,
                          .field = USER_ROLE_BusinessId,
                          .match = MATCH_any,
                          .value = value_ids(wanted, 2) };
    assert_int_equal(total_of(suite, any, &user_role_table), 1);
}

static void lists_are_in_whole_records_alone(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, FIRST_ID, 1);
    struct search search = suite_all(&user_table);
    search.is_whole = true;
    struct buffer shown;
    int64_t version;
    buffer_init(&shown, &suite->arena, 0);
    assert_ok(store_load_json(suite->session, &user_table, FIRST_ID, &shown, &version));
    assert_text(buffer_text(&suite_search(suite, &search)->json), buffer_text(&shown));
    search.is_whole = false;
    const struct suite_page *page = suite_search(suite, &search);
    assert_null(strstr(page->json.at, "\"UserRoles\""));
    assert_non_null(strstr(page->json.at, "\"FullName\""));
}

static void a_page_of_more_than_8_mib_is_too_large_and_nothing_is_found(void **state) {
    enum { LARGE = 90, KIB = 1024 };
    struct suite *suite = *state;
    const size_t len = 128 * KIB;
    char *devices = arena_calloc(&suite->arena, len, 1);
    assert_non_null(devices);
    memset(devices, 'd', len);
    struct store_tx *tx = suite_write(suite);
    for (int i = 0; i < LARGE; i++) {
        struct record user = suite_user(suite, FIRST_ID + i);
        user.values[USER_Devices] = value_text((struct text){ devices, len });
        assert_ok(store_insert(tx, &user, &suite_author));
    }
    assert_ok(suite_commit(suite));
    struct search search = suite_all(&user_table);
    struct suite_page *page = arena_alloc(&suite->arena, sizeof *page);
    struct buffer json;
    assert_non_null(page);
    suite_search_on(suite, suite->session, &search, page);
    assert_int_equal(page->status, STATUS_TOO_LARGE);
    search.limit = LARGE;
    buffer_init(&json, &suite->arena, 64);
    buffer_add(&json, TEXT("before"));
    enum status status =
        store_search_quickly(suite->session, &search, &(struct search_result){ .json = &json });
    assert_true(status == STATUS_TOO_LARGE || status == STATUS_TOO_SLOW);
    assert_text(buffer_text(&json), TEXT("before"));
    search.limit = LARGE / 2;
    assert_int_equal(suite_search(suite, &search)->found.total, LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_search_finds_what_looking_through_all_records_finds),
        suite_test(what_an_index_is_sure_to_answer_is_answered_at_once),
        suite_test(pages_that_begin_behind_the_last_one_have_each_record_once),
        suite_test(a_part_of_a_text_is_found_without_regard_to_case_and_accents),
        suite_test(what_was_not_kept_is_not_found),
        suite_test(a_condition_may_be_on_what_a_link_or_a_reference_leads_to),
        suite_test(lists_are_in_whole_records_alone),
        suite_test(a_page_of_more_than_8_mib_is_too_large_and_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests that searches find the same by a scan (store/scan.h), as on an engine whose SQL has no
 * functions of ours, as by SQLite's functions: every kind of filter on every field, and every
 * order. */
#include "base/container_of.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "rules/email.h"
#include "rules/fold.h"
#include "service/seed.h"
#include "store/rows.h"
#include "store/scan.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIRST = 500, USERS = 60, VALUES = 9 };

struct fixture {
    char directory[sizeof "/tmp/roster-scan-XXXXXX"];
    struct store *store;
    struct store_session *by_sql, *by_scan;
    struct engine_dialect dialect;
    struct engine engine; /* SQLite without functions of ours */
};

/* ---- The engine, and the users ---- */

static void add_folded(struct buffer *sql, const struct table *table, const struct field *field) {
    buffer_add(sql, TEXT("fold("));
    row_add_value(sql, table, field, table->name);
    buffer_add_char(sql, ')');
}

/* The n-th of some values of a field's type; null is one of them. */
static struct value nth_value(const struct field *field, unsigned n) {
    static const char *const texts[] = {
        "\xC3\x84rger", "arger", "ARGER", "zo\xC3\xAB", "10", "9", "", "An arger b.", "Zo"
    };
    static const int64_t numbers[] = { 0, 1, 2, 3, 77, 1000000000000, 3, 0, 1699999999123 };
    n %= VALUES + 2;
    switch (field->type) {
    case TYPE_boolean: return value_integer(n % 2);
    case TYPE_choice: return value_integer(1 + n % 3);
    case TYPE_text: return n < VALUES ? value_text(text_of(texts[n])) : value_null();
    case TYPE_integer:
    case TYPE_date: return n < VALUES ? value_integer(numbers[n]) : value_null();
    default: return value_null();
    }
}

/* Is the field one of those that each user of this test has another value in? */
static bool is_varied(const struct field *field) {
    return (field->type == TYPE_boolean || field->type == TYPE_choice || field->type == TYPE_text ||
            field->type == TYPE_integer || field->type == TYPE_date) &&
           field_is_kept_in_json(field) && !(field->flags & (UNIQUE | INDEXED));
}

static enum status add_user(struct store_tx *tx, const struct record *pattern, unsigned n) {
    struct arena arena = { 0 };
    struct author author = { TEXT("test@example.com"), 1, { 0 } };
    struct record user = record_new(&user_table, &arena);
    char *guid = arena_alloc(&arena, 36);
    assert_non_null(user.values);
    assert_non_null(guid);
    random_guid(guid);
    memcpy(user.values, pattern->values, user_table.count * sizeof *user.values);
    for (unsigned i = 0; i < user_table.count; i++)
        if (is_varied(&user_table.fields[i]))
            user.values[i] = nth_value(&user_table.fields[i], n * (i + 1) + n / 7);
    user.version = 1;
    user.values[USER_FullName] = nth_value(&user_table.fields[USER_Devices], n % 13 % VALUES);
    user.values[USER_Id] = value_integer(FIRST + n);
    user.values[USER_UniqueId] = value_text((struct text){ guid, 36 });
    struct text email = arena_printf(&arena, "u%u.%s@Example.com", n, n % 3 ? "arger" : "b");
    user.values[USER_Email] = value_text(email);
    user.values[USER_EmailKey] = value_text(email_key(email, &arena));
    enum status status = store_insert(tx, &user, &author);
    arena_close(&arena);
    return status;
}

static enum status add_users(struct store_tx *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record pattern;
    (void)command;
    enum status status = store_load(tx->session, &user_table, DEMO_USER_ID, &arena, &pattern);
    for (unsigned n = 0; status == STATUS_OK && n < USERS; n++)
        status = add_user(tx, &pattern, n);
    arena_close(&arena);
    return status;
}

static int begin(void **state) {
    static struct fixture fixture;
    char why[256], hash[PASSWORD_HASH_MAX], path[64];
    int code;
    struct store_command command = { .on_behalf_of = &store_nobody, .run = add_users };
    (void)snprintf(fixture.directory, sizeof fixture.directory, "/tmp/roster-scan-XXXXXX");
    assert_non_null(mkdtemp(fixture.directory));
    assert_true(password_hash(TEXT(DEMO_PASSWORD), hash));
    fixture.store = store_open(&(struct store_options){ .directory = fixture.directory }, why,
                               sizeof why, &code);
    assert_non_null(fixture.store);
    const struct seed seed = seed_of_start(TEXT(DEMO_EMAIL), text_of(hash), true);
    assert_int_equal(seed_write(fixture.store, &seed), STATUS_OK);
    assert_int_equal(store_run(fixture.store, &command), STATUS_OK);
    fixture.by_sql = store_session_open(fixture.store);
    assert_non_null(fixture.by_sql);
    fixture.dialect = *sqlite_engine.dialect;
    fixture.dialect.add_folded = add_folded;
    fixture.engine = sqlite_engine;
    fixture.engine.dialect = &fixture.dialect;
    (void)snprintf(path, sizeof path, "%s/roster.db", fixture.directory);
    struct connection *scanning =
        session_open(&fixture.engine, state_of(fixture.store), path, false);
    assert_non_null(scanning);
    fixture.by_scan = &scanning->session;
    *state = &fixture;
    return 0;
}

static int end(void **state) {
    static const char *const files[] = { "roster.db", "roster.db-wal", "roster.db-shm" };
    struct fixture *fixture = *state;
    char path[64];
    store_session_close(fixture->by_scan);
    store_session_close(fixture->by_sql);
    store_close(fixture->store);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, files[i]);
        (void)unlink(path);
    }
    return rmdir(fixture->directory);
}

/* ---- Comparing ---- */

struct tally {
    unsigned searches, with_rows;
};

static void print_search(const struct search *search) {
    print_error("users ordered by %s%s, skip %d, behind %d, %s",
                search->table->fields[search->order].name.at,
                search->descending ? " descending" : "", (int)search->skip, (int)search->behind,
                search->exact_first ? "exact first" : "");
    for (const struct filter *filter = search->filters; filter; filter = filter->next)
        print_error(", %s%s%s.%s match %d", filter->through ? filter->through->name.at : "",
                    filter->through ? ">" : "", filter->table->name,
                    filter->table->fields[filter->field].name.at, (int)filter->match);
    print_error("\n");
}

/* Runs a search on both sessions, which must answer the same. */
static void compare(const struct fixture *fixture, const struct search *search,
                    struct tally *tally) {
    struct arena arena = { 0 };
    struct buffer json[2];
    struct search_result found[2];
    struct store_session *const sessions[] = { fixture->by_sql, fixture->by_scan };
    enum status status[2];
    for (int i = 0; i < 2; i++) {
        buffer_init(&json[i], &arena, 4096);
        found[i] = (struct search_result){ .json = &json[i] };
        status[i] = store_search(sessions[i], search, &found[i]);
    }
    assert_int_equal(status[0], STATUS_OK);
    bool is_same = status[1] == STATUS_OK && found[0].total == found[1].total &&
                   found[0].count == found[1].count && found[0].has_more == found[1].has_more &&
                   found[0].last_id == found[1].last_id &&
                   text_equal(buffer_text(&json[0]), buffer_text(&json[1]));
    if (!is_same) {
        print_search(search);
        print_error("by SQL %lld rows, a page of %u; by a scan %s, %lld rows, a page of %u\n",
                    (long long)found[0].total, (unsigned)found[0].count,
                    status[1] == STATUS_OK ? "OK" : "failed", (long long)found[1].total,
                    (unsigned)found[1].count);
    }
    assert_true(is_same);
    tally->searches++;
    tally->with_rows += found[0].count > 0;
    arena_close(&arena);
}

/* Some pages: the first, one that is skipped to, and one behind an Id. */
static void compare_pages(const struct fixture *fixture, struct search *search,
                          struct tally *tally) {
    search->limit = 5;
    for (int i = 0; i < 6; i++) {
        const bool by_id = user_table.fields[search->order].type == TYPE_id;
        search->descending = i % 2;
        search->skip = i / 2 == 1 ? 7 : 0;
        search->behind = i / 2 == 2 && by_id ? FIRST + USERS / 2 : 0;
        compare(fixture, search, tally);
    }
}

static void compare_filter(const struct fixture *fixture, struct filter *filter,
                           struct tally *tally) {
    struct search search = { .table = &user_table, .filters = filter, .order = USER_Id };
    compare_pages(fixture, &search, tally);
    search.behind = 0; /* only of pages by Id */
    search.order = USER_FullName;
    compare(fixture, &search, tally);
    search.order = USER_Devices;
    compare(fixture, &search, tally);
}

static void set_text(struct filter *filter, struct text needle, struct arena *arena) {
    filter->value = value_text(fold(needle, arena));
    filter->cased = value_text(fold_case(needle, arena));
    assert_int_equal(filter->value.kind, VALUE_TEXT);
}

/* ---- Tests ---- */

static void texts_are_found_by_a_scan_as_by_sql(void **state) {
    const struct fixture *fixture = *state;
    static const char *const needles[] = { "arger", "\xC3\xA4rger", "10",
                                           "zo",    "not there",    "@example" };
    struct tally tally = { 0 };
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        if ((field->type != TYPE_text && field->type != TYPE_email) ||
            !field_is_searchable(field) || !field_is_stored(field))
            continue;
        for (size_t j = 0; j < sizeof needles / sizeof needles[0]; j++) {
            struct arena arena = { 0 };
            struct filter filter = { .table = &user_table, .field = i, .match = MATCH_contains };
            set_text(&filter, text_of(needles[j]), &arena);
            compare_filter(fixture, &filter, &tally);
            struct search exact = { .table = &user_table, .filters = &filter, .exact_first = true };
            exact.order = USER_Id;
            compare_pages(fixture, &exact, &tally);
            exact.order = USER_FullName;
            compare_pages(fixture, &exact, &tally);
            arena_close(&arena);
        }
    }
    assert_in_range(tally.with_rows, tally.searches / 4, tally.searches);
}

static void numbers_are_found_by_a_scan_as_by_sql(void **state) {
    static const enum match kinds[] = { MATCH_equal, MATCH_from, MATCH_to };
    struct tally tally = { 0 };
    for (unsigned i = 0; i < user_table.count; i++)
        for (unsigned n = 0; is_varied(&user_table.fields[i]) &&
                             user_table.fields[i].type != TYPE_text && n < VALUES;
             n += 2)
            for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
                struct filter filter = { .table = &user_table,
                                         .field = i,
                                         .match = kinds[k],
                                         .value = nth_value(&user_table.fields[i], n) };
                compare_filter(*state, &filter, &tally);
            }
    assert_in_range(tally.with_rows, tally.searches / 4, tally.searches);
}

static void references_are_found_by_a_scan_as_by_sql(void **state) {
    static const int64_t some[] = { 303, 1, 301, 2, 302 }; /* in no order, as clients write them */
    struct tally tally = { 0 };
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        struct filter filter = { .table = &user_table, .field = i };
        if (field->type != TYPE_reference && field->type != TYPE_links)
            continue;
        filter.match = MATCH_any;
        filter.value = value_ids(some, sizeof some / sizeof some[0]);
        compare_filter(*state, &filter, &tally);
        filter.match = field->type == TYPE_links ? MATCH_linked : MATCH_equal;
        filter.value = value_integer(301);
        compare_filter(*state, &filter, &tally);
        filter.match = MATCH_null;
        compare_filter(*state, &filter, &tally);
        filter.match = MATCH_not_null;
        compare_filter(*state, &filter, &tally);
    }
    assert_int_not_equal(tally.with_rows, 0);
}

static void what_references_point_to_is_found_by_a_scan_as_by_sql(void **state) {
    struct tally tally = { 0 };
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        if ((field->type != TYPE_reference && field->type != TYPE_links) || !field_is_stored(field))
            continue;
        for (unsigned j = 0; j < field->target->count; j++) {
            const struct field *far = &field->target->fields[j];
            struct arena arena = { 0 };
            struct filter filter = { .table = field->target, .through = field, .field = j };
            if (!field_is_stored(far) || !field_is_searchable(far) ||
                (far->type != TYPE_text && far->type != TYPE_integer && far->type != TYPE_id))
                continue;
            filter.match = far->type == TYPE_text ? MATCH_contains : MATCH_from;
            if (far->type == TYPE_text)
                set_text(&filter, TEXT("e"), &arena);
            else
                filter.value = value_integer(2);
            compare_filter(*state, &filter, &tally);
            arena_close(&arena);
        }
    }
    assert_int_not_equal(tally.with_rows, 0);
}

static void several_filters_find_the_same_by_a_scan_as_by_sql(void **state) {
    const struct fixture *fixture = *state;
    struct tally tally = { 0 };
    struct arena arena = { 0 };
    struct filter active = {
        .table = &user_table, .field = USER_Active, .match = MATCH_equal, .value = value_integer(1)
    };
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        if (!is_varied(field) || i == USER_Active)
            continue;
        struct filter first = { .next = &active,
                                .table = &user_table,
                                .field = i,
                                .match = field->type == TYPE_text ? MATCH_contains : MATCH_from,
                                .value = value_integer(1) };
        struct filter name = { .table = &user_table,
                               .field = USER_FullName,
                               .match = MATCH_contains };
        set_text(&name, TEXT("arg"), &arena);
        if (field->type == TYPE_text)
            set_text(&first, TEXT("r"), &arena);
        compare_filter(fixture, &first, &tally);
        name.next = &first;
        compare_filter(fixture, &name, &tally);
        struct search exact = { .table = &user_table, .filters = &name, .exact_first = true };
        exact.order = i;
        compare_pages(fixture, &exact, &tally);
    }
    assert_in_range(tally.with_rows, tally.searches / 8, tally.searches);
    arena_close(&arena);
}

static void every_order_is_the_same_by_a_scan_as_by_sql(void **state) {
    struct tally tally = { 0 };
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        struct search search = { .table = &user_table, .order = i };
        if (!field_is_searchable(field) || !field_is_stored(field))
            continue;
        compare_pages(*state, &search, &tally);
    }
    assert_int_equal(tally.with_rows, tally.searches);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_by_a_scan_as_by_sql),
        cmocka_unit_test(numbers_are_found_by_a_scan_as_by_sql),
        cmocka_unit_test(references_are_found_by_a_scan_as_by_sql),
        cmocka_unit_test(what_references_point_to_is_found_by_a_scan_as_by_sql),
        cmocka_unit_test(several_filters_find_the_same_by_a_scan_as_by_sql),
        cmocka_unit_test(every_order_is_the_same_by_a_scan_as_by_sql),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

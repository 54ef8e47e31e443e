/* Any page of all users, in each order that has positions, is that of a list that the test sorts,
 * while users come, go and are renamed, also in the middle of a search. */
#include "suite.h"

#include "store/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

enum { FIRST_ID = 1000, USERS = 3500, NEAR = 1000, PAGE = 7, BATCHES = 12, PAGES = 60 };

static uint64_t random_state = 88172645463325252;

static unsigned below(unsigned limit) {
    return suite_below(&random_state, limit);
}

struct list {
    struct record users[2 * USERS];
    int count;
    int64_t next_id;
};

/* Few, in either case, so that many are equal. */
static struct text some_name(struct suite *suite) {
    return arena_printf(&suite->arena, "%c%c%u", "aAbBzZ~ "[below(8)], "mMnN"[below(4)], below(40));
}

static struct record some_user(struct suite *suite, struct list *list) {
    struct record user = suite_user(suite, list->next_id++);
    user.values[USER_FullName] = value_text(some_name(suite));
    user.values[USER_Email] =
        value_text(arena_printf(&suite->arena, "%c%u.%lld@example.com", "aAbB"[below(4)],
                                below(1000), (long long)list -> next_id));
    return user;
}

static void add_users(struct suite *suite, struct list *list, int count) {
    struct store_tx *tx = suite_write(suite);
    for (int i = 0; i < count; i++) {
        struct record user = some_user(suite, list);
        assert_ok(store_insert(tx, &user, &suite_author));
        list->users[list->count++] = user;
    }
    assert_ok(suite_commit(suite));
}

/* Some come, some go, some are renamed, in one transaction; or in none, since it is rolled back. */
static void change_some(struct suite *suite, struct list *list, bool is_kept) {
    struct list changed = *list;
    struct store_tx *tx = suite_write(suite);
    for (int i = 0; i < 200; i++) {
        struct record *user = &changed.users[below((unsigned)changed.count)];
        if (below(3) == 0) {
            assert_ok(store_delete(tx, user, &suite_author));
            *user = changed.users[--changed.count];
        } else if (below(2)) {
            struct record next = suite_next(suite, user);
            next.values[below(2) ? USER_FullName : USER_SystemId] = value_text(some_name(suite));
            assert_ok(store_update(tx, user, &next, &suite_author));
            *user = next;
        } else {
            struct record new = some_user(suite, &changed);
            assert_ok(store_insert(tx, &new, &suite_author));
            changed.users[changed.count++] = new;
        }
    }
    if (is_kept) {
        assert_ok(suite_commit(suite));
        *list = changed;
    } else
        suite_roll_back(suite);
}

static unsigned sorted_by;

static int by_order(const void *first, const void *second) {
    const struct record *a = first, *b = second;
    int order = 0;
    if (sorted_by != USER_Id)
        order = strcasecmp(a->values[sorted_by].text, b->values[sorted_by].text);
    return order ? order : (record_id(a) > record_id(b)) - (record_id(a) < record_id(b));
}

static void assert_page(struct suite *suite, const struct list *list, const struct search *search) {
    const struct suite_page *page = suite_search(suite, search);
    const int64_t left = list->count - search->skip;
    const int64_t expected = left < 0 ? 0 : left < search->limit ? left : search->limit;
    assert_ok(page->status);
    assert_int_equal(page->found.total, list->count);
    assert_int_equal(page->count, expected);
    for (int64_t i = 0; i < expected; i++) {
        const int64_t at =
            search->descending ? list->count - 1 - search->skip - i : search->skip + i;
        assert_int_equal(page->ids[i], record_id(&list->users[at]));
    }
}

static void assert_pages(struct suite *suite, struct list *list) {
    static const unsigned orders[] = { USER_Id, USER_FullName, USER_Email };
    for (int order = 0; order < 3; order++) {
        sorted_by = orders[order];
        qsort(list->users, (size_t)list->count, sizeof *list->users, by_order);
        for (int i = 0; i < PAGES; i++) {
            struct search search = { .table = &user_table,
                                     .order = sorted_by,
                                     .descending = i % 2,
                                     .skip = NEAR + 1 + below((unsigned)list->count - NEAR + 20),
                                     .limit = PAGE };
            if (i < 4) /* the last page, and the one after it */
                search.skip = list->count - (i < 2 ? PAGE : 0);
            assert_page(suite, list, &search);
        }
    }
}

static void any_page_is_that_of_a_sorted_list(void **state) {
    struct suite *suite = *state;
    struct list *list = calloc(1, sizeof *list);
    assert_non_null(list);
    list->next_id = FIRST_ID;
    add_users(suite, list, USERS);
    assert_pages(suite, list);
    for (int i = 0; i < BATCHES; i++) {
        change_some(suite, list, i % 3 != 1);
        assert_pages(suite, list);
    }
    free(list);
}

/* One part gets all new users, until it is too long to be walked. */
static void pages_are_right_when_all_new_users_come_to_one_place(void **state) {
    struct suite *suite = *state;
    struct list *list = calloc(1, sizeof *list);
    assert_non_null(list);
    list->next_id = FIRST_ID;
    add_users(suite, list, USERS / 2);
    assert_pages(suite, list);
    for (int i = 0; i < 3; i++) {
        add_users(suite, list, USERS / 4); /* each with a greater Id than all before */
        assert_pages(suite, list);
    }
    free(list);
}

/* ---- A change in the middle of a search ---- */

enum { BESIDE = 1500, SKIP = NEAR + 100 };

/* A user that moves from the beginning of the order to the end, and back. */
static struct mover {
    struct suite *suite;
    struct record user;
    int at; /* the number of the statement of this search after which it moves; 0: it does not */
} mover;
static _Thread_local bool is_searching;

static void move(void) {
    struct record next = suite_next(mover.suite, &mover.user);
    next.values[USER_FullName] =
        value_text(*mover.user.values[USER_FullName].text == 'a' ? TEXT("z") : TEXT("a"));
    assert_ok(suite_update(mover.suite, &mover.user, &next));
    mover.user = next;
}

/* The linker has every statement of the program end here. */
void __real_sql_done(struct sql_statement *statement);
void __wrap_sql_done(struct sql_statement *statement);

void __wrap_sql_done(struct sql_statement *statement) {
    __real_sql_done(statement);
    if (is_searching && mover.at && --mover.at == 0)
        move();
}

/* The page goes to the end: where the user is there, all others are one place further to the front.
 */
static void assert_page_while_moved(struct suite *suite, bool descending, int at) {
    struct suite_page *page = arena_alloc(&suite->arena, sizeof *page);
    const struct search search = { .table = &user_table,
                                   .order = USER_FullName,
                                   .descending = descending,
                                   .skip = SKIP,
                                   .limit = BESIDE };
    assert_non_null(page);
    mover.at = at;
    is_searching = true;
    suite_search_on(suite, suite->session, &search, page);
    is_searching = false;
    assert_int_equal(mover.at, 0);
    assert_ok(page->status);
    assert_int_equal(page->count, BESIDE - SKIP);
    const bool has_user = page->ids[page->count - 1] == FIRST_ID;
    const int64_t first = FIRST_ID + (descending ? BESIDE - SKIP - has_user : SKIP + has_user);
    for (size_t i = 0; i + has_user < page->count; i++)
        assert_int_equal(page->ids[i], first + (descending ? -1 : 1) * (int64_t)i);
}

static void add_mover(struct suite *suite) {
    struct store_tx *tx = suite_write(suite);
    for (int i = 0; i < BESIDE; i++) {
        struct record user = suite_user(suite, FIRST_ID + i);
        user.values[USER_FullName] =
            value_text(i ? arena_printf(&suite->arena, "m%04d", i) : TEXT("a"));
        assert_ok(store_insert(tx, &user, &suite_author));
    }
    assert_ok(suite_commit(suite));
    mover = (struct mover){ suite, suite_load(suite, &user_table, FIRST_ID), 0 };
}

enum { AFTER_THE_COUNT = 1, AFTER_THE_WALK = 2 };

static void a_page_is_of_one_moment_when_its_place_changes(void **state) {
    struct suite *suite = *state;
    add_mover(suite);
    for (int i = 0; i < 4; i++) {
        assert_page_while_moved(suite, i % 2, 0); /* makes the positions */
        assert_page_while_moved(suite, i / 2, AFTER_THE_COUNT);
    }
}

static void a_change_while_positions_are_made_counts(void **state) {
    struct suite *suite = *state;
    add_mover(suite);
    for (int at = AFTER_THE_COUNT; at <= AFTER_THE_WALK; at++)
        for (int descending = 0; descending < 2; descending++) {
            suite_reopen(suite, (struct store_options){ 0 });
            assert_page_while_moved(suite, descending, at);
            assert_page_while_moved(suite, descending, 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(any_page_is_that_of_a_sorted_list),
        suite_test(pages_are_right_when_all_new_users_come_to_one_place),
        suite_test(a_page_is_of_one_moment_when_its_place_changes),
        suite_test(a_change_while_positions_are_made_counts),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}

/* Copies of a database: every row arrives, and what is not empty or not whole is refused. */
#include "suite.h"

#include "store/maintenance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <cmocka.h>

enum { FIRST_ID = 1000, USERS = 2500 /* more than are written at once */, BUSINESS = 1, ROLE = 20 };

static char said[8192];

static void keep_lines(const char *line) {
    size_t len = strlen(said);
    (void)snprintf(said + len, sizeof said - len, "%s\n", line);
}

static void close_now(struct suite *suite) {
    store_session_close(suite->session);
    store_close(suite->store);
    suite->session = NULL;
    suite->store = NULL;
}

static void add_webhook(struct suite *suite) {
    struct record webhook = suite_record(suite, &web_hook_table, 1);
    webhook.values[WEB_HOOK_Active] = value_integer(1);
    webhook.values[WEB_HOOK_Action] = value_integer(1002);
    assert_ok(suite_insert(suite, &webhook));
}

static void change_a_user(struct suite *suite, int64_t id) {
    struct record before = suite_load(suite, &user_table, id), after = suite_next(suite, &before);
    after.values[USER_FullName] = value_text(TEXT("J\xc3\xb6rg \xf0\x9f\x98\x80 Mint"));
    after.values[USER_AccessToken] = value_text(TEXT("\x01sealed\x00\xff"));
    assert_ok(suite_update(suite, &before, &after));
}

/* Some of everything. */
static void fill(struct suite *suite) {
    static const int64_t role = ROLE;
    struct record roles = suite_record(suite, &user_role_table, role), user;
    struct record business = suite_record(suite, &business_table, BUSINESS);
    struct avatar avatar = { TEXT("image/png"), TEXT("p\0ng") };
    struct token token = { .hash = token_hash(TEXT("a")),
                           .user_id = FIRST_ID,
                           .client_id = TEXT("tests"),
                           .family = 1,
                           .ends_ms = TOKEN_ENDLESS };
    struct idempotency_use use = { FIRST_ID, TEXT("User \x01key"), token_hash(TEXT("body")),
                                   FIRST_ID, SUITE_NOW_MS,         TEXT("a@example.com") };
    add_webhook(suite);
    assert_ok(suite_insert(suite, &business));
    assert_ok(suite_insert(suite, &roles));
    suite_add_users(suite, FIRST_ID, USERS);
    user = suite_user(suite, FIRST_ID + USERS);
    suite_link(suite, &user, USER_UserRoles, &role, 1);
    assert_ok(suite_insert(suite, &user));
    change_a_user(suite, FIRST_ID);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_set_avatar(tx, FIRST_ID, &avatar));
    assert_ok(store_add_token(tx, &token));
    assert_ok(store_add_idempotency(tx, &use));
    assert_ok(suite_commit(suite));
}

/* A suite of its own for the copy, whose store is not open. */
static void begin_copy(struct suite *suite, struct suite *copy, const char *name) {
    *copy = (struct suite){ 0 };
    int len = snprintf(copy->directory, sizeof copy->directory, "%s%s", suite->directory, name);
    assert_true(len > 0 && (size_t)len < sizeof copy->directory);
    assert_int_equal(suite_make_database(copy->directory), 0);
}

static int copy(const struct suite *from, const struct suite *to) {
    char from_url[SUITE_URL_SIZE], to_url[SUITE_URL_SIZE];
    said[0] = '\0';
    return store_copy(suite_database(from->directory, from_url),
                      suite_database(to->directory, to_url), true, keep_lines);
}

/* Databases in PostgreSQL are checked in a folder, with this after its name. */
static void assert_sound(const struct suite *suite, const char *name) {
    char url[SUITE_URL_SIZE];
    struct suite checked = *suite;
    if (suite_is_on_postgres()) {
        int len =
            snprintf(checked.directory, sizeof checked.directory, "%s%s", suite->directory, name);
        assert_true(len > 0 && (size_t)len < sizeof checked.directory);
        assert_int_equal(
            store_copy(suite_database(suite->directory, url), checked.directory, true, keep_lines),
            EX_OK);
    }
    said[0] = '\0';
    assert_int_equal(store_check(checked.directory, NULL, keep_lines), EX_OK);
    assert_string_equal(said, "");
    if (suite_is_on_postgres())
        assert_int_equal(suite_remove(&checked), 0);
}

static void a_copy_has_every_row_and_finds_it(void **state) {
    struct suite *suite = *state, second, third;
    char first_said[sizeof said];
    fill(suite);
    struct record before = suite_load(suite, &user_table, FIRST_ID);
    close_now(suite);
    begin_copy(suite, &second, "2");
    begin_copy(suite, &third, "3");
    assert_int_equal(copy(suite, &second), EX_OK);
    assert_non_null(strstr(said, "users: 2501 rows, digest "));
    assert_non_null(strstr(said, "tokens: 1 rows, digest "));
    memcpy(first_said, said, sizeof said);
    assert_int_equal(copy(&second, &third), EX_OK);
    assert_string_equal(said, first_said); /* the digests are the same: nothing was lost twice */
    assert_sound(&third, "c");
    suite_reopen(&third, (struct store_options){ 0 });
    struct record after = suite_load(&third, &user_table, FIRST_ID);
    assert_int_equal(after.version, before.version);
    for (unsigned i = 0; i < user_table.count; i++)
        assert_true(value_equal(&before.values[i], &after.values[i]));
    /* New rows get new Ids, and old ones can be changed. */
    struct record next = suite_user(&third, FIRST_ID + USERS + 1);
    assert_ok(suite_insert(&third, &next));
    change_a_user(&third, FIRST_ID + 1);
    close_now(&third);
    assert_sound(&third, "d");
    arena_close(&third.arena);
    assert_int_equal(suite_remove(&second) + suite_remove(&third), 0);
}

static void nothing_is_copied_into_what_is_not_empty(void **state) {
    struct suite *suite = *state, second;
    suite_add_users(suite, FIRST_ID, 1);
    close_now(suite);
    begin_copy(suite, &second, "2");
    assert_int_equal(mkdir(second.directory, 0700), 0);
    suite_reopen(&second, (struct store_options){ 0 });
    suite_add_users(&second, FIRST_ID + 1, 1);
    close_now(&second);
    assert_int_equal(copy(suite, &second), EX_CANTCREAT);
    assert_non_null(strstr(said, ": is not empty; name a new database"));
    assert_int_equal(copy(suite, suite), suite_is_on_postgres() ? EX_CANTCREAT : EX_TEMPFAIL);
    suite_reopen(&second, (struct store_options){ 0 });
    assert_int_equal(suite_count(&second, &user_table), 1);
    close_now(&second);
    arena_close(&second.arena);
    assert_int_equal(suite_remove(&second), 0);
}

static void nothing_is_copied_from_what_is_empty(void **state) {
    struct suite *suite = *state, second;
    close_now(suite);
    begin_copy(suite, &second, "2");
    assert_int_equal(copy(suite, &second), EX_NOINPUT);
    assert_int_equal(suite_remove(&second), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_copy_has_every_row_and_finds_it),
        suite_test(nothing_is_copied_into_what_is_not_empty),
        suite_test(nothing_is_copied_from_what_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Maintenance of a data folder: checks, backups and restores. */
#include "suite.h"

#include "store/maintenance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIRST_ID = 1000 };

static unsigned said;

static void count_lines(const char *line) {
    assert_non_null(line);
    assert_null(strchr(line, '\n'));
    said++;
}

static char *path_in(struct suite *suite, const char *name) {
    return (char *)(uintptr_t)arena_printf(&suite->arena, "%s/%s", suite->directory, name).at;
}

static char *folder_in(struct suite *suite, const char *name) {
    char *path = path_in(suite, name);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static void close_now(struct suite *suite) {
    store_session_close(suite->session);
    store_close(suite->store);
    suite->session = NULL;
    suite->store = NULL;
}

/* Some of everything. */
static void fill(struct suite *suite) {
    static const int64_t role = 20;
    struct record roles = suite_record(suite, &user_role_table, role), user;
    struct record business = suite_record(suite, &business_table, 1);
    struct avatar avatar = { TEXT("image/png"), TEXT("png") };
    assert_ok(suite_insert(suite, &business));
    assert_ok(suite_insert(suite, &roles));
    suite_add_users(suite, FIRST_ID, 5);
    user = suite_user(suite, FIRST_ID + 5);
    suite_link(suite, &user, USER_UserRoles, &role, 1);
    user.values[USER_AvatarFileName] = value_text(TEXT("picture.png"));
    struct token token = { .hash = token_hash(TEXT("a")),
                           .user_id = FIRST_ID,
                           .client_id = TEXT("tests"),
                           .family = 1,
                           .ends_ms = TOKEN_ENDLESS };
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_insert(tx, &user, &suite_author));
    assert_ok(store_set_avatar(tx, FIRST_ID + 5, &avatar));
    assert_ok(store_add_token(tx, &token));
    assert_ok(suite_commit(suite));
}

static void a_whole_store_has_no_faults_open_or_closed(void **state) {
    struct suite *suite = *state;
    fill(suite);
    said = 0;
    assert_int_equal(store_check(suite->directory, NULL, count_lines), EX_OK);
    struct record user = suite_load(suite, &user_table, FIRST_ID), next = suite_next(suite, &user);
    next.values[USER_FullName] = value_text(TEXT("Another"));
    next.values[USER_Email] = value_text(TEXT("another@example.com"));
    assert_ok(suite_update(suite, &user, &next));
    user = suite_load(suite, &user_table, FIRST_ID + 1);
    assert_ok(suite_delete(suite, &user));
    close_now(suite);
    assert_int_equal(store_check(suite->directory, NULL, count_lines), EX_OK);
    assert_int_equal(said, 0);
}

static void a_link_that_leads_nowhere_is_a_fault(void **state) {
    struct suite *suite = *state;
    static const int64_t gone = 77;
    struct record user = suite_user(suite, FIRST_ID);
    suite_link(suite, &user, USER_UserRoles, &gone, 1);
    assert_ok(suite_insert(suite, &user));
    said = 0;
    assert_int_equal(store_check(suite->directory, NULL, count_lines), EX_DATAERR);
    assert_true(said > 0);
}

static void where_there_is_no_store_nothing_can_be_checked_or_copied(void **state) {
    struct suite *suite = *state;
    const char *empty = folder_in(suite, "empty"), *copy = path_in(suite, "copy");
    said = 0;
    assert_int_equal(store_check(empty, NULL, count_lines), EX_NOINPUT);
    assert_int_equal(store_backup(empty, copy, count_lines), EX_NOINPUT);
    assert_int_equal(store_check(path_in(suite, "missing"), NULL, count_lines), EX_NOINPUT);
    assert_int_equal(said, 3);
    assert_int_equal(access(copy, F_OK), -1);
    assert_int_equal(rmdir(empty), 0); /* nothing was left in it */
}

static void a_backup_is_for_nobody_else_and_takes_no_files_place(void **state) {
    struct suite *suite = *state;
    const char *copy = path_in(suite, "copy");
    struct stat facts;
    fill(suite);
    said = 0;
    assert_int_equal(store_backup(suite->directory, copy, count_lines), EX_OK);
    assert_int_equal(stat(copy, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(said, 0);
    assert_int_equal(store_backup(suite->directory, copy, count_lines), EX_CANTCREAT);
    assert_int_equal(said, 1);
}

/* A record that came after the backup is not in what is put back; all else is. */
static void is_there(void *argument, const struct avatar *avatar) {
    (void)argument;
    assert_true(avatar->content.len > 0);
}

static void what_is_put_back_is_what_the_backup_was_made_of(void **state) {
    struct suite *suite = *state;
    const char *copy = path_in(suite, "copy"), *other = path_in(suite, "other");
    fill(suite);
    said = 0;
    assert_int_equal(store_backup(suite->directory, copy, count_lines), EX_OK);
    suite_add_users(suite, FIRST_ID + 50, 1);
    assert_int_equal(store_restore(suite->directory, copy, RESTORE_AS_IS, count_lines),
                     EX_TEMPFAIL);
    assert_int_equal(said, 1); /* it is in use */
    close_now(suite);
    assert_int_equal(store_restore(suite->directory, copy, RESTORE_AS_IS, count_lines), EX_OK);
    assert_int_equal(store_restore(other, copy, RESTORE_AS_IS, count_lines), EX_OK); /* is made */
    assert_int_equal(said, 5); /* of each who made it, and that its key is not there */
    assert_int_equal(store_check(other, NULL, count_lines), EX_OK);
    assert_int_equal(said, 5);
    suite_reopen(suite, (struct store_options){ .must_exist = true });
    assert_int_equal(suite_count(suite, &user_table), 6);
    assert_int_equal(store_exists(suite->session, &user_table, FIRST_ID + 50), STATUS_NOT_FOUND);
    struct token_hash hash = token_hash(TEXT("a"));
    struct token token;
    assert_ok(store_token(suite->session, &hash, &suite->arena, &token));
    assert_ok(store_avatar(suite->session, FIRST_ID + 5, is_there, NULL));
    int64_t id;
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_new_id(tx, &user_table, &id));
    assert_ok(suite_commit(suite));
    assert_true(id > FIRST_ID + 5);
}

static void what_is_no_backup_is_not_put_back(void **state) {
    struct suite *suite = *state;
    const char *wrong = path_in(suite, "wrong"), *missing = path_in(suite, "missing");
    int file = open(wrong, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    fill(suite);
    close_now(suite);
    assert_true(file >= 0);
    assert_int_equal(write(file, "This is none.", 13), 13);
    assert_int_equal(close(file), 0);
    said = 0;
    assert_int_equal(store_restore(suite->directory, missing, RESTORE_AS_IS, count_lines),
                     EX_NOINPUT);
    assert_int_equal(store_restore(suite->directory, wrong, RESTORE_AS_IS, count_lines),
                     EX_DATAERR);
    assert_true(said >= 2);
    suite_reopen(suite, (struct store_options){ .must_exist = true });
    assert_int_equal(suite_count(suite, &user_table), 6);
}

/* Each of the copies is one snapshot: users come in pairs. */
static void a_backup_is_of_one_moment_while_others_write(void **state) {
    enum { ROUNDS = 8 };
    struct suite *suite = *state;
    struct suite copied = { .store = NULL };
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "copy%u", i);
        struct record first = suite_user(suite, FIRST_ID + 2 * i);
        struct record second = suite_user(suite, FIRST_ID + 2 * i + 1);
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_insert(tx, &first, &suite_author));
        assert_int_equal(store_backup(suite->directory, path_in(suite, name), count_lines), EX_OK);
        assert_ok(store_insert(tx, &second, &suite_author));
        assert_ok(suite_commit(suite));
    }
    int len = snprintf(copied.directory, sizeof copied.directory, "%s/r", suite->directory);
    assert_true(len > 0 && (size_t)len < sizeof copied.directory);
    assert_int_equal(
        store_restore(copied.directory, path_in(suite, "copy7"), RESTORE_AS_IS, count_lines),
        EX_OK);
    suite_reopen(&copied, (struct store_options){ .must_exist = true });
    assert_int_equal(suite_count(&copied, &user_table), 2 * (ROUNDS - 1));
    close_now(&copied);
    arena_close(&copied.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_whole_store_has_no_faults_open_or_closed),
        suite_test(a_link_that_leads_nowhere_is_a_fault),
        suite_test(where_there_is_no_store_nothing_can_be_checked_or_copied),
        suite_test(a_backup_is_for_nobody_else_and_takes_no_files_place),
        suite_test(what_is_put_back_is_what_the_backup_was_made_of),
        suite_test(what_is_no_backup_is_not_put_back),
        suite_test(a_backup_is_of_one_moment_while_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

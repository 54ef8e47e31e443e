/* The promises of service/seed.h, on a real store. */
#include "service/seed.h"

#include "base/log.h"
#include "model/permission.h"
#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Of "correct horse": what it is does not matter here. */
static const char hash[] = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
                           "nHWP3kQQ+yKlcWNFcXlBBGbA0zBQnDrNvOJyRr3GfQY";

struct folder {
    char path[sizeof "/tmp/roster-seed-XXXXXX"];
    struct store *store;
};

static int open_folder(void **state) {
    static struct folder folder;
    char why[512];
    int code;
    (void)snprintf(folder.path, sizeof folder.path, "%s", "/tmp/roster-seed-XXXXXX");
    if (!mkdtemp(folder.path))
        return -1;
    folder.store =
        store_open(&(struct store_options){ .directory = folder.path }, why, sizeof why, &code);
    *state = &folder;
    return folder.store ? 0 : -1;
}

static int close_folder(void **state) {
    static const char *const files[] = { "roster.db", "roster.db-wal", "roster.db-shm" };
    const struct folder *folder = *state;
    char path[64];
    store_close(folder->store);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder->path, files[i]);
        (void)unlink(path);
    }
    return rmdir(folder->path);
}

static int64_t count(struct store *store, const struct table *table) {
    int64_t rows = -1;
    struct store_session *session = store_session_open(store);
    assert_non_null(session);
    assert_int_equal(store_count(session, table, &rows), STATUS_OK);
    store_session_close(session);
    return rows;
}

static struct seed seed_of(const char *email, bool with_demo) {
    return seed_of_start(text_of(email), text_of(hash), with_demo);
}

static enum status seed_with(const struct folder *folder, const char *email, bool with_demo) {
    const struct seed seed = seed_of(email, with_demo);
    return seed_write(folder->store, &seed);
}

static void assert_state(const struct folder *folder, bool has_users, bool has_roles) {
    struct seed_state state;
    struct store_session *session = store_session_open(folder->store);
    assert_non_null(session);
    assert_int_equal(seed_find(session, &state), STATUS_OK);
    store_session_close(session);
    assert_int_equal(state.has_users, has_users);
    assert_int_equal(state.has_roles, has_roles);
}

static void a_new_database_has_its_roles_and_one_administrator(void **state) {
    const struct folder *folder = *state;
    assert_state(folder, false, false);
    assert_int_equal(seed_with(folder, "root@example.com", false), STATUS_OK);
    assert_int_equal(count(folder->store, &role_table), PERMISSIONS);
    assert_int_equal(count(folder->store, &user_table), 1);
    assert_state(folder, true, true);
    assert_int_equal(seed_with(folder, "other@example.com", true), STATUS_CONFLICT);
    assert_int_equal(count(folder->store, &user_table), 1);
}

/* Several processes may begin so at the same time. */
static void the_roles_may_come_before_the_administrator(void **state) {
    const struct folder *folder = *state;
    const struct seed roles_alone = { 0 };
    assert_int_equal(seed_write(folder->store, &roles_alone), STATUS_OK);
    assert_int_equal(seed_write(folder->store, &roles_alone), STATUS_OK);
    assert_state(folder, false, true);
    assert_int_equal(count(folder->store, &role_table), PERMISSIONS);
    assert_int_equal(seed_with(folder, "root@example.com", true), STATUS_OK);
    assert_int_equal(count(folder->store, &role_table), PERMISSIONS);
    assert_int_equal(seed_write(folder->store, &roles_alone), STATUS_CONFLICT);
}

static void of_the_demo_whoever_has_the_administrators_address_is_left_out(void **state) {
    const struct folder *folder = *state;
    assert_int_equal(seed_with(folder, "lister@example.com", true), STATUS_OK);
    int64_t others = count(folder->store, &user_table);
    assert_int_equal(others, 1 + 6 + 40); /* the administrator, the staff but one, the members */
}

static void what_a_request_could_not_make_the_seed_does_not_make(void **state) {
    const struct folder *folder = *state;
    assert_int_equal(seed_with(folder, "no address", false), STATUS_INTERNAL);
    assert_int_equal(count(folder->store, &role_table), 0);
    assert_int_equal(count(folder->store, &user_table), 0);
}

static void a_seed_that_breaks_a_rule_at_its_end_leaves_nothing(void **state) {
    const struct folder *folder = *state;
    struct seed seed = seed_of("root@example.com", true);
    seed.staff_hash = TEXT("short");
    assert_int_equal(seed_write(folder->store, &seed), STATUS_INTERNAL);
    assert_int_equal(count(folder->store, &business_table), 0);
    assert_int_equal(count(folder->store, &user_table), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_database_has_its_roles_and_one_administrator,
                                        open_folder, close_folder),
        cmocka_unit_test_setup_teardown(the_roles_may_come_before_the_administrator, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(
            of_the_demo_whoever_has_the_administrators_address_is_left_out, open_folder,
            close_folder),
        cmocka_unit_test_setup_teardown(what_a_request_could_not_make_the_seed_does_not_make,
                                        open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_seed_that_breaks_a_rule_at_its_end_leaves_nothing,
                                        open_folder, close_folder),
    };
    log_set_level(LOG_LEVEL_error);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Checks that a migrated database and the field tables agree. */
#include "store/sqlite/engine.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/roster-schema-XXXXXX";
static char path[64];

static int make_directory(void **state) {
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(path, sizeof path, "%s/x.db", directory);
    return 0;
}

static int remove_directory(void **state) {
    char file[96];
    static const char *const ends[] = { "", "-wal", "-shm" };
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
    return rmdir(directory);
}

static struct store_session *migrated(void) {
    struct connection *connection = session_open(&sqlite_engine, NULL, path, true);
    assert_non_null(connection);
    struct store_session *session = &connection->session;
    assert_int_equal(schema_migrate(session, &(struct store_options){ 0 }), STATUS_OK);
    return session;
}

static void a_new_database_is_as_the_field_tables_say(void **state) {
    char why[256] = "";
    (void)state;
    struct store_session *session = migrated();
    assert_int_equal(schema_check(session, why, sizeof why), STATUS_OK);
    assert_string_equal(why, "");
    store_session_close(session);
}

static void migrating_twice_changes_nothing(void **state) {
    char why[256];
    (void)state;
    store_session_close(migrated());
    struct store_session *session = migrated();
    assert_int_equal(schema_check(session, why, sizeof why), STATUS_OK);
    store_session_close(session);
}

static void every_difference_is_found(void **state) {
    static const struct {
        const char *sql, *undo, *says;
    } cases[] = {
        { "ALTER TABLE users RENAME Password TO Passphrase",
          "ALTER TABLE users RENAME Passphrase TO Password",
          "users.Password is not a column of type TEXT" },
        { "ALTER TABLE users RENAME Members TO Parts", "ALTER TABLE users RENAME Parts TO Members",
          "users.Members is not a column of type ANY" },
        { "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'SystemId "
          "TEXT',"
          " 'SystemId TEXT, More TEXT NOT NULL') WHERE name = 'languages';"
          "PRAGMA writable_schema = RESET",
          "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql,"
          " ', More TEXT NOT NULL', '') WHERE name = 'languages'; PRAGMA writable_schema = RESET",
          "languages has columns that this version does not know, and must have a value in them:"
          " More" },
        { "ALTER TABLE unknown_logins RENAME TO strangers",
          "ALTER TABLE strangers RENAME TO unknown_logins", "no such table: unknown_logins" },
        { "DROP INDEX businesses_Name",
          "CREATE INDEX businesses_Name ON businesses (Name COLLATE NOCASE)",
          "no such index: businesses_Name" },
    };
    (void)state;
    struct store_session *session = migrated();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[256] = "";
        assert_int_equal(sql_run(session, cases[i].sql), STATUS_OK);
        assert_int_equal(schema_check(session, why, sizeof why), STATUS_INTERNAL);
        assert_string_equal(why, cases[i].says);
        assert_int_equal(sql_run(session, cases[i].undo), STATUS_OK);
        assert_int_equal(schema_check(session, why, sizeof why), STATUS_OK);
    }
    store_session_close(session);
}

static void a_column_of_a_version_with_more_fields_is_left_alone(void **state) {
    char why[256] = "";
    (void)state;
    struct store_session *session = migrated();
    assert_int_equal(sql_run(session, "ALTER TABLE languages ADD More TEXT"), STATUS_OK);
    assert_int_equal(schema_check(session, why, sizeof why), STATUS_OK);
    assert_int_equal(sql_run(session, "ALTER TABLE languages DROP More"), STATUS_OK);
    store_session_close(session);
}

/* A table stored as JSON has no field whose value comes from other rows: replies send its rows as
 * they are stored. */
static void what_other_rows_tell_is_in_no_table_of_json(void **state) {
    (void)state;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; tables[i]->is_kept_as_json && j < tables[i]->count; j++) {
            assert_int_not_equal(tables[i]->fields[j].type, TYPE_name);
            assert_int_not_equal(tables[i]->fields[j].type, TYPE_backlinks);
        }
}

static void what_no_version_made_is_refused_and_left_alone(void **state) {
    static const struct {
        const char *sql;
        int64_t version;
    } cases[] = { { "PRAGMA user_version = 77", 77 }, { "PRAGMA user_version = -1", -1 } };
    (void)state;
    struct store_session *session = migrated();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sql_statement *statement;
        assert_int_equal(sql_run(session, cases[i].sql), STATUS_OK);
        assert_int_equal(schema_migrate(session, &(struct store_options){ 0 }),
                         STATUS_PRECONDITION_FAILED);
        statement = sql_prepare(session, "PRAGMA user_version");
        assert_non_null(statement);
        assert_int_equal(sql_step(statement), STATUS_OK);
        assert_int_equal(sql_integer(statement, 0), cases[i].version);
        sql_free(statement);
    }
    store_session_close(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_database_is_as_the_field_tables_say),
        cmocka_unit_test(migrating_twice_changes_nothing),
        cmocka_unit_test(every_difference_is_found),
        cmocka_unit_test(a_column_of_a_version_with_more_fields_is_left_alone),
        cmocka_unit_test(what_other_rows_tell_is_in_no_table_of_json),
        cmocka_unit_test(what_no_version_made_is_refused_and_left_alone),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

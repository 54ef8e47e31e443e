/* Records: what is written is read again, whole; what is replaced or taken away is of one version.
 */
#include "suite.h"

#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A value of each kind that a field can have. */
static struct value value_for(struct suite *suite, const struct table *table, unsigned which,
                              int64_t id) {
    static const int64_t ids[] = { 3, 1, 2 };
    const struct field *field = &table->fields[which];
    struct value list = value_ids(ids, 3);
    switch (field->type) {
    case TYPE_id: return value_integer(id);
    case TYPE_boolean: return value_integer(1);
    case TYPE_integer: return value_integer(INT32_MAX);
    case TYPE_date: return value_integer(SUITE_NOW_MS + which);
    case TYPE_choice: return value_integer(1);
    case TYPE_reference: return value_integer(INT64_C(900000000) + which);
    case TYPE_links: return ids_to_stored(&list, &suite->arena);
    case TYPE_guid:
        return value_text(
            arena_printf(&suite->arena, "%08x-0000-4000-8000-%012llx", which, (long long)id));
    case TYPE_sealed:
    case TYPE_totp: return value_text(TEXT("\0not\xFF text"));
    default:
        return value_text(
            arena_printf(&suite->arena, "%s \xC3\xA9 \"%lld\"\n\\", field->name.at, (long long)id));
    }
}

static struct record full_record(struct suite *suite, const struct table *table, int64_t id) {
    struct record record = record_new(table, &suite->arena);
    assert_non_null(record.values);
    record.version = 1;
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_stored(&table->fields[i]))
            record.values[i] = value_for(suite, table, i, id);
    return record;
}

static void assert_same_record(const struct record *found, const struct record *expected) {
    assert_ptr_equal(found->table, expected->table);
    assert_int_equal(found->version, expected->version);
    for (unsigned i = 0; i < expected->table->count; i++) {
        const struct field *field = &expected->table->fields[i];
        if (field_is_stored(field) && !value_equal(&found->values[i], &expected->values[i]))
            fail_msg("%s.%s is not as it was written", expected->table->name, field->name.at);
    }
}

static void a_record_is_loaded_as_it_was_inserted_hidden_and_secret_values_too(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record record = full_record(suite, tables[i], 7);
        assert_ok(suite_insert(suite, &record));
        struct record found = suite_load(suite, tables[i], 7);
        assert_same_record(&found, &record);
    }
}

/* The value of a field that was never set. */
static struct value value_of_nothing(const struct table *table, const struct field *field) {
    bool is_json = table->is_kept_as_json && field_is_kept_in_json(field);
    if (field->type == TYPE_boolean ||
        (is_json && (field->type == TYPE_integer || field->type == TYPE_choice)))
        return value_integer(0);
    return is_json && field->type == TYPE_links ? value_text(TEXT("[]")) : value_null();
}

static void a_value_that_was_not_set_is_loaded_as_nothing(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record record = suite_record(suite, tables[i], 7);
        assert_ok(suite_insert(suite, &record));
        struct record found = suite_load(suite, tables[i], 7);
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (record.values[j].kind == VALUE_ABSENT)
                record.values[j] = value_of_nothing(tables[i], &tables[i]->fields[j]);
        assert_same_record(&found, &record);
    }
}

static void what_is_not_there_is_not_found(void **state) {
    struct suite *suite = *state;
    struct buffer json;
    struct record record;
    int64_t version;
    suite_add_users(suite, 8, 1);
    for (unsigned i = 0; i < TABLES; i++) {
        buffer_init(&json, &suite->arena, 0);
        assert_int_equal(store_load(suite->session, tables[i], 7, &suite->arena, &record),
                         STATUS_NOT_FOUND);
        assert_int_equal(store_exists(suite->session, tables[i], 7), STATUS_NOT_FOUND);
        assert_int_equal(store_load_json(suite->session, tables[i], 7, &json, &version),
                         STATUS_NOT_FOUND);
        assert_int_equal(json.len, 0);
    }
    assert_ok(store_exists(suite->session, &user_table, 8));
}

static void a_record_is_shown_as_json_of_the_whole_record(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        struct buffer shown, expected;
        int64_t version = 0;
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record record = full_record(suite, tables[i], 7), next = suite_next(suite, &record);
        assert_ok(suite_insert(suite, &record));
        assert_ok(suite_update(suite, &record, &next));
        buffer_init(&shown, &suite->arena, 0);
        buffer_init(&expected, &suite->arena, 0);
        assert_ok(store_load_json(suite->session, tables[i], 7, &shown, &version));
        assert_int_equal(version, 2);
        next = suite_load(suite, tables[i], 7);
        assert_ok(store_load_derived(suite->session, &next, &suite->arena));
        json_add_record(&expected, &next);
        assert_text(buffer_text(&shown), buffer_text(&expected));
    }
}

static void rows_are_counted(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        int64_t count = -1;
        if (tables[i] == &audit_trail_entry_table || tables[i] == &refresh_token_table)
            assert_int_equal(store_count(suite->session, tables[i], &count), STATUS_NOT_FOUND);
        else
            assert_int_equal(suite_count(suite, tables[i]), 0);
    }
    suite_add_users(suite, 1, 5);
    assert_int_equal(suite_count(suite, &user_table), 5);
    struct record user = suite_load(suite, &user_table, 3), next = suite_next(suite, &user);
    assert_ok(suite_update(suite, &user, &next));
    assert_int_equal(suite_count(suite, &user_table), 5);
    assert_ok(suite_delete(suite, &next));
    assert_int_equal(suite_count(suite, &user_table), 4);
    struct record role = suite_record(suite, &role_table, 1);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_insert(tx, &role, &suite_author));
    suite_roll_back(suite);
    assert_int_equal(suite_count(suite, &role_table), 0);
}

static int64_t new_id(struct suite *suite, const struct table *table) {
    int64_t id = 0;
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_new_id(tx, table, &id));
    assert_ok(suite_commit(suite));
    return id;
}

static void a_new_id_was_never_given_to_a_record_that_was_kept(void **state) {
    struct suite *suite = *state;
    int64_t first = new_id(suite, &user_table), second = new_id(suite, &user_table);
    assert_true(first > 0 && second > first);
    suite_add_users(suite, second + 10, 1); /* by hand */
    int64_t third = new_id(suite, &user_table);
    assert_true(third > second + 10);
    struct record user = suite_user(suite, third);
    assert_ok(suite_insert(suite, &user));
    assert_ok(suite_delete(suite, &user));
    assert_true(new_id(suite, &user_table) > third);
    suite_reopen(suite, (struct store_options){ 0 });
    assert_true(new_id(suite, &user_table) > third + 1);
}

static void each_table_has_ids_of_its_own(void **state) {
    struct suite *suite = *state;
    int64_t id = new_id(suite, &user_table);
    (void)new_id(suite, &user_table);
    for (unsigned i = 0; i < TABLES; i++)
        if (tables[i] != &user_table && !suite_is_made_by_store(tables[i]))
            assert_int_equal(new_id(suite, tables[i]), id);
}

static void an_update_replaces_every_value(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record bare = suite_record(suite, tables[i], 7);
        struct record full = full_record(suite, tables[i], 7);
        assert_ok(suite_insert(suite, &bare));
        bare = suite_load(suite, tables[i], 7);
        full.version = 2;
        assert_ok(suite_update(suite, &bare, &full));
        struct record found = suite_load(suite, tables[i], 7);
        assert_same_record(&found, &full);
        bare.version = 3;
        assert_ok(suite_update(suite, &full, &bare));
        found = suite_load(suite, tables[i], 7);
        assert_same_record(&found, &bare);
    }
}

static void a_record_of_another_version_is_neither_updated_nor_noted_nor_deleted(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record first = full_record(suite, tables[i], 7);
        assert_ok(suite_insert(suite, &first));
        struct record second = suite_next(suite, &first), other = suite_next(suite, &first);
        second.values[tables[i]->common.updated_by] = value_text(TEXT("first"));
        other.values[tables[i]->common.updated_by] = value_text(TEXT("second"));
        assert_ok(suite_update(suite, &first, &second));
        int64_t rows = suite_count(suite, tables[i]);
        int64_t audit =
            suite_search(suite, &(struct search){ .table = &audit_trail_entry_table })->found.total;
        assert_int_equal(suite_update(suite, &first, &other), STATUS_PRECONDITION_FAILED);
        assert_int_equal(suite_delete(suite, &first), STATUS_PRECONDITION_FAILED);
        struct store_tx *tx = suite_write(suite);
        assert_int_equal(store_update_login_state(tx, &first, &other), STATUS_PRECONDITION_FAILED);
        assert_ok(suite_commit(suite));
        struct record found = suite_load(suite, tables[i], 7);
        assert_same_record(&found, &second);
        assert_int_equal(suite_count(suite, tables[i]), rows);
        assert_int_equal(
            suite_search(suite, &(struct search){ .table = &audit_trail_entry_table })->found.total,
            audit);
    }
}

static void a_record_that_is_gone_is_stale(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, 7), next = suite_next(suite, &user);
    assert_ok(suite_insert(suite, &user));
    assert_ok(suite_delete(suite, &user));
    assert_int_equal(suite_delete(suite, &user), STATUS_PRECONDITION_FAILED);
    assert_int_equal(suite_update(suite, &user, &next), STATUS_PRECONDITION_FAILED);
    assert_int_equal(store_exists(suite->session, &user_table, 7), STATUS_NOT_FOUND);
}

static void a_second_record_of_an_id_is_not_kept(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, 7), same = suite_user(suite, 7);
    assert_ok(suite_insert(suite, &user));
    same.values[USER_Email] = same.values[USER_EmailKey] = value_text(TEXT("other@example.com"));
    assert_int_equal(suite_insert(suite, &same), STATUS_INTERNAL);
    struct record found = suite_load(suite, &user_table, 7);
    assert_true(value_equal(&found.values[USER_Email], &user.values[USER_Email]));
    assert_int_equal(suite_count(suite, &user_table), 1);
}

static void a_deleted_record_is_gone_and_its_id_can_be_given_by_hand(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        struct record record;
        if (suite_is_made_by_store(tables[i]))
            continue;
        record = full_record(suite, tables[i], 7);
        assert_ok(suite_insert(suite, &record));
        assert_ok(suite_delete(suite, &record));
        assert_int_equal(store_exists(suite->session, tables[i], 7), STATUS_NOT_FOUND);
        assert_ok(suite_insert(suite, &record));
        struct record found = suite_load(suite, tables[i], 7);
        assert_same_record(&found, &record);
    }
}

static void a_note_changes_the_record_and_its_version(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, 7, 1);
    struct record user = suite_load(suite, &user_table, 7), noted = suite_next(suite, &user);
    noted.values[USER_InvalidLoginAttempts] = value_integer(4);
    noted.values[USER_LastTotpStep] = value_integer(INT64_C(1) << 40);
    noted.values[USER_Password] = value_text(TEXT("$y$another"));
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_update_login_state(tx, &user, &noted));
    assert_ok(suite_commit(suite));
    struct record found = suite_load(suite, &user_table, 7);
    assert_same_record(&found, &noted);
}

static void the_largest_record_is_kept(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, 7);
    const size_t characters = user_table.fields[USER_Devices].max;
    char *text = arena_alloc(&suite->arena, characters * 4);
    assert_non_null(text);
    for (size_t i = 0; i < characters; i++) {
        char letter[5];
        (void)snprintf(letter, sizeof letter, "\xF0\x9F%c%c", (char)(0x80 + i * 7919 / 64 % 64),
                       (char)(0x80 + i * 7919 % 64));
        memcpy(text + i * 4, letter, 4);
    }
    user.values[USER_Devices] = value_text((struct text){ text, characters * 4 });
    assert_ok(suite_insert(suite, &user));
    struct record found = suite_load(suite, &user_table, 7);
    assert_true(value_equal(&found.values[USER_Devices], &user.values[USER_Devices]));
}

static void store_avatar_of(struct suite *suite, int64_t id, const struct avatar *avatar) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_set_avatar(tx, id, avatar));
    assert_ok(suite_commit(suite));
}

static void is_avatar(void *argument, const struct avatar *found) {
    const struct avatar *expected = argument;
    assert_text(found->type, expected->type);
    assert_text(found->content, expected->content);
}

static void is_none(void *argument, const struct avatar *found) {
    (void)argument;
    (void)found;
    fail_msg("there is a picture");
}

static void assert_avatar(struct suite *suite, int64_t id, struct avatar *expected) {
    enum status status = store_avatar(suite->session, id, expected ? is_avatar : is_none, expected);
    assert_int_equal(status, expected ? STATUS_OK : STATUS_NOT_FOUND);
}

static void an_avatar_is_kept_replaced_and_removed(void **state) {
    enum { LARGEST = 5 * 1024 * 1024 };
    struct suite *suite = *state;
    struct avatar first = { TEXT("image/png"), TEXT("\x89PNG\0\xFF") };
    struct avatar second = { TEXT("image/jpeg"),
                             { arena_calloc(&suite->arena, LARGEST, 1), LARGEST } };
    suite_add_users(suite, 7, 2);
    assert_avatar(suite, 7, NULL);
    assert_avatar(suite, 77, NULL);
    store_avatar_of(suite, 7, &first);
    assert_avatar(suite, 7, &first);
    assert_avatar(suite, 8, NULL);
    store_avatar_of(suite, 7, &second);
    assert_avatar(suite, 7, &second);
    store_avatar_of(suite, 7, NULL);
    assert_avatar(suite, 7, NULL);
    store_avatar_of(suite, 7, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_record_is_loaded_as_it_was_inserted_hidden_and_secret_values_too),
        suite_test(a_value_that_was_not_set_is_loaded_as_nothing),
        suite_test(what_is_not_there_is_not_found),
        suite_test(a_record_is_shown_as_json_of_the_whole_record),
        suite_test(rows_are_counted),
        suite_test(a_new_id_was_never_given_to_a_record_that_was_kept),
        suite_test(each_table_has_ids_of_its_own),
        suite_test(an_update_replaces_every_value),
        suite_test(a_record_of_another_version_is_neither_updated_nor_noted_nor_deleted),
        suite_test(a_record_that_is_gone_is_stale),
        suite_test(a_second_record_of_an_id_is_not_kept),
        suite_test(a_deleted_record_is_gone_and_its_id_can_be_given_by_hand),
        suite_test(a_note_changes_the_record_and_its_version),
        suite_test(the_largest_record_is_kept),
        suite_test(an_avatar_is_kept_replaced_and_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

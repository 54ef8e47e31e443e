/* Applying changes to records: collections, secrets, derived fields, times. */
#include "rules/merge.h"

#include "model/tables.h"
#include "rules/collections.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static const struct rules rules = { .now_ms = 5000, .author = { "me@example.com", 14 } };

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct value text_value(const char *text) {
    return value_text(text_of(text));
}

static struct record new_user(void) {
    struct change change = change_new(&user_table, &arena);
    struct record user;
    assert_non_null(change.values);
    change.values[USER_Id] = value_integer(7);
    change.values[USER_UniqueId] = text_value("00000000-0000-4000-8000-000000000007");
    change.values[USER_FullName] = text_value("Ada");
    change.values[USER_Email] = text_value("Ada@Example.com");
    change.values[USER_SystemId] = text_value("mine");
    change.values[USER_Devices] = text_value("phone");
    change.values[USER_Password] = text_value("$hash");
    change.values[USER_Active] = value_integer(1);
    assert_int_equal(merge_new(&change, &rules, &arena, &user), STATUS_OK);
    return user;
}

static struct record merged(const struct record *before, const struct change *change,
                            const struct rules *by) {
    struct record after;
    assert_int_equal(merge(before, change, by, &arena, &after), STATUS_OK);
    return after;
}

static void assert_text(const struct value *value, const char *text) {
    assert_int_equal(value->kind, VALUE_TEXT);
    assert_true(text_equal(value_as_text(value), text_of(text)));
}

static void a_new_record_has_defaults_and_what_follows_from_it(void **state) {
    (void)state;
    struct record user = new_user();
    assert_int_equal(user.version, 1);
    assert_text(&user.values[USER_EmailKey], "ada@example.com");
    assert_text(&user.values[USER_ToStringText], "Ada - Ada@Example.com");
    assert_text(&user.values[USER_Businesses], "[]");
    assert_int_equal(user.values[USER_IsAdmin].integer, 0);
    assert_int_equal(user.values[USER_TwoFactorEnabled].integer, 0);
    assert_int_equal(user.values[USER_LastAccess].kind, VALUE_NULL);
    assert_int_equal(user.values[USER_CreatedOn].integer, 5000);
    assert_text(&user.values[USER_UpdatedBy], "me@example.com");
}

static void omitted_fields_are_kept_and_null_clears_all_but_secrets(void **state) {
    (void)state;
    struct record before = new_user();
    struct change change = change_new(&user_table, &arena);
    struct record after = merged(&before, &change, &rules);
    for (unsigned i = 0; i < user_table.count; i++)
        if (i != USER_UpdatedOn)
            assert_true(value_equal(&before.values[i], &after.values[i]));
    change.values[USER_Devices] = value_null();
    change.values[USER_Active] = value_null();
    change.values[USER_Password] = value_null();
    after = merged(&before, &change, &rules);
    assert_int_equal(after.values[USER_Devices].kind, VALUE_NULL);
    assert_int_equal(after.values[USER_Active].integer, 0);
    assert_text(&after.values[USER_Password], "$hash");
}

static void nexudus_resets_what_is_omitted_but_sticky_fields_and_secrets(void **state) {
    struct rules nexudus = rules;
    (void)state;
    nexudus.nexudus = true;
    struct record before = new_user();
    struct change change = change_new(&user_table, &arena);
    struct record after = merged(&before, &change, &nexudus);
    assert_int_equal(after.values[USER_Devices].kind, VALUE_NULL);
    assert_int_equal(after.values[USER_Active].integer, 0);
    assert_text(&after.values[USER_SystemId], "mine");
    assert_text(&after.values[USER_Password], "$hash");
    assert_text(&after.values[USER_FullName], "Ada");
}

static void updated_on_is_later_even_when_the_clock_stands_still(void **state) {
    (void)state;
    struct record user = new_user();
    struct change change = change_new(&user_table, &arena);
    for (int64_t i = 1; i <= 3; i++) {
        user = merged(&user, &change, &rules);
        assert_int_equal(user.values[USER_UpdatedOn].integer, 5000 + i);
        assert_int_equal(user.version, 1 + i);
    }
}

static void lists_are_replaced_then_added_to_then_taken_from(void **state) {
    static const int64_t whole[] = { 3, 1 }, added[] = { 2, 1, 9, 5 }, removed[] = { 3, 5 };
    (void)state;
    struct record user = new_user();
    struct change change = change_new(&user_table, &arena);
    change.values[USER_Businesses] = value_ids(whole, 2);
    change.values[USER_AddedBusinesses] = value_ids(added, 4);
    change.values[USER_RemovedBusinesses] = value_ids(removed, 2);
    user = merged(&user, &change, &rules);
    assert_text(&user.values[USER_Businesses], "[1,2,9]");
    assert_int_equal(user.values[USER_DefaultBusinessId].integer, 1);
}

static void
a_second_factor_is_enabled_by_its_secret_and_spent_codes_are_never_forgotten(void **state) {
    (void)state;
    struct record user = new_user();
    struct change change = change_new(&user_table, &arena);
    user.values[USER_LastTotpStep] = value_integer(99);
    change.values[USER_TwoFactorSecret] = text_value("sealed");
    user = merged(&user, &change, &rules);
    assert_int_equal(user.values[USER_TwoFactorEnabled].integer, 1);
    assert_int_equal(user.values[USER_LastTotpStep].integer, 99);
    change.values[USER_TwoFactorSecret] = text_value("");
    user = merged(&user, &change, &rules);
    assert_int_equal(user.values[USER_TwoFactorEnabled].integer, 0);
    assert_int_equal(user.values[USER_TwoFactorSecret].kind, VALUE_NULL);
    assert_int_equal(user.values[USER_LastTotpStep].integer, 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_has_defaults_and_what_follows_from_it),
        cmocka_unit_test(omitted_fields_are_kept_and_null_clears_all_but_secrets),
        cmocka_unit_test(nexudus_resets_what_is_omitted_but_sticky_fields_and_secrets),
        cmocka_unit_test(updated_on_is_later_even_when_the_clock_stands_still),
        cmocka_unit_test(lists_are_replaced_then_added_to_then_taken_from),
        cmocka_unit_test(
            a_second_factor_is_enabled_by_its_secret_and_spent_codes_are_never_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

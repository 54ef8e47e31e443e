/* The changes that only an administrator may make (docs/api.md "escalation"). */
#include "rules/permit.h"

#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static const struct principal admin = { .user_id = 1,
                                        .permissions = ~UINT64_C(0),
                                        .is_admin = true };
static const struct principal editor = { .user_id = 2, .permissions = 6 };

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct record user(int64_t id, bool is_admin) {
    struct record user = record_new(&user_table, &arena);
    assert_non_null(user.values);
    user.version = 1;
    user.values[USER_Id] = value_integer(id);
    user.values[USER_IsAdmin] = value_integer(is_admin);
    user.values[USER_Active] = value_integer(1);
    return user;
}

static struct change change_of(unsigned field, struct value value) {
    struct change change = change_new(&user_table, &arena);
    assert_non_null(change.values);
    change.values[field] = value;
    change.submitted[field] = (const struct json_value *)&admin; /* any value */
    return change;
}

/* The property of the first error; `at` is NULL if there is none. */
static struct text refused(const struct principal *caller, struct record of, unsigned field,
                           struct value value) {
    struct errors errors = { 0 };
    struct change change = change_of(field, value);
    permit_user_change(caller, &of, &change, &arena, &errors);
    assert_false(errors.failed);
    return errors.first ? errors.first->property : (struct text){ 0 };
}

static void an_administrator_may_change_all(void **state) {
    (void)state;
    assert_null(refused(&admin, user(3, true), USER_IsAdmin, value_integer(0)).at);
    assert_null(refused(&admin, user(3, false), USER_IsAdmin, value_integer(1)).at);
    assert_null(refused(&admin, user(3, true), USER_NewPassword, value_text(TEXT("x"))).at);
}

static void others_make_no_administrators(void **state) {
    (void)state;
    struct text property = refused(&editor, user(3, false), USER_IsAdmin, value_integer(1));
    assert_true(text_equal(property, TEXT("IsAdmin")));
    property = refused(&editor, user(2, false), USER_IsAdmin, value_integer(1));
    assert_true(text_equal(property, TEXT("IsAdmin")));
}

static void saying_again_what_is_so_is_no_change(void **state) {
    (void)state;
    assert_null(refused(&editor, user(3, false), USER_IsAdmin, value_integer(0)).at);
    assert_null(refused(&editor, user(3, false), USER_IsAdmin, value_null()).at);
}

static void others_do_not_touch_administrators(void **state) {
    (void)state;
    struct text property = refused(&editor, user(3, true), USER_FullName, value_text(TEXT("x")));
    assert_true(text_equal(property, TEXT("Id")));
}

/* All secrets of the table, so that one that is added later is protected too. */
static void a_secret_is_its_owners_to_change(void **state) {
    (void)state;
    unsigned secrets = 0;
    for (unsigned field = 0; field < user_table.count; field++) {
        struct value value = value_text(TEXT("a long passphrase")), off = value_text(TEXT(""));
        if (!field_is_secret(&user_table.fields[field]))
            continue;
        secrets++;
        assert_null(refused(&editor, user(editor.user_id, false), field, value).at);
        assert_null(refused(&admin, user(3, false), field, value).at);
        struct text name = user_table.fields[field].name;
        assert_true(text_equal(refused(&editor, user(3, false), field, value), name));
        assert_true(text_equal(refused(&editor, user(3, false), field, off), name));
        assert_null(refused(&editor, user(3, false), field, value_null()).at);
        assert_null(
            refused(&editor, user(3, false), field, (struct value){ .kind = VALUE_ABSENT }).at);
    }
    assert_int_equal(secrets, 4); /* NewPassword, Password, TwoFactorSecret, AccessToken */
}

static void a_new_user_may_be_given_a_password(void **state) {
    (void)state;
    struct record none = user(0, false);
    none.version = 0;
    assert_null(refused(&editor, none, USER_NewPassword, value_text(TEXT("a passphrase"))).at);
}

static void nobody_grants_what_they_lack(void **state) {
    (void)state;
    assert_true(permit_grant(&editor, 0));
    assert_true(permit_grant(&editor, 2));
    assert_true(permit_grant(&editor, 6));
    assert_false(permit_grant(&editor, 1));
    assert_false(permit_grant(&editor, 7));
    assert_true(permit_grant(&admin, ~UINT64_C(0)));
}

static void an_administrator_ends_by_demotion_or_deactivation(void **state) {
    (void)state;
    struct record before = user(3, true), demoted = user(3, false), idle = user(3, true);
    idle.values[USER_Active] = value_integer(0);
    assert_false(permit_ends_administrator(&before, &before));
    assert_true(permit_ends_administrator(&before, &demoted));
    assert_true(permit_ends_administrator(&before, &idle));
    assert_false(permit_ends_administrator(&idle, &demoted));
    assert_false(permit_ends_administrator(&demoted, &before));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_administrator_may_change_all),
        cmocka_unit_test(others_make_no_administrators),
        cmocka_unit_test(saying_again_what_is_so_is_no_change),
        cmocka_unit_test(others_do_not_touch_administrators),
        cmocka_unit_test(a_secret_is_its_owners_to_change),
        cmocka_unit_test(a_new_user_may_be_given_a_password),
        cmocka_unit_test(nobody_grants_what_they_lack),
        cmocka_unit_test(an_administrator_ends_by_demotion_or_deactivation),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

/* Links between records: lists of links, references, and backlinks. */
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIRST_ID = 1000, ROLE_ID = 20, BUSINESS_ID = 60 };

static void add(struct suite *suite, const struct table *table, int64_t id) {
    struct record record = suite_record(suite, table, id);
    assert_ok(suite_insert(suite, &record));
}

/* The users that a role has, as text: "[1000,1001]". */
static struct text users_of(struct suite *suite, int64_t role) {
    struct record record = suite_load(suite, &user_role_table, role);
    assert_ok(store_load_derived(suite->session, &record, &suite->arena));
    return value_as_text(&record.values[USER_ROLE_Users]);
}

static void set_roles(struct suite *suite, int64_t user, const int64_t *roles, size_t count) {
    struct record before = suite_load(suite, &user_table, user);
    struct record after = suite_next(suite, &before);
    suite_link(suite, &after, USER_UserRoles, roles, count);
    assert_ok(suite_update(suite, &before, &after));
}

static void a_record_has_its_owners_in_the_order_of_their_ids(void **state) {
    static const int64_t roles[] = { ROLE_ID + 1, ROLE_ID };
    struct suite *suite = *state;
    suite_add_users(suite, FIRST_ID, 3);
    add(suite, &user_role_table, ROLE_ID);
    add(suite, &user_role_table, ROLE_ID + 1);
    assert_text(users_of(suite, ROLE_ID), TEXT("[]"));
    set_roles(suite, FIRST_ID + 2, roles, 2);
    set_roles(suite, FIRST_ID, roles, 1);
    assert_text(users_of(suite, ROLE_ID), TEXT("[1002]"));
    assert_text(users_of(suite, ROLE_ID + 1), TEXT("[1000,1002]"));
}

static void links_follow_each_update_and_go_with_their_record(void **state) {
    static const int64_t roles[] = { ROLE_ID, ROLE_ID + 1, ROLE_ID + 2 };
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID);
    for (int i = 0; i < 3; i++)
        add(suite, &user_role_table, ROLE_ID + i);
    suite_link(suite, &user, USER_UserRoles, roles, 2);
    assert_ok(suite_insert(suite, &user));
    assert_text(users_of(suite, ROLE_ID), TEXT("[1000]"));
    assert_text(users_of(suite, ROLE_ID + 2), TEXT("[]"));
    set_roles(suite, FIRST_ID, roles + 1, 2);
    assert_text(users_of(suite, ROLE_ID), TEXT("[]"));
    assert_text(users_of(suite, ROLE_ID + 1), TEXT("[1000]"));
    assert_text(users_of(suite, ROLE_ID + 2), TEXT("[1000]"));
    user = suite_load(suite, &user_table, FIRST_ID);
    assert_ok(suite_delete(suite, &user));
    assert_text(users_of(suite, ROLE_ID + 1), TEXT("[]"));
    assert_text(users_of(suite, ROLE_ID + 2), TEXT("[]"));
}

static void links_of_what_was_not_kept_are_not_kept(void **state) {
    static const int64_t role = ROLE_ID;
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID);
    add(suite, &user_role_table, ROLE_ID);
    suite_link(suite, &user, USER_UserRoles, &role, 1);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_insert(tx, &user, &suite_author));
    suite_roll_back(suite);
    assert_text(users_of(suite, ROLE_ID), TEXT("[]"));
}

static void links_of_one_field_are_none_of_another(void **state) {
    static const int64_t both = ROLE_ID;
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID), room;
    add(suite, &user_role_table, ROLE_ID);
    add(suite, &chat_room_table, ROLE_ID);
    suite_link(suite, &user, USER_UserRoles, &both, 1);
    assert_ok(suite_insert(suite, &user));
    room = suite_load(suite, &chat_room_table, ROLE_ID);
    assert_ok(store_load_derived(suite->session, &room, &suite->arena));
    assert_text(value_as_text(&room.values[CHAT_ROOM_Users]), TEXT("[]"));
}

static void a_record_has_the_name_of_what_it_refers_to(void **state) {
    struct suite *suite = *state;
    struct record role = suite_record(suite, &user_role_table, ROLE_ID);
    role.values[USER_ROLE_BusinessId] = value_integer(BUSINESS_ID);
    add(suite, &business_table, BUSINESS_ID);
    assert_ok(suite_insert(suite, &role));
    role = suite_load(suite, &user_role_table, ROLE_ID);
    assert_ok(store_load_derived(suite->session, &role, &suite->arena));
    assert_text(value_as_text(&role.values[USER_ROLE_BusinessName]), TEXT("Name 60"));
    struct record next = suite_next(suite, &role);
    next.values[USER_ROLE_BusinessId] = value_integer(BUSINESS_ID + 1); /* is not there */
    assert_ok(suite_update(suite, &role, &next));
    assert_ok(store_load_derived(suite->session, &next, &suite->arena));
    assert_int_equal(next.values[USER_ROLE_BusinessName].kind, VALUE_NULL);
}

static struct referrers referrers_of(struct suite *suite, const struct table *table, int64_t id) {
    struct referrers referrers;
    struct record record = suite_load(suite, table, id);
    assert_ok(store_referrers(suite->session, &record, &suite->arena, &referrers));
    return referrers;
}

static void who_points_to_a_record_is_named_up_to_a_few_and_counted(void **state) {
    static const int64_t role = ROLE_ID;
    struct suite *suite = *state;
    add(suite, &user_role_table, ROLE_ID);
    assert_int_equal(referrers_of(suite, &user_role_table, ROLE_ID).count, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct record user = suite_user(suite, FIRST_ID + i);
        suite_link(suite, &user, USER_UserRoles, &role, 1);
        assert_ok(suite_insert(suite, &user));
        struct referrers referrers = referrers_of(suite, &user_role_table, ROLE_ID);
        assert_ptr_equal(referrers.table, &user_table);
        assert_int_equal(referrers.count, i + 1);
    }
    struct referrers referrers = referrers_of(suite, &user_role_table, ROLE_ID);
    for (unsigned i = 0; i < REFERRERS_SHOWN; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "ToStringText %d", FIRST_ID + (int)i);
        assert_int_equal(referrers.shown[i].id, FIRST_ID + i);
        assert_true(text_equal(referrers.shown[i].name, text_of(name)));
    }
}

/* A reference is a link like any other. */
static void who_refers_to_a_record_points_to_it_as_long_as_he_does(void **state) {
    struct suite *suite = *state;
    struct record room = suite_record(suite, &chat_room_table, 5), moved;
    add(suite, &business_table, BUSINESS_ID);
    room.values[CHAT_ROOM_BusinessId] = value_integer(BUSINESS_ID);
    assert_ok(suite_insert(suite, &room));
    struct referrers referrers = referrers_of(suite, &business_table, BUSINESS_ID);
    assert_ptr_equal(referrers.table, &chat_room_table);
    assert_int_equal(referrers.count, 1);
    moved = suite_next(suite, &room);
    moved.values[CHAT_ROOM_BusinessId] = value_integer(1);
    assert_ok(suite_update(suite, &room, &moved));
    assert_int_equal(referrers_of(suite, &business_table, BUSINESS_ID).count, 0);
    struct record back = suite_next(suite, &moved);
    back.values[CHAT_ROOM_BusinessId] = value_integer(BUSINESS_ID);
    assert_ok(suite_update(suite, &moved, &back));
    assert_int_equal(referrers_of(suite, &business_table, BUSINESS_ID).count, 1);
    assert_ok(suite_delete(suite, &back));
    assert_int_equal(referrers_of(suite, &business_table, BUSINESS_ID).count, 0);
}

/* ---- e-mail addresses, businesses, administrators ---- */

static int64_t user_of(struct suite *suite, struct text key) {
    int64_t id = 0;
    enum status status = store_find_user(suite->session, key, &id);
    if (status == STATUS_NOT_FOUND)
        return 0;
    assert_ok(status);
    return id;
}

static enum status readdress(struct suite *suite, int64_t id, struct text address) {
    struct record user = suite_load(suite, &user_table, id), next = suite_next(suite, &user);
    next.values[USER_Email] = next.values[USER_EmailKey] = value_text(address);
    return suite_update(suite, &user, &next);
}

static void a_user_is_found_by_the_key_of_his_address_alone(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, FIRST_ID);
    user.values[USER_Email] = value_text(TEXT("Maria@Example.com"));
    user.values[USER_EmailKey] = value_text(TEXT("maria@example.com"));
    assert_ok(suite_insert(suite, &user));
    assert_int_equal(user_of(suite, TEXT("maria@example.com")), FIRST_ID);
    assert_int_equal(user_of(suite, TEXT("Maria@Example.com")), 0);
    assert_int_equal(user_of(suite, TEXT("maria@example.co")), 0);
    assert_int_equal(user_of(suite, TEXT("")), 0);
}

static void no_two_users_have_one_address(void **state) {
    struct suite *suite = *state;
    struct record second = suite_user(suite, FIRST_ID + 1);
    suite_add_users(suite, FIRST_ID, 1);
    second.values[USER_EmailKey] = value_text(TEXT("user1000@example.com"));
    assert_int_equal(suite_insert(suite, &second), STATUS_INTERNAL);
    assert_int_equal(suite_count(suite, &user_table), 1);
    suite_add_users(suite, FIRST_ID + 1, 1);
    assert_int_equal(readdress(suite, FIRST_ID + 1, TEXT("user1000@example.com")), STATUS_INTERNAL);
    assert_int_equal(suite_load(suite, &user_table, FIRST_ID + 1).version, 1);
    assert_int_equal(user_of(suite, TEXT("user1000@example.com")), FIRST_ID);
    assert_int_equal(user_of(suite, TEXT("user1001@example.com")), FIRST_ID + 1);
}

static void an_address_that_was_given_up_can_be_taken(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, FIRST_ID, 2);
    assert_ok(readdress(suite, FIRST_ID, TEXT("new@example.com")));
    assert_int_equal(user_of(suite, TEXT("user1000@example.com")), 0);
    assert_ok(readdress(suite, FIRST_ID + 1, TEXT("user1000@example.com")));
    assert_int_equal(user_of(suite, TEXT("user1000@example.com")), FIRST_ID + 1);
    struct record user = suite_load(suite, &user_table, FIRST_ID);
    assert_ok(suite_delete(suite, &user));
    assert_int_equal(user_of(suite, TEXT("new@example.com")), 0);
    assert_ok(readdress(suite, FIRST_ID + 1, TEXT("new@example.com")));
}

static int64_t business_of(struct suite *suite, struct text name) {
    int64_t id = 0;
    enum status status = store_find_business(suite->session, name, &id);
    if (status == STATUS_NOT_FOUND)
        return 0;
    assert_ok(status);
    return id;
}

static void a_business_is_found_by_name_or_is_the_first(void **state) {
    struct suite *suite = *state;
    static const char *const names[] = { "Zeta", "Alpha", "alpha", "Straße" };
    assert_int_equal(business_of(suite, TEXT("Zeta")), 0);
    for (int i = 0; i < 4; i++) {
        struct record business = suite_record(suite, &business_table, 10 - i);
        business.values[BUSINESS_Name] = value_text(text_of(names[i]));
        assert_ok(suite_insert(suite, &business));
    }
    assert_int_equal(business_of(suite, TEXT("zETA")), 10);
    assert_int_equal(business_of(suite, TEXT("ALPHA")), 8); /* of two the first */
    assert_int_equal(business_of(suite, TEXT("straße")), 7);
    assert_int_equal(business_of(suite, TEXT("Nobody's")), 7); /* the first of all */
}

static void an_administrator_is_another_one_who_is_active(void **state) {
    struct suite *suite = *state;
    static const struct {
        int64_t id, is_admin, is_active;
    } users[] = { { 1, 1, 1 }, { 2, 1, 0 }, { 3, 0, 1 }, { 4, 0, 0 } };
    assert_int_equal(store_other_administrator(suite->session, 0), STATUS_NOT_FOUND);
    for (int i = 0; i < 4; i++) {
        struct record user = suite_user(suite, users[i].id);
        user.values[USER_IsAdmin] = value_integer(users[i].is_admin);
        user.values[USER_Active] = value_integer(users[i].is_active);
        assert_ok(suite_insert(suite, &user));
    }
    assert_ok(store_other_administrator(suite->session, 2));
    assert_int_equal(store_other_administrator(suite->session, 1), STATUS_NOT_FOUND);
    struct record second = suite_load(suite, &user_table, 2), next = suite_next(suite, &second);
    next.values[USER_Active] = value_integer(1);
    assert_ok(suite_update(suite, &second, &next));
    assert_ok(store_other_administrator(suite->session, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_record_has_its_owners_in_the_order_of_their_ids),
        suite_test(links_follow_each_update_and_go_with_their_record),
        suite_test(links_of_what_was_not_kept_are_not_kept),
        suite_test(links_of_one_field_are_none_of_another),
        suite_test(a_record_has_the_name_of_what_it_refers_to),
        suite_test(who_points_to_a_record_is_named_up_to_a_few_and_counted),
        suite_test(who_refers_to_a_record_points_to_it_as_long_as_he_does),
        suite_test(a_user_is_found_by_the_key_of_his_address_alone),
        suite_test(no_two_users_have_one_address),
        suite_test(an_address_that_was_given_up_can_be_taken),
        suite_test(a_business_is_found_by_name_or_is_the_first),
        suite_test(an_administrator_is_another_one_who_is_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

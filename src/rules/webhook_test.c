/* The rules of webhooks (docs/contract.md section 9). */
#include "rules/webhook.h"

#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct arena arena;

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static void only_changes_of_users_are_events(void **state) {
    static const struct {
        enum audit_type change;
        enum web_hook_action action;
    } cases[] = {
        { AUDIT_CREATE, ACTION_USER_CREATE },
        { AUDIT_UPDATE, ACTION_USER_UPDATE },
        { AUDIT_DELETE, ACTION_USER_DELETE },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        for (unsigned table = 0; table < TABLES; table++)
            assert_int_equal(webhook_action(tables[table], cases[i].change),
                             tables[table] == &user_table ? cases[i].action : ACTION_NONE);
}

static void a_receiver_gets_an_array_of_the_one_record_without_its_secrets(void **state) {
    struct record user = record_new(&user_table, &arena);
    struct buffer payload, record;
    (void)state;
    assert_non_null(user.values);
    user.values[USER_Id] = value_integer(5);
    user.values[USER_AccessToken] = value_text(TEXT("secret"));
    buffer_init(&payload, &arena, 0);
    buffer_init(&record, &arena, 0);
    webhook_add_payload(&payload, &user);
    json_add_record(&record, &user);
    assert_false(payload.failed || record.failed);
    assert_int_equal(payload.len, record.len + 2);
    assert_int_equal(payload.at[0], '[');
    assert_memory_equal(payload.at + 1, record.at, record.len);
    assert_int_equal(payload.at[payload.len - 1], ']');
    buffer_add_char(&payload, '\0');
    assert_null(strstr(payload.at, "secret"));
}

static void its_maker_must_be_allowed_to_read_users(void **state) {
    static const struct {
        struct principal maker;
        bool may;
    } cases[] = {
        { { .permissions = 0 }, false },
        { { .permissions = ~UINT64_C(0), .is_admin = true }, true },
        { { .permissions = UINT64_C(1) << PERMISSION(User, Read) }, true },
        { { .permissions = ~(UINT64_C(1) << PERMISSION(User, Read)) }, false },
        { { .permissions = UINT64_C(1) << PERMISSION(User, List) }, false },
        { { .permissions = UINT64_C(1) << PERMISSION(WebHook, Edit) }, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(webhook_may_tell(&cases[i].maker), cases[i].may);
}

static void each_pause_is_twice_the_one_before_and_ten_attempts_are_all(void **state) {
    static const struct {
        int64_t attempts, next_ms; /* of now 1000 and a first pause of 5000 */
    } cases[] = {
        { 1, 6000 },   { 2, 11000 },  { 3, 21000 },   { 4, 41000 }, { 5, 81000 }, { 6, 161000 },
        { 7, 321000 }, { 8, 641000 }, { 9, 1281000 }, { 10, 0 },    { 11, 0 },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(webhook_next_attempt(1000, 5000, cases[i].attempts), cases[i].next_ms);
}

/* A delivery that is to wait for longer was stored while the clock was ahead, and is due at once.
 */
static void no_pause_is_longer_than_the_longest(void **state) {
    (void)state;
    for (int64_t pause_ms = 1; pause_ms <= 1000000; pause_ms *= 10)
        for (int64_t attempts = 1; attempts < WEBHOOK_ATTEMPTS_MAX; attempts++)
            assert_true(webhook_next_attempt(0, pause_ms, attempts) <=
                        webhook_longest_pause(pause_ms));
    assert_int_equal(webhook_longest_pause(5), 5 * 256);
}

static void ten_failures_in_a_row_are_one_too_many(void **state) {
    static const struct {
        int64_t failures;
        bool stays;
    } cases[] = { { 0, true }, { 1, true }, { 9, true }, { 10, false }, { 11, false } };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(webhook_stays_active(cases[i].failures), cases[i].stays);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_changes_of_users_are_events),
        cmocka_unit_test(a_receiver_gets_an_array_of_the_one_record_without_its_secrets),
        cmocka_unit_test(its_maker_must_be_allowed_to_read_users),
        cmocka_unit_test(each_pause_is_twice_the_one_before_and_ten_attempts_are_all),
        cmocka_unit_test(no_pause_is_longer_than_the_longest),
        cmocka_unit_test(ten_failures_in_a_row_are_one_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

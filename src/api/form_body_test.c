/* A form takes no more memory to read than the same in JSON may. */
#include "api/form_body.h"

#include "base/budget.h"
#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BODY = 1024 * 1024, SLACK = 128 * 1024 /* which the budget's figures may be off by */ };

/* A body of a mebibyte: `begin`, as many of `pair` as go. */
static struct text full_body(struct arena *arena, const char *begin, const char *pair) {
    char *at = arena_alloc(arena, BODY);
    assert_non_null(at);
    size_t len = strlen(begin), more = strlen(pair);
    memcpy(at, begin, len);
    for (; len + more <= BODY; len += more)
        memcpy(at + len, pair, more);
    return (struct text){ at, len };
}

/* Reads it where all requests together may hold `most` bytes. `holds` is for the caller to close.
 */
static enum status read_within(struct text body, size_t most, struct arena *holds,
                               struct errors *errors) {
    struct change change;
    arena_init_counted(holds, 0);
    budget_set(most);
    enum status status = form_read_change(body, &user_table, holds, &change, errors);
    budget_set(0);
    return status;
}

static void assert_reads(struct text body, size_t most, const char *refusal) {
    struct errors errors = { 0 };
    struct arena holds;
    enum status status = read_within(body, most, &holds, &errors);
    assert_int_equal(status, refusal ? STATUS_BAD_INPUT : STATUS_OK);
    assert_int_equal(errors.first != NULL, refusal != NULL);
    if (refusal)
        assert_true(errors.first && strstr(errors.first->message.at, refusal));
    arena_close(&holds);
}

static void reading_never_holds_more_than_8_times_the_form(void **state) {
    static const struct {
        const char *begin, *pair, *refusal;
    } forms[] = {
        { "FullName=", "x", NULL },
        { "FullName=", "\"", "too many control characters, quotes and backslashes" },
        { "FullName=", "%22", NULL },
        { "FullName=", "%01", "too many control characters" },
        { "FullName=", "\x01", "too many control characters" },
        { "FullName=x", "&a=", "has more than 1000 members" },
        { "FullName=x", "&fullname=", "has more than 1000 members" },
        { "FullName=x", "&", NULL },
        { "FullName=x", "&a member that nobody knows=1", "has more than 1000 members" },
        { "Id=1", "&Id=", "has more than 10000 values" },
        { "Businesses=1", "&Businesses=1", "has more than 10000 values" },
        { "Businesses=100001", "&Businesses=100001", NULL },
        { "UserRoles=100000", "&UserRoles=100000", NULL },
        { "Businesses=1000&UserRoles=4001", "&Businesses=1000&UserRoles=4001", NULL },
        { "Email=a", "&Email=+a@example.com", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct arena arena = { 0 };
        struct text body = full_body(&arena, forms[i].begin, forms[i].pair);
        assert_reads(body, (size_t)8 * BODY, forms[i].refusal);
        arena_close(&arena);
    }
}

static void what_was_held_meanwhile_is_given_back(void **state) {
    (void)state;
    struct arena arena = { 0 }, holds;
    struct change change;
    struct errors errors = { 0 };
    struct text body = full_body(&arena, "Businesses=100001", "&Businesses=100001");
    arena_init_counted(&holds, 0);
    assert_int_equal(form_read_change(body, &user_table, &holds, &change, &errors), STATUS_OK);
    assert_in_range(budget_stats().used, holds.counted, holds.counted + SLACK);
    arena_close(&holds);
    assert_in_range(budget_stats().used, 0, SLACK);
    arena_close(&arena);
}

static void little_memory_is_no_mistake_of_the_form(void **state) {
    struct arena arena = { 0 };
    struct text body = full_body(&arena, "FullName=", "x");
    (void)state;
    for (size_t most = SLACK / 2; most < (size_t)4 * BODY; most += (size_t)2 * SLACK) {
        struct errors errors = { 0 };
        struct arena holds;
        enum status status = read_within(body, most, &holds, &errors);
        assert_int_equal(status == STATUS_OK, !holds.failed);
        assert_true(status == STATUS_OK || (status == STATUS_INTERNAL && holds.is_over_budget));
        arena_close(&holds);
    }
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_never_holds_more_than_8_times_the_form),
        cmocka_unit_test(what_was_held_meanwhile_is_given_back),
        cmocka_unit_test(little_memory_is_no_mistake_of_the_form),
    };
    return cmocka_run_group_tests_name("api/form_body", tests, NULL, NULL);
}

/* From a body to a change: the value for each kind of JSON, and the bodies that are refused. */
#include "json/json.h"

#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct change read_spelled(const char *body, bool is_exact) {
    struct change change;
    struct errors errors = { 0 };
    const struct json_body as_sent = { text_of(body), is_exact };
    assert_int_equal(json_read_change(&as_sent, &user_table, &arena, &change, &errors), STATUS_OK);
    assert_null(errors.first);
    return change;
}

static struct change read_user(const char *body) {
    return read_spelled(body, false);
}

static struct value full_name(const char *json) {
    struct text body = arena_printf(&arena, "{\"FullName\":%s}", json);
    return read_user(body.at).values[USER_FullName];
}

static void assert_refused(struct text body, const char *message) {
    struct change change;
    struct errors errors = { 0 };
    assert_int_equal(json_read_change(&(struct json_body){ .text = body }, &user_table, &arena,
                                      &change, &errors),
                     STATUS_BAD_INPUT);
    assert_non_null(errors.first);
    assert_null(errors.first->next);
    assert_true(text_equal(errors.first->property, TEXT("Body")));
    assert_non_null(strstr(errors.first->message.at, message));
}

static void each_json_value_has_a_kind(void **state) {
    (void)state;
    assert_int_equal(full_name("null").kind, VALUE_NULL);
    assert_int_equal(full_name("true").kind, VALUE_BOOLEAN);
    assert_int_equal(full_name("\"a\"").kind, VALUE_TEXT);
    assert_int_equal(full_name("[]").kind, VALUE_LIST);
    assert_int_equal(full_name("{}").kind, VALUE_OTHER);
    assert_int_equal(full_name("-7").integer, -7);
    assert_int_equal(full_name("9223372036854775807").integer, INT64_MAX);
    assert_int_equal(full_name("-9223372036854775808").integer, INT64_MIN);
}

/* A truncated integer or a rounded fraction would be the Id of another record. */
static void what_no_int64_holds_is_no_integer(void **state) {
    static const char *const numbers[] = { "9223372036854775808",
                                           "18446744073709551616",
                                           "12345678901234567890123",
                                           "-9223372036854775809",
                                           "1.0",
                                           "1e3",
                                           "-0.0" };
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(full_name(numbers[i]).kind, VALUE_OTHER);
}

static void texts_are_unescaped_and_may_hold_nul(void **state) {
    (void)state;
    struct value value = full_name("\"a\\u0000\\u00e9\\ud83d\\ude00\\n\"");
    assert_true(
        text_equal(value_as_text(&value), (struct text){ "a\0\xC3\xA9\xF0\x9F\x98\x80\n", 9 }));
}

static void lists_keep_their_members_kinds_and_nothing_nested(void **state) {
    (void)state;
    struct value list = full_name("[1,\"2\",null,[3],{}]");
    static const enum value_kind kinds[] = { VALUE_INTEGER, VALUE_TEXT, VALUE_NULL, VALUE_OTHER,
                                             VALUE_OTHER };
    assert_int_equal(list.len, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(list.list[i].kind, kinds[i]);
}

static void what_is_not_said_is_absent(void **state) {
    (void)state;
    struct change change = read_user("{}");
    for (unsigned i = 0; i < user_table.count; i++) {
        assert_int_equal(change.values[i].kind, VALUE_ABSENT);
        assert_null(change.submitted[i]);
    }
}

static void members_are_found_in_any_order(void **state) {
    (void)state;
    struct change change =
        read_user("{\"Language\":1,\"Id\":7,\"Email\":\"a@b.c\",\"FullName\":\"x\"}");
    assert_int_equal(change.values[USER_Language].integer, 1);
    assert_int_equal(change.values[USER_Id].integer, 7);
    assert_true(text_equal(value_as_text(&change.values[USER_Email]), TEXT("a@b.c")));
    assert_true(text_equal(value_as_text(&change.values[USER_FullName]), TEXT("x")));
}

static unsigned count_unknown(const struct change *change) {
    unsigned unknown = 0;
    for (const struct error *error = change->unknown; error; error = error->next)
        unknown++;
    return unknown;
}

static void names_count_whole_and_without_case(void **state) {
    static const char body[] = "{\"fullname\":1,\"FullNam\":2,\"FullName\\u0000\":3,\"\":4}";
    (void)state;
    struct change change = read_user(body);
    assert_int_equal(change.values[USER_FullName].integer, 1);
    assert_int_equal(count_unknown(&change), 3);
    change = read_spelled(body, true);
    assert_int_equal(change.values[USER_FullName].kind, VALUE_ABSENT);
    assert_int_equal(count_unknown(&change), 4);
}

static void two_spellings_are_a_member_twice(void **state) {
    (void)state;
    struct change change = read_user("{\"fullname\":1,\"FULLNAME\":2}");
    assert_true(change_repeats(&change, USER_FullName));
    assert_int_equal(change.values[USER_FullName].integer, 1);
}

static void a_byte_order_mark_is_skipped(void **state) {
    (void)state;
    struct change change = read_user("\xEF\xBB\xBF{\"fullname\":1}");
    assert_int_equal(change.values[USER_FullName].integer, 1);
    const struct json_body exact = { TEXT("\xEF\xBB\xBF{}"), true };
    struct errors errors = { 0 };
    assert_int_equal(json_read_change(&exact, &user_table, &arena, &change, &errors),
                     STATUS_BAD_INPUT);
}

static void what_nobody_may_write_is_unknown(void **state) {
    (void)state;
    struct change change = read_user("{\"UpdatedBy\":\"me\",\"ToStringText\":\"x\"}");
    assert_non_null(change.unknown);
    assert_true(text_equal(change.unknown->property, TEXT("UpdatedBy")));
    assert_true(text_equal(change.unknown->next->property, TEXT("ToStringText")));
}

static void what_comes_twice_is_marked_and_the_first_kept(void **state) {
    (void)state;
    struct change change = read_user("{\"FullName\":\"a\",\"FullName\":\"b\",\"Email\":\"c\"}");
    assert_true(change_repeats(&change, USER_FullName));
    assert_false(change_repeats(&change, USER_Email));
    assert_true(text_equal(value_as_text(&change.values[USER_FullName]), TEXT("a")));
}

static void a_body_is_one_object(void **state) {
    (void)state;
    static const char *const others[] = { "[]", "null", "7", "\"x\"", "true" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_refused(text_of(others[i]), "must be a JSON object");
    assert_refused(TEXT(""), "is empty");
    assert_refused(TEXT(" \t\r\n"), "is empty");
}

static void the_place_of_a_mistake_is_told(void **state) {
    (void)state;
    assert_refused(TEXT("{\n  \"Id\": 1,\n  \"x\": }"), "line 3, column 8");
    assert_refused(TEXT("{\"Id\":1}x"), "line 1, column 9");
}

static void only_rfc_8259_is_read(void **state) {
    static const char *const wrong[] = {
        "{'Id':1}",         "{Id:1}",
        "{\"Id\":1,}",      "{\"Id\":01}",
        "{\"Id\":+1}",      "{\"Id\":0x1}",
        "{\"Id\":NaN}",     "{\"Id\":1}//",
        "{\"a\":\"\t\"}",   "{\"a\":\"\\x\"}",
        "{\"a\":\"\xFF\"}", "{\"a\":\"\\ud800\"}",
        "\xFF\xFE{}",       "{\"a\":\"\xC0\x80\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(text_of(wrong[i]), "is not valid JSON");
    assert_refused((struct text){ "{}\0", 3 }, "is not valid JSON");
}

static struct text nested(size_t levels) {
    char *body = arena_alloc(&arena, 2 * levels + 16);
    assert_non_null(body);
    size_t at = sizeof "{\"x\":" - 1;
    memcpy(body, "{\"x\":", at);
    memset(body + at, '[', levels - 1);
    memset(body + at + levels - 1, ']', levels - 1);
    at += 2 * (levels - 1);
    body[at++] = '}';
    return (struct text){ body, at };
}

static void sixty_four_levels_are_enough(void **state) {
    (void)state;
    struct change change;
    struct errors errors = { 0 };
    assert_int_equal(json_read_change(&(struct json_body){ .text = nested(64) }, &user_table,
                                      &arena, &change, &errors),
                     STATUS_OK);
    assert_refused(nested(65), "more than 64 levels");
    assert_refused(nested(100000), "more than 64 levels");
}

static void what_was_submitted_is_written_as_it_came(void **state) {
    (void)state;
    struct buffer buffer;
    struct change change =
        read_user("{\"FullName\":{\"a\":[1,12345678901234567890123,\"\\u00e9\"]}}");
    buffer_init(&buffer, &arena, 64);
    json_add_submitted(&buffer, change.submitted[USER_FullName]);
    json_add_submitted(&buffer, change.submitted[USER_Email]);
    assert_true(text_equal(buffer_text(&buffer),
                           TEXT("{\"a\":[1,12345678901234567890123,\"\xC3\xA9\"]}null")));
}

static void little_memory_is_no_mistake_of_the_body(void **state) {
    (void)state;
    const char *body = "{\"FullName\":\"a name\",\"UserRoles\":[1,2,3],\"x\":1}";
    bool was_read = false;
    for (size_t limit = 64; !was_read; limit += 64) {
        struct arena small;
        struct change change;
        struct errors errors = { 0 };
        arena_init(&small, limit);
        enum status status = json_read_change(&(struct json_body){ .text = text_of(body) },
                                              &user_table, &small, &change, &errors);
        was_read = status == STATUS_OK && !small.failed;
        assert_true(was_read || small.failed);
        assert_null(errors.first);
        arena_close(&small);
    }
}

enum { BODY = 1024 * 1024 };

/* A body of 1 MiB: `begin`, as many times `member` as fit, `end`. */
static struct text full_body(const char *begin, const char *member, const char *end) {
    char *at = arena_alloc(&arena, BODY);
    assert_non_null(at);
    size_t len = strlen(begin), more = strlen(member);
    memcpy(at, begin, len);
    for (; len + more + strlen(end) <= BODY; len += more)
        memcpy(at + len, member, more);
    memcpy(at + len, end, strlen(end));
    return (struct text){ at, len + strlen(end) };
}

static void reading_holds_at_most_8_times_the_body(void **state) {
    static const struct {
        const char *begin, *member, *end, *refusal;
    } bodies[] = {
        { "{\"Businesses\":[0", ",0", "]}", "has more than 10000 values" },
        { "{\"Businesses\":[ 0", " ,\n   0", "]}", NULL },
        { "{\"Businesses\":[\n        100000", ",100000", "]}", NULL },
        { "{\"Businesses\":[123456789", ",123456789", "]}", NULL },
        { "{\"x\":[[]", ",[]", "]}", "has more than 10000 values" },
        { "{\"x\":[", "[", "", "is nested more than 64 levels" },
        { "{\"x\":[{}", ",{\"\":0}", "]}", "has more than 10000 values" },
        { "{\"a\":1", ",\"a\":1", "}", "has more than 10000 values" },
        { "{\"a\":1", ",\"unknown member\":1", "}", "has more than 1000 members" },
        { "{\"FullName\":\"", "\\u0041", "\"}", NULL },
        { "{\"FullName\":\"", ",:[{\\\"", "\"}", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct json_body body = { .text = full_body(bodies[i].begin, bodies[i].member,
                                                          bodies[i].end) };
        struct change change;
        struct errors errors = { 0 };
        struct arena holds = { 0 };
        enum status status = json_read_change(&body, &user_table, &holds, &change, &errors);
        assert_int_equal(status, bodies[i].refusal ? STATUS_BAD_INPUT : STATUS_OK);
        if (bodies[i].refusal)
            assert_non_null(strstr(errors.first->message.at, bodies[i].refusal));
        assert_in_range(holds.used, 0, 8 * BODY);
        arena_close(&holds);
    }
}

static void small_bodies_may_have_many_values(void **state) {
    (void)state;
    struct buffer body;
    buffer_init(&body, &arena, (size_t)32 * 1024);
    buffer_printf(&body, "{\"Businesses\":[0");
    for (int i = 0; i < 9000; i++)
        buffer_add(&body, TEXT(",0"));
    buffer_add(&body, TEXT("]}"));
    buffer_add_char(&body, '\0');
    assert_int_equal(read_user(body.at).values[USER_Businesses].len, 9001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(reading_holds_at_most_8_times_the_body, free_arena),
        cmocka_unit_test_teardown(small_bodies_may_have_many_values, free_arena),
        cmocka_unit_test(each_json_value_has_a_kind),
        cmocka_unit_test(what_no_int64_holds_is_no_integer),
        cmocka_unit_test(texts_are_unescaped_and_may_hold_nul),
        cmocka_unit_test(lists_keep_their_members_kinds_and_nothing_nested),
        cmocka_unit_test(what_is_not_said_is_absent),
        cmocka_unit_test(members_are_found_in_any_order),
        cmocka_unit_test(names_count_whole_and_without_case),
        cmocka_unit_test(two_spellings_are_a_member_twice),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(what_nobody_may_write_is_unknown),
        cmocka_unit_test(what_comes_twice_is_marked_and_the_first_kept),
        cmocka_unit_test(a_body_is_one_object),
        cmocka_unit_test(the_place_of_a_mistake_is_told),
        cmocka_unit_test(only_rfc_8259_is_read),
        cmocka_unit_test(sixty_four_levels_are_enough),
        cmocka_unit_test(what_was_submitted_is_written_as_it_came),
        cmocka_unit_test(little_memory_is_no_mistake_of_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

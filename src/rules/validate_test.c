/* Validation: each type, with one of the fields of users. tests/api/fields.test.mjs tries every
 * field over a socket. */
#include "rules/validate.h"

#include "json/json.h"
#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define REQUIRED_MEMBERS                                                                           \
    "\"Id\":7,\"FullName\":\"Ada\",\"Email\":\"ada@example.com\",\"Language\":1,"                  \
    "\"PasswordSalt\":\"\",\"LastHelpVisited\":0,\"InvalidLoginAttempts\":0"

static struct arena arena;

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct errors validated(const char *body, const struct rules *rules, struct change *change) {
    struct errors errors = { 0 };
    assert_int_equal(json_read_change(&(struct json_body){ .text = text_of(body) }, &user_table,
                                      &arena, change, &errors),
                     STATUS_OK);
    validate(change, rules, &arena, &errors);
    assert_false(errors.failed || arena.failed);
    return errors;
}

/* Adds a member to a valid body. Returns the message of its error; `at` is NULL if there is none.
 */
static struct text judged(const char *member, struct change *change) {
    static const struct rules rules = { .now_ms = 1 };
    struct text body = arena_printf(&arena, "{%s,%s}", REQUIRED_MEMBERS, member);
    struct errors errors = validated(body.at, &rules, change);
    if (!errors.first)
        return (struct text){ 0 };
    assert_null(errors.first->next);
    return errors.first->message;
}

static void assert_wrong(const char *member, const char *message) {
    struct change change;
    struct text said = judged(member, &change);
    if (!said.at || !strstr(said.at, message))
        fail_msg("%s: %.*s", member, (int)said.len, said.at ? said.at : "");
}

static struct value taken(const char *member, unsigned field) {
    struct change change;
    struct text said = judged(member, &change);
    if (said.at)
        fail_msg("%s: %.*s", member, (int)said.len, said.at);
    return change.values[field];
}

/* Validates a body with this JSON for LastHelpVisited. False if it is refused. */
static bool takes_integer(const char *json, int64_t *number) {
    static const struct rules rules = { .now_ms = 1, .is_patch = true };
    struct change change;
    struct text body = arena_printf(&arena, "{\"Id\":7,\"LastHelpVisited\":%s}", json);
    struct errors errors = validated(body.at, &rules, &change);
    *number = change.values[USER_LastHelpVisited].integer;
    if (errors.first)
        assert_true(
            text_equal(errors.first->message, TEXT("must be an integer from 0 to 2147483647")));
    return !errors.first;
}

static void digits_in_a_string_are_a_number(void **state) {
    int64_t number;
    (void)state;
    assert_true(takes_integer("\"60\"", &number) && number == 60);
    assert_false(takes_integer("\"sixty\"", &number));
    assert_false(takes_integer("\"\"", &number));
    assert_false(takes_integer("1.5", &number));
    assert_false(takes_integer("true", &number));
}

static void an_integer_has_bounds(void **state) {
    int64_t number;
    (void)state;
    assert_true(takes_integer("2147483647", &number) && number == 2147483647);
    assert_true(takes_integer("0", &number) && number == 0);
    assert_false(takes_integer("2147483648", &number));
    assert_false(takes_integer("-1", &number));
    assert_false(takes_integer("18446744073709551617", &number));
}

static void a_boolean_is_true_or_false_or_their_names(void **state) {
    (void)state;
    assert_int_equal(taken("\"Active\":true", USER_Active).integer, 1);
    assert_int_equal(taken("\"Active\":\"false\"", USER_Active).integer, 0);
    assert_int_equal(taken("\"Active\":1", USER_Active).integer, 1);
    assert_int_equal(taken("\"Active\":\"0\"", USER_Active).integer, 0);
    assert_int_equal(taken("\"Active\":\"TRUE\"", USER_Active).integer, 1);
    assert_wrong("\"Active\":2", "must be true or false");
    assert_wrong("\"Active\":\"\"", "must be true or false");
    assert_wrong("\"Active\":\"yes\"", "must be true or false");
}

static void a_date_becomes_milliseconds(void **state) {
    (void)state;
    assert_int_equal(taken("\"LastAccess\":\"1970-01-01T00:00:01Z\"", USER_LastAccess).integer,
                     1000);
    assert_wrong("\"LastAccess\":\"1970-02-30T00:00:00Z\"", "must be a date and time");
    assert_wrong("\"LastAccess\":0", "must be a date and time");
}

static void ids_are_each_kept_once(void **state) {
    (void)state;
    struct value ids = taken("\"UserRoles\":[3,1,3,\"2\"]", USER_UserRoles);
    assert_int_equal(ids.kind, VALUE_IDS);
    assert_int_equal(ids.len, 3);
    assert_wrong("\"UserRoles\":[0]", "must be an array of integers");
    assert_wrong("\"UserRoles\":[null]", "must be an array of integers");
    assert_wrong("\"UserRoles\":7", "must be an array of integers");
    assert_wrong("\"UserRoles\":{}", "must be an array of integers");
}

static void a_line_has_no_control_characters(void **state) {
    static const char *const escapes[] = { "\\n",     "\\r",     "\\t",     "\\u0001",
                                           "\\u007f", "\\u0085", "\\u2028", "\\u2029" };
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        struct text member = arena_printf(&arena, "\"SystemId\":\"a%sb\"", escapes[i]);
        assert_wrong(member.at, "control characters");
    }
    assert_wrong("\"SystemId\":\"a\\u0000\"", "NUL");
    assert_int_equal(taken("\"SystemId\":\"\\u00a0\\u2027\\u202a\"", USER_SystemId).kind,
                     VALUE_TEXT);
}

static void length_counts_characters(void **state) {
    const struct field *field = &user_table.fields[USER_SystemId];
    char *text = arena_calloc(&arena, 2 * (size_t)field->max + 3, 1);
    (void)state;
    for (size_t i = 0; i <= (size_t)field->max; i++)
        memcpy(text + 2 * i, "\xC3\xA9", 2);
    struct text member = arena_printf(&arena, "\"SystemId\":\"%s\"", text);
    assert_wrong(member.at, "characters");
    text[2 * (size_t)field->max] = '\0';
    member = arena_printf(&arena, "\"SystemId\":\"%s\"", text);
    assert_int_equal(taken(member.at, USER_SystemId).len, 2 * (size_t)field->max);
}

static void null_clears_and_is_asked_for_where_required(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1 };
    (void)state;
    assert_int_equal(taken("\"Devices\":null", USER_Devices).kind, VALUE_NULL);
    struct errors errors =
        validated("{\"Id\":7,\"FullName\":null,\"Email\":\"a@b.cd\",\"Language\":1,"
                  "\"PasswordSalt\":null,\"LastHelpVisited\":0,"
                  "\"InvalidLoginAttempts\":0}",
                  &rules, &change);
    assert_true(text_equal(errors.first->property, TEXT("FullName")));
    assert_true(text_equal(errors.first->message, TEXT("is a required field")));
    assert_true(text_equal(errors.first->next->property, TEXT("PasswordSalt")));
    assert_null(errors.first->next->next);
}

static void errors_come_in_the_documented_order(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1, .strict = true };
    static const char *const order[] = { "Id", "FullName", "Email", "Language", "Active", "Other" };
    (void)state;
    struct errors errors = validated(
        "{\"Other\":1,\"Active\":7,\"Email\":\"x\",\"Language\":\"x\",\"PasswordSalt\":"
        "\"\",\"LastHelpVisited\":0,\"InvalidLoginAttempts\":0,\"Id\":0,\"FullName\":\" \"}",
        &rules, &change);
    const struct error *error = errors.first;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++, error = error->next) {
        assert_non_null(error);
        if (!text_equal(error->property, text_of(order[i])))
            fail_msg("%s expected, %.*s found", order[i], (int)error->property.len,
                     error->property.at);
    }
    assert_null(error);
}

static void what_was_wrong_is_as_if_it_was_not_said(void **state) {
    struct change change;
    (void)state;
    assert_non_null(judged("\"Active\":7", &change).at);
    assert_int_equal(change.values[USER_Active].kind, VALUE_ABSENT);
}

static void what_comes_twice_is_wrong_even_if_it_says_the_same(void **state) {
    (void)state;
    assert_wrong("\"Active\":true,\"Active\":true", "is given more than once");
}

static void a_patch_asks_for_nothing_but_clears_nothing_required(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1, .is_patch = true };
    (void)state;
    assert_null(validated("{\"Id\":7,\"Active\":true}", &rules, &change).first);
    struct errors errors = validated("{\"Id\":7,\"Email\":null}", &rules, &change);
    assert_true(text_equal(errors.first->property, TEXT("Email")));
}

static void null_in_a_patch_empties_a_list_and_elsewhere_leaves_it(void **state) {
    struct change change;
    static const struct rules patch = { .now_ms = 1, .is_patch = true };
    (void)state;
    const char *body = "{\"Id\":7,\"Businesses\":null,\"AddedBusinesses\":null}";
    assert_null(validated(body, &patch, &change).first);
    assert_int_equal(change.values[USER_Businesses].kind, VALUE_IDS);
    assert_int_equal(change.values[USER_Businesses].len, 0);
    assert_int_equal(change.values[USER_AddedBusinesses].kind, VALUE_NULL);
    assert_int_equal(taken("\"Businesses\":null", USER_Businesses).kind, VALUE_NULL);
}

static void a_new_record_gets_its_id(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1, .is_new = true };
    (void)state;
    assert_null(validated("{" REQUIRED_MEMBERS "}", &rules, &change).first);
    assert_int_equal(change.values[USER_Id].kind, VALUE_ABSENT);
}

static void zero_is_a_choice_of_the_hosted_service_alone(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1, .nexudus = true };
    const char *body = "{\"Id\":7,\"FullName\":\"A\",\"Email\":\"a@b.cd\",\"Language\":0,"
                       "\"PasswordSalt\":\"\",\"LastHelpVisited\":0,\"InvalidLoginAttempts\":0}";
    (void)state;
    assert_null(validated(body, &rules, &change).first);
    assert_non_null(validated(body, &(struct rules){ .now_ms = 1 }, &change).first);
}

static void a_secret_is_not_said_again(void **state) {
    struct change change;
    static const struct rules rules = { .now_ms = 1 };
    (void)state;
    struct errors errors =
        validated("{" REQUIRED_MEMBERS ",\"NewPassword\":\"short\",\"Active\":7}", &rules, &change);
    for (const struct error *error = errors.first; error; error = error->next)
        assert_int_equal(error->attempted != NULL, text_equal(error->property, TEXT("Active")));
    assert_ptr_not_equal(errors.first, errors.last);
}

static void an_empty_password_says_nothing(void **state) {
    (void)state;
    assert_int_equal(taken("\"NewPassword\":\"\"", USER_NewPassword).kind, VALUE_ABSENT);
    assert_int_equal(taken("\"Password\":\"\"", USER_Password).kind, VALUE_ABSENT);
}

static void a_hash_is_imported_if_it_can_be_checked(void **state) {
    (void)state;
    assert_int_equal(
        taken("\"Password\":\"$2b$04$aUmyyA482Mfsippc3W8VE.cPlz6KEhTEY.P.Udoq2ltmxFZ9jJHX2\"",
              USER_Password)
            .kind,
        VALUE_TEXT);
    assert_wrong("\"Password\":\"$2b$31$aUmyyA482Mfsippc3W8VE.cPlz6KEhTEY.P.Udoq2ltmxFZ9jJHX2\"",
                 "too expensive");
}

/* A text in the form of a hash is imported, or refused with the name of its kind. */
static void a_hash_is_imported_or_named_and_refused(void **state) {
    (void)state;
    struct value hash =
        taken("\"Password\":\" $2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\\n\"",
              USER_Password);
    assert_true(text_equal(value_as_text(&hash),
                           TEXT("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")));
    assert_wrong("\"Password\":\"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe\"",
                 "malformed hash (bcrypt)");
    assert_wrong("\"Password\":\"$2b$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"",
                 "too expensive");
    assert_wrong("\"Password\":\"$1$28772684$iEwNOgGugqO9.bIz5sk8k/\"",
                 "cannot be imported (MD5 crypt)");
    assert_wrong("\"Password\":\"{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==\"",
                 "cannot be imported (LDAP's {SSHA})");
    hash = taken("\"Password\":\"correct horse battery\"", USER_Password);
    assert_true(text_equal(value_as_text(&hash), TEXT("correct horse battery")));
    hash = taken("\"NewPassword\":\"$1$28772684$iEwNOgGugqO9.bIz5sk8k/\"", USER_NewPassword);
    assert_true(text_equal(value_as_text(&hash), TEXT("$1$28772684$iEwNOgGugqO9.bIz5sk8k/")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_in_a_string_are_a_number),
        cmocka_unit_test(an_integer_has_bounds),
        cmocka_unit_test(a_boolean_is_true_or_false_or_their_names),
        cmocka_unit_test(a_date_becomes_milliseconds),
        cmocka_unit_test(ids_are_each_kept_once),
        cmocka_unit_test(a_line_has_no_control_characters),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(null_clears_and_is_asked_for_where_required),
        cmocka_unit_test(errors_come_in_the_documented_order),
        cmocka_unit_test(what_was_wrong_is_as_if_it_was_not_said),
        cmocka_unit_test(what_comes_twice_is_wrong_even_if_it_says_the_same),
        cmocka_unit_test(a_patch_asks_for_nothing_but_clears_nothing_required),
        cmocka_unit_test(null_in_a_patch_empties_a_list_and_elsewhere_leaves_it),
        cmocka_unit_test(a_new_record_gets_its_id),
        cmocka_unit_test(zero_is_a_choice_of_the_hosted_service_alone),
        cmocka_unit_test(a_secret_is_not_said_again),
        cmocka_unit_test(an_empty_password_says_nothing),
        cmocka_unit_test(a_hash_is_imported_if_it_can_be_checked),
        cmocka_unit_test(a_hash_is_imported_or_named_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

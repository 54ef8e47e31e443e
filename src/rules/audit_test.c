/* The rows of the audit trail (docs/contract.md section 7.3). */
#include "rules/audit.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TEXT_VALUE(literal)                                                                        \
    { .text = "" literal, .len = sizeof(literal) - 1, .kind = VALUE_TEXT }
#define INTEGER_VALUE(number)                                                                      \
    { .integer = (number), .kind = VALUE_INTEGER }

static struct arena arena;

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct record record_of(const struct table *table, int64_t id) {
    struct record record = record_new(table, &arena);
    assert_non_null(record.values);
    record.values[table->common.id] = value_integer(id);
    return record;
}

/* NULL: there is none. */
static void assert_text(struct text text, const char *expected) {
    if (!expected)
        assert_null(text.at);
    else if (!text.at || !text_equal(text, text_of(expected)))
        fail_msg("'%.*s' instead of '%s'", (int)text.len, text.at ? text.at : "", expected);
}

static void covers_what_replies_show_and_rows_do_not_have_themselves(void **state) {
    static const struct {
        unsigned field;
        bool is_covered;
    } cases[] = {
        { USER_FullName, true },         { USER_Password, true },
        { USER_PasswordSalt, true },     { USER_Businesses, true },
        { USER_CreatedOn, true },        { USER_UpdatedOn, false },
        { USER_UpdatedBy, false },       { USER_ToStringText, false },
        { USER_EmailKey, false },        { USER_LastTotpStep, false },
        { USER_AddedBusinesses, false }, { USER_RemovedChatRooms, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        if (audit_covers(&user_table, cases[i].field) != cases[i].is_covered)
            fail_msg("%s", user_table.fields[cases[i].field].name.at);
}

static void a_change_shows_both_values_by_the_type_of_the_field(void **state) {
    static const struct {
        unsigned field;
        struct value before, after;
        const char *shown[2];
    } cases[] = {
        { USER_FullName, TEXT_VALUE("Ann"), TEXT_VALUE(""), { "Ann", "" } },
        { USER_FullName, { .kind = VALUE_NULL }, TEXT_VALUE("Ann"), { NULL, "Ann" } },
        { USER_Businesses, TEXT_VALUE("[1,2]"), TEXT_VALUE("[]"), { "[1,2]", "[]" } },
        { USER_Active, INTEGER_VALUE(1), INTEGER_VALUE(0), { "true", "false" } },
        { USER_LastAccess,
          INTEGER_VALUE(0),
          INTEGER_VALUE(TIME_MAX_MS),
          { "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z" } },
        { USER_LastHelpVisited,
          INTEGER_VALUE(7),
          INTEGER_VALUE(INT64_MIN),
          { "7", "-9223372036854775808" } },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct record before = record_of(&user_table, 5), after = record_of(&user_table, 5);
        struct audit_room room;
        before.values[cases[i].field] = cases[i].before;
        after.values[cases[i].field] = cases[i].after;
        struct audit_row row = audit_field(&before, &after, cases[i].field, &room);
        assert_string_equal(row.entity, "User");
        assert_int_equal(row.entity_id, 5);
        assert_int_equal(row.type, AUDIT_UPDATE);
        assert_true(text_equal(row.property, user_table.fields[cases[i].field].name));
        assert_text(row.before, cases[i].shown[0]);
        assert_text(row.after, cases[i].shown[1]);
    }
}

static void of_what_no_search_may_go_by_a_change_shows_no_value(void **state) {
    static const unsigned hidden[] = { USER_Password, USER_AccessToken, USER_TwoFactorSecret,
                                       USER_PasswordSalt };
    (void)state;
    for (size_t i = 0; i < LENGTH(hidden); i++) {
        struct record before = record_of(&user_table, 5), after = record_of(&user_table, 5);
        struct audit_room room;
        before.values[hidden[i]] = value_text(TEXT("secret"));
        after.values[hidden[i]] = value_text(TEXT("another"));
        struct audit_row row = audit_field(&before, &after, hidden[i], &room);
        assert_text(row.before, NULL);
        assert_text(row.after, "changed");
    }
}

static void of_long_texts_rows_have_a_digest(void **state) {
    static const char digest[] =
        "(1025 bytes, SHA-256 4a82297889eb505cf6b5cbdf69977afab4632d6557539782f657bd7dc78091a5)";
    char longest[AUDIT_TEXT_MAX + 1], too_long[AUDIT_TEXT_MAX + 1];
    struct record before = record_of(&user_table, 5), after = record_of(&user_table, 5);
    struct audit_room room;
    (void)state;
    memset(longest, 'a', sizeof longest);
    memset(too_long, 'a', sizeof too_long);
    longest[AUDIT_TEXT_MAX] = '\0';
    before.values[USER_Devices] = value_text(text_of(longest));
    after.values[USER_Devices] = value_text((struct text){ too_long, sizeof too_long });
    struct audit_row row = audit_field(&before, &after, USER_Devices, &room);
    assert_text(row.before, longest);
    assert_text(row.after, digest);
    row = audit_field(&after, &before, USER_Devices, &room);
    assert_text(row.before, digest);
    row = audit_event(&before, TEXT("SignIn"), (struct text){ too_long, sizeof too_long }, &room);
    assert_text(row.after, digest);
}

static void a_digest_is_known_from_texts(void **state) {
#define HASH "4a82297889eb505cf6b5cbdf69977afab4632d6557539782f657bd7dc78091a5"
    static const char *const others[] = {
        "",
        "(",
        "()",
        "(1025 bytes, SHA-256 " HASH,
        "1025 bytes, SHA-256 " HASH ")",
        "( bytes, SHA-256 " HASH ")",
        "(x bytes, SHA-256 " HASH ")",
        "(1025 bytes, SHA-512 " HASH ")",
        "(1025 bytes, SHA-256 " HASH "0)",
    };
    (void)state;
    assert_true(audit_is_digest(TEXT("(1025 bytes, SHA-256 " HASH ")")));
    for (size_t i = 0; i < LENGTH(others); i++)
        if (audit_is_digest(text_of(others[i])))
            fail_msg("%s", others[i]);
#undef HASH
}

static void a_record_belongs_to_its_business(void **state) {
    static const struct {
        const struct table *table;
        int field; /* that is set to 9; -1: none */
        int64_t business;
    } cases[] = {
        { &user_table, USER_DefaultBusinessId, 9 },
        { &user_table, -1, 0 },
        { &business_table, -1, 5 },
        { &user_role_table, USER_ROLE_BusinessId, 9 },
        { &web_hook_table, WEB_HOOK_BusinessId, 9 },
        { &language_table, -1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct record record = record_of(cases[i].table, 5);
        if (cases[i].field >= 0)
            record.values[cases[i].field] = value_integer(9);
        struct audit_row row = audit_record(&record, AUDIT_CREATE);
        assert_string_equal(row.entity, cases[i].table->entity);
        assert_int_equal(row.entity_id, 5);
        assert_int_equal(row.type, AUDIT_CREATE);
        assert_null(row.property.at);
        assert_int_equal(row.business.kind == VALUE_INTEGER, cases[i].business != 0);
        if (cases[i].business)
            assert_int_equal(row.business.integer, cases[i].business);
    }
}

static void an_event_has_its_words_and_an_erasure_nothing_of_the_user(void **state) {
    struct record user = record_of(&user_table, 5);
    struct audit_room room;
    (void)state;
    struct audit_row row = audit_event(&user, TEXT("LockOut"), TEXT("until then"), &room);
    assert_int_equal(row.type, AUDIT_UPDATE);
    assert_text(row.property, "LockOut");
    assert_text(row.before, NULL);
    assert_text(row.after, "until then");
    row = audit_erasure(5);
    assert_string_equal(row.entity, "User");
    assert_int_equal(row.entity_id, 5);
    assert_int_equal(row.type, AUDIT_DELETE);
    assert_text(row.property, "Erased");
    assert_text(row.before, NULL);
    assert_text(row.after, "erased");
    assert_int_equal(row.business.kind, VALUE_NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covers_what_replies_show_and_rows_do_not_have_themselves),
        cmocka_unit_test(a_change_shows_both_values_by_the_type_of_the_field),
        cmocka_unit_test(of_what_no_search_may_go_by_a_change_shows_no_value),
        cmocka_unit_test(of_long_texts_rows_have_a_digest),
        cmocka_unit_test(a_digest_is_known_from_texts),
        cmocka_unit_test(a_record_belongs_to_its_business),
        cmocka_unit_test(an_event_has_its_words_and_an_erasure_nothing_of_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

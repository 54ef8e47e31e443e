/* Which names are filters, and which conditions their values stand for. */
#include "rules/filter.h"

#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct arena arena;

static int free_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static const char *name_of(const struct field *field) {
    return field ? field->name.at : "none";
}

static void a_name_leads_to_one_field(void **state) {
    (void)state;
    static const struct {
        const char *name, *field, *through;
        enum match match;
    } cases[] = {
        { "User_FullName", "FullName", "none", MATCH_equal },
        { "uSeR_fULLnAME", "FullName", "none", MATCH_equal },
        { "Id", "Id", "none", MATCH_equal },
        { "UniqueId", "UniqueId", "none", MATCH_equal },
        { "User_UniqueId", "UniqueId", "none", MATCH_equal },
        { "from_User_UpdatedOn", "UpdatedOn", "none", MATCH_from },
        { "TO_User_UpdatedOn", "UpdatedOn", "none", MATCH_to },
        { "from_User_Language", "none", "none", MATCH_from }, /* a choice has no order */
        { "from_User_FullName", "none", "none", MATCH_from },
        { "User_DefaultBusinessId", "DefaultBusinessId", "none", MATCH_equal },
        { "User_DefaultBusiness", "DefaultBusinessId", "none", MATCH_equal },
        { "User_DefaultBusiness_Name", "Name", "DefaultBusinessId", MATCH_equal },
        { "from_User_DefaultBusiness_CreatedOn", "CreatedOn", "DefaultBusinessId", MATCH_from },
        { "User_Businesses_Name", "none", "none", MATCH_equal }, /* only references lead on */
        { "User_ClearAvatar", "ClearAvatarFile", "none", MATCH_equal },
        { "FullName", "none", "none", MATCH_equal },
        { "Business_Name", "none", "none", MATCH_equal },
        { "User_", "none", "none", MATCH_equal },
        { "User_Nobody", "none", "none", MATCH_equal },
        { "User_AddedBusinesses", "none", "none", MATCH_equal },
        { "", "none", "none", MATCH_equal },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct filter_target target;
        bool found = filter_find_target(&user_table, text_of(cases[i].name), &target);
        assert_string_equal(found ? name_of(target.field) : "none", cases[i].field);
        if (!found)
            continue;
        assert_string_equal(name_of(target.through), cases[i].through);
        assert_int_equal(target.match, cases[i].match);
        assert_ptr_equal(&target.table->fields[target.field - target.table->fields], target.field);
    }
}

/* Reads `name=value` into `reader`. Returns the error, or "" when there is none. */
static const char *read_into(struct filter_reader *reader, const char *name, const char *value) {
    struct filter_target target;
    assert_true(filter_find_target(&user_table, text_of(name), &target));
    struct text wrong = filter_read(reader, &target, text_of(value));
    assert_false(reader->failed);
    return wrong.at ? wrong.at : "";
}

/* The conditions in one line: "FullName contains ada; Id any 1,2". */
static const char *print(const struct filter *filter) {
    static const char *const words[] = {
        [MATCH_equal] = "is",          [MATCH_contains] = "contains",
        [MATCH_from] = "from",         [MATCH_to] = "to",
        [MATCH_linked] = "links",      [MATCH_linked_from] = "linked by",
        [MATCH_any] = "any",           [MATCH_null] = "null",
        [MATCH_not_null] = "not null", [MATCH_nothing] = "nothing",
    };
    const char *line = "";
    for (; filter; filter = filter->next) {
        const struct value *value = &filter->value;
        line = arena_printf(&arena, "%s%s%s %s", line, *line ? "; " : "",
                            filter->table->fields[filter->field].name.at, words[filter->match])
                   .at;
        if (value->kind == VALUE_INTEGER)
            line = arena_printf(&arena, "%s %lld", line, (long long)value->integer).at;
        if (value->kind == VALUE_TEXT)
            line = arena_printf(&arena, "%s %.*s", line, (int)value->len, value->text).at;
        for (uint32_t i = 0; value->kind == VALUE_IDS && i < value->len; i++)
            line =
                arena_printf(&arena, "%s%s%lld", line, i ? "," : " ", (long long)value->ids[i]).at;
    }
    return line;
}

static void a_value_stands_for_conditions(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *conditions;
    } cases[] = {
        { "User_FullName",
          "\xC3\x81"
          "DA",
          "FullName contains ada" },
        { "User_FullName", "", "" },
        { "User_Email", "ada lovelace@example.com", "Email contains ada+lovelace@example.com" },
        { "User_UpdatedBy", "ada lovelace@example.com",
          "UpdatedBy contains ada+lovelace@example.com" },
        { "User_UpdatedBy", "the server", "UpdatedBy contains the server" },
        { "Id", "7", "Id any 7" },
        { "Id", " [1, 2,3] ", "Id any 1,2,3" },
        { "Id", "", "Id any" },
        { "User_DefaultBusinessId", "301,302", "DefaultBusinessId any 301,302" },
        { "User_DefaultBusiness", "null", "DefaultBusinessId null" },
        { "User_DefaultBusiness", " NotNull ", "DefaultBusinessId not null" },
        { "User_DefaultBusiness_Name", "mill", "Name contains mill" },
        { "User_Businesses", "301", "Businesses links 301" },
        { "User_Language", "2", "Language is 2" },
        { "User_Active", "TRUE", "Active is 1" },
        { "User_Active", "0", "Active is 0" },
        { "User_UpdatedOn", "1970-01-01T00:01", "UpdatedOn from 60000; UpdatedOn to 119999" },
        { "from_User_UpdatedOn", "1970-01-01T00:01", "UpdatedOn from 60000" },
        { "to_User_UpdatedOn", "1970-01-01", "UpdatedOn to 86399999" },
        { "from_User_UpdatedOn", "1970-01-01T02:00:00 02:00", "UpdatedOn from 0" },
        { "UniqueId", "{01234567-89AB-CDEF-0123-456789ABCDEF}",
          "UniqueId is 01234567-89ab-cdef-0123-456789abcdef" },
        { "User_Password", "anything", "Password nothing" },
        { "User_AccessToken", "anything", "AccessToken nothing" },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct filter_reader reader = { .arena = &arena };
        assert_string_equal(read_into(&reader, cases[i].name, cases[i].value), "");
        assert_string_equal(print(reader.first), cases[i].conditions);
    }
}

static void a_wrong_value_is_explained(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *wrong;
    } cases[] = {
        { "Id", "x", "must be an Id, or a list of Ids such as [1,2,3]" },
        { "Id", "-1", "must be an Id, or a list of Ids such as [1,2,3]" },
        { "Id", "1,,2", "must be an Id, or a list of Ids such as [1,2,3]" },
        { "User_Businesses", "1,2", "must be one Id" },
        { "User_Businesses", "[]", "must be one Id" },
        { "User_Language", "Klingon", "must be an integer" },
        { "User_Active", "yes", "must be true or false" },
        { "User_UpdatedOn", "yesterday", "must be a date and time such as 2025-01-15T10:30:00Z" },
        { "UniqueId", "7", "must be a GUID such as 01234567-89ab-cdef-0123-456789abcdef" },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct filter_reader reader = { .arena = &arena };
        assert_string_equal(read_into(&reader, cases[i].name, cases[i].value), cases[i].wrong);
        assert_null(reader.first);
    }
}

static void strict_values_are_what_they_say(void **state) {
    (void)state;
    struct filter_reader reader = { .arena = &arena, .is_strict = true };
    assert_string_equal(read_into(&reader, "User_Email", "ada lovelace@example.com"), "");
    assert_string_equal(print(reader.first), "Email contains ada lovelace@example.com");
    assert_string_equal(read_into(&reader, "User_UpdatedOn", "1970-01-01T02:00:00 02:00"),
                        "must be a date and time such as 2025-01-15T10:30:00Z");
    assert_string_equal(read_into(&reader, "User_Language", "English"), "must be an integer");
}

static void several_lists_of_the_own_id_are_one(void **state) {
    (void)state;
    struct filter_reader reader = { .arena = &arena };
    assert_string_equal(read_into(&reader, "Id", "1,2"), "");
    assert_string_equal(read_into(&reader, "User_Active", "1"), "");
    assert_string_equal(read_into(&reader, "User_Id", "[3]"), "");
    assert_string_equal(read_into(&reader, "User_DefaultBusiness_Id", "301"), "");
    assert_string_equal(read_into(&reader, "User_DefaultBusiness", "302"), "");
    assert_string_equal(read_into(&reader, "User_DefaultBusiness", "303"), "");
    assert_string_equal(print(reader.first),
                        "Id any 1,2,3; Active is 1; Id any 301; DefaultBusinessId any 302;"
                        " DefaultBusinessId any 303");
}

/* Each type of field, in each table: there is a kind for it, and reading never fails otherwise. */
static void every_field_takes_any_value(void **state) {
    (void)state;
    static const char *const values[] = { "", "1", "a", "[1,2]", "null", "true", "2025-01-15" };
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            for (size_t k = 0; k < LENGTH(values); k++) {
                const struct field *field = &tables[i]->fields[j];
                const struct filter_target target = { .table = tables[i], .field = field };
                struct filter_reader reader = { .arena = &arena };
                struct text wrong = filter_read(&reader, &target, text_of(values[k]));
                bool is_silent = !wrong.at && !reader.first;
                assert_false(reader.failed || (wrong.at && reader.first));
                const struct filter *first = reader.first;
                assert_true(!field_is_secret(field) || (first && first->match == MATCH_nothing));
                /* The empty text, and false where a member is always false, ask for nothing. */
                assert_true(!is_silent || filter_kind(field) == FILTER_text ||
                            filter_kind(field) == FILTER_boolean);
            }
}

static void a_direction_has_seven_spellings(void **state) {
    (void)state;
    static const struct {
        const char *word;
        int descending; /* -1: it is none */
    } cases[] = {
        { "0", 0 },    { "asc", 0 },        { "Ascending", 0 }, { " 1 ", 1 }, { "-1", 1 },
        { "DESC", 1 }, { "descending", 1 }, { "", -1 },         { "2", -1 },  { "up", -1 },
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        bool descending = false;
        bool is_direction = filter_direction(text_of(cases[i].word), &descending);
        assert_int_equal(is_direction ? descending : -1, cases[i].descending);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_leads_to_one_field),
        cmocka_unit_test(a_value_stands_for_conditions),
        cmocka_unit_test(a_wrong_value_is_explained),
        cmocka_unit_test(strict_values_are_what_they_say),
        cmocka_unit_test(several_lists_of_the_own_id_are_one),
        cmocka_unit_test(every_field_takes_any_value),
        cmocka_unit_test(a_direction_has_seven_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}

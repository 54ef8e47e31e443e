/* The tables of fields, and what a row must not say. */
#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define NAME(literal) .name = { literal, sizeof(literal) - 1 }

static void every_row_fits_its_type(void **state) {
    (void)state;
    tables_check();
}

static void a_field_belongs_to_its_base_wherever_it_stands(void **state) {
    static const struct {
        const struct table *table;
        unsigned list, added, removed;
    } cases[] = {
        { &user_table, USER_Businesses, USER_AddedBusinesses, USER_RemovedBusinesses },
        { &user_table, USER_ChatRooms, USER_AddedChatRooms, USER_RemovedChatRooms },
        { &user_role_table, USER_ROLE_Users, USER_ROLE_AddedUsers, USER_ROLE_RemovedUsers },
        { &role_table, ROLE_UserRoles, ROLE_FIELDS, ROLE_FIELDS },
        { &user_table, USER_FullName, USER_FIELDS, USER_FIELDS },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct table *table = cases[i].table;
        assert_int_equal(field_of_list(table, cases[i].list, TYPE_added), cases[i].added);
        assert_int_equal(field_of_list(table, cases[i].list, TYPE_removed), cases[i].removed);
    }
}

static void what_depends_on_a_base_has_its_target(void **state) {
    static const struct {
        const struct table *table;
        unsigned field;
        const struct table *target;
    } cases[] = {
        { &user_table, USER_AddedBusinesses, &business_table },
        { &user_table, USER_RemovedUserRoles, &user_role_table },
        { &user_role_table, USER_ROLE_BusinessName, &business_table },
        { &user_role_table, USER_ROLE_AddedUsers, &user_table },
        { &user_table, USER_ApplicationId, &application_table },
        { &user_table, USER_FullName, NULL },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_ptr_equal(field_target(cases[i].table, &cases[i].table->fields[cases[i].field]),
                         cases[i].target);
}

static const struct table links_table;
static const struct field links_fields[] = {
    { NAME("Parts"), .type = TYPE_links, .target = &links_table },
    { NAME("AddedParts"), .type = TYPE_added, .base = 0 },
    { NAME("RemovedParts"), .type = TYPE_removed, .base = 0 },
    { NAME("WholeId"), .type = TYPE_reference, .target = &links_table },
    { NAME("Others"), .type = TYPE_links, .target = &links_table },
};
static const struct table links_table = { .fields = links_fields, .count = LENGTH(links_fields) };

static void a_row_that_contradicts_its_type_is_seen(void **state) {
    static const struct {
        struct field field;
        bool fits;
    } cases[] = {
        { { .type = TYPE_text }, true },
        { { .type = TYPE_text, .base = 1 }, false },
        { { .type = TYPE_text, .target = &links_table }, false },
        { { .type = TYPE_choice }, false },
        { { .type = TYPE_links }, false },
        { { .type = TYPE_reference, .target = &links_table }, true },
        { { .type = TYPE_name, .base = 3 }, true },
        { { .type = TYPE_name, .base = 0 }, false },
        { { .type = TYPE_name, .base = 5 }, false },
        { { .type = TYPE_added, .base = 3 }, false }, /* no list */
        { { .type = TYPE_added, .base = 0 }, false }, /* that has another one already */
        { { .type = TYPE_added, .base = 9 }, false },
        { { .type = TYPE_backlinks, .base = 0 }, false },
        { { .type = TYPE_backlinks, .target = &links_table, .base = 0 }, true },
        { { .type = TYPE_backlinks, .target = &links_table, .base = 3 }, false },
        { { .type = TYPE_backlinks, .target = &links_table, .base = 4 },
          false }, /* nothing added */
        { { .type = TYPE_backlinks, .flags = READ_ONLY, .target = &links_table, .base = 4 }, true },
        { { .type = TYPE_backlinks, .target = &user_table, .base = USER_Businesses }, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        if (field_fits_type(&links_table, &cases[i].field) != cases[i].fits)
            fail_msg("case %zu", i);
    for (size_t i = 0; i < LENGTH(links_fields); i++)
        assert_true(field_fits_type(&links_table, &links_fields[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_fits_its_type),
        cmocka_unit_test(a_field_belongs_to_its_base_wherever_it_stands),
        cmocka_unit_test(what_depends_on_a_base_has_its_target),
        cmocka_unit_test(a_row_that_contradicts_its_type_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The audit trail: a row for each thing that happened to a record, and what it says. */
#include "suite.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { USER = 1000 };

/* The rows behind one, in order. */
static struct suite_page *rows_behind(struct suite *suite, int64_t behind) {
    struct search all = suite_all(&audit_trail_entry_table);
    all.behind = behind;
    return suite_search(suite, &all);
}

static int64_t last_row(struct suite *suite) {
    struct search all = suite_all(&audit_trail_entry_table);
    all.descending = true;
    all.limit = 1;
    struct suite_page *page = suite_search(suite, &all);
    return page->count ? page->ids[0] : 0;
}

static struct record row(struct suite *suite, int64_t id) {
    return suite_load(suite, &audit_trail_entry_table, id);
}

static struct text text_in(const struct record *entry, unsigned field) {
    return value_as_text(&entry->values[field]);
}

static void a_record_that_is_made_and_one_that_goes_leave_one_row_each(void **state) {
    struct suite *suite = *state;
    for (unsigned i = 0; i < TABLES; i++) {
        if (suite_is_made_by_store(tables[i]))
            continue;
        struct record record = suite_record(suite, tables[i], 7);
        int64_t before = last_row(suite);
        assert_ok(suite_insert(suite, &record));
        assert_ok(suite_delete(suite, &record));
        const struct suite_page *rows = rows_behind(suite, before);
        assert_int_equal(rows->count, 2);
        for (size_t j = 0; j < 2; j++) {
            struct record entry = row(suite, rows->ids[j]);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_AuditType].integer,
                             j ? AUDIT_DELETE : AUDIT_CREATE);
            assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_EntityShortName),
                        text_of(tables[i]->entity));
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_EntityId].integer, 7);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_PropertyName].kind, VALUE_NULL);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_OldValue].kind, VALUE_NULL);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_NewValue].kind, VALUE_NULL);
            assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_ActionBy), suite_author.email);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_RequestId].kind, VALUE_NULL);
            assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_CreatedOn].integer, SUITE_NOW_MS);
        }
    }
}

/* A value of the kind that a field has, other than it has now. */
static struct value another(struct suite *suite, const struct field *field,
                            const struct value *now) {
    static const int64_t ids[] = { 5, 6 };
    struct value list = value_ids(ids, 2);
    switch (field->type) {
    case TYPE_boolean: return value_integer(!value_is_true(now));
    case TYPE_links: return ids_to_stored(&list, &suite->arena);
    case TYPE_integer:
    case TYPE_choice:
    case TYPE_reference: return value_integer(77);
    case TYPE_date: return value_integer(SUITE_NOW_MS + 86400000);
    default: return value_text(TEXT("another"));
    }
}

static struct text shown(struct suite *suite, const struct field *field,
                         const struct value *value) {
    char date[TIME_TEXT_MAX];
    if (value->kind != VALUE_INTEGER)
        return value_as_text(value);
    if (field->type == TYPE_boolean)
        return value->integer ? TEXT("true") : TEXT("false");
    if (field->type == TYPE_date)
        return arena_text(&suite->arena, (struct text){ date, time_format(value->integer, date) });
    return arena_printf(&suite->arena, "%lld", (long long)value->integer);
}

static bool is_told(const struct table *table, unsigned field) {
    const struct common_fields *common = &table->common;
    return field_is_shown(&table->fields[field]) && field != common->updated_on &&
           field != common->updated_by && field != common->to_string_text;
}

/* Each field by itself: it leaves one row with both values, a secret one without them, and what no
 * reply shows none. */
static void each_field_that_changes_leaves_a_row_that_keeps_secrets(void **state) {
    struct suite *suite = *state;
    const struct table *table = &user_table;
    struct record user = suite_user(suite, USER);
    assert_ok(suite_insert(suite, &user));
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!field_is_stored(field) || field->type == TYPE_id)
            continue;
        struct record before = suite_load(suite, table, USER), after = suite_next(suite, &before);
        int64_t last = last_row(suite);
        after.values[i] = another(suite, field, &before.values[i]);
        assert_ok(suite_update(suite, &before, &after));
        const struct suite_page *rows = rows_behind(suite, last);
        assert_int_equal(rows->count, is_told(table, i));
        if (!rows->count)
            continue;
        struct record entry = row(suite, rows->ids[0]);
        bool is_secret = field_is_secret(field) || field->flags & CONFIDENTIAL;
        assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_AuditType].integer, AUDIT_UPDATE);
        assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_PropertyName), field->name);
        assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_OldValue),
                    is_secret ? (struct text){ 0 } : shown(suite, field, &before.values[i]));
        assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_NewValue),
                    is_secret ? TEXT("changed") : shown(suite, field, &after.values[i]));
    }
}

static void what_stays_the_same_leaves_no_row(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, USER, 1);
    struct record user = suite_load(suite, &user_table, USER), next = suite_next(suite, &user);
    int64_t last = last_row(suite);
    assert_ok(suite_update(suite, &user, &next));
    assert_int_equal(rows_behind(suite, last)->count, 0);
}

static void what_a_sign_in_notes_down_leaves_no_row(void **state) {
    struct suite *suite = *state;
    struct avatar avatar = { TEXT("image/png"), TEXT("png") };
    suite_add_users(suite, USER, 1);
    struct record user = suite_load(suite, &user_table, USER), next = suite_next(suite, &user);
    next.values[USER_InvalidLoginAttempts] = value_integer(1);
    next.values[USER_Password] = value_text(TEXT("another"));
    int64_t last = last_row(suite);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_update_login_state(tx, &user, &next));
    assert_ok(store_set_avatar(tx, USER, &avatar));
    assert_ok(store_count_unknown_login(tx));
    assert_ok(store_revoke_all(tx, USER));
    assert_ok(suite_commit(suite));
    assert_int_equal(rows_behind(suite, last)->count, 0);
}

static void what_happened_to_tokens_is_told_of_their_user(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, USER);
    const struct author author = { TEXT("other@example.com"), SUITE_NOW_MS + 3, TEXT("a-1") };
    user.values[USER_DefaultBusinessId] = value_integer(12);
    assert_ok(suite_insert(suite, &user));
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_audit_tokens(tx, USER, TEXT("Tokens"), TEXT("revoked"), &author));
    assert_ok(suite_commit(suite));
    struct record entry = row(suite, last_row(suite));
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_AuditType].integer, AUDIT_UPDATE);
    assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_EntityShortName), TEXT("User"));
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_EntityId].integer, USER);
    assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_PropertyName), TEXT("Tokens"));
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_OldValue].kind, VALUE_NULL);
    assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_NewValue), TEXT("revoked"));
    assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_ActionBy), author.email);
    assert_text(text_in(&entry, AUDIT_TRAIL_ENTRY_RequestId), author.request_id);
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_CreatedOn].integer, author.now_ms);
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_BusinessId].integer, 12);
    tx = suite_write(suite);
    assert_int_equal(store_audit_tokens(tx, USER + 1, TEXT("Tokens"), TEXT("revoked"), &author),
                     STATUS_INTERNAL); /* there is no such user */
    suite_roll_back(suite);
}

static void a_row_belongs_to_the_business_of_its_record(void **state) {
    struct suite *suite = *state;
    const struct {
        const struct table *table;
        unsigned field;
    } cases[] = { { &user_table, USER_DefaultBusinessId },
                  { &business_table, BUSINESS_Id },
                  { &chat_room_table, CHAT_ROOM_BusinessId } };
    for (size_t i = 0; i < 3; i++) {
        struct record record = suite_record(suite, cases[i].table, 12);
        record.values[cases[i].field] = value_integer(12);
        assert_ok(suite_insert(suite, &record));
        struct record entry = row(suite, last_row(suite));
        assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_BusinessId].integer, 12);
    }
    struct record role = suite_record(suite, &role_table, 12);
    assert_ok(suite_insert(suite, &role));
    struct record entry = row(suite, last_row(suite));
    assert_int_equal(entry.values[AUDIT_TRAIL_ENTRY_BusinessId].kind, VALUE_NULL);
}

/* So that a page of the trail can be gone on from, and its rows be counted. */
static void rows_are_in_the_order_of_their_ids_without_gaps(void **state) {
    struct suite *suite = *state;
    for (int i = 0; i < 5; i++) {
        suite_add_users(suite, USER + 10 * i, 3);
        struct record user = suite_user(suite, USER + 10 * i + 5);
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_insert(tx, &user, &suite_author));
        suite_roll_back(suite);
    }
    const struct suite_page *rows = rows_behind(suite, 0);
    assert_int_equal(rows->count, 15);
    assert_int_equal(rows->found.total, 15);
    for (size_t i = 1; i < rows->count; i++)
        assert_int_equal(rows->ids[i], rows->ids[i - 1] + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_record_that_is_made_and_one_that_goes_leave_one_row_each),
        suite_test(each_field_that_changes_leaves_a_row_that_keeps_secrets),
        suite_test(what_stays_the_same_leaves_no_row),
        suite_test(what_a_sign_in_notes_down_leaves_no_row),
        suite_test(what_happened_to_tokens_is_told_of_their_user),
        suite_test(a_row_belongs_to_the_business_of_its_record),
        suite_test(rows_are_in_the_order_of_their_ids_without_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "json/json.h"

#include "base/buffer.h"
#include "base/time.h"
#include "model/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 88172645463325252U;

static uint64_t chance(uint64_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Quotes, backslashes and names of members among ordinary letters. */
static struct text any_text(struct arena *arena) {
    static const char *const parts[] = {
        "\"", "\\",   "\"City\":", "\\\"Email\":", "\n", "\t",   "\x01",
        "/",  "\x7f", "é",         "\\u0041",      "x",  "abc",  " ",
        ",",  "}",    "]",         "\b\f\r",       "[",  "\":[", ",\"Businesses\":["
    };
    struct buffer text;
    buffer_init(&text, arena, 16);
    for (uint64_t left = chance(6); left; left--)
        buffer_add(&text, text_of(parts[chance(sizeof parts / sizeof parts[0])]));
    return buffer_text(&text);
}

static struct value any_value(const struct field *field, struct arena *arena) {
    static const char *const lists[] = { "[]", "[1]", "[301,302,9007199254740991]" };
    if (field->type == TYPE_links)
        return value_text(text_of(lists[chance(3)]));
    if (field->type == TYPE_id)
        return value_integer((int64_t)chance(1000000000) + 1);
    if (field->type == TYPE_boolean)
        return value_integer((int64_t)chance(2));
    if (field->type == TYPE_date && chance(3))
        return value_integer(TIME_MIN_MS + (int64_t)chance((uint64_t)(TIME_MAX_MS - TIME_MIN_MS)));
    if (field->type == TYPE_integer || field->type == TYPE_choice)
        return value_integer((int64_t)chance(2147483648));
    if (field->type == TYPE_reference && chance(3))
        return value_integer((int64_t)chance(1000000000) + 1);
    if (field->type == TYPE_date || field->type == TYPE_reference || !chance(4))
        return value_null();
    return value_text(any_text(arena));
}

static struct record any_record(struct arena *arena) {
    struct record record = record_new(&user_table, arena);
    assert_non_null(record.values);
    for (unsigned i = 0; i < user_table.count; i++)
        if (field_is_kept_in_json(&user_table.fields[i]))
            record.values[i] = any_value(&user_table.fields[i], arena);
    return record;
}

static struct text written(const struct record *record, struct arena *arena) {
    struct buffer json;
    buffer_init(&json, arena, 4096);
    json_add_record(&json, record);
    assert_false(json.failed);
    return buffer_text(&json);
}

static void what_was_written_is_read_again(void **state) {
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct arena arena = { 0 };
        struct record record = any_record(&arena), again = record_new(&user_table, &arena);
        struct text json = written(&record, &arena);
        assert_true(json_read_record(arena_text(&arena, json), &arena, &again));
        for (unsigned i = 0; i < user_table.count; i++) {
            const struct field *field = &user_table.fields[i];
            struct value member = { 0 };
            assert_true(value_equal(&record.values[i], &again.values[i]));
            if (!field_is_kept_in_json(field))
                continue;
            assert_true(json_read_member(json, field, &arena, &member));
            assert_true(value_equal(&record.values[i], &member));
            if (again.values[i].kind == VALUE_TEXT && field->type != TYPE_links)
                assert_int_equal(again.values[i].text[again.values[i].len], '\0');
        }
        arena_close(&arena);
    }
}

/* A row that a version of Roster with other fields has written. */
static bool read_row(const char *json, struct arena *arena, struct record *record) {
    *record = record_new(&user_table, arena);
    return json_read_record(arena_text(arena, text_of(json)), arena, record);
}

static void a_missing_member_reads_as_one_without_a_value(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct record nothing = record_new(&user_table, &arena), whole, record;
    nothing.values[USER_Id] = value_integer(7);
    struct text json = written(&nothing, &arena);
    assert_true(read_row(arena_printf(&arena, "%.*s", (int)json.len, json.at).at, &arena, &whole));
    assert_true(read_row("{\"Id\":7}", &arena, &record));
    for (unsigned i = 0; i < user_table.count; i++) {
        struct value member = { 0 };
        assert_true(value_equal(&whole.values[i], &record.values[i]));
        if (!field_is_kept_in_json(&user_table.fields[i]))
            continue;
        assert_true(json_read_member(TEXT("{\"Id\":7}"), &user_table.fields[i], &arena, &member));
        assert_true(value_equal(&whole.values[i], &member));
    }
    assert_false(read_row("{\"FullName\":\"Nobody\"}", &arena, &record));
    assert_false(read_row("{}", &arena, &record));
    assert_false(read_row("{\"Id\":7,\"Id\":8}", &arena, &record));
    assert_false(read_row("{\"Id\":7,\"Later\":{\"Email\":1}}", &arena, &record));
    arena_close(&arena);
}

static void unknown_members_stay_in_the_row_and_are_not_shown(void **state) {
    (void)state;
    static const char unknown[] = ",\"Later\":\"a\\\"]}\",\"Deep\":[[1],\"]\"],\"More\":[1]";
    struct arena arena = { 0 };
    struct record record, again;
    struct buffer row;
    assert_true(read_row("{\"Later\":\"a\\\"]}\",\"Email\":\"b\",\"Deep\":[[1],\"]\"],\"Id\":7,"
                         "\"None\":null,\"No\":false,\"Zero\":0,\"Empty\":[],\"FullName\":\"c\","
                         "\"More\":[1]}",
                         &arena, &record));
    assert_true(text_equal(record.unknown, text_of(unknown)));
    assert_true(text_equal(value_as_text(&record.values[USER_Email]), TEXT("b")));
    assert_true(text_equal(value_as_text(&record.values[USER_FullName]), TEXT("c")));
    buffer_init(&row, &arena, 0);
    json_add_row(&row, &record);
    buffer_add_char(&row, '\0');
    assert_false(row.failed);
    assert_true(read_row(row.at, &arena, &again));
    assert_true(text_equal(again.unknown, text_of(unknown)));
    for (unsigned i = 0; i < user_table.count; i++)
        assert_true(value_equal(&record.values[i], &again.values[i]));
    struct text shown = written(&record, &arena);
    assert_null(memmem(shown.at, shown.len, "Later", 5));
    arena_close(&arena);
}

static void what_is_listed_has_all_but_the_lists(void **state) {
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct arena arena = { 0 };
        struct record record = any_record(&arena);
        struct buffer cut, listed;
        buffer_init(&cut, &arena, 0);
        buffer_init(&listed, &arena, 0);
        json_add_without_links(&cut, written(&record, &arena));
        json_add_listed(&listed, &record);
        assert_false(cut.failed || listed.failed);
        assert_int_equal(cut.len, listed.len);
        assert_memory_equal(cut.at, listed.at, listed.len);
        arena_close(&arena);
    }
}

static void secrets_and_hidden_values_are_not_in_it(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct record record = any_record(&arena), again = record_new(&user_table, &arena);
    record.values[USER_Password] = record.values[USER_AccessToken] =
        record.values[USER_TwoFactorSecret] = record.values[USER_EmailKey] =
            value_text(TEXT("hush"));
    struct text json = written(&record, &arena);
    assert_null(memmem(json.at, json.len, "hush", 4));
    assert_true(json_read_record(json, &arena, &again));
    assert_int_equal(again.values[USER_Password].kind, VALUE_ABSENT);
    assert_int_equal(again.values[USER_EmailKey].kind, VALUE_ABSENT);
    arena_close(&arena);
}

/* In memory of exactly its size, so that the address sanitizer reports each read past it. */
static bool is_read(const char *json, size_t len) {
    struct arena arena = { 0 };
    char *copy = malloc(len + !len), *taken = malloc(len + !len);
    struct record record = record_new(&user_table, &arena);
    struct value value;
    assert_true(copy && taken);
    memcpy(copy, json, len);
    memcpy(taken, json, len);
    bool ok = json_read_record((struct text){ taken, len }, &arena, &record);
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        bool has = json_read_member((struct text){ copy, len }, field, &arena, &value);
        assert_true(has || !ok || !field_is_kept_in_json(field));
    }
    free(copy);
    free(taken);
    arena_close(&arena);
    return ok;
}

static void what_was_cut_off_is_refused(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct record record = any_record(&arena);
    record.values[USER_FullName] = value_text(TEXT("a\x01\"b"));
    struct text json = written(&record, &arena);
    assert_true(is_read(json.at, json.len));
    for (size_t len = 0; len < json.len; len++)
        assert_false(is_read(json.at, len));
    arena_close(&arena);
}

static void damage_does_no_harm(void **state) {
    (void)state;
    static const char bytes[] = "\"\\u{}[],:0n";
    for (int round = 0; round < 5000; round++) {
        struct arena arena = { 0 };
        struct record record = any_record(&arena);
        struct text json = written(&record, &arena);
        char *damaged = arena_alloc(&arena, json.len);
        assert_non_null(damaged);
        memcpy(damaged, json.at, json.len);
        for (uint64_t left = 1 + chance(3); left; left--)
            damaged[chance(json.len)] = bytes[chance(sizeof bytes)];
        (void)is_read(damaged,
                      json.len); /* the result does not matter: the sanitizers report errors */
        arena_close(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(a_missing_member_reads_as_one_without_a_value),
        cmocka_unit_test(unknown_members_stay_in_the_row_and_are_not_shown),
        cmocka_unit_test(what_is_listed_has_all_but_the_lists),
        cmocka_unit_test(secrets_and_hidden_values_are_not_in_it),
        cmocka_unit_test(what_was_cut_off_is_refused),
        cmocka_unit_test(damage_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

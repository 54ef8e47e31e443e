/* Compares the text index with a list of what it should contain: after random changes, and for
 * every needle. */
#include "store/sqlite/engine.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/session.h"
#include "store/sqlite/text_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RECORDS = 700, TEXT_MAX = 600 };

static struct text_index index_of_names;

struct kept {
    int64_t id;
    size_t len; /* 0: no text */
    char text[TEXT_MAX];
};

static struct kept all[RECORDS];
static uint64_t random_state;

static unsigned below(unsigned limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % limit);
}

static struct text text_kept(const struct kept *kept) {
    return kept->len ? (struct text){ kept->text, kept->len } : (struct text){ 0 };
}

/* Makes a text of few different letters, so that needles are found often; now and then one that is
 * longer than many others together. */
static void make_text(struct kept *kept) {
    static const char *const letters[] = { "a", "b", "ab", "ba", "\xC3\xA9", "\xF0\x9F\x98\x80" };
    unsigned wanted = below(20) ? 1 + below(24) : 1 + below(TEXT_MAX - 8);
    for (kept->len = 0; kept->len < wanted;) {
        const char *letter = letters[below(6)];
        memcpy(kept->text + kept->len, letter, strlen(letter));
        kept->len += strlen(letter);
    }
}

static struct store_session *opened(void) {
    struct connection *connection =
        session_open(&sqlite_engine, NULL, "", true); /* a temporary database */
    assert_non_null(connection);
    struct store_session *session = &connection->session;
    assert_int_equal(schema_migrate(session, &(struct store_options){ 0 }), STATUS_OK);
    index_of_names = (struct text_index){ session, &user_table, &user_table.fields[USER_FullName] };
    return session;
}

static void change_randomly(struct kept *kept) {
    struct kept before = *kept;
    if (below(4) == 0)
        kept->len = 0;
    else
        make_text(kept);
    if (!before.len && !kept->len)
        return;
    assert_int_equal(text_index_set(&index_of_names, kept->id, text_kept(kept)), STATUS_OK);
}

static void search_and_compare(struct text needle) {
    struct arena arena = { 0 };
    struct text_matches found;
    size_t count = 0, exact = 0;
    assert_int_equal(text_index_search(&index_of_names, needle, &arena, &found), STATUS_OK);
    for (size_t i = 0; i < RECORDS; i++) {
        if (!all[i].len || !memmem(all[i].text, all[i].len, needle.at, needle.len))
            continue;
        assert_true(count < found.count);
        assert_int_equal(found.ids[count++], all[i].id);
        if (!text_equal(needle, text_kept(&all[i])))
            continue;
        assert_true(exact < found.exact_count);
        assert_int_equal(found.exact[exact++], all[i].id);
    }
    assert_int_equal(count, found.count);
    assert_int_equal(exact, found.exact_count);
    assert_int_equal(count, found.total);
    arena_close(&arena);
}

static void compare_all(void) {
    static const char *const needles[] = { "a",       "ab",       "aab",
                                           "bbbb",    "\xC3\xA9", "\xF0\x9F\x98\x80",
                                           "zz",      "abbaabab", "\xFF",
                                           "\xFF\xFF" };
    for (size_t i = 0; i < sizeof needles / sizeof needles[0]; i++)
        search_and_compare(text_of(needles[i]));
    for (unsigned i = 0; i < 40; i++) {
        const struct kept *kept = &all[below(RECORDS)];
        size_t from = kept->len ? below((unsigned)kept->len) : 0;
        if (kept->len)
            search_and_compare(
                (struct text){ kept->text + from, 1 + below((unsigned)(kept->len - from)) });
        if (kept->len)
            search_and_compare(text_kept(kept));
    }
}

/* `gap` is the largest distance between two Ids, in units of 1,000,003. */
static void changed_and_compared(unsigned gap, uint64_t seed) {
    struct store_session *session = opened();
    int64_t id = 0;
    random_state = seed;
    for (size_t i = 0; i < RECORDS; i++) {
        id += 1 + (gap ? below(gap) * INT64_C(1000003) : 0);
        all[i] = (struct kept){ .id = id };
    }
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 600; i++)
            change_randomly(&all[below(RECORDS)]);
        compare_all();
    }
    for (size_t i = 0; i < RECORDS; i++)
        if (all[i].len) {
            assert_int_equal(text_index_set(&index_of_names, all[i].id, (struct text){ 0 }),
                             STATUS_OK);
            all[i].len = 0;
        }
    compare_all();
    store_session_close(session);
}

static void every_text_that_has_a_needle_is_found(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        changed_and_compared(0, seed);
        changed_and_compared(1000, seed);
        changed_and_compared(1000000000, seed);
    }
}

static void what_ids_ascend_for_is_as_dense_as_a_page_allows(void **state) {
    struct sql_statement *statement;
    struct store_session *session = opened();
    (void)state;
    for (int64_t id = 100000001; id <= 100003000; id++)
        assert_int_equal(text_index_set(&index_of_names, id, TEXT("twenty-two letters it has")),
                         STATUS_OK);
    statement = sql_prepare(session, "SELECT count(*), max(length(texts)) FROM"
                                     " users_FullName_texts");
    assert_non_null(statement);
    assert_int_equal(sql_step(statement), STATUS_OK);
    assert_int_equal(sql_integer(statement, 0), 21); /* of 81,000 bytes */
    assert_true(sql_integer(statement, 1) <= 4040);
    sql_free(statement);
    store_session_close(session);
}

static void of_very_many_the_first_are_kept_all_are_counted_and_exact_ones_known(void **state) {
    enum { MANY = 100100, KEPT = 100000, EXACT = 100055 };
    struct store_session *session = opened();
    struct arena arena = { 0 };
    struct text_matches found;
    (void)state;
    assert_int_equal(sql_run(session, "BEGIN"), STATUS_OK);
    for (int64_t id = 1; id <= MANY; id++)
        assert_int_equal(text_index_set(&index_of_names, id, id == EXACT ? TEXT("a") : TEXT("ab")),
                         STATUS_OK);
    assert_int_equal(sql_run(session, "COMMIT"), STATUS_OK);
    assert_int_equal(text_index_search(&index_of_names, TEXT("a"), &arena, &found), STATUS_OK);
    assert_int_equal(found.total, MANY);
    assert_int_equal(found.count, KEPT);
    assert_int_equal(found.ids[KEPT - 1], KEPT);
    assert_int_equal(found.exact_count, 1);
    assert_int_equal(found.exact[0], EXACT);
    assert_false(found.exact_is_cut);
    arena_close(&arena);
    store_session_close(session);
}

static void what_differs_from_its_record_is_set_right_by_the_next_change(void **state) {
    struct store_session *session = opened();
    (void)state;
    assert_int_equal(text_index_set(&index_of_names, 7, (struct text){ 0 }), STATUS_OK);
    assert_int_equal(text_index_set(&index_of_names, 7, TEXT("a")), STATUS_OK);
    assert_int_equal(text_index_set(&index_of_names, 7, TEXT("b")), STATUS_OK);
    memset(all, 0, sizeof all);
    all[0] = (struct kept){ 7, 1, "b" };
    search_and_compare(TEXT("a"));
    search_and_compare(TEXT("b"));
    store_session_close(session);
}

static void assert_damaged(const char *block, bool search_sees_it) {
    struct store_session *session = opened();
    struct arena arena = { 0 };
    struct text_matches found;
    char sql[128], why[128];
    (void)snprintf(sql, sizeof sql, "INSERT INTO users_FullName_texts VALUES (0, %s)", block);
    assert_int_equal(sql_run(session, sql), STATUS_OK);
    assert_int_equal(text_index_search(&index_of_names, TEXT("a"), &arena, &found),
                     search_sees_it ? STATUS_INTERNAL : STATUS_OK);
    assert_int_equal(text_index_check(&index_of_names, why, sizeof why), STATUS_INTERNAL);
    arena_close(&arena);
    store_session_close(session);
}

static void a_damaged_block_is_noticed(void **state) {
    static const char *const blocks[] = {
        "x''", "x'00'", "x'0009'", "x'0002010161'", "x'00018061ff'", "x'000061ff'", "x'0001016162'",
    };
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        assert_damaged(blocks[i], true);
    assert_damaged("x'0002010161ff'", false); /* one Id too many */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_that_has_a_needle_is_found),
        cmocka_unit_test(what_ids_ascend_for_is_as_dense_as_a_page_allows),
        cmocka_unit_test(of_very_many_the_first_are_kept_all_are_counted_and_exact_ones_known),
        cmocka_unit_test(what_differs_from_its_record_is_set_right_by_the_next_change),
        cmocka_unit_test(a_damaged_block_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

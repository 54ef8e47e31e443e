/* Tokens and their families, the epoch of who may do what, Idempotency-Keys, and what is outdated.
 */
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { USER = 1000, OTHER = 1001 };

static struct token_hash hash_of(const char *name) {
    return token_hash(text_of(name));
}

static struct token token_of(const char *name, enum token_kind kind, int64_t family) {
    return (struct token){ .hash = hash_of(name),
                           .kind = kind,
                           .user_id = USER,
                           .client_id = TEXT("tests"),
                           .issued_ms = SUITE_NOW_MS,
                           .expires_ms = SUITE_NOW_MS + 1000,
                           .family = family,
                           .ends_ms = TOKEN_ENDLESS };
}

static void add_token(struct suite *suite, const struct token *token) {
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_add_token(tx, token));
    assert_ok(suite_commit(suite));
}

static bool is_there(struct suite *suite, const char *name) {
    struct token_hash hash = hash_of(name);
    struct token token;
    enum status status = store_token(suite->session, &hash, &suite->arena, &token);
    if (status != STATUS_NOT_FOUND)
        assert_ok(status);
    return status == STATUS_OK;
}

/* Of names, of one letter each, those whose tokens are there. */
static const char *those_there(struct suite *suite, const char *names) {
    char *found = arena_calloc(&suite->arena, strlen(names) + 1, 1);
    size_t count = 0;
    assert_non_null(found);
    for (const char *name = names; *name; name++)
        if (is_there(suite, (const char[]){ *name, 0 }))
            found[count++] = *name;
    return found;
}

static void a_token_is_found_as_it_was_added_though_it_expired(void **state) {
    struct suite *suite = *state;
    struct token added = {
        .hash = hash_of("a"),
        .kind = TOKEN_REFRESH,
        .user_id = INT64_C(1) << 40,
        .client_id = TEXT("client \xC3\xA9"),
        .issued_ms = 5,
        .expires_ms = 7,
        .family = INT64_C(1) << 61,
        .parent = -USER,
        .ends_ms = 9,
    };
    struct token found;
    assert_int_equal(store_token(suite->session, &added.hash, &suite->arena, &found),
                     STATUS_NOT_FOUND);
    add_token(suite, &added);
    assert_ok(store_token(suite->session, &added.hash, &suite->arena, &found));
    assert_memory_equal(&found.hash, &added.hash, sizeof added.hash);
    assert_int_equal(found.kind, added.kind);
    assert_int_equal(found.user_id, added.user_id);
    assert_text(found.client_id, added.client_id);
    assert_int_equal(found.issued_ms, added.issued_ms);
    assert_int_equal(found.expires_ms, added.expires_ms);
    assert_int_equal(found.family, added.family);
    assert_int_equal(found.parent, added.parent);
    assert_int_equal(found.ends_ms, added.ends_ms);
}

static void a_second_token_of_one_hash_is_not_kept(void **state) {
    struct suite *suite = *state;
    struct token first = token_of("a", TOKEN_ACCESS, 1), second = token_of("a", TOKEN_REFRESH, 2);
    struct token found;
    add_token(suite, &first);
    struct store_tx *tx = suite_write(suite);
    assert_int_equal(store_add_token(tx, &second), STATUS_INTERNAL);
    suite_roll_back(suite);
    assert_ok(store_token(suite->session, &first.hash, &suite->arena, &found));
    assert_int_equal(found.kind, TOKEN_ACCESS);
}

static void a_token_is_current_until_its_end_and_not_long_before_its_issue(void **state) {
    struct token token = token_of("a", TOKEN_ACCESS, 1);
    (void)state;
    assert_true(token_is_current(&token, SUITE_NOW_MS));
    assert_true(token_is_current(&token, token.expires_ms - 1));
    assert_false(token_is_current(&token, token.expires_ms));
    assert_true(token_is_current(&token, SUITE_NOW_MS - TOKEN_AHEAD_MAX_MS));
    assert_false(token_is_current(&token, SUITE_NOW_MS - TOKEN_AHEAD_MAX_MS - 1));
}

static void a_token_that_was_dropped_is_gone_and_no_other(void **state) {
    struct suite *suite = *state;
    struct token a = token_of("a", TOKEN_ACCESS, 1), b = token_of("b", TOKEN_REFRESH, 1);
    add_token(suite, &a);
    add_token(suite, &b);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_drop_token(tx, &a.hash));
    assert_ok(suite_commit(suite));
    assert_string_equal(those_there(suite, "ab"), "b");
}

static void a_refresh_token_that_was_spent_is_known_as_such(void **state) {
    struct suite *suite = *state;
    struct token a = token_of("a", TOKEN_REFRESH, 1), b = token_of("b", TOKEN_REFRESH, 1), found;
    add_token(suite, &a);
    add_token(suite, &b);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_spend_token(tx, &a.hash));
    assert_ok(suite_commit(suite));
    assert_ok(store_token(suite->session, &a.hash, &suite->arena, &found));
    assert_int_equal(found.kind, TOKEN_SPENT);
    assert_int_equal(found.family, 1);
    assert_ok(store_token(suite->session, &b.hash, &suite->arena, &found));
    assert_int_equal(found.kind, TOKEN_REFRESH);
}

static void what_was_spent_stays_until_its_client_has_no_refresh_token(void **state) {
    struct suite *suite = *state;
    struct token a = token_of("a", TOKEN_REFRESH, 1), b = token_of("b", TOKEN_REFRESH, 1),
                 c = token_of("c", TOKEN_REFRESH, 1);
    c.client_id = TEXT("another");
    add_token(suite, &a);
    add_token(suite, &b);
    add_token(suite, &c);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_spend_token(tx, &a.hash));
    assert_ok(store_has_spent(tx, 1, 1));
    assert_int_equal(store_has_spent(tx, 1, 2), STATUS_NOT_FOUND);
    assert_int_equal(store_has_spent(tx, 2, 1), STATUS_NOT_FOUND);
    assert_ok(store_drop_token(tx, &c.hash));
    assert_ok(store_has_spent(tx, 1, 1));
    assert_ok(store_drop_token(tx, &b.hash));
    assert_int_equal(store_has_spent(tx, 1, 1), STATUS_NOT_FOUND);
    assert_ok(suite_commit(suite));
}

/* a, b: family 1. c rests on 1, d on c's, e on nothing, f on the user's password, g on f's; h is
 * another user's, and rests on his password. */
static void add_families(struct suite *suite) {
    static const struct {
        const char *name;
        int64_t user, family, parent;
        enum token_kind kind;
    } all[] = {
        { "a", USER, 1, 0, TOKEN_ACCESS },   { "b", USER, 1, 0, TOKEN_REFRESH },
        { "c", OTHER, 2, 1, TOKEN_REFRESH }, { "d", USER, 3, 2, TOKEN_ACCESS },
        { "e", USER, 4, 0, TOKEN_ACCESS },   { "f", OTHER, 5, -USER, TOKEN_ACCESS },
        { "g", OTHER, 6, 5, TOKEN_RESET },   { "h", OTHER, 7, -OTHER, TOKEN_ONE_TIME },
    };
    suite_add_users(suite, USER, 2);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct token token = token_of(all[i].name, all[i].kind, all[i].family);
        token.user_id = all[i].user;
        token.parent = all[i].parent;
        add_token(suite, &token);
    }
}

static void a_family_ends_with_all_that_rests_on_it(void **state) {
    struct suite *suite = *state;
    add_families(suite);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_end_family(tx, 1));
    assert_ok(suite_commit(suite));
    assert_string_equal(those_there(suite, "abcdefgh"), "efgh");
    tx = suite_write(suite);
    assert_ok(store_end_family(tx, 1)); /* there is none any more */
    assert_ok(store_end_family(tx, 6));
    assert_ok(suite_commit(suite));
    assert_string_equal(those_there(suite, "abcdefgh"), "efh");
}

static void a_family_ends_by_the_id_of_its_refresh_token(void **state) {
    struct suite *suite = *state;
    struct search all = suite_all(&refresh_token_table);
    add_families(suite);
    const struct suite_page *page = suite_search(suite, &all);
    assert_int_equal(page->count, 2); /* b and c: no other kind is shown */
    for (size_t i = 0; i < page->count; i++) {
        struct record shown = suite_load(suite, &refresh_token_table, page->ids[i]);
        assert_text(value_as_text(&shown.values[REFRESH_TOKEN_ClientId]), TEXT("tests"));
        if (shown.values[REFRESH_TOKEN_UserId].integer != OTHER)
            continue;
        assert_text(value_as_text(&shown.values[REFRESH_TOKEN_Subject]),
                    TEXT("user1001@example.com"));
        struct store_tx *tx = suite_write(suite);
        assert_ok(store_end_family_of(tx, page->ids[i]));
        assert_ok(suite_commit(suite));
    }
    assert_string_equal(those_there(suite, "abcdefgh"), "abefgh");
}

static void revoking_all_of_a_user_ends_what_rests_on_his_password_too(void **state) {
    struct suite *suite = *state;
    add_families(suite);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_revoke_all(tx, USER));
    assert_ok(suite_commit(suite));
    assert_string_equal(those_there(suite, "abcdefgh"), "h");
}

static void owners_of_tokens_are_found_each_once_in_parts_of_any_size(void **state) {
    struct suite *suite = *state;
    int64_t ids[2] = { 0 };
    size_t count = 9;
    assert_ok(store_token_owners(suite->session, 0, ids, 2, &count));
    assert_int_equal(count, 0);
    add_families(suite);
    assert_ok(store_token_owners(suite->session, 0, ids, 2, &count));
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], USER);
    assert_int_equal(ids[1], OTHER);
    assert_ok(store_token_owners(suite->session, 0, ids, 1, &count));
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], USER);
    assert_ok(store_token_owners(suite->session, USER, ids, 2, &count));
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], OTHER);
    assert_ok(store_token_owners(suite->session, OTHER, ids, 2, &count));
    assert_int_equal(count, 0);
}

static void revoking_a_clients_tokens_of_a_kind_ends_nothing_else(void **state) {
    struct suite *suite = *state;
    struct token other = token_of("i", TOKEN_ACCESS, 1);
    add_families(suite);
    other.client_id = TEXT("others");
    add_token(suite, &other);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_revoke_client(tx, USER, TEXT("tests"), TOKEN_ACCESS));
    assert_ok(suite_commit(suite));
    assert_string_equal(those_there(suite, "abcdefghi"), "bcfghi");
}

/* ---- who may do what ---- */

static void set_flag(struct record *user) {
    user->values[USER_APIAccess] = value_integer(1);
}

static void set_nothing_that_matters(struct record *user) {
    user->values[USER_FullName] = value_text(TEXT("Another"));
}

static enum status change_user(struct store_tx *tx, struct suite *suite,
                               void (*change)(struct record *)) {
    struct record before, after;
    assert_ok(store_load(tx->session, &user_table, USER, &suite->arena, &before));
    after = suite_next(suite, &before);
    change(&after);
    return store_update(tx, &before, &after, &suite_author);
}

enum deed {
    UPDATE_ACCESS,
    DELETE_USER,
    DROP_TOKEN,
    END_FAMILY,
    END_FAMILY_OF,
    REVOKE_ALL,
    REVOKE_CLIENT,
    SAY_SO,
    DECIDES, /* all before this one decide who may do what */
    UPDATE_PLAINLY = DECIDES,
    NOTE,
    ADD_TOKEN,
    SPEND_TOKEN,
    REVOKE_REFRESH,
    ADD_ROLE,
    DEEDS
};

static enum status do_deed(struct store_tx *tx, struct suite *suite, enum deed deed) {
    struct token_hash hash = hash_of("a");
    struct token token = token_of(deed == ADD_TOKEN ? "new" : "a", TOKEN_ACCESS, 1);
    struct record user, next, role = suite_record(suite, &role_table, 1);
    assert_ok(store_load(tx->session, &user_table, USER, &suite->arena, &user));
    next = suite_next(suite, &user);
    switch (deed) {
    case UPDATE_ACCESS: return change_user(tx, suite, set_flag);
    case DELETE_USER: return store_delete(tx, &user, &suite_author);
    case DROP_TOKEN: return store_drop_token(tx, &hash);
    case END_FAMILY: return store_end_family(tx, 1);
    case END_FAMILY_OF: return store_end_family_of(tx, 1);
    case REVOKE_ALL: return store_revoke_all(tx, USER);
    case REVOKE_CLIENT: return store_revoke_client(tx, USER, TEXT("tests"), TOKEN_ACCESS);
    case SAY_SO: store_change_access(tx); return STATUS_OK;
    case UPDATE_PLAINLY: return change_user(tx, suite, set_nothing_that_matters);
    case NOTE: return store_update_login_state(tx, &user, &next);
    case ADD_TOKEN: return store_add_token(tx, &token);
    case SPEND_TOKEN: return store_spend_token(tx, &hash);
    case REVOKE_REFRESH: return store_revoke_client(tx, USER, TEXT("tests"), TOKEN_REFRESH);
    case ADD_ROLE: return store_insert(tx, &role, &suite_author);
    case DEEDS: break;
    }
    fail_msg("no deed");
    return STATUS_INTERNAL;
}

static void the_epoch_grows_by_one_with_what_decides_who_may_do_what(void **state) {
    struct suite *suite = *state;
    for (enum deed deed = 0; deed < DEEDS; deed++) {
        const bool decides = deed < DECIDES;
        if (store_exists(suite->session, &user_table, USER) == STATUS_NOT_FOUND)
            suite_add_users(suite, USER, 1);
        uint64_t before = store_access_epoch(suite->store);
        struct store_tx *tx = suite_write(suite);
        assert_true(store_access_stands(tx->session, before));
        assert_false(
            store_access_changes(tx->session)); /* the one before was another transaction */
        assert_ok(do_deed(tx, suite, deed));
        assert_int_equal(store_access_changes(tx->session), decides);
        assert_int_equal(store_access_stands(tx->session, before), !decides);
        assert_true(store_access_stands(suite->session, before)); /* nothing is committed yet */
        assert_false(store_access_changes(suite->session));
        assert_ok(suite_commit(suite));
        assert_int_equal(store_access_epoch(suite->store), before + decides);
        assert_int_equal(store_access_stands(suite->session, before), !decides);
        assert_true(store_access_stands(suite->session, before + decides));
    }
}

static void the_epoch_does_not_grow_with_what_was_not_kept(void **state) {
    struct suite *suite = *state;
    suite_add_users(suite, USER, 1);
    uint64_t before = store_access_epoch(suite->store);
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_revoke_all(tx, USER));
    suite_roll_back(suite);
    assert_int_equal(store_access_epoch(suite->store), before);
    assert_true(store_access_stands(suite->session, before));
}

/* Each field by itself. */
static void each_field_that_decides_access_moves_the_epoch(void **state) {
    struct suite *suite = *state;
    struct record user = suite_user(suite, USER);
    assert_ok(suite_insert(suite, &user));
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        if (!field_is_stored(field) || field->type == TYPE_id)
            continue;
        struct record before = suite_load(suite, &user_table, USER);
        struct record after = suite_next(suite, &before);
        bool is_text = before.values[i].kind != VALUE_INTEGER && field->type != TYPE_date &&
                       field->type != TYPE_reference && field->type != TYPE_choice &&
                       field->type != TYPE_integer;
        if (field->type == TYPE_links)
            suite_link(suite, &after, i, (const int64_t[]){ 3 }, 1);
        else
            after.values[i] = is_text ? value_text(TEXT("changed@example.com"))
                                      : value_integer(!value_is_true(&before.values[i]));
        uint64_t epoch = store_access_epoch(suite->store);
        assert_ok(suite_update(suite, &before, &after));
        assert_int_equal(store_access_epoch(suite->store), epoch + ((field->flags & ACCESS) != 0));
    }
}

/* ---- Idempotency-Keys ---- */

static struct idempotency_use repeat_of(int64_t caller, struct text key) {
    return (struct idempotency_use){ .caller = caller, .key = key };
}

static void add_repeat(struct suite *suite, struct idempotency_use repeat, int64_t record,
                       int64_t at_ms) {
    repeat.mac = hash_of(record % 2 ? "odd" : "even");
    repeat.record_id = record;
    repeat.at_ms = at_ms;
    repeat.author = TEXT("caller@example.com");
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_add_idempotency(tx, &repeat));
    assert_ok(suite_commit(suite));
}

/* The record that a key was used for, or 0. */
static int64_t record_of(struct suite *suite, int64_t caller, struct text key, int64_t since_ms) {
    struct idempotency_use repeat = repeat_of(caller, key);
    enum status status = store_find_idempotency(suite->session, &repeat, since_ms, &suite->arena);
    if (status == STATUS_NOT_FOUND)
        return 0;
    assert_ok(status);
    struct token_hash mac = hash_of(repeat.record_id % 2 ? "odd" : "even");
    assert_memory_equal(&repeat.mac, &mac, sizeof mac);
    assert_text(repeat.author, TEXT("caller@example.com"));
    assert_true(repeat.at_ms > since_ms);
    return repeat.record_id;
}

static void a_key_is_found_again_by_its_caller_and_nobody_else(void **state) {
    struct suite *suite = *state;
    const struct text key = TEXT("Role \0\xFF key"), other = TEXT("Role \0\xFF kez");
    assert_int_equal(record_of(suite, 1, key, 0), 0);
    add_repeat(suite, repeat_of(1, key), 11, 500);
    add_repeat(suite, repeat_of(2, key), 12, 500);
    assert_int_equal(record_of(suite, 1, key, 0), 11);
    assert_int_equal(record_of(suite, 2, key, 0), 12);
    assert_int_equal(record_of(suite, 3, key, 0), 0);
    assert_int_equal(record_of(suite, 1, other, 0), 0);
}

static void a_use_counts_only_when_it_was_later_than_asked_for(void **state) {
    struct suite *suite = *state;
    add_repeat(suite, repeat_of(1, TEXT("k")), 11, 500);
    assert_int_equal(record_of(suite, 1, TEXT("k"), 499), 11);
    assert_int_equal(record_of(suite, 1, TEXT("k"), 500), 0);
}

static void a_later_use_stands_in_the_place_of_the_one_before(void **state) {
    struct suite *suite = *state;
    add_repeat(suite, repeat_of(1, TEXT("k")), 11, 500);
    add_repeat(suite, repeat_of(1, TEXT("k")), 12, 900);
    assert_int_equal(record_of(suite, 1, TEXT("k"), 0), 12);
    assert_int_equal(record_of(suite, 1, TEXT("k"), 600), 12);
}

/* ---- what nobody needs any more ---- */

static bool drop_outdated(struct suite *suite, struct expired outdated, int limit) {
    bool more = false;
    struct store_tx *tx = suite_write(suite);
    assert_ok(store_purge_expired(tx, &outdated, limit, &more));
    assert_ok(suite_commit(suite));
    return more;
}

static struct expired before(int64_t tokens_ms, int64_t idempotency_ms) {
    return (struct expired){ .tokens_ms = tokens_ms,
                             .idempotency_ms = idempotency_ms,
                             .audit_ms = INT64_MIN,
                             .now_ms = SUITE_NOW_MS };
}

static void what_ended_before_its_moment_is_dropped_and_nothing_else(void **state) {
    struct suite *suite = *state;
    struct token a = token_of("a", TOKEN_ACCESS, 1), b = token_of("b", TOKEN_SPENT, 1);
    b.expires_ms = a.expires_ms + 1;
    add_token(suite, &a);
    add_token(suite, &b);
    add_repeat(suite, repeat_of(1, TEXT("k")), 11, 500);
    add_repeat(suite, repeat_of(1, TEXT("l")), 12, 501);
    assert_false(drop_outdated(suite, before(a.expires_ms, 500), 100));
    assert_string_equal(those_there(suite, "ab"), "ab");
    assert_int_equal(record_of(suite, 1, TEXT("k"), 0), 11);
    assert_false(drop_outdated(suite, before(b.expires_ms, 501), 100));
    assert_string_equal(those_there(suite, "ab"), "b");
    assert_int_equal(record_of(suite, 1, TEXT("k"), 0), 0);
    assert_int_equal(record_of(suite, 1, TEXT("l"), 0), 12);
}

static void no_more_is_dropped_at_once_than_the_limit_of_each_kind(void **state) {
    struct suite *suite = *state;
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    const struct expired all = before(TOKEN_ENDLESS, TOKEN_ENDLESS);
    for (int i = 0; i < 5; i++) {
        struct token token = token_of(names[i], TOKEN_ACCESS, 1);
        add_token(suite, &token);
    }
    add_repeat(suite, repeat_of(1, TEXT("k")), 11, 500);
    assert_true(drop_outdated(suite, all, 2));
    assert_int_equal(strlen(those_there(suite, "abcde")), 3);
    assert_int_equal(record_of(suite, 1, TEXT("k"), 0), 0);
    assert_true(drop_outdated(suite, all, 2));
    assert_int_equal(strlen(those_there(suite, "abcde")), 1);
    assert_false(drop_outdated(suite, all, 2));
    assert_string_equal(those_there(suite, "abcde"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_token_is_found_as_it_was_added_though_it_expired),
        suite_test(a_second_token_of_one_hash_is_not_kept),
        cmocka_unit_test(a_token_is_current_until_its_end_and_not_long_before_its_issue),
        suite_test(a_token_that_was_dropped_is_gone_and_no_other),
        suite_test(a_refresh_token_that_was_spent_is_known_as_such),
        suite_test(what_was_spent_stays_until_its_client_has_no_refresh_token),
        suite_test(a_family_ends_with_all_that_rests_on_it),
        suite_test(a_family_ends_by_the_id_of_its_refresh_token),
        suite_test(revoking_all_of_a_user_ends_what_rests_on_his_password_too),
        suite_test(owners_of_tokens_are_found_each_once_in_parts_of_any_size),
        suite_test(revoking_a_clients_tokens_of_a_kind_ends_nothing_else),
        suite_test(the_epoch_grows_by_one_with_what_decides_who_may_do_what),
        suite_test(the_epoch_does_not_grow_with_what_was_not_kept),
        suite_test(each_field_that_decides_access_moves_the_epoch),
        suite_test(a_key_is_found_again_by_its_caller_and_nobody_else),
        suite_test(a_use_counts_only_when_it_was_later_than_asked_for),
        suite_test(a_later_use_stands_in_the_place_of_the_one_before),
        suite_test(what_ended_before_its_moment_is_dropped_and_nothing_else),
        suite_test(no_more_is_dropped_at_once_than_the_limit_of_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

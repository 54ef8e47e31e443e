/* Decisions of several commands at once: each is made on what the ones before it left, so one wins,
 * and the others see that it did. Each test is a decision that some command of the server makes. */
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RACERS = 6, FIRST_ID = 1000 };

static const struct author *by = &suite_author;

/* What stands on the writer's thread has no suite, and no arena but its own. */
static struct record next_version(const struct record *record, struct arena *arena) {
    struct record next = record_new(record->table, arena);
    if (next.values)
        memcpy(next.values, record->values, record->table->count * sizeof *next.values);
    next.version = record->version + 1;
    return next;
}

/* Loads a record, has `change` change it, and writes it. */
static enum status rewrite(struct store_view *tx, const struct table *table, int64_t id,
                           void (*change)(struct record *, const struct racer *, struct arena *),
                           const struct racer *racer) {
    struct arena arena = { 0 };
    struct record before, after;
    enum status status = store_load(tx, table, id, &arena, &before);
    if (status == STATUS_OK) {
        after = next_version(&before, &arena);
        status = after.values ? STATUS_OK : STATUS_BROKEN;
    }
    if (status == STATUS_OK) {
        change(&after, racer, &arena);
        status = store_update(tx, &before, &after, by);
    }
    arena_close(&arena);
    return status;
}

/* Runs rounds of a race in which exactly one is to win, and the others to lose as `lost`. */
static void assert_one_wins(struct suite *suite, unsigned round, struct racer *racers,
                            enum status lost) {
    race_run(suite, round, racers, RACERS);
    assert_int_equal(race_count(racers, RACERS, STATUS_OK), 1);
    assert_int_equal(race_count(racers, RACERS, lost), RACERS - 1);
}

/* ---- versions ---- */

/* The version is that of the page on which the client decided. */
static enum status update_as_seen(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    struct arena arena = { 0 };
    struct record after = next_version(racer->of, &arena);
    enum status status = STATUS_BROKEN;
    if (after.values) {
        after.values[USER_LastHelpVisited] = value_integer(racer->number);
        status = store_update(tx, racer->of, &after, by);
    }
    arena_close(&arena);
    return status;
}

static enum status delete_as_seen(struct store_view *tx, struct store_command *command) {
    return store_delete(tx, ((struct racer *)command)->of, by);
}

static const struct racer *winner_of(const struct racer *racers, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (racers[i].command.status == STATUS_OK)
            return &racers[i];
    fail_msg("nobody won");
    return NULL;
}

static void of_many_updates_of_one_version_one_is_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record seen = suite_load(suite, &user_table, FIRST_ID);
        race_prepare(racers, RACERS, update_as_seen, &seen);
        assert_one_wins(suite, round, racers, STATUS_STALE);
        struct record kept = suite_load(suite, &user_table, FIRST_ID);
        assert_int_equal(kept.version, seen.version + 1);
        assert_int_equal(kept.values[USER_LastHelpVisited].integer,
                         winner_of(racers, RACERS)->number);
    }
}

static void an_update_and_a_deletion_of_one_version_do_not_both_happen(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record seen = suite_user(suite, FIRST_ID + round);
        assert_ok(suite_insert(suite, &seen));
        race_prepare(racers, RACERS, update_as_seen, &seen);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = delete_as_seen;
        assert_one_wins(suite, round, racers, STATUS_STALE);
        bool is_deleted = winner_of(racers, RACERS)->command.run == delete_as_seen;
        assert_int_equal(store_exists(suite->view, &user_table, FIRST_ID + round),
                         is_deleted ? STATUS_NOT_FOUND : STATUS_OK);
    }
}

static void count_up(struct record *user, const struct racer *racer, struct arena *arena) {
    (void)racer;
    (void)arena;
    user->values[USER_LastHelpVisited].integer++;
}

static enum status update_as_it_is(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    return rewrite(tx, &user_table, FIRST_ID, count_up, racer);
}

static void updates_of_what_each_command_loads_are_all_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, update_as_it_is, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        struct record user = suite_load(suite, &user_table, FIRST_ID);
        assert_int_equal(user.values[USER_LastHelpVisited].integer, (round + 1) * RACERS);
        assert_int_equal(user.version, 1 + (round + 1) * RACERS);
    }
}

/* ---- new records ---- */

/* A user with an Id that the store gives, as `racer->of` has it otherwise. */
static enum status insert_new(struct store_view *tx, struct racer *racer, const struct record *like,
                              struct text address) {
    struct arena arena = { 0 };
    struct record user = next_version(like, &arena);
    enum status status = user.values ? store_new_id(tx, &user_table, &racer->id) : STATUS_BROKEN;
    if (status == STATUS_OK) {
        user.version = 1;
        user.values[USER_Id] = value_integer(racer->id);
        user.values[USER_Email] = user.values[USER_EmailKey] = value_text(address);
        status = store_insert(tx, &user, by);
    }
    arena_close(&arena);
    return status;
}

static struct text own_address(const struct racer *racer, char out[64]) {
    int len = snprintf(out, 64, "new%lld@example.com", (long long)racer->id);
    return (struct text){ out, (size_t)len };
}

static enum status insert_one(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    char address[64];
    enum status status = store_new_id(tx, &user_table, &racer->id);
    return status == STATUS_OK ? insert_new(tx, racer, racer->of, own_address(racer, address))
                               : status;
}

static void new_records_get_different_ids(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    struct record like = suite_user(suite, FIRST_ID);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, insert_one, &like);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            assert_ok(store_exists(suite->view, &user_table, racers[i].id));
        assert_int_equal(suite_count(suite, &user_table), (round + 1) * RACERS);
    }
}

struct wanted_address {
    struct text email;
    struct record like;
};

/* Who has an address keeps it: the others are told (api/users check_email). */
static enum status take_address(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    const struct wanted_address *wanted = racer->of;
    int64_t owner;
    enum status status = store_find_user(tx, wanted->email, &owner);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? STATUS_CONFLICT : status;
    return insert_new(tx, racer, &wanted->like, wanted->email);
}

static void of_many_new_users_with_one_address_one_is_made(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t owner;
        struct wanted_address wanted = {
            arena_printf(&suite->arena, "wanted%u@example.com", round),
            suite_user(suite, FIRST_ID),
        };
        race_prepare(racers, RACERS, take_address, &wanted);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_find_user(suite->view, wanted.email, &owner));
        assert_int_equal(owner, winner_of(racers, RACERS)->id);
        assert_int_equal(suite_count(suite, &user_table), round + 1);
    }
}

static void set_address(struct record *user, const struct racer *racer, struct arena *arena) {
    const struct wanted_address *wanted = racer->of;
    (void)arena;
    user->values[USER_Email] = user->values[USER_EmailKey] = value_text(wanted->email);
}

static enum status move_to_address(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    const struct wanted_address *wanted = racer->of;
    int64_t owner;
    enum status status = store_find_user(tx, wanted->email, &owner);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? STATUS_CONFLICT : status;
    return rewrite(tx, &user_table, FIRST_ID + racer->number, set_address, racer);
}

static void of_many_users_who_move_to_one_address_one_gets_it(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct wanted_address wanted = { arena_printf(&suite->arena, "wanted%u@example.com", round),
                                         suite_user(suite, FIRST_ID) };
        int64_t owner;
        race_prepare(racers, RACERS, move_to_address, &wanted);
        racers[0].command.run = take_address; /* and one who is new */
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_find_user(suite->view, wanted.email, &owner));
    }
}

/* The first data of an empty database. */
static enum status insert_first(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    char address[64];
    int64_t users = 0;
    enum status status = store_count(tx, &user_table, &users);
    if (status == STATUS_OK && users)
        status = STATUS_CONFLICT;
    return status == STATUS_OK ? insert_new(tx, racer, racer->of, own_address(racer, address))
                               : status;
}

static void of_many_who_fill_an_empty_database_one_does(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    struct record like = suite_user(suite, FIRST_ID);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, insert_first, &like);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        struct record user = suite_load(suite, &user_table, winner_of(racers, RACERS)->id);
        assert_ok(suite_delete(suite, &user));
    }
}

/* ---- administrators ---- */

static void demote(struct record *user, const struct racer *racer, struct arena *arena) {
    (void)racer;
    (void)arena;
    user->values[USER_IsAdmin] = value_integer(0);
}

/* The last administrator stays one. */
static enum status demote_one(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    enum status status = store_other_administrator(tx, FIRST_ID + racer->number);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
    return rewrite(tx, &user_table, FIRST_ID + racer->number, demote, racer);
}

static enum status delete_one(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    struct arena arena = { 0 };
    struct record user;
    enum status status = store_other_administrator(tx, FIRST_ID + racer->number);
    if (status == STATUS_OK)
        status = store_load(tx, &user_table, FIRST_ID + racer->number, &arena, &user);
    else if (status == STATUS_NOT_FOUND)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_delete(tx, &user, by);
    arena_close(&arena);
    return status;
}

static void add_administrators(struct suite *suite, unsigned count) {
    struct store_view *tx = suite_write(suite);
    for (unsigned i = 0; i < count; i++) {
        struct record user = suite_user(suite, FIRST_ID + i), old;
        user.values[USER_IsAdmin] = value_integer(1);
        if (store_load(tx, &user_table, FIRST_ID + i, &suite->arena, &old) == STATUS_OK)
            assert_ok(store_delete(tx, &old, by));
        assert_ok(store_insert(tx, &user, by));
    }
    assert_ok(suite_commit(suite));
}

static void administrators_who_demote_or_delete_each_other_leave_one(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        add_administrators(suite, RACERS);
        race_prepare(racers, RACERS, demote_one, NULL);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = delete_one;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS - 1);
        assert_int_equal(race_count(racers, RACERS, STATUS_CONFLICT), 1);
        for (unsigned i = 0; i < RACERS; i++)
            if (racers[i].command.status == STATUS_CONFLICT)
                assert_int_equal(store_other_administrator(suite->view, FIRST_ID + i),
                                 STATUS_NOT_FOUND);
        assert_ok(store_other_administrator(suite->view, 0));
    }
}

/* ---- links ---- */

enum { TARGET_ID = 50 };

static void add_link(struct record *user, const struct racer *racer, struct arena *arena) {
    int64_t target = *(const int64_t *)racer->of;
    struct value links = ids_from_stored(&user->values[USER_UserRoles], arena), more;
    int64_t *ids = arena_calloc(arena, (size_t)links.len + 1, sizeof *ids);
    if (!ids)
        return;
    if (links.len)
        memcpy(ids, links.ids, links.len * sizeof *ids);
    ids[links.len] = target;
    more = value_ids(ids, (size_t)links.len + 1);
    user->values[USER_UserRoles] = ids_to_stored(&more, arena);
}

/* What a link leads to must be there. */
static enum status link_to_role(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    enum status status = store_exists(tx, &user_role_table, *(const int64_t *)racer->of);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
    return rewrite(tx, &user_table, FIRST_ID + racer->number, add_link, racer);
}

/* And what is pointed to stays. */
static enum status delete_role(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    struct arena arena = { 0 };
    struct record role;
    struct referrers referrers = { 0 };
    enum status status =
        store_load(tx, &user_role_table, *(const int64_t *)racer->of, &arena, &role);
    if (status == STATUS_OK)
        status = store_referrers(tx, &role, &arena, &referrers);
    if (status == STATUS_OK && referrers.count)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_delete(tx, &role, by);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
}

static void a_role_that_is_being_linked_to_is_not_deleted_under_the_link(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    unsigned deleted = 0;
    suite_add_users(suite, FIRST_ID, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t target = TARGET_ID + round;
        unsigned deleters = round / 3 % 2 ? RACERS - 1 : 1, links = 0;
        struct record role = suite_record(suite, &user_role_table, target);
        assert_ok(suite_insert(suite, &role));
        race_prepare(racers, RACERS, link_to_role, &target);
        for (unsigned i = 0; i < deleters; i++)
            racers[(i + round) % RACERS].command.run = delete_role;
        race_run(suite, round, racers, RACERS);
        bool is_there = store_exists(suite->view, &user_role_table, target) == STATUS_OK;
        for (unsigned i = 0; i < RACERS; i++)
            links += racers[i].command.run == link_to_role && racers[i].command.status == STATUS_OK;
        assert_int_equal(links, is_there ? RACERS - deleters : 0);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), is_there ? links : 1);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK) +
                             race_count(racers, RACERS, STATUS_CONFLICT),
                         RACERS);
        struct referrers referrers;
        assert_ok(store_referrers(suite->view, &role, &suite->arena, &referrers));
        assert_int_equal(referrers.count, links);
        deleted += !is_there;
    }
    assert_true(deleted < RACE_ROUNDS);
}

static void links_that_are_added_at_once_are_all_kept(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    int64_t targets[RACERS];
    suite_add_users(suite, FIRST_ID, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        targets[i] = TARGET_ID + i;
        struct record role = suite_record(suite, &user_role_table, targets[i]);
        assert_ok(suite_insert(suite, &role));
    }
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record user = suite_user(suite, FIRST_ID + 100 + round);
        assert_ok(suite_insert(suite, &user));
        race_prepare(racers, RACERS, link_to_role, NULL);
        for (unsigned i = 0; i < RACERS; i++) {
            racers[i].of = &targets[i];
            racers[i].number = 100 + round; /* all of them to one user */
        }
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        user = suite_load(suite, &user_table, FIRST_ID + 100 + round);
        struct value links = ids_from_stored(&user.values[USER_UserRoles], &suite->arena);
        assert_int_equal(links.len, RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            assert_true(ids_have(&links, targets[i]));
    }
}

/* ---- several records in one command ---- */

/* All users are counted up, from one end or the other; or none is, when one of them is gone. */
static enum status count_all_up(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < RACERS; i++)
        status = store_exists(tx, &user_table, FIRST_ID + i);
    for (unsigned i = 0; status == STATUS_OK && i < RACERS; i++)
        status = rewrite(tx, &user_table, FIRST_ID + (racer->number % 2 ? i : RACERS - 1 - i),
                         count_up, racer);
    return status;
}

static void commands_over_the_same_records_in_opposite_orders_all_succeed(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, RACERS);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, count_all_up, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++) {
            struct record user = suite_load(suite, &user_table, FIRST_ID + i);
            assert_int_equal(user.values[USER_LastHelpVisited].integer, (round + 1) * RACERS);
        }
    }
}

/* ---- Idempotency-Keys ---- */

static struct repeat repeat_of(const struct racer *racer) {
    return (struct repeat){ .caller = 7,
                            .key = *(const struct text *)racer->of,
                            .at_ms = SUITE_NOW_MS,
                            .author = by->email };
}

/* Once used, a key tells what was made of its first use. CONFLICT stands for such a reply here. */
static enum status create_once(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    struct arena arena = { 0 };
    struct repeat repeat = repeat_of(racer);
    struct record role = record_new(&role_table, &arena);
    enum status status = store_find_repeat(tx, &repeat, SUITE_NOW_MS - 1, &arena);
    racer->id = repeat.record_id;
    if (status == STATUS_OK)
        status = STATUS_CONFLICT;
    else if (status == STATUS_NOT_FOUND && role.values)
        status = store_new_id(tx, &role_table, &racer->id);
    if (status == STATUS_OK) {
        role.version = 1;
        role.values[ROLE_Id] = value_integer(racer->id);
        role.values[ROLE_Name] = value_text(repeat.key);
        repeat.record_id = racer->id;
        status = store_insert(tx, &role, by);
    }
    if (status == STATUS_OK)
        status = store_add_repeat(tx, &repeat);
    arena_close(&arena);
    return status;
}

static void an_idempotency_key_that_comes_many_times_creates_one_record(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct text key = arena_printf(&suite->arena, "Role key %u", round);
        race_prepare(racers, RACERS, create_once, &key);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        for (unsigned i = 0; i < RACERS; i++)
            assert_int_equal(racers[i].id, winner_of(racers, RACERS)->id);
        assert_int_equal(suite_count(suite, &role_table), round + 1);
    }
}

/* ---- tokens ---- */

static struct token_hash hash_of(const char *name, unsigned number) {
    char text[64];
    int len = snprintf(text, sizeof text, "%s %u", name, number);
    return token_hash((struct text){ text, (size_t)len });
}

static struct token token_of(const char *name, unsigned number, enum token_kind kind) {
    return (struct token){ .hash = hash_of(name, number),
                           .kind = kind,
                           .user_id = FIRST_ID,
                           .client_id = TEXT("tests"),
                           .issued_ms = SUITE_NOW_MS,
                           .expires_ms = SUITE_NOW_MS + 1000,
                           .family = 1 + number,
                           .ends_ms = TOKEN_ENDLESS };
}

static void add_token(struct suite *suite, const struct token *token) {
    struct store_view *tx = suite_write(suite);
    assert_ok(store_add_token(tx, token));
    assert_ok(suite_commit(suite));
}

static int64_t count_refresh_tokens(struct suite *suite) {
    struct search all = suite_all(&refresh_token_table);
    return suite_search(suite, &all)->found.total;
}

/* A refresh token is spent once; one that is spent already was stolen. */
static enum status trade(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    const struct token *old = racer->of;
    struct token found,
        next = token_of("next", (unsigned)old->family * RACERS + racer->number, TOKEN_REFRESH);
    struct arena arena = { 0 };
    enum status status = store_token(tx, &old->hash, &arena, &found);
    if (status == STATUS_OK && found.kind != TOKEN_REFRESH)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = store_spend_token(tx, &old->hash);
    if (status == STATUS_OK)
        status = store_revoke_client(tx, found.user_id, found.client_id, TOKEN_REFRESH);
    next.family = old->family;
    if (status == STATUS_OK)
        status = store_add_token(tx, &next);
    arena_close(&arena);
    return status;
}

static void a_refresh_token_that_comes_many_times_is_traded_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token old = token_of("old", round, TOKEN_REFRESH), found;
        add_token(suite, &old);
        race_prepare(racers, RACERS, trade, &old);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        assert_ok(store_token(suite->view, &old.hash, &suite->arena, &found));
        assert_int_equal(found.kind, TOKEN_SPENT);
        assert_int_equal(count_refresh_tokens(suite), 1);
    }
}

/* A sign-in: one live refresh token for each user and client. */
static enum status sign_in(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    unsigned round = *(const unsigned *)racer->of;
    struct token token = token_of("new", round * RACERS + racer->number, TOKEN_REFRESH);
    enum status status = store_revoke_client(tx, token.user_id, token.client_id, TOKEN_REFRESH);
    return status == STATUS_OK ? store_add_token(tx, &token) : status;
}

static void sign_ins_at_once_leave_one_refresh_token(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_prepare(racers, RACERS, sign_in, &round);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        assert_int_equal(count_refresh_tokens(suite), 1);
    }
}

/* One-time tokens, and those that let a new password be set, are gone with their first use. */
static enum status use_once(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    const struct token *token = racer->of;
    struct arena arena = { 0 };
    struct token found;
    enum status status = store_token(tx, &token->hash, &arena, &found);
    if (status == STATUS_OK)
        status = found.kind == TOKEN_RESET ? store_revoke_all(tx, found.user_id)
                                           : store_drop_token(tx, &token->hash);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
}

static void a_token_for_one_use_that_comes_many_times_is_used_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token token = token_of("once", round, round / 3 % 2 ? TOKEN_RESET : TOKEN_ONE_TIME);
        add_token(suite, &token);
        race_prepare(racers, RACERS, use_once, &token);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
    }
}

/* What a sign-in notes down: failures are counted, a code of one time step is taken once. */
static enum status note_sign_in(struct store_view *tx, struct store_command *command) {
    struct racer *racer = (struct racer *)command;
    int64_t step = *(const int64_t *)racer->of;
    struct arena arena = { 0 };
    struct record user, noted;
    enum status status = store_load(tx, &user_table, FIRST_ID, &arena, &user);
    if (status == STATUS_OK) {
        const struct value *last = &user.values[USER_LastTotpStep];
        noted = next_version(&user, &arena);
        racer->id = last->kind == VALUE_INTEGER && last->integer >= step; /* refused? */
        if (racer->id)
            noted.values[USER_InvalidLoginAttempts].integer++;
        else
            noted.values[USER_LastTotpStep] = value_integer(step);
        status = store_note(tx, &user, &noted);
    }
    arena_close(&arena);
    return status;
}

static void a_code_is_taken_once_and_every_failure_is_counted(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        int64_t step = 1000 + round, refused = 0;
        race_prepare(racers, RACERS, note_sign_in, &step);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < RACERS; i++)
            refused += racers[i].id;
        assert_int_equal(refused, RACERS - 1);
        struct record user = suite_load(suite, &user_table, FIRST_ID);
        assert_int_equal(user.values[USER_InvalidLoginAttempts].integer,
                         (round + 1) * (RACERS - 1));
    }
}

/* On behalf of who has a token, as long as it is there. */
struct bearer {
    struct authority authority; /* first */
    struct token_hash hash;
};

static enum status confirm_bearer(struct store_view *view, struct authority *authority) {
    struct bearer *bearer = (struct bearer *)authority;
    struct arena arena = { 0 };
    struct token token;
    enum status status = store_token(view, &bearer->hash, &arena, &token);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
}

static enum status revoke(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    enum status status = store_revoke_all(tx, FIRST_ID);
    (void)racer;
    return status == STATUS_OK
               ? store_audit_tokens(tx, FIRST_ID, TEXT("Tokens"), TEXT("revoked"), by)
               : status;
}

/* The audit rows behind the one that says that the tokens were revoked. */
static int64_t count_rows_behind_revocation(struct suite *suite) {
    struct filter revoked = { .table = &audit_trail_entry_table,
                              .field = AUDIT_TRAIL_ENTRY_NewValue,
                              .match = MATCH_equal,
                              .value = value_text(TEXT("revoked")) };
    struct search search = suite_all(&audit_trail_entry_table), all = search;
    search.filters = &revoked;
    search.descending = true;
    const struct suite_page *page = suite_search(suite, &search);
    all.behind = page->ids[0];
    return (int64_t)suite_search(suite, &all)->count;
}

static void nothing_is_done_with_a_token_once_it_was_revoked(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token token = token_of("bearer", round, TOKEN_ACCESS);
        struct bearer bearer = { { confirm_bearer }, token.hash };
        add_token(suite, &token);
        race_prepare(racers, RACERS, update_as_it_is, NULL);
        for (unsigned i = 0; i < RACERS; i++)
            racers[i].command.on_behalf_of = &bearer.authority;
        racers[round % RACERS].command.run = revoke;
        racers[round % RACERS].command.on_behalf_of = &store_nobody;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK) +
                             race_count(racers, RACERS, STATUS_UNAUTHENTICATED),
                         RACERS);
        assert_int_equal(count_rows_behind_revocation(suite), 0);
    }
}

/* ---- webhooks ---- */

enum { HOOK_ID = 30 };

static void add_hook(struct suite *suite) {
    struct record hook = suite_record(suite, &web_hook_table, HOOK_ID);
    hook.values[WEB_HOOK_Active] = value_integer(1);
    hook.values[WEB_HOOK_Action] = value_integer(ACTION_USER_UPDATE);
    assert_ok(suite_insert(suite, &hook));
}

/* Of the deliveries that are due the first one; NOT_FOUND: there is none. */
static enum status first_due(struct store_view *view, struct arena *arena,
                             struct delivery *delivery) {
    struct due_query query = { HOOK_ID, SUITE_NOW_MS, 1000 };
    struct due_deliveries due;
    enum status status = store_due_deliveries(view, &query, arena, &due);
    if (status == STATUS_OK && !due.count)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *delivery = due.list[0];
    return status;
}

/* A deliverer that takes a delivery for its own only when it is still to be made. */
static enum status claim(struct store_view *tx, struct store_command *command) {
    const struct racer *racer = (struct racer *)command;
    const struct delivery *delivery = racer->of;
    const struct attempt last = { SUITE_NOW_MS, 0, TEXT("refused"), 1000 };
    struct arena arena = { 0 };
    struct record record;
    enum status status = store_load(tx, &web_hook_delivery_table, delivery->id, &arena, &record);
    if (status == STATUS_OK && record.values[WEB_HOOK_DELIVERY_Status].integer != DELIVERY_PENDING)
        status = STATUS_CONFLICT;
    if (status == STATUS_OK)
        status = racer->number % 2 ? store_delivered(tx, delivery, SUITE_NOW_MS)
                                   : store_not_delivered(tx, delivery, &last);
    arena_close(&arena);
    return status;
}

static void a_delivery_that_many_claim_is_ended_once(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    add_hook(suite);
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct record user = suite_load(suite, &user_table, FIRST_ID);
        struct record next = suite_next(suite, &user);
        struct delivery delivery;
        assert_ok(suite_update(suite, &user, &next));
        assert_ok(first_due(suite->view, &suite->arena, &delivery));
        race_prepare(racers, RACERS, claim, &delivery);
        assert_one_wins(suite, round, racers, STATUS_CONFLICT);
        struct record ended = suite_load(suite, &web_hook_delivery_table, delivery.id);
        assert_int_equal(ended.values[WEB_HOOK_DELIVERY_Attempts].integer, 1);
        assert_int_equal(ended.values[WEB_HOOK_DELIVERY_Status].integer,
                         winner_of(racers, RACERS)->number % 2 ? DELIVERY_DELIVERED
                                                               : DELIVERY_FAILED);
    }
}

/* Ends what is due; NOT_FOUND when nothing is. */
static enum status deliver(struct store_view *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct delivery delivery;
    (void)command;
    enum status status = first_due(tx, &arena, &delivery);
    if (status == STATUS_OK)
        status = store_delivered(tx, &delivery, SUITE_NOW_MS);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static int64_t count_pending(struct suite *suite) {
    int64_t count = -1;
    assert_ok(store_count_pending(suite->view, &count));
    return count;
}

/* Some change the user, others end deliveries: one of a line is always due until the line is empty.
 */
static void no_delivery_is_stranded_when_events_come_while_others_end(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    add_hook(suite);
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct delivery delivery;
        race_prepare(racers, RACERS, update_as_it_is, NULL);
        for (unsigned i = round % 2; i < RACERS; i += 2)
            racers[i].command.run = deliver;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        if (count_pending(suite))
            assert_ok(first_due(suite->view, &suite->arena, &delivery));
    }
    for (int64_t left = count_pending(suite); left; left--) {
        struct delivery delivery;
        assert_ok(first_due(suite->view, &suite->arena, &delivery));
        struct store_view *tx = suite_write(suite);
        assert_ok(store_delivered(tx, &delivery, SUITE_NOW_MS));
        assert_ok(suite_commit(suite));
        assert_int_equal(count_pending(suite), left - 1);
    }
}

static enum status delete_hook(struct store_view *tx, struct store_command *command) {
    struct arena arena = { 0 };
    struct record hook;
    (void)command;
    enum status status = store_load(tx, &web_hook_table, HOOK_ID, &arena, &hook);
    if (status == STATUS_OK)
        status = store_delete(tx, &hook, by);
    arena_close(&arena);
    return status;
}

/* What was left behind for a webhook that is gone can be found, and ended. */
static void events_that_come_while_their_webhook_is_deleted_can_be_ended(void **state) {
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct waiting_hooks waiting;
        add_hook(suite);
        race_prepare(racers, RACERS, update_as_it_is, NULL);
        racers[round % RACERS].command.run = delete_hook;
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        int64_t pending = count_pending(suite);
        assert_true(pending < RACERS);
        assert_ok(store_waiting_hooks(suite->view, &suite->arena, &waiting));
        assert_int_equal(waiting.count, pending ? 1 : 0);
        assert_false(pending && waiting.list[0].is_active);
        struct store_view *tx = suite_write(suite);
        assert_ok(store_cancel_deliveries(tx, HOOK_ID, SUITE_NOW_MS, RACERS));
        assert_ok(suite_commit(suite));
        assert_int_equal(count_pending(suite), 0);
    }
}

/* ---- upkeep ---- */

static enum status clean_up(struct store_view *tx, struct store_command *command) {
    const struct outdated outdated = { .tokens_ms = SUITE_NOW_MS,
                                       .deliveries_ms = SUITE_NOW_MS,
                                       .repeats_ms = SUITE_NOW_MS,
                                       .audit_ms = INT64_MIN,
                                       .now_ms = SUITE_NOW_MS };
    bool more;
    (void)command;
    return store_drop_outdated(tx, &outdated, 4, &more);
}

static void clean_ups_at_once_take_away_what_is_outdated_and_nothing_else(void **state) {
    enum { OLD = 2 * RACERS };
    struct suite *suite = *state;
    struct racer racers[RACERS];
    suite_add_users(suite, FIRST_ID, 1);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct token current = token_of("current", round, TOKEN_ACCESS), found;
        struct store_view *tx = suite_write(suite);
        assert_ok(store_add_token(tx, &current));
        for (unsigned i = 0; i < OLD; i++) {
            struct token old = token_of("outdated", round * OLD + i, TOKEN_ACCESS);
            old.expires_ms = SUITE_NOW_MS - 1;
            assert_ok(store_add_token(tx, &old));
        }
        assert_ok(suite_commit(suite));
        race_prepare(racers, RACERS, clean_up, NULL);
        race_run(suite, round, racers, RACERS);
        assert_int_equal(race_count(racers, RACERS, STATUS_OK), RACERS);
        for (unsigned i = 0; i < OLD; i++) {
            struct token_hash hash = hash_of("outdated", round * OLD + i);
            assert_int_equal(store_token(suite->view, &hash, &suite->arena, &found),
                             STATUS_NOT_FOUND);
        }
        assert_ok(store_token(suite->view, &current.hash, &suite->arena, &found));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(of_many_updates_of_one_version_one_is_kept),
        suite_test(an_update_and_a_deletion_of_one_version_do_not_both_happen),
        suite_test(updates_of_what_each_command_loads_are_all_kept),
        suite_test(new_records_get_different_ids),
        suite_test(of_many_new_users_with_one_address_one_is_made),
        suite_test(of_many_users_who_move_to_one_address_one_gets_it),
        suite_test(of_many_who_fill_an_empty_database_one_does),
        suite_test(administrators_who_demote_or_delete_each_other_leave_one),
        suite_test(a_role_that_is_being_linked_to_is_not_deleted_under_the_link),
        suite_test(links_that_are_added_at_once_are_all_kept),
        suite_test(commands_over_the_same_records_in_opposite_orders_all_succeed),
        suite_test(an_idempotency_key_that_comes_many_times_creates_one_record),
        suite_test(a_refresh_token_that_comes_many_times_is_traded_once),
        suite_test(sign_ins_at_once_leave_one_refresh_token),
        suite_test(a_token_for_one_use_that_comes_many_times_is_used_once),
        suite_test(a_code_is_taken_once_and_every_failure_is_counted),
        suite_test(nothing_is_done_with_a_token_once_it_was_revoked),
        suite_test(a_delivery_that_many_claim_is_ended_once),
        suite_test(no_delivery_is_stranded_when_events_come_while_others_end),
        suite_test(events_that_come_while_their_webhook_is_deleted_can_be_ended),
        suite_test(clean_ups_at_once_take_away_what_is_outdated_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

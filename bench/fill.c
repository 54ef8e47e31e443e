/* fill DIR N: a data folder with the demo's records and N users from id 200000001 on. */
#include "base/container_of.h"
#include "base/time.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "rules/merge.h"
#include "service/seed.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_USER = 200000001, AT_ONCE = 1000 };

struct filling {
    struct store_command command;
    int64_t from, to;
};

static void check(bool ok, const char *what) {
    if (ok)
        return;
    (void)fprintf(stderr, "fill: %s\n", what);
    exit(1);
}

static enum status add_user(struct store_tx *tx, int64_t id, struct arena *arena) {
    struct change change = change_new(&user_table, arena);
    struct record record;
    char *guid = arena_alloc(arena, 36);
    struct rules rules = { .now_ms = time_now_ms(), .author = TEXT("bench@example.com") };
    static const int64_t businesses[] = { 301, 302 };
    if (!change.values || !guid)
        return STATUS_INTERNAL;
    random_guid(guid);
    struct value *values = change.values;
    values[USER_Id] = value_integer(id);
    values[USER_UniqueId] = value_text((struct text){ guid, 36 });
    values[USER_FullName] = value_text(arena_printf(arena, "User Number %lld", (long long)id));
    values[USER_Email] = value_text(arena_printf(arena, "user.%lld@example.com", (long long)id));
    values[USER_Language] = value_integer(1);
    values[USER_PasswordSalt] = value_text(TEXT(""));
    values[USER_LastHelpVisited] = value_integer(0);
    values[USER_InvalidLoginAttempts] = value_integer(0);
    values[USER_Active] = value_integer(1);
    values[USER_Devices] = value_text(TEXT("phone:0123456789abcdef;laptop:fedcba9876543210"));
    values[USER_Businesses] = value_ids(businesses, 2);
    enum status status = merge_new(&change, &rules, arena, &record);
    struct author author = { rules.author, rules.now_ms, { 0 } };
    return status == STATUS_OK ? store_insert(tx, &record, &author) : status;
}

static enum status add_users(struct store_tx *tx, struct store_command *command) {
    struct filling *filling = container_of(command, struct filling, command);
    enum status status = STATUS_OK;
    for (int64_t id = filling->from; status == STATUS_OK && id < filling->to; id++) {
        struct arena arena = { 0 };
        status = add_user(tx, id, &arena);
        arena_close(&arena);
    }
    return status;
}

int main(int argc, char **argv) {
    char why[256], hash[PASSWORD_HASH_MAX];
    int code;
    check(argc == 3, "usage: fill DIR N");
    check(crypto_start(), "no random numbers");
    struct store *store =
        store_open(&(struct store_options){ .directory = argv[1] }, why, sizeof why, &code);
    check(store != NULL, why);
    check(password_hash(TEXT(DEMO_PASSWORD), hash), "no memory");
    const struct seed data = seed_of_start(TEXT(DEMO_EMAIL), text_of(hash), true);
    check(seed_write(store, &data) == STATUS_OK, "the folder is not empty");
    int64_t end = FIRST_USER + strtoll(argv[2], NULL, 10);
    for (int64_t id = FIRST_USER; id < end; id += AT_ONCE) {
        struct filling filling = { .command = { .on_behalf_of = &store_nobody, .run = add_users },
                                   .from = id,
                                   .to = id + AT_ONCE < end ? id + AT_ONCE : end };
        check(store_run(store, &filling.command) == STATUS_OK, "cannot write");
    }
    store_close(store);
    return 0;
}

/* store_limit DIR N GROUP SECONDS [email]: what the store alone can do, as the limit for PUT. GROUP
 * updates are always waiting, of random users among N that were read beforehand: the row, its audit
 * rows and the commit are the same as a PUT's, but there is no HTTP, no JSON, no rule, and the row
 * is not read. Prints the updates a second. */
#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_USER = 200000001, EMAIL_MAX = 64 };

struct updating {
    struct store_command command;
    struct record *users;
    int64_t count;
    uint64_t random;
    struct value *values;      /* room for the changed record */
    char (*emails)[EMAIL_MAX]; /* room for each user's new one; NULL: they stay */
    struct store *store;
    atomic_llong *done;
    atomic_bool *is_over;
    atomic_int *running;
};

static void check(bool ok, const char *what) {
    if (ok)
        return;
    (void)fprintf(stderr, "store_limit: %s\n", what);
    exit(1);
}

static uint64_t next_random(struct updating *updating) {
    updating->random ^= updating->random << 13;
    updating->random ^= updating->random >> 7;
    return updating->random ^= updating->random << 17;
}

static void change_email(char *out, struct record *after, uint64_t random) {
    int len = snprintf(out, EMAIL_MAX, "user.%lld.x%09llu@example.com", (long long)record_id(after),
                       (unsigned long long)(random % 1000000000));
    check(len > 0 && len < EMAIL_MAX, "an e-mail is too long");
    struct text email = { out, (size_t)len };
    after->values[USER_Email] = after->values[USER_EmailKey] = value_text(email);
    after->values[USER_ToStringText] = value_text(email);
}

/* As in bench/load.lua, those with an odd number get new e-mails, and the others anything else. */
static uint64_t choose(const struct updating *updating, uint64_t random) {
    uint64_t number = random % (uint64_t)(updating->count / 2) * 2;
    return updating->emails ? number + 1 : number;
}

/* The new e-mail is about to take its place. */
static void keep_old_email(struct record *before, char out[EMAIL_MAX]) {
    struct text email = value_as_text(&before->values[USER_Email]);
    check(email.len < EMAIL_MAX, "an e-mail is too long");
    memcpy(out, email.at, email.len);
    before->values[USER_Email] = before->values[USER_EmailKey] =
        value_text((struct text){ out, email.len });
}

/* The fields that bench/load.lua changes. */
static enum status update(struct store_tx *tx, struct store_command *command) {
    struct updating *updating = container_of(command, struct updating, command);
    uint64_t random = next_random(updating);
    uint64_t number = choose(updating, random);
    struct record *before = &updating->users[number];
    char old_email[EMAIL_MAX];
    struct record after = *before;
    int64_t now_ms = time_now_ms();
    struct author author = { TEXT("admin@example.com"), now_ms, { 0 } };
    after.values = updating->values;
    after.version++;
    memcpy(after.values, before->values, user_table.count * sizeof *after.values);
    after.values[USER_LastHelpVisited] = value_integer((int64_t)(random >> 34));
    after.values[USER_LastAccess] = value_integer(now_ms + (int64_t)(random & 0xFFFFF));
    after.values[USER_OnNewEmail] = value_integer(random >> 32 & 1);
    after.values[USER_OnHelpDeskMsg] = value_integer(random >> 33 & 1);
    after.values[USER_UpdatedOn] = value_integer(now_ms);
    after.values[USER_UpdatedBy] = value_text(author.email);
    if (updating->emails) {
        keep_old_email(before, old_email);
        change_email(updating->emails[number], &after, random);
    }
    enum status status = store_update(tx, before, &after, &author);
    memcpy(before->values, after.values, user_table.count * sizeof *after.values);
    before->version++;
    return status;
}

static void again(struct store_command *command) {
    struct updating *updating = container_of(command, struct updating, command);
    check(command->status == STATUS_OK, "an update failed");
    atomic_fetch_add(updating->done, 1);
    if (atomic_load(updating->is_over) ||
        store_submit(updating->store, &updating->command) != STATUS_OK)
        atomic_fetch_sub(updating->running, 1);
}

static struct record *read_users(struct store *store, int64_t count, struct arena *arena) {
    struct store_session *session = store_session_open(store);
    struct record *users = calloc((size_t)count, sizeof *users);
    check(session && users, "no memory");
    for (int64_t i = 0; i < count; i++)
        check(store_load(session, &user_table, FIRST_USER + i, arena, &users[i]) == STATUS_OK,
              "a user is missing");
    store_session_close(session);
    return users;
}

int main(int argc, char **argv) {
    char why[256];
    int code;
    struct arena arena = { 0 };
    atomic_llong done = 0;
    atomic_bool is_over = false;
    check(argc == 5 || argc == 6, "usage: store_limit DIR N GROUP SECONDS [email]");
    log_set_level(LOG_LEVEL_error);
    check(crypto_start(), "no random numbers");
    struct store *store =
        store_open(&(struct store_options){ .directory = argv[1] }, why, sizeof why, &code);
    check(store != NULL, why);
    int64_t count = strtoll(argv[2], NULL, 10);
    int group = (int)strtol(argv[3], NULL, 10);
    unsigned seconds = (unsigned)strtoul(argv[4], NULL, 10);
    struct record *users = read_users(store, count, &arena);
    atomic_int running = group;
    struct updating *updatings = calloc((size_t)group, sizeof *updatings);
    char(*emails)[EMAIL_MAX] = argc == 6 ? calloc((size_t)count, EMAIL_MAX) : NULL;
    check(updatings && (emails || argc == 5), "no memory");
    for (int i = 0; i < group; i++) {
        updatings[i] = (struct updating){
            .command = { .on_behalf_of = &store_nobody, .run = update, .done = again },
            .users = users,
            .count = count,
            .values = arena_calloc(&arena, user_table.count, sizeof(struct value)),
            .emails = emails,
            .store = store,
            .done = &done,
            .is_over = &is_over,
            .running = &running
        };
        check(updatings[i].values != NULL, "no memory");
        random_bytes(&updatings[i].random, sizeof updatings[i].random);
        check(store_submit(store, &updatings[i].command) == STATUS_OK, "cannot submit");
    }
    int64_t began_ms = time_monotonic_ms();
    (void)sleep(seconds);
    long long updates = atomic_load(&done);
    int64_t took_ms = time_monotonic_ms() - began_ms;
    atomic_store(&is_over, true);
    while (atomic_load(&running))
        (void)usleep(1000);
    (void)printf("%lld\n", updates * 1000 / took_ms);
    store_close(store);
    free(updatings);
    free(emails);
    free(users);
    arena_close(&arena);
    return 0;
}

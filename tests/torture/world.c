/* Every job leaves its number in its audit rows, so the database itself says which jobs it holds.
 * The journal is replayed over a model with these, and the model compared with every row. */
#include "world.h"

#include "disk.h"

#include "base/container_of.h"
#include "model/tables.h"
#include "rules/email.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/options.h"
#include "store/sqlite/session.h"

#include <assert.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FIRST_ID = 1001,
    BUSINESSES = 6,
    CHECKPOINT_MS = 1,
    LOG_PAGES = 40,
    NOW_MS = 1000000,
    BLOB_MAX = 40000,
};

enum conduct { OBEYS, REFUSES, FAILS_AFTER_WRITING };
enum picture { KEEP_AVATAR, SET_AVATAR, DROP_AVATAR };
enum session { KEEP_TOKEN, REPLACE_TOKEN, SPEND_TOKEN, DROP_TOKEN };

struct job {
    struct store_command command;
    struct job *next;
    sem_t *finished;
    unsigned number, person;
    enum conduct conduct;
    bool sets_email, sets_devices, sets_links;
    unsigned links;
    enum picture picture;
    enum session session;
    unsigned spends; /* the job whose token it spends, if that was kept */
};

__attribute__((format(printf, 2, 3))) static bool differs(struct world *world, const char *format,
                                                          ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!*world->wrong)
        (void)vsnprintf(world->wrong, sizeof world->wrong, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- what follows from a job's number ---- */

/* Bytes that no other job has, and no length that another page size would hide. */
static struct text blob_of(struct arena *arena, unsigned number) {
    size_t len = (size_t)number * 7919 % (number % 4 ? 600 : BLOB_MAX) + 20;
    char *bytes = arena_alloc(arena, len + 1);
    assert(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)('a' + (number + i * (number % 25 + 1)) % 26);
    (void)snprintf(bytes, 12, "%010u", number);
    bytes[10] = '-';
    return (struct text){ bytes, len };
}

static struct token_hash hash_of(unsigned number) {
    char text[16];
    (void)snprintf(text, sizeof text, "%u", number);
    return token_hash(text_of(text));
}

static struct text list_of(struct arena *arena, unsigned links) {
    int64_t ids[BUSINESSES];
    size_t count = 0;
    for (unsigned i = 0; i < BUSINESSES; i++)
        if (links >> i & 1)
            ids[count++] = i + 1;
    struct value all = value_ids(ids, count), stored = ids_to_stored(&all, arena);
    assert(stored.kind == VALUE_TEXT);
    return value_as_text(&stored);
}

/* ---- the model: what a job that is kept makes of a person ---- */

static void apply_session(struct person *person, const struct job *job) {
    switch (job->session) {
    case KEEP_TOKEN: break;
    case REPLACE_TOKEN:
        person->token = job->number;
        person->token_is_spent = false;
        break;
    case SPEND_TOKEN:
        if (person->token == job->spends)
            person->token_is_spent = true;
        break;
    case DROP_TOKEN: person->token = 0;
    }
}

/* Returns the number of audit rows. */
static unsigned apply(struct person *person, const struct job *job) {
    bool is_new = !person->exists;
    unsigned rows = is_new ? 1 : 2; /* one for a new record, else LastHelpVisited and SystemId */
    person->exists = true;
    person->version++;
    person->last = job->number;
    if (is_new || job->sets_email) {
        person->email = job->number;
        rows += !is_new;
    }
    if (job->sets_devices) {
        person->devices = job->number;
        rows += !is_new;
    }
    if (job->sets_links) {
        rows += !is_new && job->links != person->links;
        person->links = job->links;
    }
    if (job->picture == SET_AVATAR) {
        person->avatar = job->number;
        rows += !is_new;
    } else if (job->picture == DROP_AVATAR) {
        rows += !is_new && person->avatar;
        person->avatar = 0;
    }
    apply_session(person, job);
    return rows;
}

/* The record of a person, as it must be stored. */
static struct record record_of(const struct person *person, unsigned which, struct arena *arena) {
    struct record record = record_new(&user_table, arena);
    assert(record.values);
    struct value *values = record.values;
    record.version = person->version;
    values[USER_Id] = value_integer(FIRST_ID + which);
    values[USER_FullName] = value_text(arena_printf(arena, "Person %u", which));
    values[USER_Email] = value_text(arena_printf(arena, "job%u@example.com", person->email));
    values[USER_EmailKey] = values[USER_Email];
    values[USER_Language] = value_integer(1);
    values[USER_PasswordSalt] = value_text(TEXT(""));
    values[USER_LastHelpVisited] = value_integer(person->last);
    values[USER_InvalidLoginAttempts] = value_integer(0);
    values[USER_SystemId] = value_text(arena_printf(arena, "job %u", person->last));
    values[USER_Active] = value_integer(1);
    values[USER_Businesses] = value_text(list_of(arena, person->links));
    if (person->devices)
        values[USER_Devices] = value_text(blob_of(arena, person->devices));
    if (person->avatar)
        values[USER_AvatarFileName] =
            value_text(arena_printf(arena, "avatar-%u.png", person->avatar));
    return record;
}

/* ---- a job on the writer's thread ---- */

/* The change of a job, to the record as this transaction has it; it does not use the model. */
static void change_record(const struct job *job, struct record *record, bool is_new,
                          struct arena *arena) {
    struct value *values = record->values;
    values[USER_LastHelpVisited] = value_integer(job->number);
    values[USER_SystemId] = value_text(arena_printf(arena, "job %u", job->number));
    if (is_new || job->sets_email)
        values[USER_Email] = values[USER_EmailKey] =
            value_text(arena_printf(arena, "job%u@example.com", job->number));
    if (job->sets_devices)
        values[USER_Devices] = value_text(blob_of(arena, job->number));
    if (job->sets_links)
        values[USER_Businesses] = value_text(list_of(arena, job->links));
    if (job->picture == SET_AVATAR)
        values[USER_AvatarFileName] = value_text(arena_printf(arena, "avatar-%u.png", job->number));
    else if (job->picture == DROP_AVATAR)
        values[USER_AvatarFileName] = value_null();
}

static enum status write_record(struct store_tx *tx, const struct job *job, struct arena *arena) {
    struct record before, after;
    struct author author = { arena_printf(arena, "%u", job->number), NOW_MS, { 0 } };
    enum status status =
        store_load(tx->session, &user_table, FIRST_ID + job->person, arena, &before);
    if (status == STATUS_NOT_FOUND) {
        struct person nobody = { .version = 1 };
        after = record_of(&nobody, job->person, arena);
        change_record(job, &after, true, arena);
        return store_insert(tx, &after, &author);
    }
    if (status != STATUS_OK)
        return status;
    after = record_next(&before, arena);
    assert(after.values);
    change_record(job, &after, false, arena);
    return store_update(tx, &before, &after, &author);
}

static enum status write_avatar(struct store_tx *tx, const struct job *job, struct arena *arena) {
    struct avatar avatar = { TEXT("image/png"), { 0 } };
    if (job->picture == KEEP_AVATAR)
        return STATUS_OK;
    if (job->picture == SET_AVATAR)
        avatar.content = blob_of(arena, job->number);
    return store_set_avatar(tx, FIRST_ID + job->person,
                            job->picture == SET_AVATAR ? &avatar : NULL);
}

static enum status write_session(struct store_tx *tx, const struct job *job) {
    struct token token = { .hash = hash_of(job->number),
                           .kind = TOKEN_REFRESH,
                           .user_id = FIRST_ID + job->person,
                           .client_id = TEXT("torture"),
                           .issued_ms = NOW_MS,
                           .expires_ms = NOW_MS + 1,
                           .family = (int64_t)job->number,
                           .ends_ms = TOKEN_ENDLESS };
    struct token_hash spent = hash_of(job->spends);
    if (job->session == KEEP_TOKEN)
        return STATUS_OK;
    if (job->session == SPEND_TOKEN)
        return store_spend_token(tx, &spent);
    enum status status = store_revoke_all(tx, token.user_id);
    if (status == STATUS_OK && job->session == REPLACE_TOKEN)
        status = store_add_token(tx, &token);
    return status;
}

static enum status run_job(struct store_tx *tx, struct store_command *command) {
    const struct job *job = container_of(command, struct job, command);
    struct arena arena = { 0 };
    if (job->conduct == REFUSES)
        return STATUS_PRECONDITION_FAILED;
    enum status status = write_record(tx, job, &arena);
    if (status == STATUS_OK)
        status = write_avatar(tx, job, &arena);
    if (status == STATUS_OK)
        status = write_session(tx, job);
    arena_close(&arena);
    return job->conduct == FAILS_AFTER_WRITING ? STATUS_INTERNAL : status;
}

static void finish_job(struct store_command *command) {
    int failed = sem_post(container_of(command, struct job, command)->finished);
    assert(!failed);
    (void)failed;
}

/* ---- groups ---- */

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        ; /* a signal */
}

static struct job *new_job(struct world *world, sem_t *finished) {
    struct job *job = calloc(1, sizeof *job);
    assert(job);
    *job = (struct job){
        .command = { .on_behalf_of = &store_nobody, .run = run_job, .done = finish_job },
        .finished = finished,
        .number = ++world->jobs,
        .person = (unsigned)disk_random(PEOPLE),
        .sets_email = disk_random(4) == 0,
        .sets_devices = disk_random(3) == 0,
        .sets_links = disk_random(3) == 0,
        .links = (unsigned)disk_random(1U << BUSINESSES),
        .picture = (enum picture)disk_random(6),
        .session = (enum session)disk_random(6)
    };
    uint64_t conduct = disk_random(16);
    job->conduct = conduct == 0 ? REFUSES : conduct == 1 ? FAILS_AFTER_WRITING : OBEYS;
    if (job->picture > DROP_AVATAR)
        job->picture = KEEP_AVATAR;
    if (job->session > DROP_TOKEN)
        job->session = KEEP_TOKEN;
    job->spends = world->tokens[job->person];
    if (job->session == REPLACE_TOKEN)
        world->tokens[job->person] = job->number;
    *world->last = job;
    world->last = &job->next;
    return job;
}

/* Holds the writer until the whole group waits behind it, so that groups are the same each time. */
struct gate {
    struct store_command command;
    sem_t opened, finished;
};

static enum status hold_writer(struct store_tx *tx, struct store_command *command) {
    (void)tx;
    wait_for(&container_of(command, struct gate, command)->opened);
    return STATUS_OK;
}

static void leave_gate(struct store_command *command) {
    (void)sem_post(&container_of(command, struct gate, command)->finished);
}

struct world_group world_change(struct world *world, unsigned count) {
    struct gate gate = {
        .command = { .on_behalf_of = &store_nobody, .run = hold_writer, .done = leave_gate }
    };
    sem_t finished;
    struct world_group group = { 0 };
    bool failed = sem_init(&gate.opened, 0, 0) || sem_init(&gate.finished, 0, 0) ||
                  sem_init(&finished, 0, 0) ||
                  store_submit(world->store, &gate.command) != STATUS_OK;
    assert(!failed);
    struct job **first = world->last;
    for (unsigned i = 0; i < count; i++) {
        struct job *job = new_job(world, &finished);
        failed = store_submit(world->store, &job->command) != STATUS_OK;
        assert(!failed);
    }
    (void)sem_post(&gate.opened);
    (void)sem_post(&gate.opened); /* it may be run again */
    wait_for(&gate.finished);
    for (unsigned i = 0; i < count; i++)
        wait_for(&finished);
    for (const struct job *job = *first; job; job = job->next) {
        group.well_meant += job->conduct == OBEYS;
        group.done += job->conduct == OBEYS && job->command.status == STATUS_OK;
    }
    (void)sem_destroy(&finished);
    (void)sem_destroy(&gate.finished);
    (void)sem_destroy(&gate.opened);
    return group;
}

/* ---- holding the database against the model ---- */

/* The value of a field that was not set, when the record is read again. */
static struct value value_of_nothing(const struct field *field) {
    if (!field_is_kept_in_json(field))
        return value_null();
    switch (field->type) {
    case TYPE_boolean:
    case TYPE_integer:
    case TYPE_choice: return value_integer(0);
    case TYPE_links: return value_text(TEXT("[]"));
    default: return value_null();
    }
}

static bool same_record(struct world *world, const struct record *expected,
                        const struct record *found) {
    if (found->version != expected->version)
        return differs(world, "user %lld has version %lld, not %lld",
                       (long long)record_id(expected), (long long)found->version,
                       (long long)expected->version);
    for (unsigned i = 0; i < user_table.count; i++) {
        const struct field *field = &user_table.fields[i];
        struct value wanted = expected->values[i];
        if (wanted.kind == VALUE_ABSENT)
            wanted = value_of_nothing(field);
        if (field_is_stored(field) && !value_equal(&found->values[i], &wanted))
            return differs(world, "user %lld: %s is not as job %lld left it",
                           (long long)record_id(expected), field->name.at,
                           (long long)expected->values[USER_LastHelpVisited].integer);
    }
    return true;
}

struct look {
    struct text wanted;
    bool is_same;
};

static void look_at(void *argument, const struct avatar *avatar) {
    struct look *look = argument;
    look->is_same = text_equal(avatar->content, look->wanted);
}

static bool same_avatar(struct world *world, struct store_session *session, unsigned which,
                        struct arena *arena) {
    const struct person *person = &world->people[which];
    struct look look = { .wanted = person->avatar ? blob_of(arena, person->avatar) : TEXT("") };
    enum status status = store_avatar(session, FIRST_ID + which, look_at, &look);
    if (!person->avatar)
        return status == STATUS_NOT_FOUND || differs(world, "person %u has an avatar", which);
    if (status == STATUS_OK && look.is_same)
        return true;
    return differs(world, "person %u has not the avatar of job %u", which, person->avatar);
}

static bool same_token(struct world *world, struct store_session *session, unsigned which,
                       struct arena *arena) {
    const struct person *person = &world->people[which];
    struct token_hash hash = hash_of(person->token);
    struct token token;
    if (!person->token)
        return true; /* the count shows that there is no other token */
    if (store_token(session, &hash, arena, &token) == STATUS_OK &&
        token.user_id == FIRST_ID + which &&
        token.kind == (person->token_is_spent ? TOKEN_SPENT : TOKEN_REFRESH))
        return true;
    return differs(world, "person %u has not the token of job %u", which, person->token);
}

static bool same_person(struct world *world, struct store_session *session, unsigned which) {
    const struct person *person = &world->people[which];
    struct arena arena = { 0 };
    struct record found, expected = record_of(person, which, &arena);
    enum status status = store_load(session, &user_table, FIRST_ID + which, &arena, &found);
    bool same;
    if (person->exists)
        same = status == STATUS_OK ? same_record(world, &expected, &found)
                                   : differs(world, "person %u cannot be loaded", which);
    else
        same = status == STATUS_NOT_FOUND || differs(world, "person %u is there", which);
    same = same && same_avatar(world, session, which, &arena) &&
           same_token(world, session, which, &arena);
    arena_close(&arena);
    return same;
}

/* A connection beside the store's own, for facts that store.h does not have. */
static struct connection *open_beside(const struct world *world) {
    char path[96];
    (void)snprintf(path, sizeof path, "%s/roster.db", world->directory);
    struct connection *beside = session_open(&sqlite_engine, NULL, path, false);
    assert(beside);
    return beside;
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    assert(result == SQLITE_OK);
    (void)result;
    return statement;
}

static int64_t number_of(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = prepared(db, sql);
    int64_t number =
        sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    (void)sqlite3_finalize(statement);
    return number;
}

static bool is_whole(struct world *world, sqlite3 *db) {
    sqlite3_stmt *statement = prepared(db, "PRAGMA integrity_check");
    const char *says = "nothing";
    if (sqlite3_step(statement) == SQLITE_ROW)
        says = (const char *)sqlite3_column_text(statement, 0);
    bool is_ok = strcmp(says, "ok") == 0 || differs(world, "integrity_check: %s", says);
    (void)sqlite3_finalize(statement);
    return is_ok;
}

/* The index of links says what the lists in the rows say: nothing more, nothing less. */
static const char links_that_differ[] =
    "WITH listed AS (SELECT 'users.Businesses', value, users.Id FROM users,"
    " json_each(users_member(Members, %d)))"
    " SELECT (SELECT count(*) FROM (SELECT * FROM listed EXCEPT SELECT field, target, owner FROM "
    "links))"
    " + (SELECT count(*) FROM (SELECT field, target, owner FROM links EXCEPT SELECT * FROM "
    "listed))";

static bool same_counts(struct world *world, sqlite3 *db) {
    char links[sizeof links_that_differ + 16];
    (void)snprintf(links, sizeof links, links_that_differ, (int)USER_Businesses);
    int64_t people = 0, avatars = 0, tokens = 0;
    for (unsigned i = 0; i < PEOPLE; i++) {
        people += world->people[i].exists;
        avatars += world->people[i].avatar != 0;
        tokens += world->people[i].token != 0;
    }
    const struct {
        const char *what, *sql;
        int64_t expected;
    } counts[] = {
        { "users", "SELECT count(*) FROM users", people },
        { "avatars", "SELECT count(*) FROM avatars", avatars },
        { "tokens", "SELECT count(*) FROM tokens", tokens },
        { "audit rows", "SELECT count(*) FROM audit", world->audit_rows },
        { "links that differ", links, 0 },
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t found = number_of(db, counts[i].sql);
        if (found != counts[i].expected)
            return differs(world, "%lld %s, not %lld", (long long)found, counts[i].what,
                           (long long)counts[i].expected);
    }
    return true;
}

/* Is a job that the database has, or has not, as it was answered? */
static bool is_as_answered(struct world *world, const struct job *job, bool is_kept,
                           enum doubt doubt, bool *prefix_ended) {
    if (job->conduct != OBEYS && is_kept)
        return differs(world, "job %u was refused or failed, but is there", job->number);
    if (job->conduct == REFUSES && job->command.status != STATUS_PRECONDITION_FAILED &&
        job->command.status != STATUS_INTERNAL)
        return differs(world, "job %u was to be refused", job->number);
    if (job->conduct != OBEYS) {
        world->refused++;
        return true;
    }
    if (job->command.status == STATUS_OK) {
        world->acknowledged++;
        return is_kept || differs(world, "job %u was acknowledged, but is lost", job->number);
    }
    world->unknown++;
    world->unknown_kept += is_kept;
    if (is_kept && (doubt == NOTHING_KEPT || *prefix_ended))
        return differs(world, "job %u failed, but is there", job->number);
    *prefix_ended |= !is_kept;
    return true;
}

static bool settle_journal(struct world *world, sqlite3 *db, enum doubt doubt) {
    sqlite3_stmt *rows =
        prepared(db, "SELECT count(*) FROM audit WHERE action_by = CAST(?1 AS TEXT)");
    bool fits = true, prefix_ended = false;
    for (struct job *job = world->journal, *next; job; job = next) {
        next = job->next;
        (void)sqlite3_reset(rows);
        (void)sqlite3_bind_int64(rows, 1, job->number);
        int64_t found = sqlite3_step(rows) == SQLITE_ROW ? sqlite3_column_int64(rows, 0) : -1;
        fits = fits && is_as_answered(world, job, found > 0, doubt, &prefix_ended);
        if (fits && found > 0) {
            int64_t expected = apply(&world->people[job->person], job);
            world->audit_rows += expected;
            fits = found == expected || differs(world, "job %u has %lld audit rows, not %lld",
                                                job->number, (long long)found, (long long)expected);
        }
        free(job);
    }
    world->journal = NULL;
    world->last = &world->journal;
    (void)sqlite3_finalize(rows);
    return fits;
}

bool world_settle(struct world *world, enum doubt doubt) {
    struct connection *beside = open_beside(world);
    sqlite3 *db = beside->db;
    struct store_session *session = store_session_open(world->store);
    bool fits = (session != NULL || differs(world, "no session can be opened")) &&
                is_whole(world, db) && settle_journal(world, db, doubt) && same_counts(world, db);
    for (unsigned i = 0; fits && i < PEOPLE; i++)
        fits = same_person(world, session, i);
    store_session_close(session);
    session_close(beside);
    return fits;
}

/* ---- opening ---- */

bool world_open(struct world *world) {
    char why[256];
    int code;
    const struct sqlite_options sqlite = { .poll_ms = world->checkpoint_ms,
                                           .checkpoint_after_ms = 1,
                                           .wal_bound_pages = world->log_pages };
    const struct store_options options = { .directory = world->directory, .sqlite = &sqlite };
    world->store = store_open(&options, why, sizeof why, &code);
    return world->store || differs(world, "%s (%d)", why, code);
}

void world_close(struct world *world) {
    store_close(world->store);
    world->store = NULL;
}

void world_begin(struct world *world) {
    *world = (struct world){ .directory = "/tmp/roster-torture-XXXXXX",
                             .checkpoint_ms = CHECKPOINT_MS,
                             .log_pages = LOG_PAGES };
    world->last = &world->journal;
    disk_format();
    bool made = mkdtemp(world->directory) != NULL;
    assert(made);
    /* The store takes the file's descriptor beside SQLite, for the pace of its checkpoints. */
    char path[96];
    (void)snprintf(path, sizeof path, "%s/roster.db", world->directory);
    int file = open(path, O_CREAT | O_RDWR, 0600);
    assert(made && file >= 0);
    (void)made;
    (void)close(file);
}

void world_end(struct world *world) {
    char path[96];
    (void)snprintf(path, sizeof path, "%s/roster.db", world->directory);
    (void)unlink(path);
    (void)rmdir(world->directory);
    for (struct job *job = world->journal, *next; job; job = next) {
        next = job->next;
        free(job);
    }
}

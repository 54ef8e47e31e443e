/* An empty store for each test, transactions that a test writes line by line, and records. */
#include "suite.h"

#include "base/container_of.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

const struct author suite_author = { { "author@example.com", 18 }, SUITE_NOW_MS, { 0 } };

/* ---- Databases ---- */

static const char *postgres(void) {
    return getenv("ROSTER_TEST_DATABASE");
}

bool suite_is_on_postgres(void) {
    return postgres() != NULL;
}

static const char *schema_of(const char *directory) {
    return strrchr(directory, '/') + 1;
}

const char *suite_database(const char *directory, char url[SUITE_URL_SIZE]) {
    if (!postgres())
        return directory;
    int len = snprintf(url, SUITE_URL_SIZE, "%s&options=-csearch_path%%3D%%22%s%%22", postgres(),
                       schema_of(directory));
    assert(len > 0 && len < SUITE_URL_SIZE);
    return url;
}

/* Has psql run SQL that has the name of the folder's schema in the middle. 0: it did. */
static int run_sql(const char *before, const char *directory, const char *after) {
    char command[256];
    int len =
        snprintf(command, sizeof command, "psql -q -d \"$ROSTER_TEST_DATABASE\" -c '%s \"%s\"%s'",
                 before, schema_of(directory), after);
    assert(len > 0 && (size_t)len < sizeof command);
    return system(command);
}

int suite_make_database(const char *directory) {
    return postgres() ? run_sql("CREATE SCHEMA", directory, "") : 0;
}

static int drop_database(const char *directory) {
    return postgres()
               ? run_sql("SET client_min_messages = warning; DROP SCHEMA", directory, " CASCADE")
               : 0;
}

struct store *suite_open(const char *directory, struct store_options options, char *why,
                         size_t why_size, int *exit_code) {
    char url[SUITE_URL_SIZE];
    options.directory = directory;
    if (postgres())
        options.url = suite_database(directory, url);
    options.is_unsafe = true; /* tests do not sync */
    return store_open(&options, why, why_size, exit_code);
}

void suite_reopen(struct suite *suite, struct store_options options) {
    char why[256] = "";
    int exit_code = 0;
    store_session_close(suite->session);
    suite->session = NULL;
    store_close(suite->store);
    suite->store = suite_open(suite->directory, options, why, sizeof why, &exit_code);
    assert_string_equal(why, suite->store ? why : "the store opens");
    suite->session = store_session_open(suite->store);
    assert_non_null(suite->session);
}

int suite_begin(void **state) {
    static struct suite suite;
    suite = (struct suite){ .directory = "/tmp/roster-store-XXXXXX" };
    *state = &suite;
    if (!mkdtemp(suite.directory) || suite_make_database(suite.directory) != 0)
        return -1;
    suite_reopen(&suite, (struct store_options){ 0 });
    return 0;
}

/* There may be anything in it. */
int suite_remove(const struct suite *suite) {
    char command[96];
    int len = snprintf(command, sizeof command, "rm -rf '%s'", suite->directory);
    return len > 0 && (size_t)len < sizeof command ? system(command) : -1;
}

int suite_end(void **state) {
    struct suite *suite = *state;
    if (suite->transaction) /* an assertion failed inside it */
        suite_roll_back(suite);
    store_session_close(suite->session);
    store_close(suite->store);
    arena_close(&suite->arena);
    int failed = drop_database(suite->directory);
    return failed ? failed : suite_remove(suite);
}

unsigned suite_below(uint64_t *state, unsigned limit) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state % limit);
}

void suite_wait(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        ; /* a signal came */
}

void suite_post(sem_t *semaphore) {
    int failed = sem_post(semaphore);
    assert(!failed); /* of the library: this may be another thread than the test's */
    (void)failed;
}

/* ---- transactions ---- */

/* The session goes to the test and back, so one thread at a time has it. */
struct suite_transaction {
    struct store_command command;
    struct store_tx *tx;
    sem_t begun, ended, finished;
    bool was_begun;
    enum status outcome;
};

/* A second run cannot repeat the test's own work, which this does not know. */
static enum status lend_view(struct store_tx *tx, struct store_command *command) {
    struct suite_transaction *transaction =
        container_of(command, struct suite_transaction, command);
    if (transaction->was_begun)
        return STATUS_INTERNAL;
    transaction->was_begun = true;
    transaction->tx = tx;
    suite_post(&transaction->begun);
    suite_wait(&transaction->ended);
    return transaction->outcome;
}

static void finish_transaction(struct store_command *command) {
    struct suite_transaction *transaction =
        container_of(command, struct suite_transaction, command);
    suite_post(&transaction->finished);
}

struct store_tx *suite_write(struct suite *suite) {
    struct suite_transaction *transaction = calloc(1, sizeof *transaction);
    assert_null(suite->transaction);
    assert_non_null(transaction);
    transaction->command.on_behalf_of = &store_nobody;
    transaction->command.run = lend_view;
    transaction->command.done = finish_transaction;
    assert_int_equal(sem_init(&transaction->begun, 0, 0), 0);
    assert_int_equal(sem_init(&transaction->ended, 0, 0), 0);
    assert_int_equal(sem_init(&transaction->finished, 0, 0), 0);
    assert_ok(store_submit(suite->store, &transaction->command));
    suite->transaction = transaction;
    suite_wait(&transaction->begun);
    return transaction->tx;
}

static enum status end_transaction(struct suite *suite, enum status outcome) {
    struct suite_transaction *transaction = suite->transaction;
    transaction->outcome = outcome;
    suite->transaction = NULL;
    suite_post(&transaction->ended);
    suite_wait(&transaction->finished);
    enum status status = transaction->command.status;
    (void)sem_destroy(&transaction->begun);
    (void)sem_destroy(&transaction->ended);
    (void)sem_destroy(&transaction->finished);
    free(transaction);
    return status;
}

enum status suite_commit(struct suite *suite) {
    return end_transaction(suite, STATUS_OK);
}

void suite_roll_back(struct suite *suite) {
    assert_int_equal(end_transaction(suite, STATUS_INTERNAL), STATUS_INTERNAL);
}

/* ---- records ---- */

static struct value made(struct text text) {
    assert_non_null(text.at);
    return value_text(text);
}

static struct value value_required(struct suite *suite, const struct field *field, int64_t id) {
    struct arena *arena = &suite->arena;
    switch (field->type) {
    case TYPE_id: return value_integer(id);
    case TYPE_text: return made(arena_printf(arena, "%s %lld", field->name.at, (long long)id));
    case TYPE_email: return made(arena_printf(arena, "user%lld@example.com", (long long)id));
    case TYPE_url: return made(arena_printf(arena, "https://example.com/%lld", (long long)id));
    case TYPE_guid:
        return made(arena_printf(arena, "00000000-0000-4000-8000-%012llx", (long long)id));
    case TYPE_date: return value_integer(SUITE_NOW_MS);
    case TYPE_choice:
    case TYPE_reference: return value_integer(1);
    default: return value_integer(0);
    }
}

struct record suite_record(struct suite *suite, const struct table *table, int64_t id) {
    struct record record = record_new(table, &suite->arena);
    assert_non_null(record.values);
    record.version = 1;
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        bool is_needed = field->type == TYPE_id || field->flags & (REQUIRED | ALWAYS | UNIQUE);
        if (is_needed && field_is_stored(field))
            record.values[i] = value_required(suite, field, id);
    }
    return record;
}

struct record suite_user(struct suite *suite, int64_t id) {
    struct record user = suite_record(suite, &user_table, id);
    user.values[USER_EmailKey] = user.values[USER_Email];
    user.values[USER_Active] = value_integer(1);
    return user;
}

struct record suite_next(struct suite *suite, const struct record *record) {
    struct record next = record_new(record->table, &suite->arena);
    assert_non_null(next.values);
    memcpy(next.values, record->values, record->table->count * sizeof *next.values);
    next.version = record->version + 1;
    return next;
}

void suite_link(struct suite *suite, struct record *record, unsigned field, const int64_t *ids,
                size_t count) {
    struct value list = value_ids(ids, count);
    record->values[field] = ids_to_stored(&list, &suite->arena);
    assert_int_equal(record->values[field].kind, VALUE_TEXT);
}

static enum status end_with(struct suite *suite, enum status status) {
    enum status ended = end_transaction(suite, status);
    assert_int_equal(ended, status); /* a commit that fails is not what the step answered */
    return ended;
}

enum status suite_insert(struct suite *suite, const struct record *record) {
    struct store_tx *tx = suite_write(suite);
    return end_with(suite, store_insert(tx, record, &suite_author));
}

enum status suite_update(struct suite *suite, const struct record *before,
                         const struct record *after) {
    struct store_tx *tx = suite_write(suite);
    return end_with(suite, store_update(tx, before, after, &suite_author));
}

enum status suite_delete(struct suite *suite, const struct record *record) {
    struct store_tx *tx = suite_write(suite);
    return end_with(suite, store_delete(tx, record, &suite_author));
}

void suite_add_users(struct suite *suite, int64_t first, unsigned count) {
    struct store_tx *tx = suite_write(suite);
    for (unsigned i = 0; i < count; i++) {
        struct record user = suite_user(suite, first + i);
        assert_ok(store_insert(tx, &user, &suite_author));
    }
    assert_ok(suite_commit(suite));
}

struct record suite_load(struct suite *suite, const struct table *table, int64_t id) {
    struct record record;
    assert_ok(store_load(suite->session, table, id, &suite->arena, &record));
    return record;
}

bool suite_is_made_by_store(const struct table *table) {
    return table == &audit_trail_entry_table || table == &refresh_token_table ||
           table == &web_hook_delivery_table;
}

int64_t suite_count(struct suite *suite, const struct table *table) {
    int64_t count = -1;
    assert_ok(store_count(suite->session, table, &count));
    return count;
}

/* ---- searches ---- */

struct search suite_all(const struct table *table) {
    return (struct search){ .table = table, .order = table->common.id, .limit = 1000 };
}

/* The Ids of the records, which are members of that name in their JSON. */
static void read_ids(struct suite_page *page) {
    struct text rest = buffer_text(&page->json);
    static const char name[] = "\"Id\":";
    page->count = 0;
    while (rest.len) {
        const char *found = memmem(rest.at, rest.len, name, sizeof name - 1);
        if (!found)
            break;
        found += sizeof name - 1;
        rest = (struct text){ found, rest.len - (size_t)(found - rest.at) };
        assert_true(page->count < sizeof page->ids / sizeof *page->ids);
        page->ids[page->count++] = strtoll(found, NULL, 10);
    }
    assert_int_equal(page->count, page->found.count);
}

void suite_search_on(struct suite *suite, struct store_session *session,
                     const struct search *search, struct suite_page *page) {
    buffer_init(&page->json, &suite->arena, 4096);
    page->found = (struct search_result){ .json = &page->json };
    page->status = store_search(session, search, &page->found);
    buffer_add_char(&page->json, '\0'); /* for strtoll */
    page->json.len--;
    if (page->status == STATUS_OK)
        read_ids(page);
}

struct suite_page *suite_search(struct suite *suite, const struct search *search) {
    struct suite_page *page = arena_alloc(&suite->arena, sizeof *page);
    assert_non_null(page);
    suite_search_on(suite, suite->session, search, page);
    assert_ok(page->status);
    return page;
}

#ifndef ROSTER_TESTS_STORE_SUITE_H
#define ROSTER_TESTS_STORE_SUITE_H

/*
 * Shared by the programs of this folder. Each test gets an empty store in a folder of its own, and
 * holds it to a promise of store.h. The suite knows nothing of what is behind that header. Where
 * ROSTER_TEST_DATABASE has the URL of a PostgreSQL (tools/with-postgres), each folder stands for a
 * schema of its own there. A file that includes this includes cmocka.h too.
 */

#include "model/tables.h"
#include "store/store.h"

#include <semaphore.h>

struct suite_transaction;

struct suite {
    char directory[64];
    struct store *store;
    struct store_session *session;         /* the test's own: of its thread, a reader's */
    struct arena arena;                    /* ends with the test */
    struct suite_transaction *transaction; /* NULL: none is open */
};

#define assert_ok(status) assert_int_equal(status, STATUS_OK)
#define assert_text(found, expected)                                                               \
    do {                                                                                           \
        const struct text found_ = found, expected_ = expected;                                    \
        assert_int_equal(found_.len, expected_.len);                                               \
        assert_memory_equal(found_.at, expected_.at, expected_.len);                               \
    } while (0)

/** A test of its own with a store of its own. */
#define suite_test(name) cmocka_unit_test_setup_teardown(name, suite_begin, suite_end)

int suite_begin(void **state);
int suite_end(void **state);

/** Are the stores in PostgreSQL? */
bool suite_is_on_postgres(void);

enum { SUITE_URL_SIZE = 512 };

/** The name of a folder's database for maintenance.h: the folder, or the URL that is written. */
const char *suite_database(const char *directory, char url[SUITE_URL_SIZE]);

/** Makes the schema that stands for a folder; nothing for SQLite. 0: it is there. */
int suite_make_database(const char *directory);

/** Opens the store that is in a folder, or makes one there. NULL with `why` and `*exit_code`. */
struct store *suite_open(const char *directory, struct store_options options, char *why,
                         size_t why_size, int *exit_code);

/** Closes the store, and opens it again as `options` say (their directory is the suite's). */
void suite_reopen(struct suite *suite, struct store_options options);

/** Removes the folder with all that is in it. 0: it is gone. */
int suite_remove(const struct suite *suite);

/** A number below `limit`, of a sequence that goes on from `*state`, which is not 0 (xorshift). */
unsigned suite_below(uint64_t *state, unsigned limit);

/** Waits for a semaphore, whatever signals come. */
void suite_wait(sem_t *semaphore);
void suite_post(sem_t *semaphore);

/**
 * Begins a command whose `run` waits meanwhile: its session is the test's until suite_commit
 * answers with the command's status, or suite_roll_back has it fail. One at a time.
 */
struct store_tx *suite_write(struct suite *suite);
enum status suite_commit(struct suite *suite) MUST_CHECK;
void suite_roll_back(struct suite *suite);

/** An author of changes, with the time of his clock. */
#define SUITE_NOW_MS INT64_C(1700000000000)
extern const struct author suite_author;

/** A new record with what each record has and what its table requires, the same for the same Id. */
struct record suite_record(struct suite *suite, const struct table *table, int64_t id);

/** The same of a user, whose address is userID@example.com. */
struct record suite_user(struct suite *suite, int64_t id);

/** A copy with the next version. */
struct record suite_next(struct suite *suite, const struct record *record);

/** Sets a list of links. */
void suite_link(struct suite *suite, struct record *record, unsigned field, const int64_t *ids,
                size_t count);

/** One command with one step each. */
enum status suite_insert(struct suite *suite, const struct record *record);
enum status suite_update(struct suite *suite, const struct record *before,
                         const struct record *after);
enum status suite_delete(struct suite *suite, const struct record *record);

/** Adds users with the Ids from `first` on. */
void suite_add_users(struct suite *suite, int64_t first, unsigned count);

/** Loads what must be there, through the test's own session. */
struct record suite_load(struct suite *suite, const struct table *table, int64_t id);

/** Does the store make the rows of this table itself? Nobody inserts them. */
bool suite_is_made_by_store(const struct table *table);

int64_t suite_count(struct suite *suite, const struct table *table);

/** A page of a search, and the Ids on it in their order. */
struct suite_page {
    enum status status;
    struct search_result found;
    struct buffer json;
    int64_t ids[2048];
    size_t count;
};

/** Runs a search on a session. NULL `page->json.at` only where nothing was found. */
void suite_search_on(struct suite *suite, struct store_session *session,
                     const struct search *search, struct suite_page *page);
struct suite_page *suite_search(struct suite *suite, const struct search *search);

/** All records of a table by Id. */
struct search suite_all(const struct table *table);

/* ---- races ---- */

/* Users of races have the Ids from RACE_USER on. */
enum { RACE_ROUNDS = 24, RACERS = 6, RACE_USER = 1000 };

/** One of several commands that start at once. */
struct racer {
    struct store_command command;
    unsigned number; /* in the race, from 0 on */
    const void *of;  /* what the test gives it */
    int64_t id;      /* and its result for the test, set by each run */
    struct race *race;
    sem_t finished;
};

/**
 * Lets commands start at once, each from a thread of its own, and waits for all. By the number of
 * the round: they come as they come; they all wait before the first one is run; or that, and the
 * last one fails after all others were run, who must then run a second time.
 */
void race_run(struct suite *suite, unsigned round, struct racer *racers, unsigned count);

/** The same of a race that one must win, and all others lose as `lost`. */
void race_for_one(struct suite *suite, unsigned round, struct racer *racers, enum status lost);

/** The winner of a race. */
const struct racer *race_winner(const struct racer *racers);

/** How many ended so. */
unsigned race_count(const struct racer *racers, unsigned count, enum status status);

/** Makes racers that all do the same, on behalf of nobody. */
void race_prepare(struct racer *racers, unsigned count,
                  enum status (*run)(struct store_tx *, struct store_command *), const void *of);

/* On the writer's thread: they have no suite, and no arena but the command's own. */

/** A copy with the next version; `values` NULL when memory is short. */
struct record race_next(const struct record *record, struct arena *arena);

/** Loads a record, has `change` change it, and writes it. */
typedef void race_change(struct record *record, const struct racer *racer, struct arena *arena);
enum status race_rewrite(struct store_tx *tx, const struct table *table, int64_t id,
                         race_change *change, const struct racer *racer);

/** Changes that add one to a number of a user, and the command that does so to RACE_USER. */
void race_set_next_number(struct record *user, const struct racer *racer, struct arena *arena);
enum status race_count_up(struct store_tx *tx, struct store_command *command);

#endif

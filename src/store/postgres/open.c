/* Opens the store: connects, makes the schema current, and starts the threads. Closes it. */
#include "store/postgres/open.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/connect.h"
#include "store/postgres/hosts.h"
#include "store/postgres/readers.h"
#include "store/postgres/reading.h"
#include "store/postgres/schema.h"
#include "store/postgres/session.h"
#include "store/postgres/watcher.h"
#include "store/postgres/writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
    QUESTION_THREADS = 3,
    SEARCH_THREADS = 2,
    COMMANDS_MAX = 4096, /* that wait for a writer */
    QUESTIONS_MAX = 4096,
    SEARCHES_MAX = 64, /* a search that is further back would be answered too late to be of use */
    SEARCH_LIMIT_MS = 10000,
    READ_LIMIT_MS = 5000,
    WRITE_LIMIT_MS = 20000,
    USER_TOKENS = 100,
    START_LIMIT_MS = 5000,
};

/* ---- Sessions ---- */

struct store_session *pg_session_open(struct store *store) {
    struct connection *connection = pg_session_new(pg_store_of(store));
    return connection ? &connection->session : NULL;
}

void pg_session_close(struct store_session *session) {
    pg_session_free(connection_of(session));
}

/* ---- Opening ---- */

static bool make_writers(struct pg_store *store) {
    bool made = pg_writer_make(&store->writer, store, &store->commands);
    for (int i = 0; i < PG_PLAIN_WRITERS; i++)
        made &= pg_writer_make(&store->plain_writers[i], store, &store->plain);
    return made;
}

static bool take_options(struct pg_store *store, const struct store_options *options) {
    int64_t limit_ms = options->server_limit_ms ? options->server_limit_ms : WRITE_LIMIT_MS;
    store->url = strdup(options->url);
    store->place = (struct pg_place){
        .is_unsafe = options->is_unsafe,
        .search_limit_ms = options->search_limit_ms ? options->search_limit_ms : SEARCH_LIMIT_MS,
        .read_limit_ms = limit_ms < READ_LIMIT_MS ? limit_ms : READ_LIMIT_MS,
        .write_limit_ms = limit_ms,
    };
    store->user_tokens = options->user_tokens ? options->user_tokens : USER_TOKENS;
    store->schema_version = pg_schema_version();
    atomic_init(&store->access_epoch, 1);
    atomic_init(&store->outbox_changes, 1);
    store->questions = (struct pg_readers){ .store = store,
                                            .name = "questions",
                                            .limit_ms = store->place.read_limit_ms };
    store->searches = (struct pg_readers){ .store = store,
                                           .name = "searches",
                                           .limit_ms = store->place.search_limit_ms,
                                           .runs_long = true };
    store->has_commands = queue_init(&store->commands, COMMANDS_MAX);
    store->has_plain = queue_init(&store->plain, COMMANDS_MAX);
    store->has_forming = pthread_mutex_init(&store->forming, NULL) == 0;
    store->has_stop = queue_init(&store->stop, 0);
    return store->url && store->has_commands && store->has_plain && store->has_forming &&
           store->has_stop && make_writers(store);
}

int pg_connect_at_start(struct connection *connection, char *why, size_t why_size) {
    enum status status = pg_connect_in_time(connection);
    if (status == STATUS_OK)
        return EX_OK;
    (void)snprintf(why, why_size, "--database: %s", connection->error);
    if (status == STATUS_UNAVAILABLE)
        return EX_UNAVAILABLE;
    return connection->is_without_schema ? EX_NOINPUT : EX_CONFIG;
}

static int open_database(struct pg_store *store, const struct store_options *options, char *why,
                         size_t why_size) {
    struct connection *connection = store->writer.connection;
    if (!pg_place_check(store->url, why, why_size))
        return EX_USAGE;
    store->place.hosts = pg_hosts_new(store->url);
    if (!store->place.hosts)
        return EX_OSERR;
    connection->deadline_ms = time_monotonic_ms() + START_LIMIT_MS;
    int code = pg_connect_at_start(connection, why, why_size);
    if (code != EX_OK)
        return code;
    pg_note_size(store, connection);
    return pg_schema_open(connection, options, why, why_size);
}

static int start_threads(struct pg_store *store, char *why, size_t why_size) {
    (void)snprintf(why, why_size, "the system refuses threads for the database");
    bool started = pg_writer_start(&store->writer);
    for (int i = 0; started && i < PG_PLAIN_WRITERS; i++)
        started = pg_writer_start(&store->plain_writers[i]);
    if (!started)
        return EX_OSERR;
    atomic_store(&store->seen_ms, time_monotonic_ms());
    if (pthread_create(&store->watcher, NULL, pg_watcher_run, store) != 0)
        return EX_OSERR;
    store->watcher_runs = true;
    return pg_readers_start(&store->questions, QUESTION_THREADS, QUESTIONS_MAX) &&
                   pg_readers_start(&store->searches, SEARCH_THREADS, SEARCHES_MAX)
               ? EX_OK
               : EX_OSERR;
}

struct store *pg_open(const struct engine *engine, const struct store_options *options, char *why,
                      size_t why_size, int *exit_code) {
    struct pg_store *store = calloc(1, sizeof *store);
    *exit_code = EX_OSERR;
    (void)snprintf(why, why_size, "no memory to open the database");
    if (!store)
        return NULL;
    store->base.engine = engine;
    if (take_options(store, options))
        *exit_code = open_database(store, options, why, why_size);
    if (*exit_code == EX_OK)
        *exit_code = start_threads(store, why, why_size);
    if (*exit_code == EX_OK) {
        atomic_store(&store->is_open, true);
        return &store->base;
    }
    pg_close(&store->base);
    return NULL;
}

/* ---- Closing ---- */

static void join(pthread_t thread) {
    int failed = pthread_join(thread, NULL);
    assert(!failed);
    (void)failed;
}

void pg_close(struct store *base) {
    struct pg_store *store = pg_store_of(base);
    atomic_store(&store->is_closing, true);
    pg_readers_stop(&store->questions);
    pg_readers_stop(&store->searches);
    if (store->has_plain)
        queue_close(&store->plain);
    for (int i = 0; i < PG_PLAIN_WRITERS; i++)
        pg_writer_stop(&store->plain_writers[i]); /* they may put off commands to the other one */
    if (store->has_commands)
        queue_close(&store->commands);
    pg_writer_stop(&store->writer);
    if (store->has_stop)
        queue_close(&store->stop);
    if (store->watcher_runs)
        join(store->watcher);
    if (atomic_load(&store->commands_run))
        log_info("database: %llu commands in %llu commits",
                 (unsigned long long)atomic_load(&store->commands_run),
                 (unsigned long long)atomic_load(&store->commits));
    if (store->has_plain)
        queue_destroy(&store->plain);
    if (store->has_forming)
        (void)pthread_mutex_destroy(&store->forming); /* fails only by a mistake of this folder */
    if (store->has_commands)
        queue_destroy(&store->commands);
    if (store->has_stop)
        queue_destroy(&store->stop);
    pg_hosts_free(store->place.hosts);
    free(store->url);
    free(store);
}

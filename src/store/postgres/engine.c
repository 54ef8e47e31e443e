/* The engine on PostgreSQL: its table of functions, and the state that any thread may ask for. */
#include "store/postgres/engine.h"

#include "base/time.h"
#include "store/copy.h"
#include "store/postgres/attempts.h"
#include "store/postgres/check.h"
#include "store/postgres/office.h"
#include "store/postgres/open.h"
#include "store/postgres/readers.h"
#include "store/postgres/reading.h"
#include "store/postgres/statement.h"
#include "store/postgres/text_index.h"
#include "store/postgres/writer.h"

/* ---- State ---- */

static uint64_t access_epoch(const struct store *store) {
    return atomic_load_explicit(&pg_store_of_const(store)->access_epoch, memory_order_acquire);
}

static uint64_t session_epoch(const struct store_session *session) {
    const struct connection *connection = (const struct connection *)(const void *)session;
    return connection->epoch;
}

/* Nothing tells this process of the commits of others, so no two calls return the same number: what
 * was read before a call may have changed. */
static uint64_t commits(const struct store *store) {
    struct pg_store *own = (struct pg_store *)(uintptr_t)store;
    return atomic_fetch_add_explicit(&own->looks, 1, memory_order_relaxed);
}

static uint64_t outbox_changes(const struct store *store) {
    return atomic_load_explicit(&pg_store_of_const(store)->outbox_changes, memory_order_acquire);
}

static bool is_broken(const struct store *store) {
    (void)store;
    return false; /* the server knows what is on its disk */
}

static bool is_outdated(const struct store *store) {
    return atomic_load(&pg_store_of_const(store)->is_outdated);
}

static bool is_away(const struct store *store) {
    enum { AWAY_MS = 15000 };
    return time_monotonic_ms() - (int64_t)atomic_load(&pg_store_of_const(store)->seen_ms) > AWAY_MS;
}

static void end_reading(struct store *store) {
    atomic_store(&pg_store_of(store)->is_closing, true);
}

static struct store_stats stats(struct store *base) {
    struct pg_store *store = pg_store_of(base);
    struct store_stats found = {
        .commands = atomic_load_explicit(&store->commands_run, memory_order_relaxed),
        .commits = atomic_load_explicit(&store->commits, memory_order_relaxed),
        .grouped = atomic_load_explicit(&store->grouped, memory_order_relaxed),
        .readings = atomic_load_explicit(&store->readings, memory_order_relaxed),
        .waiting = queue_length(&store->commands) + queue_length(&store->plain),
        .refused = queue_refused(&store->commands) + queue_refused(&store->plain),
        .reads_waiting = queue_length(&store->searches.commands),
        .reads_refused = queue_refused(&store->searches.commands),
        .refuses = atomic_load(&store->is_full) || atomic_load(&store->is_outdated),
        .own = { { "roster_store_bytes", "gauge", "Size of the database.",
                   atomic_load_explicit(&store->size, memory_order_relaxed) },
                 { "roster_store_office", "gauge",
                   "1 if this process delivers webhooks and deletes expired rows for all of the "
                   "database.",
                   pg_has_office(base) } },
        .own_count = 2,
    };
    for (unsigned i = 0; i < STORE_GROUP_SIZES; i++)
        found.groups[i] = atomic_load_explicit(&store->groups[i], memory_order_relaxed);
    return found;
}

/* The watcher tries it. */
static enum status try_room(struct store_tx *tx) {
    return atomic_load(&pg_store_of(tx->session->store)->is_full) ? STATUS_UNAVAILABLE : STATUS_OK;
}

static bool limit_work(struct store_session *session) {
    (void)session;
    return false; /* every statement waits for the network */
}

static void lift_limit(struct store_session *session) {
    (void)session;
}

/* ---- Dialect ---- */

static void add_has_bytes(struct buffer *sql, const char *column, int parameter) {
    buffer_printf(sql, "position(?%d IN %s) > 0", parameter, column);
}

static void add_folded(struct buffer *sql, const struct table *table, const struct field *field) {
    buffer_printf(sql, "(SELECT texts.%s FROM %s_texts AS texts WHERE texts.owner = %s.Id)",
                  field->name.at, table->name, table->name);
}

static const struct engine_store pg_engine_store = {
    .open = pg_open,
    .close = pg_close,
    .session_open = pg_session_open,
    .session_close = pg_session_close,
    .submit = pg_submit,
    .read = pg_read,
    .ask = pg_ask_later,
    .end_reading = end_reading,
    .access_epoch = access_epoch,
    .session_epoch = session_epoch,
    .commits = commits,
    .outbox_changes = outbox_changes,
    .is_broken = is_broken,
    .is_outdated = is_outdated,
    .is_away = is_away,
    .begin_attempt = pg_begin_attempt,
    .end_attempt = pg_end_attempt,
    .seek_office = pg_seek_office,
    .has_office = pg_has_office,
    .stats = stats,
    .try_room = try_room,
    .begin_reading = pg_begin_reading,
    .finish_reading = pg_finish_reading,
    .limit_work = limit_work,
    .lift_limit = lift_limit,
};

static const struct engine_tools pg_tools = { .check = pg_check,
                                              .backup = copy_backup,
                                              .restore = copy_restore };

static const struct engine_dialect pg_dialect = {
    .any_of = { " = ANY (", ")" },
    .without_case = { "lower(", ")" },
    .join_in_order = " JOIN ",
    .add_has_bytes = add_has_bytes,
    .ascending = " NULLS FIRST",
    .descending = " DESC NULLS LAST",
    .add_folded = add_folded,
};

const struct engine postgres_engine = {
    .name = "PostgreSQL",
    .scheme = STORE_POSTGRESQL,
    .store = &pg_engine_store,
    .sql = &pg_sql,
    .text_index = &pg_text_index,
    .tools = &pg_tools,
    .dialect = &pg_dialect,
};

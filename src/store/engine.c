/* Chooses the engine of a database, and passes the calls of store.h, maintenance.h, engine.h and
 * text_index.h on to it. */
#include "store/engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The engines that this program was built with. */
#define ENGINE(name) extern const struct engine name##_engine;
#include "engines.inc"
#undef ENGINE

static const struct engine *const engines[] = {
#define ENGINE(name) &name##_engine,
#include "engines.inc"
#undef ENGINE
};

/* ---- The choice ---- */

static bool begins_with(const char *text, const char *begin) {
    return strncmp(text, begin, strlen(begin)) == 0;
}

/* The engine of a data folder or URL. NULL, with a line in `why` that does not repeat the URL: it
 * may have a password in it. */
static const struct engine *engine_of(const char *database, char *why, size_t why_size) {
    const bool is_url = strstr(database, "://") != NULL;
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        const char *scheme = engines[i]->scheme;
        if (scheme ? begins_with(database, scheme) : !is_url)
            return engines[i];
    }
    if (begins_with(database, STORE_POSTGRESQL))
        (void)snprintf(why, why_size, "this rosterd was built without PostgreSQL");
    else
        (void)snprintf(why, why_size, "the URL of the database must begin with " STORE_POSTGRESQL);
    return NULL;
}

/* ---- store.h ---- */

struct store *store_open(const struct store_options *options, char *why, size_t why_size,
                         int *exit_code) {
    const char *database = options->url ? options->url : options->directory;
    const struct engine *engine = engine_of(database, why, why_size);
    *exit_code = EX_CONFIG;
    return engine ? engine->store->open(engine, options, why, why_size, exit_code) : NULL;
}

void store_close(struct store *store) {
    if (store)
        store->engine->store->close(store);
}

struct store_session *store_session_open(struct store *store) {
    return store->engine->store->session_open(store);
}

void store_session_close(struct store_session *session) {
    if (session)
        session->engine->store->session_close(session);
}

enum status store_submit(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of && command->run);
    return store->engine->store->submit(store, command, false);
}

enum status store_read(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of && command->read);
    return store->engine->store->read(store, command);
}

enum status store_ask(struct store_session *session, struct store_command *command) {
    assert(command->on_behalf_of && command->read);
    return session->engine->store->ask(session, command);
}

void store_end_reading(struct store *store) {
    store->engine->store->end_reading(store);
}

uint64_t store_access_epoch(const struct store *store) {
    return store->engine->store->access_epoch(store);
}

uint64_t store_session_epoch(const struct store_session *session) {
    return session->engine->store->session_epoch(session);
}

bool store_access_changes(const struct store_session *session) {
    return session->access_changed;
}

bool store_access_stands(const struct store_session *session, uint64_t epoch) {
    return epoch == store_access_epoch(session->store) && !session->access_changed;
}

uint64_t store_commits(const struct store *store) {
    return store->engine->store->commits(store);
}

uint64_t store_outbox_changes(const struct store *store) {
    return store->engine->store->outbox_changes(store);
}

bool store_is_broken(const struct store *store) {
    return store->engine->store->is_broken(store);
}

void store_seek_office(struct store *store) {
    if (store->engine->store->seek_office)
        store->engine->store->seek_office(store);
}

bool store_has_office(const struct store *store) {
    return !store->engine->store->has_office || store->engine->store->has_office(store);
}

bool store_counts_attempts(const struct store *store) {
    return store->engine->store->begin_attempt != NULL;
}

enum status store_begin_attempt(struct store_tx *tx, struct store_attempt *attempt) {
    return tx->session->engine->store->begin_attempt(tx, attempt);
}

enum status store_end_attempt(struct store_tx *tx, const struct store_attempt *attempt,
                              bool has_failed) {
    return tx->session->engine->store->end_attempt(tx, attempt, has_failed);
}

bool store_is_outdated(const struct store *store) {
    const struct engine_store *calls = store->engine->store;
    return calls->is_outdated && calls->is_outdated(store);
}

bool store_is_away(const struct store *store) {
    const struct engine_store *calls = store->engine->store;
    return calls->is_away && calls->is_away(store);
}

struct store_stats store_stats(struct store *store) {
    return store->engine->store->stats(store);
}

enum status store_try_room(struct store_tx *tx) {
    return tx->session->engine->store->try_room(tx);
}

/* ---- maintenance.h ---- */

int store_check(const char *database, const char *folder, store_say *say) {
    char why[128];
    const struct engine *engine = engine_of(database, why, sizeof why);
    if (engine)
        return engine->tools->check(engine, database, folder, say);
    say(why);
    return EX_CONFIG;
}

int store_backup(const char *database, const char *path, store_say *say) {
    char why[128];
    const struct engine *engine = engine_of(database, why, sizeof why);
    if (engine)
        return engine->tools->backup(engine, database, path, say);
    say(why);
    return EX_CONFIG;
}

int store_restore(const char *database, const char *path, unsigned how, store_say *say) {
    char why[128];
    const struct engine *engine = engine_of(database, why, sizeof why);
    if (engine)
        return engine->tools->restore(engine, database, path, how, say);
    say(why);
    return EX_CONFIG;
}

/* ---- engine.h ---- */

enum status engine_begin_reading(struct store_session *session) {
    return session->engine->store->begin_reading(session);
}

void engine_end_reading(struct store_session *session) {
    session->engine->store->finish_reading(session);
}

bool engine_limit_work(struct store_session *session) {
    return session->engine->store->limit_work(session);
}

void engine_lift_limit(struct store_session *session) {
    session->engine->store->lift_limit(session);
}

/* ---- text_index.h ---- */

enum status text_index_set(const struct text_index *index, int64_t id, struct text text) {
    return index->session->engine->text_index->set(index, id, text);
}

enum status text_index_set_all(const struct text_index *index, const struct sql_value *texts,
                               size_t count) {
    const struct engine_text_index *engine = index->session->engine->text_index;
    enum status status = STATUS_OK;
    if (engine->set_all)
        return engine->set_all(index, texts, count);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = engine->set(index, texts[2 * i].integer, texts[2 * i + 1].bytes);
    return status;
}

enum status text_index_search(const struct text_index *index, struct text needle,
                              struct arena *arena, struct text_matches *matches) {
    return index->session->engine->text_index->search(index, needle, arena, matches);
}

enum status text_index_check(const struct text_index *index, char *why, size_t why_size) {
    return index->session->engine->text_index->check(index, why, why_size);
}

/* The seal mark: a hash of the key that seals the database's fields, by which a database recognizes
 * its key. An empty mark means that the database never had a key. A database without any mark was
 * made by a version that had no marks yet; the key is then tried on sealed values. */
#include "store/seal_mark.h"

#include "base/container_of.h"
#include "store/session.h"

#include <stdio.h>
#include <string.h>

static bool is_mark_of(struct text mark, const struct seal_key *key) {
    struct token_hash own = seal_mark(key);
    return text_equal(mark, (struct text){ (const char *)own.bytes, sizeof own.bytes });
}

/* NOT_FOUND: the database has no mark. */
static enum status load_mark(struct store_session *session, struct arena *arena,
                             struct text *mark) {
    struct sql_statement *statement = sql_prepare(session, "SELECT mark FROM seal_mark");
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        *mark = sql_text(statement, 0, arena);
        status = mark->at ? STATUS_OK : STATUS_INTERNAL;
    }
    sql_free(statement);
    return status;
}

/* Tries the key on the values of one field. OK: it opens one. FORBIDDEN: there are sealed values,
 * and it opens none. NOT_FOUND: there are none. */
static enum status try_field(struct store_session *session, const struct seal_key *key,
                             const struct table *table, unsigned field) {
    struct arena arena = { 0 };
    enum status found = STATUS_NOT_FOUND, status = STATUS_INTERNAL;
    const char *name = table->fields[field].name.at;
    struct text sql =
        arena_printf(&arena, "SELECT Id, %s FROM %s WHERE %s IS NOT NULL", name, table->name, name);
    struct sql_statement *statement = sql.at ? sql_prepare(session, sql.at) : NULL;
    while (found != STATUS_OK && (status = sql_step(statement)) == STATUS_OK) {
        struct arena room = { 0 };
        struct text place = seal_place(table, sql_integer(statement, 0), field, &room);
        struct text sealed = sql_text(statement, 1, &room);
        bool opens = place.at && sealed.at && unseal(key, sealed, place, &room).at;
        found = opens ? STATUS_OK : STATUS_FORBIDDEN;
        arena_close(&room);
    }
    sql_free(statement);
    arena_close(&arena);
    return status == STATUS_INTERNAL ? status : found;
}

/* Tries the key on the values of all sealed fields, with the same results. */
static enum status try_key(struct store_session *session, const struct seal_key *key) {
    enum status all = STATUS_NOT_FOUND;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++) {
            if (!field_is_sealed(&tables[i]->fields[j]) ||
                !field_has_column(tables[i], &tables[i]->fields[j]))
                continue;
            enum status one = try_field(session, key, tables[i], j);
            if (one == STATUS_OK || one == STATUS_INTERNAL)
                return one;
            all = one == STATUS_FORBIDDEN ? one : all;
        }
    return all;
}

enum status seal_mark_check(struct store_session *session, const struct seal_key *key) {
    struct arena arena = { 0 };
    struct text mark = { 0 };
    enum status status = load_mark(session, &arena, &mark);
    if (status == STATUS_OK && mark.len)
        status = is_mark_of(mark, key) ? STATUS_OK : STATUS_FORBIDDEN;
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = try_key(session, key);
    arena_close(&arena);
    return status;
}

enum status seal_mark_name(struct store_session *session, char out[SEAL_NAME_SIZE + 1]) {
    struct arena arena = { 0 };
    struct text mark = { 0 };
    struct token_hash whole;
    enum status status = load_mark(session, &arena, &mark);
    (void)snprintf(out, SEAL_NAME_SIZE + 1, "none");
    if (status == STATUS_OK && mark.len == sizeof whole.bytes) {
        memcpy(whole.bytes, mark.at, sizeof whole.bytes);
        seal_name(&whole, out);
    }
    arena_close(&arena);
    return status == STATUS_INTERNAL ? status : STATUS_OK;
}

enum status seal_mark_set(struct store_tx *tx, const struct seal_key *key) {
    const struct token_hash mark = seal_mark(key);
    struct sql_statement *statement = sql_statement(tx->session, SQL_set_seal_mark);
    if (!statement || sql_run(tx->session, "DELETE FROM seal_mark") != STATUS_OK)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, (struct text){ (const char *)mark.bytes, sizeof mark.bytes });
    return sql_execute(statement);
}

struct claim {
    struct store_command command;
    const struct seal_key *key;
};

static enum status run_claim(struct store_tx *tx, struct store_command *command) {
    return seal_mark_set(tx, container_of(command, struct claim, command)->key);
}

/* Checks the key through a session of its own; `is_marked`: the database has a mark of a key. */
static enum status check_store(struct store *store, const struct seal_key *key, bool *is_marked) {
    struct arena arena = { 0 };
    struct text mark = { 0 };
    struct store_session *session = store_session_open(store);
    enum status status = session ? load_mark(session, &arena, &mark) : STATUS_INTERNAL;
    *is_marked = mark.len;
    if (status != STATUS_INTERNAL)
        status = seal_mark_check(session, key);
    store_session_close(session);
    arena_close(&arena);
    return status;
}

enum status store_claim_key(struct store *store, const struct seal_key *key) {
    bool is_marked;
    enum status status = check_store(store, key, &is_marked);
    if (status == STATUS_FORBIDDEN || status == STATUS_INTERNAL || is_marked)
        return status;
    struct claim claim = { .command = { .on_behalf_of = &store_nobody, .run = run_claim },
                           .key = key };
    return store_run(store, &claim.command);
}

enum status store_had_key(struct store *store, bool *had_key) {
    struct arena arena = { 0 };
    struct text mark = { 0 };
    struct store_session *session = store_session_open(store);
    enum status status = session ? load_mark(session, &arena, &mark) : STATUS_INTERNAL;
    *had_key = status == STATUS_NOT_FOUND || mark.len;
    store_session_close(session);
    arena_close(&arena);
    return status == STATUS_INTERNAL ? status : STATUS_OK;
}

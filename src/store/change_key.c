/* Seals everything with another key, in one transaction.
 *
 * The values of a field are read by pages of rows, since a statement must not read a table that
 * another one changes. A row's version stays: the record that it holds is the same. */
#include "base/container_of.h"
#include "store/seal_mark.h"
#include "store/session.h"

enum { PAGE_ROWS = 256 };

struct changing {
    struct store_command command;
    const struct seal_key *from, *to;
    struct key_change *change;
};

/* A sealed field of a table, and the statements on it. */
struct sealed_field {
    const struct table *table;
    unsigned field;
    struct sql_statement *read, *write;
};

struct sealed_row {
    int64_t id;
    struct text sealed;
};

/* OK also when there are fewer rows than a page has, or none. */
static enum status read_page(const struct sealed_field *of, int64_t behind, struct arena *arena,
                             struct sealed_row rows[PAGE_ROWS], size_t *count) {
    enum status status = STATUS_OK;
    sql_bind_integer(of->read, 1, behind);
    sql_bind_integer(of->read, 2, PAGE_ROWS);
    for (*count = 0; *count < PAGE_ROWS && (status = sql_step(of->read)) == STATUS_OK; ++*count) {
        rows[*count].id = sql_integer(of->read, 0);
        rows[*count].sealed = sql_text(of->read, 1, arena);
        if (!rows[*count].sealed.at)
            return STATUS_INTERNAL;
    }
    sql_again(of->read);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status change_row(const struct changing *changing, const struct sealed_field *of,
                              const struct sealed_row *row, struct arena *arena) {
    struct text place = seal_place(of->table, row->id, of->field, arena);
    if (!place.at)
        return STATUS_INTERNAL;
    struct text plain = unseal(changing->from, row->sealed, place, arena);
    if (!plain.at) {
        changing->change->table = of->table;
        changing->change->id = row->id;
        changing->change->field = of->field;
        return arena->failed ? STATUS_INTERNAL : STATUS_FORBIDDEN;
    }
    struct text sealed = seal(changing->to, plain, place, arena);
    if (!sealed.at)
        return STATUS_INTERNAL;
    sql_bind_bytes(of->write, 1, sealed);
    sql_bind_integer(of->write, 2, row->id);
    changing->change->sealed++;
    enum status status = sql_execute(of->write);
    sql_again(of->write);
    return status;
}

static enum status change_rows(const struct changing *changing, const struct sealed_field *of) {
    struct sealed_row rows[PAGE_ROWS];
    enum status status = STATUS_OK;
    size_t count = PAGE_ROWS;
    for (int64_t last = 0; status == STATUS_OK && count == PAGE_ROWS;) {
        struct arena arena = { 0 };
        status = read_page(of, last, &arena, rows, &count);
        for (size_t i = 0; status == STATUS_OK && i < count; i++)
            status = change_row(changing, of, &rows[i], &arena);
        last = count ? rows[count - 1].id : last;
        arena_close(&arena); /* also wipes */
    }
    return status;
}

static enum status change_field(const struct changing *changing, struct store_session *session,
                                const struct table *table, unsigned field) {
    struct arena arena = { 0 };
    const char *name = table->fields[field].name.at;
    struct text read = arena_printf(&arena,
                                    "SELECT Id, %s FROM %s WHERE %s IS NOT NULL AND Id > ?1"
                                    " ORDER BY Id LIMIT ?2",
                                    name, table->name, name);
    struct text write =
        arena_printf(&arena, "UPDATE %s SET %s = ?1 WHERE Id = ?2", table->name, name);
    struct sealed_field of = { table, field, NULL, NULL };
    if (read.at && write.at) {
        of.read = sql_prepare(session, read.at);
        of.write = sql_prepare(session, write.at);
    }
    enum status status = of.read && of.write ? change_rows(changing, &of) : STATUS_INTERNAL;
    sql_free(of.read);
    sql_free(of.write);
    arena_close(&arena);
    return status;
}

/* The number of the last used step of a second factor has a mark of its secret above its 32 bits,
 * which depends on the key (auth/sign_in.c). Without a mark it counts for any secret, so that a
 * code that was used stays used. */
static enum status keep_used_codes(struct store_session *session) {
    return sql_run(session, "UPDATE users SET LastTotpStep = LastTotpStep & 4294967295"
                            " WHERE LastTotpStep > 4294967295");
}

/* FORBIDDEN comes after rows were written, so the transaction has to be rolled back: INTERNAL, and
 * `change` has the value that does not open. */
static enum status run_change(struct store_tx *tx, struct store_command *command) {
    const struct changing *changing = container_of(command, struct changing, command);
    enum status status = STATUS_OK;
    *changing->change = (struct key_change){ 0 };
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct field *field = &tables[i]->fields[j];
            if (field_is_sealed(field) && field_has_column(tables[i], field))
                status = change_field(changing, tx->session, tables[i], j);
        }
    if (status == STATUS_OK)
        status = keep_used_codes(tx->session);
    if (status == STATUS_OK)
        status = seal_mark_set(tx, changing->to);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

enum status store_change_key(struct store *store, const struct seal_key *from,
                             const struct seal_key *to, struct key_change *change) {
    struct changing changing = {
        .command = { .on_behalf_of = &store_nobody, .run = run_change },
        .from = from,
        .to = to,
        .change = change,
    };
    enum status status = store_run(store, &changing.command);
    return status == STATUS_INTERNAL && change->table ? STATUS_FORBIDDEN : status;
}

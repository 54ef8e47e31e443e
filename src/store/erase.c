/* Erases the traces that deleted users leave in other rows.
 *
 * The traces are of two kinds. Rows about a user (audit trail, deliveries, uses of
 * Idempotency-Keys, tokens) are found by the user's Id. An address that names the author of a
 * change may stand in any table, so it is found by the list of addresses that the user has ever
 * had: the record's own, and those in the audit trail. */
#include "json/json.h"
#include "rules/email.h"
#include "store/audit.h"
#include "store/engine.h"
#include "store/rows.h"
#include "store/scan.h"

/* Replaces the address of an author; statements.def has the same text. */
#define NOBODY "erased user"

struct erasing {
    struct store_tx *tx;
    struct arena *arena;
    struct buffer ids, addresses; /* lists in JSON, see sql_bind_list */
};

static enum status run_with(struct sql_statement *statement, const struct buffer *first,
                            const struct buffer *second) {
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_list(statement, 1, buffer_text(first));
    if (second)
        sql_bind_list(statement, 2, buffer_text(second));
    return sql_execute(statement);
}

/* ---- The Ids and addresses to erase ---- */

/* Adds an address to the list, unless it belongs to another user now: a reader would take it for
 * that user's. */
static enum status add_address(struct erasing *erasing, struct text address) {
    int64_t owner;
    if (!address.at || !memchr(address.at, '@', address.len))
        return STATUS_OK;
    struct text key = email_key(address, erasing->arena);
    enum status status =
        key.at ? store_find_user(erasing->tx->session, key, &owner) : STATUS_INTERNAL;
    if (status != STATUS_NOT_FOUND)
        return status;
    if (erasing->addresses.len > 1)
        buffer_add_char(&erasing->addresses, ',');
    json_add_string(&erasing->addresses, address);
    return STATUS_OK;
}

static void note_known(struct erased *erased, size_t count, int64_t id) {
    for (size_t i = 0; i < count; i++)
        erased[i].was_known |= erased[i].id == id;
}

/* Reads from the audit trail which of the Ids were users, and the addresses that they had before
 * the last one. */
static enum status read_trail(struct erasing *erasing, struct erased *erased, size_t count) {
    struct sql_statement *statement = sql_statement(erasing->tx->session, SQL_erased_trail);
    enum status status = STATUS_INTERNAL;
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_list(statement, 1, buffer_text(&erasing->ids));
    while ((status = sql_step(statement)) == STATUS_OK) {
        note_known(erased, count, sql_integer(statement, 0));
        status = add_address(erasing, sql_text(statement, 1, erasing->arena));
        if (status == STATUS_OK)
            status = add_address(erasing, sql_text(statement, 2, erasing->arena));
        if (status != STATUS_OK)
            break;
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status begin(struct erasing *erasing, struct erased *erased, size_t count) {
    enum status status = STATUS_OK;
    buffer_init(&erasing->ids, erasing->arena, 32);
    buffer_init(&erasing->addresses, erasing->arena, 256);
    buffer_add_char(&erasing->ids, '[');
    buffer_add_char(&erasing->addresses, '[');
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        buffer_printf(&erasing->ids, "%s%lld", i ? "," : "", (long long)erased[i].id);
        erased[i].was_known = erased[i].email.at != NULL;
        status = add_address(erasing, erased[i].email);
    }
    buffer_add_char(&erasing->ids, ']');
    if (status == STATUS_OK)
        status = read_trail(erasing, erased, count);
    buffer_add_char(&erasing->addresses, ']');
    bool failed = erasing->ids.failed || erasing->addresses.failed || erasing->arena->failed;
    return failed ? STATUS_INTERNAL : status;
}

/* ---- The authors of changes ---- */

static enum status run_on_table(const struct erasing *erasing, const struct table *table) {
    const struct engine_spelling *any_of = &erasing->tx->session->engine->dialect->any_of;
    struct arena arena = { 0 };
    struct text sql = arena_printf(&arena,
                                   "UPDATE %s SET Version = Version + 1, UpdatedBy = '" NOBODY "'"
                                   " WHERE UpdatedBy%s?1%s",
                                   table->name, any_of->before, any_of->after);
    struct sql_statement *statement = sql.at ? sql_prepare(erasing->tx->session, sql.at) : NULL;
    enum status status = run_with(statement, &erasing->addresses, NULL);
    sql_free(statement);
    arena_close(&arena);
    return status;
}

static enum status rename_author(const struct erasing *erasing, int64_t id) {
    struct arena arena = { 0 };
    struct record before, after = { 0 };
    enum status status = store_load(erasing->tx->session, &user_table, id, &arena, &before);
    if (status == STATUS_OK)
        after = record_next(&before, &arena);
    if (after.values) {
        after.values[USER_UpdatedBy] = value_text(TEXT(NOBODY));
        status = store_update_login_state(erasing->tx, &before, &after);
    } else
        status = STATUS_INTERNAL;
    arena_close(&arena);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

struct changed {
    const struct erasing *erasing;
    struct buffer *ids;
};

/* Adds a user to the list if one of the addresses is its UpdatedBy. The addresses are strings in
 * JSON, so one of them is found with the quotes around it. */
static enum status add_changed(void *argument, int64_t id, const struct value *updated_by) {
    struct changed *changed = argument;
    const struct text addresses = buffer_text(&changed->erasing->addresses);
    const struct text author = value_as_text(updated_by);
    struct arena scratch = { 0 };
    struct buffer address;
    if (!author.at || !memchr(author.at, '@', author.len))
        return STATUS_OK;
    buffer_init(&address, &scratch, 256);
    json_add_string(&address, author);
    if (memmem(addresses.at, addresses.len, address.at, address.len))
        buffer_add(changed->ids, (struct text){ (const char *)&id, sizeof id });
    bool failed = address.failed || changed->ids->failed;
    arena_close(&scratch);
    return failed ? STATUS_INTERNAL : STATUS_OK;
}

/* Finds the users whose records were last changed by one of the addresses, as a list of int64_t. */
static enum status find_changed(const struct erasing *erasing, struct arena *arena,
                                struct buffer *ids) {
    const struct engine_spelling *any_of = &erasing->tx->session->engine->dialect->any_of;
    const struct field *updated_by = &user_table.fields[USER_UpdatedBy];
    const struct scanned scanned = { erasing->tx->session, &user_table, updated_by };
    struct changed changed = { erasing, ids };
    struct buffer sql;
    enum status status;
    if (erasing->tx->session->engine->dialect->add_folded)
        return scan_each(&scanned, add_changed, &changed);
    buffer_init(&sql, arena, 160);
    buffer_add(&sql, TEXT("SELECT Id FROM users WHERE "));
    row_add_value(&sql, &user_table, updated_by, user_table.name);
    buffer_printf(&sql, "%s?1%s", any_of->before, any_of->after);
    buffer_add_char(&sql, '\0');
    struct sql_statement *statement = sql.failed ? NULL : sql_prepare(erasing->tx->session, sql.at);
    if (statement)
        sql_bind_list(statement, 1, buffer_text(&erasing->addresses));
    while ((status = sql_step(statement)) == STATUS_OK) {
        int64_t id = sql_integer(statement, 0);
        buffer_add(ids, (struct text){ (const char *)&id, sizeof id });
    }
    sql_free(statement);
    return status == STATUS_NOT_FOUND && !ids->failed ? STATUS_OK : STATUS_INTERNAL;
}

/* A table stored as JSON has UpdatedBy inside its packed rows, where no UPDATE reaches it: the
 * records found are loaded and written again. */
static enum status run_on_users(const struct erasing *erasing) {
    struct arena arena = { 0 };
    struct buffer ids;
    buffer_init(&ids, &arena, 0);
    enum status status = find_changed(erasing, &arena, &ids);
    const int64_t *list = (const int64_t *)(const void *)ids.at;
    for (size_t i = 0; status == STATUS_OK && i < ids.len / sizeof *list; i++)
        status = rename_author(erasing, list[i]);
    arena_close(&arena);
    return status;
}

static enum status erase_authors(const struct erasing *erasing) {
    enum status status =
        run_with(sql_statement(erasing->tx->session, SQL_erase_authors), &erasing->addresses, NULL);
    if (status == STATUS_OK)
        status = run_with(sql_statement(erasing->tx->session, SQL_erase_payload_authors),
                          &erasing->addresses, NULL);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (tables[i]->is_kept_as_json)
            status = run_on_users(erasing);
        else if (tables[i] != &audit_trail_entry_table && tables[i] != &refresh_token_table)
            status = run_on_table(erasing, tables[i]);
    return status;
}

/* ---- Erasure ---- */

static enum status add_erasure(struct store_tx *tx, int64_t user_id, const struct author *author) {
    struct audit_row row = audit_erasure(user_id);
    return audit_add(tx, &row, author);
}

enum status store_erase(struct store_tx *tx, struct erased *erased, size_t count,
                        struct arena *arena, const struct author *author) {
    struct erasing erasing = { .tx = tx, .arena = arena };
    enum status status = begin(&erasing, erased, count);
    tx->session->erased = true;
    /* The audit rows of the erasure are added first: their author may be among the erased users,
     * and is then replaced like any other. */
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        if (erased[i].was_known)
            status = add_erasure(tx, erased[i].id, author);
    if (status == STATUS_OK)
        status = run_with(sql_statement(tx->session, SQL_erase_trail), &erasing.ids, NULL);
    if (status == STATUS_OK)
        status = run_with(sql_statement(tx->session, SQL_erase_payloads), &erasing.ids, NULL);
    if (status == STATUS_OK)
        status = run_with(sql_statement(tx->session, SQL_erase_idempotency), &erasing.ids,
                          &erasing.addresses);
    if (status == STATUS_OK)
        status = run_with(sql_statement(tx->session, SQL_erase_tokens), &erasing.ids, NULL);
    return status == STATUS_OK ? erase_authors(&erasing) : status;
}

/* Migrates a database of an older version: adds the resources, columns, indexes and texts that the
 * field tables have in addition. A missing table is a new resource; SINCE is the version that
 * introduced a field.
 *
 * A field whose values older programs kept among the unknown members of a packed row gets its
 * column, links and texts from there.
 *
 * Older programs may go on writing if all that is new is of no concern to them: fields that only
 * lie in their own column or in the packed row, which they leave alone. They would not keep links
 * and texts in order, nor know of new resources that refer to what they delete. */
#include "store/postgres/migration.h"

#include "base/time.h"
#include "model/permission.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/schema_check.h"
#include "store/postgres/schema_tables.h"
#include "store/rows.h"
#include "store/write.h"

#include <inttypes.h>

struct migration {
    struct connection *connection;
    struct pg_columns columns; /* of the database before */
    int64_t from;              /* the version of its fields */
};

static bool is_new(const struct migration *migration, const struct field *field) {
    return field_since(field) > migration->from;
}

static bool is_new_table(const struct migration *migration, unsigned table) {
    return !row_is_derived(tables[table]) && !migration->columns.has_table[table];
}

/* ---- What is added ---- */

/* The permissions for a resource are rows of roles (see model/permission.h). */
static void add_roles(struct buffer *sql, const struct table *table) {
    const int64_t now_ms = time_now_ms();
    for (unsigned i = 0; i < OPERATIONS; i++) {
        char name[32];
        const unsigned number = permission(table->permission_entity, i);
        permission_name(number, name);
        buffer_printf(sql,
                      "INSERT INTO roles (Version, Name, Id, UpdatedOn, CreatedOn, UniqueId,"
                      " UpdatedBy, ToStringText) SELECT 1, '%s', %u, %" PRId64 ", %" PRId64
                      ", gen_random_uuid()::text, UpdatedBy, '%s' FROM roles WHERE Id = 1"
                      " ON CONFLICT DO NOTHING;",
                      name, number + 1, now_ms, now_ms, name);
    }
}

static void add_field(struct buffer *sql, const struct migration *migration, unsigned table,
                      unsigned at) {
    const struct table *own = tables[table];
    const struct field *field = &own->fields[at];
    if (field_has_column(own, field) && !migration->columns.has[table][at]) {
        buffer_printf(sql, "ALTER TABLE %s ADD %s ", own->name, field->name.at);
        pg_add_column_type(sql, field);
        buffer_add_char(sql, ';');
    }
    pg_add_index(sql, own, field);
    if (field->flags & SEARCHED)
        pg_add_texts(sql, own, field);
}

/* Must the views be made again, since a resource that they show has more fields? */
static bool views_are_old(const struct migration *migration) {
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; row_is_derived(tables[i]) && j < tables[i]->count; j++)
            if (field_has_column(tables[i], &tables[i]->fields[j]) && !migration->columns.has[i][j])
                return true;
    return false;
}

static void add_what_is_new(struct buffer *sql, const struct migration *migration) {
    for (unsigned i = 0; i < TABLES; i++) {
        if (is_new_table(migration, i)) {
            pg_add_resource(sql, tables[i]);
            add_roles(sql, tables[i]);
        }
        for (unsigned j = 0; !row_is_derived(tables[i]) && j < tables[i]->count; j++)
            if (!is_new_table(migration, i) && is_new(migration, &tables[i]->fields[j]))
                add_field(sql, migration, i, j);
    }
    if (views_are_old(migration)) {
        buffer_add(sql, TEXT("DROP VIEW IF EXISTS audit_trail_entries, refresh_tokens;"));
        pg_add_views(sql);
    }
    buffer_add_char(sql, '\0');
}

static bool is_for_all(const struct migration *migration) {
    for (unsigned i = 0; i < TABLES; i++) {
        if (is_new_table(migration, i))
            return false;
        for (unsigned j = 0; j < tables[i]->count; j++) {
            const struct field *field = &tables[i]->fields[j];
            if (is_new(migration, field) &&
                (field_is_linked(field) || field->flags & (SEARCHED | REQUIRED)))
                return false;
        }
    }
    return true;
}

/* ---- Filling ---- */

/* Has the field a column that is a copy of a member? */
static bool is_copied(const struct table *table, const struct field *field) {
    return field_has_column(table, field) && !field_is_read_from_column(table, field);
}

static bool is_filled(const struct migration *migration, const struct table *table,
                      const struct field *field) {
    return is_new(migration, field) &&
           (is_copied(table, field) || field_is_linked(field) || field->flags & SEARCHED);
}

static enum status copy_member(const struct migration *migration, const struct record *record,
                               unsigned at) {
    const struct field *field = &record->table->fields[at];
    struct arena arena = { 0 };
    struct text sql = arena_printf(&arena, "UPDATE %s SET %s = ?1 WHERE Id = ?2",
                                   record->table->name, field->name.at);
    struct sql_statement *statement =
        sql.at ? sql_text_statement(&migration->connection->session, sql.at) : NULL;
    enum status status = STATUS_INTERNAL;
    if (statement) {
        row_bind_value(statement, 1, field, &record->values[at]);
        sql_bind_integer(statement, 2, record_id(record));
        status = sql_execute_one(statement);
    }
    arena_close(&arena);
    return status;
}

/* Fills in what is new of one row, and says which it was. */
static enum status fill_row(const struct migration *migration, const struct table *table,
                            struct sql_statement *row, int64_t *id) {
    struct store_tx tx = { &migration->connection->session };
    struct arena arena = { 0 };
    struct record record = record_new(table, &arena);
    enum status status =
        record.values ? row_read(tx.session, row, &arena, &record) : STATUS_INTERNAL;
    if (status == STATUS_OK)
        *id = record_id(&record);
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++) {
        if (!is_filled(migration, table, &table->fields[i]) ||
            record.values[i].kind == VALUE_NULL || record.values[i].kind == VALUE_ABSENT)
            continue;
        if (is_copied(table, &table->fields[i]))
            status = copy_member(migration, &record, i);
        if (status == STATUS_OK)
            status = write_new_index(&tx, &record, i);
    }
    arena_close(&arena);
    return status;
}

static struct sql_statement *select_rows(const struct migration *migration,
                                         const struct table *table) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 512);
    buffer_add(&sql, TEXT("SELECT "));
    row_add_columns(&sql, migration->connection->session.engine, table);
    buffer_printf(&sql, " FROM %s WHERE Id > ?1 ORDER BY Id LIMIT ?2", table->name);
    buffer_add_char(&sql, '\0');
    struct sql_statement *row =
        sql.failed ? NULL : sql_prepare(&migration->connection->session, sql.at);
    arena_close(&arena);
    return row;
}

/* Reads the rows of a table, some thousand at a time, and fills in what is new of them. */
static enum status fill_rows(const struct migration *migration, const struct table *table) {
    enum { AT_ONCE = 4000 };
    struct sql_statement *row = select_rows(migration, table);
    enum status status = row ? STATUS_OK : STATUS_INTERNAL;
    int64_t last = INT64_MIN;
    for (int count = AT_ONCE; status == STATUS_OK && count == AT_ONCE;) {
        sql_bind_integer(row, 1, last);
        sql_bind_integer(row, 2, AT_ONCE);
        for (count = 0; (status = sql_step(row)) == STATUS_OK; count++)
            if ((status = fill_row(migration, table, row, &last)) != STATUS_OK)
                break;
        sql_done(row);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    sql_free(row);
    return status;
}

/* In a table that is not packed a new column is null in all rows. */
static enum status fill_tables(const struct migration *migration) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < TABLES; i++) {
        bool is_needed = false;
        for (unsigned j = 0; tables[i]->is_kept_as_json && j < tables[i]->count; j++)
            is_needed |= is_filled(migration, tables[i], &tables[i]->fields[j]);
        if (status == STATUS_OK && is_needed && !is_new_table(migration, i))
            status = fill_rows(migration, tables[i]);
    }
    return status;
}

enum status pg_migrate(struct connection *connection, int64_t from, bool *is_for_all_programs) {
    struct migration migration = { .connection = connection, .from = from % PG_FIELD_VERSIONS };
    struct arena arena = { 0 };
    struct buffer sql;
    enum status status = pg_columns_read(connection, &migration.columns, NULL);
    if (status != STATUS_OK)
        return status;
    *is_for_all_programs = is_for_all(&migration);
    buffer_init(&sql, &arena, 16384);
    /* A reader that holds a table for long, such as a backup, makes this attempt fail: all others
     * would wait behind it. */
    buffer_add(&sql, TEXT("SET LOCAL lock_timeout = '500ms';"));
    add_what_is_new(&sql, &migration);
    status = sql.failed ? STATUS_INTERNAL : sql_run(&connection->session, sql.at);
    arena_close(&arena);
    return status == STATUS_OK ? fill_tables(&migration) : status;
}

/* Brings the schema of a database to this program's, and compares it with the field tables.
 *
 * A new database gets the current schema at once (schema_tables.c). An older one is first migrated
 * by numbered steps (schema_steps.c), and then receives what the field tables have in addition. A
 * missing table is a resource that is newer than the database; SINCE is the version that introduced
 * a field. All of this, and the change of the version's number, happens in one transaction.
 *
 * A database may also have columns that this program does not know, made by another one of the same
 * version that has more fields. They are kept, as long as new rows need no value in them. */
#include "store/sqlite/schema.h"

#include "base/log.h"
#include "base/time.h"
#include "model/permission.h"
#include "store/row_compression.h"
#include "store/rows.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/schema_steps.h"
#include "store/sqlite/schema_tables.h"
#include "store/sqlite/sums.h"
#include "store/sqlite/text_index.h"

#include <assert.h>
#include <stdio.h>

/* The version that introduced dictionaries. */
enum { DICTIONARIES_SINCE = 3 };

/* A random UUID (RFC 9562 section 5.4). */
#define RANDOM_GUID                                                                                \
    "hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)"     \
    " || '-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-'"     \
    " || hex(randomblob(6))"

/* The version of this program's schema: that of the last step, or of the newest field. */
static int64_t schema_version(void) {
    unsigned version = schema_last_step();
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (field_since(&tables[i]->fields[j]) > version)
                version = field_since(&tables[i]->fields[j]);
    return version;
}

/* Does the database lack a field? A database may have the field's version already and still lack
 * its column, if a program made it that had this version without the field. */
static bool lacks_field(struct store_session *session, const struct table *table,
                        const struct field *field, int64_t version) {
    return field_since(field) > version ||
           (field_since(field) && !row_is_derived(table) && field_has_column(table, field) &&
            !schema_has_column(session, table->name, field->name.at, ANY_TYPE));
}

int schema_compare_version(struct store_session *session) {
    int64_t version = 0, own = schema_version();
    if (schema_read_integer(session, "PRAGMA user_version", &version) != STATUS_OK)
        return -1; /* the check of the pages reports why */
    if (version > own)
        return 1;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (lacks_field(session, tables[i], &tables[i]->fields[j], version))
                return -1;
    return version < own ? -1 : 0;
}

/* A program that did not know the field has kept its values among the unknown members of users.
 * They are copied to the new column. */
static void add_known_values(struct buffer *sql, const struct table *table,
                             const struct field *field) {
    int at = (int)(field - table->fields);
    buffer_printf(sql,
                  "UPDATE %s SET %s = %s_member(Members, %d)"
                  " WHERE %s IS NOT %s_member(Members, %d);",
                  table->name, field->name.at, table->name, at, field->name.at, table->name, at);
}

static void add_known_links(struct buffer *sql, const struct table *table,
                            const struct field *field) {
    const bool is_list = field->type == TYPE_links;
    buffer_printf(sql,
                  "INSERT OR IGNORE INTO links (field, target, owner)"
                  " SELECT '%s.%s', %s, owner FROM (SELECT t.Id AS owner, ",
                  table->name, field->name.at, is_list ? "value" : "stored");
    row_add_value(sql, table, field, "t");
    buffer_printf(sql, " AS stored FROM %s AS t)%s WHERE stored IS NOT NULL;", table->name,
                  is_list ? ", json_each(stored)" : "");
}

/* Adds a field to a database: its column, its values, its index, its links, and its texts. */
static enum status add_field(struct store_session *session, const struct table *table,
                             const struct field *field) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 1024);
    if (field_has_column(table, field) &&
        !schema_has_column(session, table->name, field->name.at, ANY_TYPE)) {
        buffer_printf(&sql, "ALTER TABLE %s ADD COLUMN ", table->name);
        schema_add_column(&sql, field);
        buffer_add_char(&sql, ';');
    }
    if (field_has_column(table, field) && !field_is_read_from_column(table, field))
        add_known_values(&sql, table, field);
    schema_add_index(&sql, table, field);
    if (field_is_linked(field))
        add_known_links(&sql, table, field);
    buffer_add_char(&sql, '\0');
    enum status status = sql.failed ? STATUS_INTERNAL : sql_run(session, sql.at);
    if (status == STATUS_OK && field->flags & SEARCHED)
        status = schema_create_text_indexes(session);
    if (status == STATUS_OK && field->flags & SEARCHED)
        status = text_index_fill(&(struct text_index){ session, table, field });
    arena_close(&arena);
    return status;
}

static enum status add_fields(struct store_session *session, const struct table *table,
                              int64_t version) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (lacks_field(session, table, &table->fields[i], version))
            status = add_field(session, table, &table->fields[i]);
    return status;
}

/* Adds the permissions for a resource, which are rows of roles (see model/permission.h). */
static enum status add_roles(struct store_session *session, const struct table *table) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < OPERATIONS; i++) {
        char sql[512], name[32];
        unsigned number = permission(table->permission_entity, i);
        permission_name(number, name);
        int len = snprintf(
            sql, sizeof sql,
            "INSERT OR IGNORE INTO roles (Version, Name, Id, UpdatedOn, CreatedOn, UniqueId,"
            " UpdatedBy, ToStringText) SELECT 1, '%s', %u, %lld, %lld, lower(" RANDOM_GUID "),"
            " UpdatedBy, '%s' FROM roles WHERE Id = 1",
            name, number + 1, (long long)time_now_ms(), (long long)time_now_ms(), name);
        assert(len > 0 && (size_t)len < sizeof sql);
        status = sql_run(session, sql);
    }
    return status;
}

/* Adds a resource that is newer than the database. */
static enum status add_resource(struct store_session *session, const struct table *table) {
    enum status status = schema_create_resource(session, table);
    if (status == STATUS_OK)
        status = schema_create_text_indexes(session);
    if (status == STATUS_OK)
        status = schema_count_rows(session, table);
    return status == STATUS_OK ? add_roles(session, table) : status;
}

/* Adds the resources and fields that the database lacks. A missing table is a new resource only if
 * the database is of an older version; otherwise the table was lost, which schema_check reports. */
static enum status add_what_is_new(struct store_session *session, int64_t version) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++) {
        if (row_is_derived(tables[i]))
            continue;
        bool is_new = version < schema_version() && !schema_has_table(session, tables[i]);
        status =
            is_new ? add_resource(session, tables[i]) : add_fields(session, tables[i], version);
    }
    return status;
}

static enum status migrate_in_transaction(struct store_session *session,
                                          const struct store_options *options) {
    int64_t version = 0, own = schema_version(), schema = 0;
    enum status status = schema_read_integer(session, "PRAGMA user_version", &version);
    if (status == STATUS_OK && (version < 0 || version > own))
        return STATUS_PRECONDITION_FAILED;
    if (status != STATUS_OK)
        return status;
    if (version < DICTIONARIES_SINCE) /* no row can be written without dictionaries */
        status = sql_run(session, DICTIONARIES_TABLE);
    if (status == STATUS_OK)
        status = sums_begin(session, &schema);
    if (status == STATUS_OK)
        status = row_keep_dictionaries(session);
    if (status == STATUS_OK && version == own)
        status = add_what_is_new(session, version);
    if (status == STATUS_OK && version == own)
        return sums_finish(session, schema);
    if (status != STATUS_OK)
        return status;
    if (version == 0)
        status = schema_create_all(session);
    else
        status = schema_drop_views(session);
    if (status == STATUS_OK && version > 0)
        status = schema_take_steps(session, version, options);
    if (status == STATUS_OK && version > 0)
        status = add_what_is_new(session, version);
    if (status == STATUS_OK)
        status = schema_create_views(session);
    if (status == STATUS_OK)
        status = sums_finish(session, schema);
    char sql[96];
    int len = snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d",
                       (int)own, SCHEMA_APPLICATION_ID);
    assert(len > 0 && (size_t)len < sizeof sql);
    return status == STATUS_OK ? sql_run(session, sql) : status;
}

bool schema_is_empty(struct store_session *session) {
    int64_t version = 0;
    return schema_read_integer(session, "PRAGMA user_version", &version) == STATUS_OK &&
           version == 0;
}

enum status schema_migrate(struct store_session *session, const struct store_options *options) {
    enum status status = sql_run(session, "BEGIN IMMEDIATE");
    if (status != STATUS_OK)
        return status;
    status = migrate_in_transaction(session, options);
    if (status == STATUS_OK)
        return sql_run(session, "COMMIT");
    if (sql_run(session, "ROLLBACK") != STATUS_OK)
        log_error("the failed schema change could not be rolled back");
    return status;
}

/* The type of a field's column. The columns of a view have none. */
static struct text column_type(const struct table *table, const struct field *field) {
    if (row_is_derived(table))
        return ANY_TYPE;
    return (struct text){ schema_stored_type(field), strcspn(schema_stored_type(field), " ") };
}

static enum status check_columns(struct store_session *session, const struct table *table,
                                 char *why, size_t why_size) {
    if (table->is_kept_as_json &&
        !schema_has_column(session, table->name, "Members", TEXT("ANY"))) {
        (void)snprintf(why, why_size, "%s.Members is not a column of type ANY", table->name);
        return STATUS_INTERNAL;
    }
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!field_has_column(table, field))
            continue;
        struct text type = column_type(table, field);
        if (schema_has_column(session, table->name, field->name.at, type))
            continue;
        (void)snprintf(why, why_size, "%s.%s is not a column%s%.*s", table->name, field->name.at,
                       type.at ? " of type " : "", (int)type.len, type.at ? type.at : "");
        return STATUS_INTERNAL;
    }
    return STATUS_OK;
}

static bool knows_column(const struct table *table, struct text name) {
    if (text_equal(name, TEXT("Version")) || text_equal(name, TEXT("Members")) ||
        text_equal(name, TEXT("is_sound")))
        return true;
    for (unsigned i = 0; i < table->count; i++)
        if (text_equal(table->fields[i].name, name))
            return field_has_column(table, &table->fields[i]);
    return false;
}

/* The columns of a table that belong to no field: those of a version of Roster that has more
 * fields. */
struct unknown_columns {
    struct text names; /* "A, B"; `at` NULL: there are none */
    bool must_be_set;  /* one of them needs a value in every new row */
};

static enum status find_unknown(struct store_session *session, const struct table *table,
                                struct arena *arena, struct unknown_columns *unknown) {
    struct sql_statement *statement = NULL;
    struct buffer names;
    enum status status = STATUS_INTERNAL;
    struct text sql = arena_printf(arena,
                                   "SELECT name, \"notnull\" AND dflt_value IS NULL"
                                   " FROM pragma_table_info('%s')",
                                   table->name);
    buffer_init(&names, arena, 0);
    *unknown = (struct unknown_columns){ 0 };
    if (sql.at && (statement = sql_prepare(session, sql.at)))
        while ((status = sql_step(statement)) == STATUS_OK) {
            struct text name = sql_text(statement, 0, arena);
            if (knows_column(table, name))
                continue;
            buffer_add(&names, names.len ? TEXT(", ") : TEXT(""));
            buffer_add(&names, name);
            unknown->must_be_set |= sql_integer(statement, 1) != 0;
        }
    sql_free(statement);
    unknown->names = buffer_text(&names);
    return status == STATUS_NOT_FOUND && !arena->failed ? STATUS_OK : STATUS_INTERNAL;
}

void schema_tell_unknown(struct store_session *session, store_say *say) {
    for (unsigned i = 0; i < TABLES; i++) {
        struct arena arena = { 0 };
        struct unknown_columns unknown;
        struct text line = { 0 };
        if (find_unknown(session, tables[i], &arena, &unknown) == STATUS_OK && unknown.names.at)
            line = arena_printf(&arena,
                                "%s: columns that this version does not know are left alone: %.*s",
                                tables[i]->name, (int)unknown.names.len, unknown.names.at);
        if (line.at)
            say(line.at);
        arena_close(&arena);
    }
}

/* Checks the columns of a table. Unknown columns are kept, unless one needs a value in every new
 * row. */
static enum status check_table(struct store_session *session, const struct table *table, char *why,
                               size_t why_size) {
    struct arena arena = { 0 };
    struct unknown_columns unknown;
    enum status status = check_columns(session, table, why, why_size);
    if (status == STATUS_OK) {
        (void)snprintf(why, why_size, "the columns of %s cannot be read", table->name);
        status = find_unknown(session, table, &arena, &unknown);
        if (status == STATUS_OK && unknown.must_be_set) {
            (void)snprintf(why, why_size,
                           "%s has columns that this version does not know, and must have a value"
                           " in them: %.*s",
                           table->name, (int)unknown.names.len, unknown.names.at);
            status = STATUS_INTERNAL;
        }
    }
    arena_close(&arena);
    return status;
}

/* The tables that no field table describes, such as tokens, must be there for the statements that
 * use them. */
static enum status check_statements(struct store_session *session, char *why, size_t why_size) {
    for (unsigned i = 0; i < STATEMENTS; i++) {
        struct sql_statement *statement = sql_prepare(session, connection_sql(i));
        if (!statement) {
            (void)snprintf(why, why_size, "%s", sql_error(session));
            return STATUS_INTERNAL;
        }
        sql_free(statement);
    }
    return STATUS_OK;
}

enum status schema_check(struct store_session *session, char *why, size_t why_size) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        status = check_table(session, tables[i], why, why_size);
    if (status == STATUS_OK)
        status = check_statements(session, why, why_size);
    if (status == STATUS_OK && why_size)
        why[0] = '\0';
    return status;
}

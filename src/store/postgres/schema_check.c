/* Compares a database with this program's tables: its columns with the field tables, its other
 * tables with the statements that use them, and the rights of the role with what a server does.
 *
 * A database may have columns that this program does not know, made by a newer one that lets older
 * ones go on. They are left alone, as long as a new row needs no value in them. */
#include "store/postgres/schema_check.h"

#include "store/postgres/pipeline.h"
#include "store/postgres/schema_tables.h"
#include "store/rows.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

/* ---- Failures and rights ---- */

static int lack_right(struct connection *connection, bool reads_only, char *why, size_t why_size) {
    PGresult *names =
        pg_ask(connection, "SELECT quote_ident(current_schema()), quote_ident(current_user),"
                           " has_schema_privilege(current_schema(), 'CREATE')");
    (void)snprintf(why, why_size, "the database role lacks a right");
    if (names && !reads_only && *PQgetvalue(names, 0, 2) != 't')
        (void)snprintf(why, why_size,
                       "the database role lacks a right: GRANT USAGE, CREATE ON SCHEMA %s TO %s",
                       PQgetvalue(names, 0, 0), PQgetvalue(names, 0, 1));
    else if (names)
        (void)snprintf(why, why_size,
                       "the database role lacks a right: GRANT SELECT%s ON ALL TABLES IN SCHEMA %s"
                       " TO %s",
                       reads_only ? "" : ", INSERT, UPDATE, DELETE", PQgetvalue(names, 0, 0),
                       PQgetvalue(names, 0, 1));
    PQclear(names);
    return EX_NOPERM;
}

int pg_schema_failed(struct connection *connection, const char *doing, char *why, size_t why_size) {
    enum pg_meaning first = connection->first_failed;
    char error[PG_ERROR_SIZE];
    bool is_denied = strcmp(connection->sqlstate, PG_INSUFFICIENT_PRIVILEGE) == 0;
    (void)snprintf(error, sizeof error, "%s", connection->error);
    pg_roll_back(connection);
    if (is_denied && connection->pg)
        return lack_right(connection, false, why, why_size);
    (void)snprintf(why, why_size, "the database %s: %s", doing, error);
    return first == PG_LOST || first == PG_AGAIN ? EX_UNAVAILABLE : EX_DATAERR;
}

/* Tables and views on which the role lacks a right: the first column is of reading, the second of
 * writing. */
static const char missing_rights[] =
    "SELECT NOT bool_and(has_table_privilege(oid, 'SELECT')), NOT bool_and(relkind = 'v' OR"
    " (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')"
    " AND has_table_privilege(oid, 'DELETE'))) FROM pg_class"
    " WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))"
    " AND relkind IN ('r', 'v')";

int pg_rights_check(struct connection *connection, bool reads_only, char *why, size_t why_size) {
    PGresult *missing = pg_ask(connection, missing_rights);
    if (!missing)
        return pg_schema_failed(connection, "does not tell its rights", why, why_size);
    bool lacks =
        *PQgetvalue(missing, 0, 0) == 't' || (!reads_only && *PQgetvalue(missing, 0, 1) == 't');
    PQclear(missing);
    return lacks ? lack_right(connection, reads_only, why, why_size) : EX_OK;
}

/* ---- Columns ---- */

/* Every column of every table and view, and whether each new row needs a value in it. */
static const char columns_sql[] =
    "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),"
    " CASE WHEN c.relkind = 'r' AND a.attnotnull AND NOT a.atthasdef THEN 1 ELSE 0 END"
    " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema()))"
    " AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY c.relname, a.attnum";

/* PostgreSQL has our names in lower case. */
static bool is_name(struct text found, struct text name) {
    return found.len == name.len && strncasecmp(found.at, name.at, name.len) == 0;
}

static unsigned find_table(struct text name) {
    unsigned i = 0;
    while (i < TABLES && !is_name(name, text_of(tables[i]->name)))
        i++;
    return i;
}

static unsigned find_field(const struct table *table, struct text name) {
    unsigned i = 0;
    while (i < table->count &&
           !(is_name(name, table->fields[i].name) && field_has_column(table, &table->fields[i])))
        i++;
    return i;
}

/* Notes a column of no field. */
static void note_unknown(struct pg_columns *columns, const struct table *table, struct text name,
                         bool must_be_set, store_say *say) {
    char line[256];
    if (must_be_set && !*columns->must_be_set)
        (void)snprintf(columns->must_be_set, sizeof columns->must_be_set, "%s.%.*s", table->name,
                       (int)name.len, name.at);
    if (!say)
        return;
    (void)snprintf(line, sizeof line,
                   "%s.%.*s: a column that this version does not know is left alone", table->name,
                   (int)name.len, name.at);
    say(line);
}

static void note_column(struct pg_columns *columns, struct sql_statement *row, store_say *say) {
    const unsigned table = find_table(sql_bytes(row, 0));
    const struct text name = sql_bytes(row, 1), type = sql_bytes(row, 2);
    if (table == TABLES)
        return;
    const unsigned field = find_field(tables[table], name);
    columns->has_table[table] = true;
    if (field < tables[table]->count)
        columns->has[table][field] =
            row_is_derived(tables[table]) ||
            text_equal(type, pg_column_type(&tables[table]->fields[field]));
    else if (tables[table]->is_kept_as_json && is_name(name, TEXT("Members")))
        columns->has_members[table] = text_equal(type, TEXT("bytea"));
    else if (!is_name(name, TEXT("Version")))
        note_unknown(columns, tables[table], name, sql_integer(row, 3) != 0, say);
}

enum status pg_columns_read(struct connection *connection, struct pg_columns *columns,
                            store_say *say) {
    struct sql_statement *row = sql_text_statement(&connection->session, columns_sql);
    enum status status;
    *columns = (struct pg_columns){ 0 };
    while ((status = sql_step(row)) == STATUS_OK)
        note_column(columns, row, say);
    sql_done(row);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool table_fits(const struct pg_columns *columns, unsigned table, char *why,
                       size_t why_size) {
    const struct table *own = tables[table];
    if (own->is_kept_as_json && !columns->has_members[table]) {
        (void)snprintf(why, why_size, "%s.Members is not a column of type bytea", own->name);
        return false;
    }
    for (unsigned i = 0; i < own->count; i++) {
        const struct field *field = &own->fields[i];
        if (!field_has_column(own, field) || columns->has[table][i])
            continue;
        struct text type = row_is_derived(own) ? TEXT("any") : pg_column_type(field);
        (void)snprintf(why, why_size, "%s.%s is not a column of type %.*s", own->name,
                       field->name.at, (int)type.len, type.at);
        return false;
    }
    return true;
}

bool pg_columns_fit(const struct pg_columns *columns, char *why, size_t why_size) {
    for (unsigned i = 0; i < TABLES; i++)
        if (!table_fits(columns, i, why, why_size))
            return false;
    if (*columns->must_be_set)
        (void)snprintf(why, why_size, "%s must have a value, and this version does not know it",
                       columns->must_be_set);
    return !*columns->must_be_set;
}

/* ---- The whole schema ---- */

int pg_schema_check(struct connection *connection, store_say *say, char *why, size_t why_size) {
    static const char doing[] = "is not as this version left it";
    struct pg_columns columns;
    char fault[192];
    if (pg_columns_read(connection, &columns, say) != STATUS_OK)
        return pg_schema_failed(connection, doing, why, why_size);
    if (!pg_columns_fit(&columns, fault, sizeof fault)) {
        (void)snprintf(why, why_size, "the database %s: %s", doing, fault);
        return EX_DATAERR;
    }
    for (unsigned i = 0; i < STATEMENTS; i++) {
        struct sql_statement *statement = sql_statement(&connection->session, (enum statement)i);
        if (!statement || pg_prepare_there(pg_statement_of(statement)) != STATUS_OK)
            return pg_schema_failed(connection, doing, why, why_size);
    }
    return EX_OK;
}

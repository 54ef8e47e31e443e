/* Checks that the rows of a database agree with each other, by SQL over the tables that record
 * keeping writes. The engine checks the pages below. */
#include "store/check.h"

#include "store/email_index.h"
#include "store/engine.h"
#include "store/rows.h"
#include "store/text_index.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

void check_say(store_say *say, const char *format, ...) {
    char line[PATH_MAX + 512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    say(line);
}

bool check_has_none(struct store_session *session, const char *sql, const char *what,
                    store_say *say) {
    struct sql_statement *statement = sql_prepare(session, sql);
    enum status status;
    bool none = true;
    while ((status = sql_step(statement)) == STATUS_OK) {
        struct text fault = sql_bytes(statement, 0);
        if (!fault.at)
            fault = TEXT("a row lacks what it is called by");
        check_say(say, "%s: %.*s", what, (int)fault.len, fault.at);
        none = false;
    }
    if (status != STATUS_NOT_FOUND) {
        check_say(say, "%s: %s", what, sql_error(session));
        none = false;
    }
    sql_free(statement);
    return none;
}

/* ---- Fields ---- */

/* Prints each row that the query returns, after the name of the field. */
static bool field_has_none(struct store_session *session, const struct table *table,
                           const struct field *field, struct buffer *sql, store_say *say) {
    char what[128];
    (void)snprintf(what, sizeof what, "%s.%s", table->name, field->name.at);
    buffer_add_char(sql, '\0');
    if (!sql->failed)
        return check_has_none(session, sql->at, what, say);
    check_say(say, "%s: %s", what, "memory is short");
    return false;
}

static void add_reference_sql(struct buffer *sql, const struct table *table,
                              const struct field *field) {
    buffer_add(sql, TEXT("WITH named AS (SELECT t.Id AS owner, "));
    row_add_value(sql, table, field, "t");
    buffer_printf(sql,
                  " AS target FROM %s AS t)"
                  " SELECT 'of ' || owner || ' refers to ' || target || ', which is not there'"
                  " FROM named WHERE target IS NOT NULL AND target NOT IN (SELECT Id FROM %s)"
                  " UNION ALL SELECT 'of ' || owner || ' is not as in the index of links' FROM"
                  " (SELECT owner, target FROM named WHERE target IS NOT NULL EXCEPT"
                  "  SELECT owner, target FROM links WHERE field = '%s.%s')"
                  " UNION ALL SELECT 'of ' || owner || ' is in the index of links only' FROM"
                  " (SELECT owner, target FROM links WHERE field = '%s.%s' EXCEPT"
                  "  SELECT owner, target FROM named)",
                  table->name, field->target->name, table->name, field->name.at, table->name,
                  field->name.at);
}

static void add_links_sql(struct buffer *sql, const struct engine *engine,
                          const struct table *table, const struct field *field) {
    const struct engine_spelling *elements = &engine->dialect->elements;
    buffer_add(sql, TEXT("WITH listed AS (SELECT value AS target, t.Id AS owner FROM "));
    buffer_printf(sql, "%s AS t, %s", table->name, elements->before);
    row_add_value(sql, table, field, "t");
    buffer_printf(
        sql,
        "%s), indexed AS (SELECT target, owner FROM links WHERE field = '%s.%s')"
        " SELECT 'of ' || owner || ' names ' || coalesce('' || target, 'null') || ', which is not "
        "there'"
        " FROM listed WHERE target IS NULL OR target NOT IN (SELECT Id FROM %s)"
        " UNION ALL SELECT 'of ' || owner || ': ' || target || ' is not in the index of links'"
        " FROM (SELECT * FROM listed EXCEPT SELECT * FROM indexed)"
        " UNION ALL SELECT 'of ' || owner || ': ' || target || ' is in the index of links only'"
        " FROM (SELECT * FROM indexed EXCEPT SELECT * FROM listed)",
        elements->after, table->name, field->name.at, field->target->name);
}

/* A column beside the JSON is a copy of a member, for an index: both must be equal. */
static void add_copy_sql(struct buffer *sql, const struct table *table, const struct field *field) {
    buffer_printf(sql,
                  "SELECT 'of ' || Id || ' is not what its Members say' FROM %s"
                  " WHERE %s IS DISTINCT FROM %s_member(Members, %d)",
                  table->name, field->name.at, table->name, (int)(field - table->fields));
}

/* Do the references, lists, index entries and copies of one field agree with the rows? */
static bool field_is_sound(struct store_session *session, const struct table *table,
                           const struct field *field, store_say *say) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 1024);
    if (field->type == TYPE_reference && !(field->flags & READ_ONLY))
        add_reference_sql(&sql, table, field);
    else if (field->type == TYPE_links)
        add_links_sql(&sql, session->engine, table, field);
    else if (table->is_kept_as_json && field_has_column(table, field) &&
             field_is_kept_in_json(field))
        add_copy_sql(&sql, table, field);
    bool sound = !sql.len || field_has_none(session, table, field, &sql, say);
    arena_close(&arena);
    return sound;
}

/* ---- Tables ---- */

/* Is the stored count that of the rows, and the next Id greater than every Id given? */
static bool bookkeeping_is_sound(struct store_session *session, const struct table *table,
                                 store_say *say) {
    struct arena arena = { 0 };
    const char *name = table->name;
    struct text sql = arena_printf(
        &arena,
        "WITH found AS (SELECT count(*) AS rows, coalesce(max(Id), 0) AS last,"
        " (SELECT rows FROM row_counts WHERE kind = '%s') AS counted,"
        " (SELECT next FROM next_ids WHERE kind = '%s') AS next FROM %s)"
        " SELECT coalesce('' || counted, 'no') || ' rows are counted, there are ' || rows"
        " FROM found WHERE counted IS DISTINCT FROM rows"
        " UNION ALL SELECT 'the next Id is ' || coalesce('' || next, 'not known')"
        " || ', the last one was ' || last FROM found WHERE coalesce(next, 0) <= last",
        name, name, name);
    bool sound = sql.at && check_has_none(session, sql.at, name, say);
    if (!sql.at)
        check_say(say, "%s: %s", name, "memory is short");
    arena_close(&arena);
    return sound;
}

bool check_rows(struct store_session *session, store_say *say) {
    char sql[192];
    bool readable = true;
    for (unsigned i = 0; i < TABLES; i++) {
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(sql, sizeof sql,
                       "SELECT 'the row of ' || Id || ' cannot be read' FROM %s"
                       " WHERE %s_reading(Members) = %d",
                       tables[i]->name, tables[i]->name, ROW_UNREADABLE);
        readable &= check_has_none(session, sql, tables[i]->name, say);
    }
    return readable;
}

void check_unknown_members(struct store_session *session, store_say *say) {
    char sql[256];
    for (unsigned i = 0; i < TABLES; i++) {
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(
            sql, sizeof sql,
            "SELECT 'rows with members that this version does not know, which are"
            " kept: ' || count(*) FROM %s WHERE %s_reading(Members) = %d HAVING count(*)",
            tables[i]->name, tables[i]->name, ROW_HAS_UNKNOWN);
        (void)check_has_none(session, sql, tables[i]->name, say); /* prints its own failure */
    }
}

/* ---- The whole database ---- */

/* Queries that return a row for each fault; the first column describes it. */
static const struct {
    const char *what, *sql;
} faults[] = {
    { "database_guid", "SELECT 'has ' || (SELECT count(*) FROM database_guid) || ' rows, not 1'"
                       " WHERE (SELECT count(*) FROM database_guid) <> 1" },
    { "unknown_logins", "SELECT 'has ' || (SELECT count(*) FROM unknown_logins) || ' rows, not 1'"
                        " WHERE (SELECT count(*) FROM unknown_logins) <> 1" },
    { "avatar", "SELECT 'of user ' || user_id || ', who is not there' FROM avatars"
                " WHERE user_id NOT IN (SELECT Id FROM users)" },
    { "token", "SELECT DISTINCT 'of user ' || user_id || ', who is not there' FROM tokens"
               " WHERE user_id NOT IN (SELECT Id FROM users)" },
    { "pending webhook deliveries",
      "SELECT DISTINCT 'to ' || WebHookId || ' of ' || EntityId ||"
      " ': the oldest is not foreseen, or another one is'"
      " FROM web_hook_deliveries AS d WHERE Status = 1 AND (NextAttempt IS NULL) <>"
      " EXISTS (SELECT 1 FROM web_hook_deliveries AS e"
      " WHERE e.WebHookId = d.WebHookId AND e.EntityId = d.EntityId"
      " AND e.Status = 1 AND e.Id < d.Id)" },
    { "webhook payload", "SELECT 'of ' || Id || ' is not there' FROM web_hook_deliveries"
                         " WHERE Payload IS NULL OR Payload NOT IN (SELECT id FROM payloads)"
                         " UNION ALL SELECT id || ' is of no delivery' FROM payloads"
                         " WHERE id NOT IN (SELECT Payload FROM web_hook_deliveries"
                         " WHERE Payload IS NOT NULL)" },
};

static bool rows_agree(struct store_session *session, store_say *say) {
    bool sound = true;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            sound &= field_is_sound(session, tables[i], &tables[i]->fields[j], say);
    for (unsigned i = 0; i < TABLES; i++)
        if (!row_is_derived(tables[i]))
            sound &= bookkeeping_is_sound(session, tables[i], say);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sound &= check_has_none(session, faults[i].sql, faults[i].what, say);
    return sound;
}

static bool indexes_agree(struct store_session *session, store_say *say) {
    bool sound = true;
    char why[128];
    for (unsigned i = 0; i < TABLES; i++) {
        if (email_index_check(session, tables[i], why, sizeof why) != STATUS_OK) {
            check_say(say, "addresses of %s: %s", tables[i]->name, why);
            sound = false;
        }
        for (unsigned j = 0; j < tables[i]->count; j++) {
            const struct text_index index = { session, tables[i], &tables[i]->fields[j] };
            if (index.field->flags & SEARCHED &&
                text_index_check(&index, why, sizeof why) != STATUS_OK) {
                check_say(say, "texts of %s.%s: %s", tables[i]->name, index.field->name.at, why);
                sound = false;
            }
        }
    }
    return sound;
}

bool check_agreement(struct store_session *session, store_say *say) {
    bool sound = rows_agree(session, say);
    sound &= indexes_agree(session, say);
    return sound;
}

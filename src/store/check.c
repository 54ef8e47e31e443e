/* Checks that the rows of a database agree with each other. The engine checks the pages below. */
#include "store/check.h"

#include "store/check_links.h"
#include "store/email_index.h"
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

/* ---- Packed rows ---- */

/* A look at all rows of a table that is stored as JSON, with one of its columns beside Members. */
struct row_look {
    struct store_session *session;
    const struct table *table;
    const struct field *column; /* NULL: the column is the Id once more */
    store_say *say;
    int64_t last, unreadable, unknown, different;
};

static void look_at_row(struct row_look *look, struct sql_statement *row) {
    struct arena arena = { 0 };
    struct record record = record_new(look->table, &arena);
    struct value beside = { 0 };
    look->last = sql_integer(row, 0);
    if (!record.values ||
        row_read_members(look->session, sql_value(row, 1), &arena, &record) != STATUS_OK ||
        !row_read_value(sql_value(row, 2), &arena, &beside)) {
        look->unreadable++;
        check_say(look->say, "%s: the row of %lld cannot be read", look->table->name,
                  (long long)look->last);
    } else if (look->column &&
               !value_equal(&beside, &record.values[look->column - look->table->fields])) {
        look->different++;
        check_say(look->say, "%s.%s: of %lld is not what its Members say", look->table->name,
                  look->column->name.at, (long long)look->last);
    }
    look->unknown += record.unknown.len > 0;
    arena_close(&arena);
}

/* Looks at the next rows, some thousand at a time. NOT_FOUND: they were the last ones. */
static enum status look_on(struct row_look *look, struct sql_statement *row) {
    enum { AT_ONCE = 4000 };
    enum status status;
    int count = 0;
    sql_bind_integer(row, 1, look->last);
    sql_bind_integer(row, 2, AT_ONCE);
    for (; (status = sql_step(row)) == STATUS_OK; count++)
        look_at_row(look, row);
    sql_done(row);
    return status == STATUS_NOT_FOUND && count == AT_ONCE ? STATUS_OK : status;
}

/* True when all rows could be looked at; the counts say what was found. */
static bool look_at_rows(struct row_look *look) {
    struct arena arena = { 0 };
    struct text sql =
        arena_printf(&arena, "SELECT Id, Members, %s FROM %s WHERE Id > ?1 ORDER BY Id LIMIT ?2",
                     look->column ? look->column->name.at : "Id", look->table->name);
    struct sql_statement *row = sql.at ? sql_prepare(look->session, sql.at) : NULL;
    enum status status = row ? STATUS_OK : STATUS_INTERNAL;
    look->last = INT64_MIN;
    while (status == STATUS_OK)
        status = look_on(look, row);
    if (status != STATUS_NOT_FOUND)
        check_say(look->say, "%s: %s", look->table->name, sql_error(look->session));
    sql_free(row);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND;
}

/* A column beside the JSON is a copy of a member, for an index: both must be equal. */
static bool copies_are_equal(struct store_session *session, const struct table *table,
                             const struct field *field, store_say *say) {
    struct row_look look = { .session = session, .table = table, .column = field, .say = say };
    return look_at_rows(&look) && !look.different && !look.unreadable;
}

bool check_rows(struct store_session *session, store_say *say) {
    bool readable = true;
    for (unsigned i = 0; i < TABLES; i++) {
        struct row_look look = { .session = session, .table = tables[i], .say = say };
        if (tables[i]->is_kept_as_json)
            readable &= look_at_rows(&look) && !look.unreadable;
    }
    return readable;
}

void check_unknown_members(struct store_session *session, store_say *say) {
    for (unsigned i = 0; i < TABLES; i++) {
        struct row_look look = { .session = session, .table = tables[i], .say = say };
        if (tables[i]->is_kept_as_json && look_at_rows(&look) && look.unknown)
            check_say(say,
                      "%s: rows with members that this version does not know, which are kept: %lld",
                      tables[i]->name, (long long)look.unknown);
    }
}

/* ---- Fields ---- */

/* Do the references, lists, index entries and copies of one field agree with the rows? */
static bool field_is_sound(struct store_session *session, const struct table *table,
                           const struct field *field, store_say *say) {
    if ((field->type == TYPE_reference && !(field->flags & READ_ONLY)) ||
        field->type == TYPE_links) {
        /* One snapshot of the rows and the index; the engine may be in a transaction already. */
        bool begun = sql_run(session, "SAVEPOINT links") == STATUS_OK;
        bool sound = check_links(session, table, field, say);
        return begun && sql_run(session, "RELEASE links") == STATUS_OK && sound;
    }
    if (table->is_kept_as_json && field_has_column(table, field) && field_is_kept_in_json(field))
        return copies_are_equal(session, table, field, say);
    return true;
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
                " WHERE NOT EXISTS (SELECT 1 FROM users WHERE Id = user_id)" },
    { "token", "SELECT DISTINCT 'of user ' || user_id || ', who is not there' FROM tokens"
               " WHERE NOT EXISTS (SELECT 1 FROM users WHERE Id = user_id)" },
    { "pending webhook deliveries",
      "SELECT DISTINCT 'to ' || WebHookId || ' of ' || EntityId ||"
      " ': the oldest is not foreseen, or another one is'"
      " FROM web_hook_deliveries AS d WHERE Status = 1 AND (NextAttempt IS NULL) <>"
      " EXISTS (SELECT 1 FROM web_hook_deliveries AS e"
      " WHERE e.WebHookId = d.WebHookId AND e.EntityId = d.EntityId"
      " AND e.Status = 1 AND e.Id < d.Id)" },
    { "webhook payload",
      "SELECT 'of ' || d.Id || ' is not there' FROM web_hook_deliveries"
      " AS d WHERE NOT EXISTS (SELECT 1 FROM payloads AS p WHERE p.id = d.Payload)"
      " UNION ALL SELECT p.id || ' is of no delivery' FROM payloads AS p"
      " LEFT JOIN web_hook_deliveries AS d ON d.Payload = p.id"
      " WHERE d.Id IS NULL" },
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

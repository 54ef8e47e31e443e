/* Checking and copying a database from outside. */
#include "store/maintenance.h"

#include "base/buffer.h"
#include "crypto/seal.h"
#include "store/email_index.h"
#include "store/sqlite/text_index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void sayf(store_say *say, const char *format, ...) {
    char line[PATH_MAX + 512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    say(line);
}

/* Resolves the links in the path of a folder, so that none is left to be followed. */
static bool resolve(const char *directory, char resolved[PATH_MAX], store_say *say) {
    if (realpath(directory, resolved))
        return true;
    sayf(say, "%s: %s", directory, strerror(errno));
    return false;
}

/* With errno set, as by those who do not follow one. */
static bool is_link(const char *path) {
    struct stat facts;
    bool is_link = lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode);
    errno = is_link ? ELOOP : errno;
    return is_link;
}

/* Opens the database of a folder; NULL with `*code` when that cannot be. */
static struct store_view *open_existing(const char *directory, store_say *say, int *code) {
    char resolved[PATH_MAX], path[PATH_MAX + 16];
    struct stat facts;
    *code = EX_NOINPUT;
    if (!resolve(directory, resolved, say))
        return NULL;
    (void)snprintf(path, sizeof path, "%s/roster.db", resolved);
    if (access(path, R_OK | W_OK) != 0 || is_link(path)) {
        sayf(say, "%s/roster.db: %s", directory, strerror(errno));
        return NULL;
    }
    struct store_view *view = NULL;
    bool is_empty = stat(path, &facts) == 0 && !facts.st_size; /* opening it would write to it */
    if (!is_empty && !(view = view_open(NULL, path, false))) {
        *code = EX_DATAERR;
        sayf(say, "%s: not a database that can be read", path);
    } else if (is_empty || schema_is_empty(view)) {
        sayf(say, "%s: is empty, or not of Roster; is the right folder mounted?", path);
        store_view_close(view);
        view = NULL;
    }
    return view;
}

/* Says the first column of each row that `sql` gives, after `what`. False when there was one, or
 * the statement failed. */
static bool has_none(struct store_view *view, const char *sql, const char *what, store_say *say) {
    sqlite3_stmt *statement = NULL;
    bool none = true;
    int result = sqlite3_prepare_v2(view->db, sql, -1, &statement, NULL);
    while (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *fault = (const char *)sqlite3_column_text(statement, 0);
        sayf(say, "%s: %s", what, fault ? fault : "a row lacks what it is called by");
        none = false;
        result = SQLITE_OK;
    }
    if (result != SQLITE_DONE) {
        sayf(say, "%s: %s", what, sqlite3_errmsg(view->db));
        none = false;
    }
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return none;
}

static bool is_whole(struct store_view *view, store_say *say) {
    return has_none(view,
                    "SELECT integrity_check FROM pragma_integrity_check"
                    " WHERE integrity_check <> 'ok'",
                    "integrity", say);
}

/* Says each row that the query gives, after the name of the field. */
static bool field_has_none(struct store_view *view, const struct table *table,
                           const struct field *field, struct buffer *sql, store_say *say) {
    char what[128];
    (void)snprintf(what, sizeof what, "%s.%s", table->name, field->name.at);
    buffer_add_char(sql, '\0');
    if (!sql->failed)
        return has_none(view, sql->at, what, say);
    sayf(say, "%s: %s", what, "memory is short");
    return false;
}

static void add_reference_sql(struct buffer *sql, const struct table *table,
                              const struct field *field) {
    buffer_add(sql, TEXT("WITH named AS (SELECT t.Id AS owner, "));
    search_add_value(sql, table, field, "t");
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

static void add_links_sql(struct buffer *sql, const struct table *table,
                          const struct field *field) {
    buffer_add(sql, TEXT("WITH listed AS (SELECT value AS target, t.Id AS owner FROM "));
    buffer_printf(sql, "%s AS t, json_each(", table->name);
    search_add_value(sql, table, field, "t");
    buffer_printf(
        sql,
        ")), indexed AS (SELECT target, owner FROM links WHERE field = '%s.%s')"
        " SELECT 'of ' || owner || ' names ' || ifnull(target, 'null') || ', which is not there'"
        " FROM listed WHERE target IS NULL OR target NOT IN (SELECT Id FROM %s)"
        " UNION ALL SELECT 'of ' || owner || ': ' || target || ' is not in the index of links'"
        " FROM (SELECT * FROM listed EXCEPT SELECT * FROM indexed)"
        " UNION ALL SELECT 'of ' || owner || ': ' || target || ' is in the index of links only'"
        " FROM (SELECT * FROM indexed EXCEPT SELECT * FROM listed)",
        table->name, field->name.at, field->target->name);
}

/* A column beside the JSON is a copy for an index. */
static void add_copy_sql(struct buffer *sql, const struct table *table, const struct field *field) {
    buffer_printf(sql,
                  "SELECT 'of ' || Id || ' is not what its Members say' FROM %s"
                  " WHERE %s IS NOT %s_member(Members, %d)",
                  table->name, field->name.at, table->name, (int)(field - table->fields));
}

/* References, lists, the index of links and copies of one field agree with the rows there are. */
static bool field_is_sound(struct store_view *view, const struct table *table,
                           const struct field *field, store_say *say) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 1024);
    if (field->type == TYPE_reference && !(field->flags & READ_ONLY))
        add_reference_sql(&sql, table, field);
    else if (field->type == TYPE_links)
        add_links_sql(&sql, table, field);
    else if (table->is_kept_as_json && field_has_column(table, field) &&
             field_is_kept_in_json(field))
        add_copy_sql(&sql, table, field);
    bool sound = !sql.len || field_has_none(view, table, field, &sql, say);
    arena_close(&arena);
    return sound;
}

/* Of a table of a resource (what is read through a view is neither counted nor given an Id): its
 * rows are counted, and the next Id was never given. */
static bool bookkeeping_is_sound(struct store_view *view, const char *table, store_say *say) {
    struct arena arena = { 0 };
    struct text sql = arena_printf(
        &arena,
        "WITH found AS (SELECT count(*) AS rows, ifnull(max(Id), 0) AS last,"
        " (SELECT rows FROM row_counts WHERE kind = '%s') AS counted,"
        " (SELECT next FROM next_ids WHERE kind = '%s') AS next FROM %s"
        " HAVING EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '%s'))"
        " SELECT ifnull(counted, 'no') || ' rows are counted, there are ' || rows"
        " FROM found WHERE counted IS NOT rows"
        " UNION ALL SELECT 'the next Id is ' || ifnull(next, 'not known') || ', the last one was '"
        " || last FROM found WHERE ifnull(next, 0) <= last",
        table, table, table, table);
    bool sound = sql.at && has_none(view, sql.at, table, say);
    if (!sql.at)
        sayf(say, "%s: %s", table, "memory is short");
    arena_close(&arena);
    return sound;
}

/* Of tables that are kept as JSON: each row can be read. */
static bool rows_are_readable(struct store_view *view, store_say *say) {
    char sql[192];
    bool readable = true;
    for (unsigned i = 0; i < TABLES; i++) {
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(sql, sizeof sql,
                       "SELECT 'the row of ' || Id || ' cannot be read' FROM %s"
                       " WHERE %s_reading(Members) = %d",
                       tables[i]->name, tables[i]->name, ROW_UNREADABLE);
        readable &= has_none(view, sql, tables[i]->name, say);
    }
    return readable;
}

/* What a version with more fields wrote is no fault; it stays, whatever this one changes. */
static void tell_unknown(struct store_view *view, store_say *say) {
    char sql[256];
    schema_tell_unknown(view, say);
    for (unsigned i = 0; i < TABLES; i++) {
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(
            sql, sizeof sql,
            "SELECT 'rows with members that this version does not know, which are"
            " kept: ' || count(*) FROM %s WHERE %s_reading(Members) = %d HAVING count(*)",
            tables[i]->name, tables[i]->name, ROW_HAS_UNKNOWN);
        (void)has_none(view, sql, tables[i]->name, say); /* it says why when it cannot look */
    }
}

static bool references_are_sound(struct store_view *view, store_say *say) {
    bool sound = true;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            sound &= field_is_sound(view, tables[i], &tables[i]->fields[j], say);
    for (unsigned i = 0; i < TABLES; i++)
        sound &= bookkeeping_is_sound(view, tables[i]->name, say);
    sound &= has_none(view,
                      "SELECT 'has ' || (SELECT count(*) FROM realm) || ' rows, not 1'"
                      " WHERE (SELECT count(*) FROM realm) <> 1",
                      "realm", say);
    sound &= has_none(view,
                      "SELECT 'has ' || (SELECT count(*) FROM strangers) || ' rows, not 1'"
                      " WHERE (SELECT count(*) FROM strangers) <> 1",
                      "strangers", say);
    sound &= has_none(view,
                      "SELECT 'of user ' || user_id || ', who is not there' FROM avatars"
                      " WHERE user_id NOT IN (SELECT Id FROM users)",
                      "avatar", say);
    sound &= has_none(view,
                      "SELECT DISTINCT 'of user ' || user_id || ', who is not there' FROM tokens"
                      " WHERE user_id NOT IN (SELECT Id FROM users)",
                      "token", say);
    sound &= has_none(view,
                      "SELECT DISTINCT 'to ' || WebHookId || ' of ' || EntityId ||"
                      " ': the oldest is not foreseen, or another one is'"
                      " FROM web_hook_deliveries AS d WHERE Status = 1 AND (NextAttempt IS NULL) <>"
                      " EXISTS (SELECT 1 FROM web_hook_deliveries AS e"
                      " WHERE e.WebHookId = d.WebHookId AND e.EntityId = d.EntityId"
                      " AND e.Status = 1 AND e.Id < d.Id)",
                      "pending webhook deliveries", say);
    sound &= has_none(view,
                      "SELECT 'of ' || Id || ' is not there' FROM web_hook_deliveries"
                      " WHERE Payload IS NULL OR Payload NOT IN (SELECT id FROM payloads)"
                      " UNION ALL SELECT id || ' is of no delivery' FROM payloads"
                      " WHERE id NOT IN (SELECT Payload FROM web_hook_deliveries"
                      " WHERE Payload IS NOT NULL)",
                      "webhook payload", say);
    return sound;
}

static bool texts_are_sound(struct store_view *view, store_say *say) {
    bool sound = true;
    char why[128];
    for (unsigned i = 0; i < TABLES; i++) {
        if (addresses_check(view, tables[i], why, sizeof why) != STATUS_OK) {
            sayf(say, "addresses of %s: %s", tables[i]->name, why);
            sound = false;
        }
        for (unsigned j = 0; j < tables[i]->count; j++) {
            const struct texts texts = { view, tables[i], &tables[i]->fields[j] };
            if (texts.field->flags & SEARCHED &&
                texts_check(&texts, why, sizeof why) != STATUS_OK) {
                sayf(say, "texts of %s.%s: %s", tables[i]->name, texts.field->name.at, why);
                sound = false;
            }
        }
    }
    return sound;
}

/* A key that is not there may be kept elsewhere; one that is should be the right one. */
static bool key_fits(struct store_view *view, const char *directory, const char *what,
                     store_say *say) {
    char path[PATH_MAX], why[PATH_MAX + 128];
    int len = snprintf(path, sizeof path, "%s/roster.key", directory);
    if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
        return true;
    struct seal_key *key = seal_key_open(path, false, why, sizeof why);
    if (!key) {
        say(why);
        return false;
    }
    enum status status = seal_mark_judge(view, key);
    seal_key_free(key);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return true;
    sayf(say, status == STATUS_DENIED ? "%s: is not the key of %s" : "%s: cannot be tried on %s",
         path, what);
    return false;
}

static int check_view(struct store_view *view, const char *directory, store_say *say) {
    char why[256];
    int version = schema_compare_version(view);
    bool whole = is_whole(view, say);
    if (version != 0) {
        say(version < 0 ? "an older version made this; rosterd brings it up to date when it starts"
                        : "a newer version made this");
        return whole ? EX_CONFIG : EX_DATAERR;
    }
    if (schema_check(view, why, sizeof why) != STATUS_OK) {
        sayf(say, "schema: %s", why);
        return EX_DATAERR;
    }
    if (!rows_are_readable(view, say))
        return EX_DATAERR; /* all else looks into them */
    tell_unknown(view, say);
    bool sound = references_are_sound(view, say);
    sound &= texts_are_sound(view, say);
    sound &= key_fits(view, directory, "this database", say);
    return sound && whole ? EX_OK : EX_DATAERR;
}

int store_check(const char *directory, store_say *say) {
    int code;
    struct store_view *view = open_existing(directory, say, &code);
    if (view)
        code = check_view(view, directory, say);
    store_view_close(view);
    return code;
}

/* All pages in one step: so they are of one moment, and a writer does not make it begin again. */
static int copy_pages(struct store_view *from, sqlite3 *to, store_say *say) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from->db, "main");
    if (backup)
        (void)sqlite3_backup_step(backup, -1); /* the finish says how it went */
    if (backup && sqlite3_backup_finish(backup) == SQLITE_OK &&
        /* A single file without a log beside it, which is what is moved about. */
        sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_OK)
        return EX_OK;
    sayf(say, "the backup cannot be written: %s", sqlite3_errmsg(to));
    return EX_IOERR;
}

static int copy_to(struct store_view *from, const char *path, store_say *say) {
    struct store_view copy = { 0 };
    int code = EX_IOERR;
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) ==
        SQLITE_OK)
        code = copy_pages(from, copy.db, say);
    else
        sayf(say, "%s: %s", path, sqlite3_errmsg(copy.db));
    if (code == EX_OK && !is_whole(&copy, say))
        code = EX_DATAERR;
    if (sqlite3_close(copy.db) != SQLITE_OK && code == EX_OK) {
        say("the backup cannot be closed");
        code = EX_IOERR;
    }
    return code;
}

static void folder_of(const char *path, char folder[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + 1 : 1;
    (void)snprintf(folder, PATH_MAX, "%.*s", len, slash ? path : ".");
}

/* Makes the file and its name durable. Not over an older file of that name. */
static int place(int file, const char *temporary, const char *path, store_say *say) {
    char folder[PATH_MAX];
    folder_of(path, folder);
    int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool placed =
        opened >= 0 && fsync(file) == 0 && link(temporary, path) == 0 && fsync(opened) == 0;
    if (!placed)
        sayf(say, "%s: %s", path, strerror(errno));
    if (opened >= 0)
        (void)close(opened); /* nothing was written through it */
    return placed ? EX_OK : EX_CANTCREAT;
}

/* What SQLite keeps beside a database. */
static bool remove_companions(const char *database) {
    static const char *const endings[] = { "-wal", "-shm", "-journal" };
    char path[PATH_MAX + 8];
    bool removed = true;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, endings[i]);
        removed &= unlink(path) == 0 || errno == ENOENT;
    }
    return removed;
}

/* The copy has its own name by now, or is of no use; a failed one leaves files beside it. */
static void remove_temporary(const char *temporary) {
    (void)remove_companions(temporary);
    (void)unlink(temporary);
}

/* A pattern for mkostemp of a file in the folder of `path`, with no links in it. */
static bool name_beside(const char *path, char temporary[PATH_MAX], store_say *say) {
    char folder[PATH_MAX], resolved[PATH_MAX];
    folder_of(path, folder);
    if (!resolve(folder, resolved, say))
        return false;
    const char *slash = strrchr(path, '/');
    int len = snprintf(temporary, PATH_MAX, "%s/%s.XXXXXX", resolved, slash ? slash + 1 : path);
    if (len > 0 && len < PATH_MAX)
        return true;
    sayf(say, "%s: the path is too long", path);
    return false;
}

int store_backup(const char *directory, const char *path, store_say *say) {
    char temporary[PATH_MAX];
    int code;
    if (access(path, F_OK) == 0 || is_link(path)) {
        sayf(say, "%s: %s", path, "give the name of a file that is not there yet");
        return EX_CANTCREAT;
    }
    if (!name_beside(path, temporary, say))
        return EX_CANTCREAT;
    struct store_view *view = open_existing(directory, say, &code);
    if (!view)
        return code;
    int file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (file < 0) {
        sayf(say, "%s: %s", path, strerror(errno));
        store_view_close(view);
        return EX_CANTCREAT;
    }
    code = copy_to(view, temporary, say);
    if (code == EX_OK)
        code = place(file, temporary, path, say);
    remove_temporary(temporary);
    (void)close(file);
    store_view_close(view);
    return code;
}

/* A copy of pages that are whole may still be of something else, an empty file for one. That its
 * key is another one than is there is said, but does no harm to a key that is copied afterwards. */
static int check_content(struct store_view *copy, const char *directory, store_say *say) {
    char why[256];
    if (!has_none(copy,
                  "SELECT 'no database of Roster' FROM pragma_user_version WHERE user_version < 1"
                  " OR NOT EXISTS (SELECT 1 FROM pragma_table_info('users'))",
                  "the backup", say))
        return EX_DATAERR;
    int version = schema_compare_version(copy);
    if (version > 0) {
        say("a newer version made the backup");
        return EX_CONFIG;
    }
    if (version < 0)
        return EX_OK;
    if (schema_check(copy, why, sizeof why) != STATUS_OK) {
        sayf(say, "schema: %s", why);
        return EX_DATAERR;
    }
    (void)key_fits(copy, directory, "the backup; copy that key there before the start", say);
    return EX_OK;
}

static int check_copy(const char *path, const char *directory, store_say *say) {
    struct store_view copy = { 0 };
    int code = EX_IOERR;
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) ==
        SQLITE_OK)
        code = check_content(&copy, directory, say);
    else
        sayf(say, "the backup: %s", sqlite3_errmsg(copy.db));
    if (sqlite3_close(copy.db) != SQLITE_OK && code == EX_OK) {
        say("the backup cannot be closed");
        code = EX_IOERR;
    }
    return code;
}

/* The backup itself may lie where nothing can be written, and stays as it is. */
static int copy_backup(const char *path, const char *temporary, store_say *say) {
    struct store_view backup = { 0 };
    int code = EX_NOINPUT;
    if (access(path, R_OK) != 0)
        sayf(say, "%s: %s", path, strerror(errno));
    else if (sqlite3_open_v2(path, &backup.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        sayf(say, "%s: %s", path, sqlite3_errmsg(backup.db));
    else if (sqlite3_exec(backup.db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) !=
             SQLITE_OK) {
        sayf(say, "%s: %s", path, sqlite3_errmsg(backup.db));
        code = EX_DATAERR;
    } else
        code = copy_to(&backup, temporary, say);
    (void)sqlite3_close(backup.db); /* it was only read */
    return code;
}

/* A log belongs to the database that is there: left behind, it would be applied to the next one;
 * taken away, that one would lack what is in it. So it goes into the database first. What is no
 * database any more has nothing to lose. */
static int fold_log(const char *database, store_say *say) {
    sqlite3 *db = NULL;
    struct stat facts;
    if (lstat(database, &facts) != 0)
        return EX_OK;
    int result = sqlite3_open_v2(database, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    int closed = sqlite3_close(db);
    if (result == SQLITE_OK)
        result = closed;
    if (result == SQLITE_OK || result == SQLITE_NOTADB || result == SQLITE_CORRUPT)
        return EX_OK;
    sayf(say, "%s: %s; nothing is changed", database, sqlite3_errstr(result));
    return result == SQLITE_BUSY ? EX_TEMPFAIL : EX_IOERR;
}

/* The names beside it are gone for good before the database's own name changes. */
static int replace(int directory, int file, const char *temporary, const char *database,
                   store_say *say) {
    if (fsync(file) == 0 && remove_companions(database) && fsync(directory) == 0 &&
        rename(temporary, database) == 0 && fsync(directory) == 0)
        return EX_OK;
    sayf(say, "%s: %s", database, strerror(errno));
    return EX_IOERR;
}

static void miss_key(const char *directory, store_say *say) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/roster.key", directory);
    if (access(path, F_OK) != 0)
        sayf(say, "%s: is not there; copy the key of the backup to it before the start", path);
}

/* Root may restore for the user who serves; the file has to be that user's, as the folder is. The
 * last thing that is done to it: until then nobody else can open it. */
static bool give_to_owner(int file, int directory) {
    struct stat facts;
    return geteuid() != 0 ||
           (fstat(directory, &facts) == 0 && fchown(file, facts.st_uid, facts.st_gid) == 0);
}

static int restore_into(int folder, const char *directory, const char *path, store_say *say) {
    char database[PATH_MAX], temporary[PATH_MAX + 8];
    int len = snprintf(database, sizeof database, "%s/roster.db", directory);
    if (len < 0 || (size_t)len >= sizeof database) {
        say("the path of the data folder is too long");
        return EX_USAGE;
    }
    (void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", database);
    int file = is_link(database) ? -1 : mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    int code = EX_CANTCREAT;
    if (file < 0) {
        sayf(say, "%s: %s", database, strerror(errno));
        return code;
    }
    code = copy_backup(path, temporary, say);
    if (code == EX_OK)
        code = check_copy(temporary, directory, say);
    if (code == EX_OK)
        code = fold_log(database, say);
    if (code == EX_OK && !give_to_owner(file, folder)) {
        sayf(say, "%s: %s", database, strerror(errno));
        code = EX_CANTCREAT;
    }
    if (code == EX_OK)
        code = replace(folder, file, temporary, database, say);
    remove_temporary(temporary);
    (void)close(file);
    return code;
}

/* A folder that root makes is for whoever has the one around it. */
static bool make_folder(const char *directory, store_say *say) {
    char around[PATH_MAX + 4];
    struct stat facts;
    if (mkdir(directory, 0700) != 0)
        return true; /* it is there, or the lock says why not */
    (void)snprintf(around, sizeof around, "%s/..", directory);
    if (geteuid() != 0 ||
        (stat(around, &facts) == 0 && lchown(directory, facts.st_uid, facts.st_gid) == 0))
        return true;
    sayf(say, "%s: %s", directory, strerror(errno));
    return false;
}

int store_restore(const char *directory, const char *path, store_say *say) {
    char why[PATH_MAX + 128], resolved[PATH_MAX];
    int opened = -1;
    if (!make_folder(directory, say))
        return EX_CANTCREAT;
    int code = directory_lock(directory, &opened, why, sizeof why);
    if (code != EX_OK)
        say(why);
    else
        code = resolve(directory, resolved, say) ? restore_into(opened, resolved, path, say)
                                                 : EX_CANTCREAT;
    if (code == EX_OK)
        miss_key(directory, say);
    if (opened >= 0)
        (void)close(opened); /* also unlocks */
    return code;
}

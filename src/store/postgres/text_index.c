/* The text index: a narrow table, users_texts, which has the folded texts of each record. A search
 * scans it by strpos: an index over parts of texts (pg_trgm) is an extension, which many servers do
 * not have. */
#include "store/postgres/text_index.h"

#include "base/buffer.h"
#include "rules/fold.h"
#include "store/scan.h"

#include <stdio.h>

/* The most Ids that a search returns. If more records match, a page after the first ones is found
 * by walking along an index instead, where matches are then frequent. */
enum { MATCHES_KEPT = 100000 };

enum text_statement {
    TEXTS_SET,
    TEXTS_CLEAR,
    TEXTS_DROP,
    TEXTS_FIND,
    TEXTS_EQUAL,
    TEXTS_COUNT,
    TEXTS_ALL
};

/* `#` stands for the table, `@` for the column. */
static const char *const texts_sql[] = {
    [TEXTS_SET] = "INSERT INTO #_texts (owner, @) VALUES (?1, ?2)"
                  " ON CONFLICT (owner) DO UPDATE SET @ = excluded.@",
    [TEXTS_CLEAR] = "UPDATE #_texts SET @ = NULL WHERE owner = ?1",
    [TEXTS_DROP] = "DELETE FROM #_texts AS t WHERE owner = ?1 AND @ IS NULL"
                   " AND NOT EXISTS (SELECT 1 FROM # WHERE Id = ?1)",
    [TEXTS_FIND] = "SELECT owner, @ = ?1 FROM #_texts WHERE strpos(@, ?1) > 0"
                   " ORDER BY owner LIMIT ?2",
    [TEXTS_EQUAL] = "SELECT owner FROM #_texts WHERE @ = ?1 ORDER BY owner LIMIT ?2",
    [TEXTS_COUNT] = "SELECT count(*) FROM #_texts WHERE strpos(@, ?1) > 0",
    [TEXTS_ALL] = "SELECT owner, @ FROM #_texts WHERE owner > ?1 AND @ IS NOT NULL"
                  " ORDER BY owner LIMIT ?2",
};

static struct sql_statement *statement_of(const struct text_index *index,
                                          enum text_statement which) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct sql_statement *statement = NULL;
    buffer_init(&sql, &arena, 320);
    for (const char *at = texts_sql[which]; *at; at++)
        if (*at == '#')
            buffer_add(&sql, text_of(index->table->name));
        else if (*at == '@')
            buffer_add(&sql, index->field->name);
        else
            buffer_add_char(&sql, *at);
    buffer_add_char(&sql, '\0');
    if (!sql.failed)
        statement = sql_text_statement(index->session, sql.at);
    arena_close(&arena);
    return statement;
}

static enum status run_with_id(const struct text_index *index, enum text_statement which,
                               int64_t id) {
    struct sql_statement *statement = statement_of(index, which);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    return sql_execute(statement);
}

static enum status set(const struct text_index *index, int64_t id, struct text text) {
    if (!text.at) { /* the row goes with the last text of a record that is gone */
        enum status status = run_with_id(index, TEXTS_CLEAR, id);
        return status == STATUS_OK ? run_with_id(index, TEXTS_DROP, id) : status;
    }
    struct sql_statement *statement = statement_of(index, TEXTS_SET);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    sql_bind_text(statement, 2, text);
    return sql_execute(statement);
}

static enum status set_all(const struct text_index *index, const struct sql_value *texts,
                           size_t count) {
    return sql_execute_rows(statement_of(index, TEXTS_SET), texts, 2, count);
}

/* ---- Searching ---- */

static bool keep(struct arena *arena, int64_t **ids, size_t *count, int64_t id) {
    size_t room = *count && (*count & (*count - 1)) == 0 ? *count : 0;
    if (*count == 0 || room) {
        int64_t *more =
            arena_grow(arena, *ids, *count * sizeof id, (*count ? *count * 2 : 1) * sizeof id);
        if (!more)
            return false;
        *ids = more;
    }
    (*ids)[(*count)++] = id;
    return true;
}

static struct sql_statement *limited(const struct text_index *index, enum text_statement which,
                                     struct text needle) {
    struct sql_statement *statement = statement_of(index, which);
    if (statement) {
        sql_bind_text(statement, 1, needle);
        sql_bind_integer(statement, 2, MATCHES_KEPT + 1);
    }
    return statement;
}

static enum status find(const struct text_index *index, struct text needle, struct arena *arena,
                        struct text_matches *matches) {
    struct sql_statement *statement = limited(index, TEXTS_FIND, needle);
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK) {
        int64_t id = sql_integer(statement, 0);
        if (matches->total++ == MATCHES_KEPT)
            continue;
        if (!keep(arena, &matches->ids, &matches->count, id) ||
            (sql_integer(statement, 1) &&
             !keep(arena, &matches->exact, &matches->exact_count, id))) {
            status = STATUS_INTERNAL;
            break;
        }
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* There are more matches than are kept: counts them, and finds the exact ones among all of them. */
static enum status find_beyond(const struct text_index *index, struct text needle,
                               struct arena *arena, struct text_matches *matches) {
    struct sql_statement *count = statement_of(index, TEXTS_COUNT);
    enum status status = STATUS_INTERNAL;
    if (count) {
        sql_bind_text(count, 1, needle);
        status = sql_step(count);
    }
    if (status == STATUS_OK)
        matches->total = sql_integer(count, 0);
    sql_done(count);
    if (status != STATUS_OK)
        return status;
    struct sql_statement *equal = limited(index, TEXTS_EQUAL, needle);
    matches->exact_count = 0;
    matches->exact = NULL;
    while ((status = sql_step(equal)) == STATUS_OK) {
        matches->exact_is_cut = matches->exact_count == MATCHES_KEPT;
        if (!matches->exact_is_cut &&
            !keep(arena, &matches->exact, &matches->exact_count, sql_integer(equal, 0))) {
            status = STATUS_INTERNAL;
            break;
        }
    }
    sql_done(equal);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status search(const struct text_index *index, struct text needle, struct arena *arena,
                          struct text_matches *matches) {
    *matches = (struct text_matches){ 0 };
    enum status status = find(index, needle, arena, matches);
    if (status == STATUS_OK && matches->total > MATCHES_KEPT)
        status = find_beyond(index, needle, arena, matches);
    return status;
}

/* ---- Checking ---- */

/* The texts and the rows are read side by side, both in the order of the rows' Ids. */
struct texts_check {
    const struct text_index *index;
    struct sql_statement *text; /* at the next text, or not running */
    enum status at;             /* OK: it is at a text; NOT_FOUND: there are no more */
    int64_t last;               /* the owner of the last text, */
    unsigned count;             /* which the running statement returned as this one */
    int64_t differs;            /* the first record whose text is another one; 0: none */
};

static enum status next_text(struct texts_check *check) {
    check->at = check->text ? sql_step(check->text) : STATUS_NOT_FOUND;
    if (check->at == STATUS_NOT_FOUND && check->count == SCAN_AT_ONCE) {
        sql_done(check->text);
        check->text = statement_of(check->index, TEXTS_ALL);
        if (!check->text)
            return check->at = STATUS_INTERNAL;
        sql_bind_integer(check->text, 1, check->last);
        sql_bind_integer(check->text, 2, SCAN_AT_ONCE);
        check->count = 0;
        check->at = sql_step(check->text);
    }
    if (check->at == STATUS_OK) {
        check->last = sql_integer(check->text, 0);
        check->count++;
    }
    return check->at;
}

/* Has the record the text that the check is at, or none if the check is at another one's? */
static bool is_found(const struct texts_check *check, int64_t id, struct text folded) {
    bool is_there = check->at == STATUS_OK && check->last == id;
    return is_there ? folded.at && text_equal(sql_bytes(check->text, 1), folded) : !folded.at;
}

static enum status compare_record(void *argument, int64_t id, const struct value *value) {
    struct texts_check *check = argument;
    struct arena arena = { 0 };
    struct text stored = value_as_text(value);
    struct text folded = stored.at ? fold(stored, &arena) : stored;
    bool failed = arena.failed;
    bool is_surplus = check->at == STATUS_OK && check->last < id;
    bool is_equal = !is_surplus && is_found(check, id, folded);
    arena_close(&arena);
    if (failed || check->at == STATUS_INTERNAL)
        return STATUS_INTERNAL;
    if (!is_equal) {
        check->differs = is_surplus ? check->last : id;
        return STATUS_PRECONDITION_FAILED;
    }
    if (check->at == STATUS_OK && check->last == id)
        (void)next_text(check); /* the next record sees that it failed */
    return STATUS_OK;
}

static enum status check(const struct text_index *index, char *why, size_t why_size) {
    struct texts_check check = { .index = index, .last = INT64_MIN, .count = SCAN_AT_ONCE };
    const struct scanned scanned = { index->session, index->table, index->field };
    (void)snprintf(why, why_size, "they cannot be read");
    enum status status = next_text(&check) == STATUS_INTERNAL
                             ? STATUS_INTERNAL
                             : scan_each(&scanned, compare_record, &check);
    if (check.at == STATUS_INTERNAL)
        status = STATUS_INTERNAL;
    if (status == STATUS_OK && check.at == STATUS_OK) {
        check.differs = check.last;
        status = STATUS_PRECONDITION_FAILED;
    }
    if (status == STATUS_PRECONDITION_FAILED)
        (void)snprintf(why, why_size, "%lld is not found by what it has", (long long)check.differs);
    sql_done(check.text);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

const struct engine_text_index pg_text_index = {
    .set = set, .set_all = set_all, .search = search, .check = check
};

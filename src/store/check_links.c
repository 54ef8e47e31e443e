/* Checks a link or reference field. The rows and the index of links are read side by side, both in
 * the order of the rows' Ids. */
#include "store/check_links.h"

#include "model/record.h"
#include "store/scan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct links_check {
    struct scanned scanned;
    store_say *say;
    bool sound;
    struct value there;         /* the Ids of the rows of the target table, ascending */
    struct sql_statement *link; /* at the next entry of the index */
    enum status at;             /* OK: it is at an entry; NOT_FOUND: there are no more */
};

static bool is_list(const struct links_check *check) {
    return check->scanned.field->type == TYPE_links;
}

/* Prints a fault of a row, after the name of the field. */
__attribute__((format(printf, 2, 3))) static void fault(struct links_check *check,
                                                        const char *format, ...) {
    char line[256];
    va_list arguments;
    int len = snprintf(line, sizeof line, "%s.%s: ", check->scanned.table->name,
                       check->scanned.field->name.at);
    assert(len > 0 && (size_t)len < sizeof line);
    va_start(arguments, format);
    (void)vsnprintf(line + len, sizeof line - (size_t)len, format, arguments);
    va_end(arguments);
    check->say(line);
    check->sound = false;
}

/* ---- Faults ---- */

static void miss_target(struct links_check *check, int64_t owner, int64_t target) {
    if (!ids_sorted_have(&check->there, target))
        fault(check, "of %lld %s %lld, which is not there", (long long)owner,
              is_list(check) ? "names" : "refers to", (long long)target);
}

static void miss_entry(struct links_check *check, int64_t owner, int64_t target) {
    if (is_list(check))
        fault(check, "of %lld: %lld is not in the index of links", (long long)owner,
              (long long)target);
    else
        fault(check, "of %lld is not as in the index of links", (long long)owner);
}

static void tell_surplus(struct links_check *check, int64_t owner, int64_t target) {
    if (is_list(check))
        fault(check, "of %lld: %lld is in the index of links only", (long long)owner,
              (long long)target);
    else
        fault(check, "of %lld is in the index of links only", (long long)owner);
}

/* ---- The index ---- */

/* Is the next entry of the index one that comes before the target of the owner? */
static bool comes_before(const struct links_check *check, int64_t owner, int64_t target) {
    if (check->at != STATUS_OK)
        return false;
    const int64_t its_owner = sql_integer(check->link, 0);
    return its_owner < owner || (its_owner == owner && sql_integer(check->link, 1) < target);
}

/* Reads on in the index up to an entry of this owner and target, or where it would be. Entries on
 * the way are surplus. */
static bool find_entry(struct links_check *check, int64_t owner, int64_t target) {
    for (; comes_before(check, owner, target); check->at = sql_step(check->link))
        tell_surplus(check, sql_integer(check->link, 0), sql_integer(check->link, 1));
    bool found = check->at == STATUS_OK && sql_integer(check->link, 0) == owner &&
                 sql_integer(check->link, 1) == target;
    if (found)
        check->at = sql_step(check->link);
    return found;
}

/* ---- Rows ---- */

static size_t count_elements(struct text list) {
    size_t count = list.len > 2;
    for (size_t i = 0; i < list.len; i++)
        count += list.at[i] == ',';
    return count;
}

/* The Ids that the row names, ascending. */
static struct value named_ids(struct links_check *check, int64_t owner, const struct value *stored,
                              struct arena *arena) {
    if (!is_list(check))
        return value_ids(&stored->integer, stored->kind == VALUE_INTEGER);
    struct value ids = ids_from_stored(stored, arena);
    if (ids.ids && ids.len < count_elements(value_as_text(stored)))
        fault(check, "of %lld names null, which is not there", (long long)owner);
    return ids.ids ? ids_sorted(&ids, arena) : ids;
}

static enum status check_row(void *argument, int64_t owner, const struct value *stored) {
    struct links_check *check = argument;
    struct arena arena = { 0 };
    const struct value named = named_ids(check, owner, stored, &arena);
    for (uint32_t i = 0; named.ids && i < named.len; i++) {
        miss_target(check, owner, named.ids[i]);
        if (!find_entry(check, owner, named.ids[i]))
            miss_entry(check, owner, named.ids[i]);
    }
    arena_close(&arena);
    if (!named.ids || check->at == STATUS_INTERNAL)
        return STATUS_INTERNAL;
    return STATUS_OK;
}

/* ---- The whole field ---- */

/* Reads the Ids of all rows of the target table. */
static enum status read_targets(struct links_check *check, struct arena *arena) {
    struct buffer ids;
    enum status status;
    struct text sql =
        arena_printf(arena, "SELECT Id FROM %s ORDER BY Id", check->scanned.field->target->name);
    struct sql_statement *row = sql.at ? sql_prepare_many(check->scanned.session, sql.at) : NULL;
    buffer_init(&ids, arena, 64);
    while ((status = sql_step(row)) == STATUS_OK) {
        int64_t id = sql_integer(row, 0);
        buffer_add(&ids, (struct text){ (const char *)&id, sizeof id });
    }
    sql_free(row);
    check->there = value_ids((const int64_t *)(const void *)ids.at, ids.len / sizeof(int64_t));
    return status == STATUS_NOT_FOUND && !ids.failed ? STATUS_OK : STATUS_INTERNAL;
}

static enum status compare(struct links_check *check, struct arena *arena) {
    const struct scanned *scanned = &check->scanned;
    enum status status = read_targets(check, arena);
    struct text sql = arena_printf(
        arena, "SELECT owner, target FROM links WHERE field = '%s.%s' ORDER BY owner, target",
        scanned->table->name, scanned->field->name.at);
    check->link = sql.at ? sql_prepare_many(scanned->session, sql.at) : NULL;
    check->at = sql_step(check->link);
    if (status == STATUS_OK && check->at != STATUS_INTERNAL)
        status = scan_each(scanned, check_row, check);
    for (; check->at == STATUS_OK; check->at = sql_step(check->link))
        tell_surplus(check, sql_integer(check->link, 0), sql_integer(check->link, 1));
    sql_free(check->link);
    return check->at == STATUS_NOT_FOUND ? status : STATUS_INTERNAL;
}

bool check_links(struct store_session *session, const struct table *table,
                 const struct field *field, store_say *say) {
    struct arena arena = { 0 };
    struct links_check check = { .scanned = { session, table, field }, .say = say, .sound = true };
    if (compare(&check, &arena) != STATUS_OK)
        fault(&check, "it cannot be read: %s", sql_error(session));
    arena_close(&arena);
    return check.sound;
}

#include "store/postgres/prefetch.h"

#include "base/container_of.h"
#include "store/postgres/prefetched.h"
#include "store/postgres/reading.h"
#include "store/postgres/statement.h"
#include "store/rows.h"

/* The columns of the statement that is anticipated, and the Id. */
static struct sql_statement *statement_for(struct connection *connection,
                                           const struct table *table) {
    struct sql_statement **slot = &connection->prefetch.statements[table->number];
    struct arena arena = { 0 };
    struct buffer sql;
    if (*slot) {
        sql_again(*slot);
        return *slot;
    }
    buffer_init(&sql, &arena, 4096);
    buffer_add(&sql, TEXT("SELECT "));
    if (pg_prefetch_kind(connection) == TABLE_LOAD)
        row_add_columns(&sql, connection->session.engine, table);
    else
        row_add_members_columns(&sql, connection->session.engine);
    buffer_printf(&sql, ", Id FROM %s WHERE Id = ANY (?1)", table->name);
    buffer_add_char(&sql, '\0');
    if (!sql.failed)
        *slot = sql_prepare(&connection->session, sql.at);
    arena_close(&arena);
    return *slot;
}

static const struct store_target *target_of(struct queue_item *item) {
    return &container_of(item, struct store_command, item)->target;
}

/* Lists the targets in the table of the first one as a JSON array. Returns how many they are. */
static unsigned list_targets(struct queue_item *first, struct queue_item *end,
                             const struct table *table, struct buffer *ids) {
    unsigned count = 0;
    buffer_add_char(ids, '[');
    for (; first && first != end && count < PG_PREFETCH_MAX; first = first->next)
        if (target_of(first)->table == table)
            buffer_printf(ids, "%s%lld", count++ ? "," : "", (long long)target_of(first)->id);
    buffer_add_char(ids, ']');
    return ids->failed ? 0 : count;
}

static const struct table *table_of(struct queue_item *first, struct queue_item *end) {
    while (first && first != end && !target_of(first)->table)
        first = first->next;
    return first && first != end ? target_of(first)->table : NULL;
}

void pg_prefetch_send(struct connection *connection, struct queue_item *first,
                      struct queue_item *end) {
    struct pg_prefetch *prefetch = &connection->prefetch;
    const struct table *table = table_of(first, end);
    struct arena arena = { 0 };
    struct buffer ids;
    pg_prefetch_forget(connection);
    if (!table || !table->is_kept_as_json || pg_ensure_connected(connection) != STATUS_OK)
        return;
    buffer_init(&ids, &arena, 4096);
    unsigned count = list_targets(first, end, table, &ids);
    struct sql_statement *statement = count ? statement_for(connection, table) : NULL;
    if (statement) {
        sql_bind_list(statement, 1, buffer_text(&ids));
        if (pg_send_only(statement) == STATUS_OK) {
            prefetch->sent = statement;
            prefetch->table = table;
        }
    }
    arena_close(&arena);
}

void pg_prefetch_free(struct connection *connection) {
    pg_prefetch_forget(connection);
    for (unsigned i = 0; i < TABLES; i++)
        sql_free(connection->prefetch.statements[i]);
}

#include "store/postgres/plain.h"

#include "base/container_of.h"
#include "store/authority.h"
#include "store/postgres/column_arrays.h"

/* While there are webhooks, an update also writes deliveries. */
bool pg_may_be_plain(const struct pg_store *store, const struct store_command *command) {
    return command->target.table && command->target.table->is_kept_as_json &&
           !atomic_load_explicit(&store->has_webhooks, memory_order_relaxed);
}

static bool is_wide(const struct connection *connection) {
    const struct store_session *session = &connection->session;
    return connection->is_too_wide || session->access_changed || session->outbox_changed ||
           session->erased;
}

/* Runs a command, and leaves nothing of it if it is not plain. */
static bool run(struct connection *connection, struct store_command *command) {
    struct store_tx tx = { &connection->session };
    struct pg_column_mark audit_rows, updates;
    pg_column_arrays_mark(&connection->audit_rows, &audit_rows);
    pg_column_arrays_mark(&connection->update_rows.arrays, &updates);
    connection->is_plain = true;
    connection->is_too_wide = false;
    command->status = authority_run(&tx, command);
    connection->is_plain = false;
    if (command->status != STATUS_INTERNAL && !is_wide(connection))
        return true;
    pg_column_arrays_cut(&connection->audit_rows, &audit_rows);
    pg_column_arrays_cut(&connection->update_rows.arrays, &updates);
    connection->session.access_changed = connection->session.outbox_changed =
        connection->session.erased = false;
    command->status = STATUS_PENDING;
    return false;
}

unsigned pg_run_plain(const struct pg_group *group) {
    unsigned count = 0;
    for (struct queue_item *item = group->first; item != group->end; item = item->next)
        count += run(group->writer->connection, container_of(item, struct store_command, item));
    return count;
}

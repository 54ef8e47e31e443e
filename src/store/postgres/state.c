#include "store/postgres/state.h"

#include "base/log.h"

#include <assert.h>

void pg_raise(atomic_uint_fast64_t *number, uint64_t to) {
    uint64_t now = atomic_load_explicit(number, memory_order_acquire);
    while (now < to && !atomic_compare_exchange_weak_explicit(
                           number, &now, to, memory_order_acq_rel, memory_order_acquire))
        ;
}

void pg_note_oldest(struct pg_store *store, int64_t oldest) {
    bool is_outdated = oldest > store->schema_version;
    if (atomic_exchange(&store->is_outdated, is_outdated) != is_outdated && is_outdated)
        log_error(
            "database: a newer version of Roster has changed the schema, and this one takes no"
            " more changes");
}

void pg_pass_on(struct pg_writer *writer) {
    if (!writer->is_forming)
        return;
    writer->is_forming = false;
    int failed = pthread_mutex_unlock(&writer->store->forming);
    assert(!failed);
    (void)failed;
}

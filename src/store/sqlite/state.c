/* The state of an open store, for any thread. */
#include "store/sqlite/state.h"

#include "base/log.h"

uint64_t store_access_epoch(const struct store *store) {
    return atomic_load_explicit(&store->access_epoch, memory_order_acquire);
}

bool store_access_changes(const struct store_session *session) {
    return session->access_changed;
}

bool store_access_stands(const struct store_session *session, uint64_t epoch) {
    return epoch == store_access_epoch(session->store) && !session->access_changed;
}

uint64_t store_commits(const struct store *store) {
    return atomic_load_explicit(&store->commits, memory_order_acquire);
}

uint64_t store_outbox_changes(const struct store *store) {
    return atomic_load_explicit(&store->outbox_changes, memory_order_acquire);
}

bool store_is_broken(const struct store *store) {
    return atomic_load(&store->is_broken);
}

void store_end_reading(struct store *store) {
    atomic_store(&store->is_closing, true);
}

/* After a failed sync the kernel may have dropped the pages, so no later success can be trusted. */
bool state_note_sync_failure(struct store *store, int code) {
    if (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)
        return false;
    atomic_store(&store->is_broken, true);
    log_error("database: the disk refused to sync; no more changes are taken until a restart");
    return true;
}

/* The state of an open store, for any thread. */
#include "store/sqlite/state.h"

#include "base/log.h"

uint64_t state_access_epoch(const struct store *store) {
    return atomic_load_explicit(&state_of(store)->access_epoch, memory_order_acquire);
}

uint64_t state_session_epoch(const struct store_session *session) {
    return state_access_epoch(session->store);
}

uint64_t state_count_commits(const struct store *store) {
    return state_commits(state_of(store));
}

uint64_t state_outbox_changes(const struct store *store) {
    return atomic_load_explicit(&state_of(store)->outbox_changes, memory_order_acquire);
}

bool state_is_broken(const struct store *store) {
    return atomic_load(&state_of(store)->is_broken);
}

void state_end_reading(struct store *store) {
    atomic_store(&state_of(store)->is_closing, true);
}

/* After a failed sync the kernel may have dropped the pages, so no later success can be trusted. */
bool state_note_sync_failure(struct sqlite_store *store, int code) {
    if (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)
        return false;
    atomic_store(&store->is_broken, true);
    log_error("database: the disk refused to sync; no more changes are taken until a restart");
    return true;
}

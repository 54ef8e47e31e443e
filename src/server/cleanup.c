/* Deletes what has expired, in batches. */
#include "server/cleanup.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "service/idempotency.h"

/* Of each kind of row. All other writes wait for the transaction, so it must be short. */
enum { BATCH_ROWS = 1000 };

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

struct cleaning {
    struct store_command command;
    const struct settings *settings;
    bool has_more;
};

static enum status delete_batch(struct store_tx *tx, struct store_command *command) {
    struct cleaning *cleaning = container_of(command, struct cleaning, command);
    int64_t now_ms = time_now_ms(), audit_days = cleaning->settings->audit_days;
    const struct expired expired = {
        .tokens_ms = now_ms,
        .deliveries_ms = now_ms - cleaning->settings->webhook_log_days * DAY_MS,
        .idempotency_ms = now_ms - IDEMPOTENCY_WINDOW_MS,
        .audit_ms = audit_days ? now_ms - audit_days * DAY_MS : INT64_MIN,
        .now_ms = now_ms,
    };
    return store_purge_expired(tx, &expired, BATCH_ROWS, &cleaning->has_more);
}

bool cleanup_run(struct store *store, const struct settings *settings) {
    struct cleaning cleaning = { .command = { .on_behalf_of = &store_nobody, .run = delete_batch },
                                 .settings = settings };
    if (store_run(store, &cleaning.command) == STATUS_OK)
        return cleaning.has_more;
    log_warning("expired rows could not be deleted");
    return false;
}

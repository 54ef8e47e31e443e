/* Runs commands only while the callers on whose behalf they run are authorized. */
#include "store/authority.h"

static enum status confirm_nobody(struct store_session *session, struct authority *authority) {
    (void)session;
    (void)authority;
    return STATUS_OK;
}

struct authority store_nobody = { confirm_nobody };

enum status authority_run(struct store_tx *tx, struct store_command *command) {
    struct authority *authority = command->on_behalf_of;
    enum status status = authority->confirm(tx->session, authority);
    return status == STATUS_OK ? command->run(tx, command) : status;
}

/* The caller is asked about again afterwards: a right that ended meanwhile may have ended before
 * what was read was written. */
enum status authority_read(struct store_session *session, struct store_command *command) {
    struct authority *authority = command->on_behalf_of;
    enum status status = authority->confirm(session, authority);
    if (status != STATUS_OK)
        return status;
    const enum status found = command->read(session, command);
    status = authority->confirm(session, authority);
    return status == STATUS_OK ? found : status;
}

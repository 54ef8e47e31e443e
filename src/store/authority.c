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

enum status authority_read(struct store_session *session, struct store_command *command) {
    struct authority *authority = command->on_behalf_of;
    enum status status = authority->confirm(session, authority);
    return status == STATUS_OK ? command->read(session, command) : status;
}

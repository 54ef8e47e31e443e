/* On whose behalf commands run. */
#include "store/authority.h"

static enum status confirm_nobody(struct store_view *session, struct authority *authority) {
    (void)session;
    (void)authority;
    return STATUS_OK;
}

struct authority store_nobody = { confirm_nobody };

enum status authority_run(struct store_view *session, struct store_command *command) {
    enum status status = command->on_behalf_of->confirm(session, command->on_behalf_of);
    return status == STATUS_OK ? command->run(session, command) : status;
}

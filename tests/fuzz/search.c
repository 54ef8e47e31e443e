/* The query string of a search, up to the conditions that the store gets. The first byte says of
 * which resource, and whether unknown names are let pass. */
#include "exchange.h"

#include "api/api.h"
#include "api/handlers.h"
#include "api/page_cursor.h"
#include "base/status.h"
#include "crypto/secret.h"
#include "model/tables.h"
#include "service/resources.h"
#include "store/store.h"

enum { ROWS_MAX = 1000 };

static bool is_reached;

/* In place of the store's (ld --wrap): what would be searched for. */
enum status __wrap_store_search_quickly(struct store_session *session, const struct search *search,
                                        struct search_result *found);
enum status __wrap_store_search_quickly(struct store_session *session, const struct search *search,
                                        struct search_result *found) {
    (void)session;
    is_reached = true;
    require(search->limit >= 1 && search->limit <= ROWS_MAX && search->skip >= 0 &&
            search->order < search->table->count);
    for (const struct filter *filter = search->filters; filter; filter = filter->next) {
        require(filter->field < filter->table->count && filter->match <= MATCH_nothing);
        require(filter->match != MATCH_contains || filter->value.kind == VALUE_TEXT);
        for (uint32_t i = 0; filter->value.kind == VALUE_IDS && i < filter->value.len; i++)
            require(filter->value.ids[i] >= 0);
    }
    buffer_add(found->json, TEXT("{}"));
    found->total = found->count = 1;
    found->has_more = search->skip == 0;
    found->last_id = 1;
    return STATUS_OK;
}

/* There is no store to be asked. */
enum status __wrap_store_ask(struct store_session *session, struct store_command *command);
enum status __wrap_store_ask(struct store_session *session, struct store_command *command) {
    return command->read(session, command);
}

static const struct route *search_route(unsigned which) {
    unsigned i = 0;
    while (routes[i].handler != resource_search || which-- > 0)
        i++;
    return &routes[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct app app;
    struct arena arena = { 0 };
    if (!app.page_cursors) {
        require(crypto_start() && api_start(&app));
        app.page_cursors = page_cursors_new();
    }
    if (!size)
        return 0;
    struct fake fake = { .exchange = { .arena = &arena, .app = &app, .method = METHOD_GET },
                         .query = { (const char *)bytes + 1, size - 1 } };
    if (bytes[0] & 1)
        fake.headers = TEXT("Prefer: handling=strict");
    struct worker worker = { 0 };
    struct request request = { .app = &app,
                               .exchange = &fake.exchange,
                               .arena = &arena,
                               .worker = &worker,
                               .principal = { .user_id = 1,
                                              .permissions = UINT64_MAX }, /* else 403 */
                               .route = search_route(bytes[0] / 2 % TABLES) };
    fake.exchange.request = &request;
    is_reached = false;
    resource_search(&request);
    require(!fake.is_suspended && fake.exchange.reply.http_status == (is_reached ? 200 : 400));
    arena_close(&arena);
    return 0;
}

/* POST /api/token: a form and the headers that may name the client, up to what is signed in or
 * refreshed. The first line is the header, the rest the form. */
#include "exchange.h"

#include "api/handlers.h"
#include "api/request.h"
#include "auth/sign_in.h"
#include "rules/validate.h"

#include <yyjson.h>

enum { CLIENT_ID_MAX = 255 };

/* In place of what needs a store (ld --wrap). The outcome depends on the request. */
void __wrap_request_sign_in(struct request *request, struct sign_in *sign_in,
                            void (*step)(struct exchange *exchange));
void __wrap_request_sign_in(struct request *request, struct sign_in *sign_in,
                            void (*step)(struct exchange *exchange)) {
    require(sign_in->email.at && sign_in->password.len && sign_in->wants_tokens);
    require(!sign_in->client_id.len || validate_is_line(sign_in->client_id, CLIENT_ID_MAX));
    memset(&sign_in->pair, 'g', sizeof sign_in->pair);
    sign_in->result = sign_in->password.len % (SIGN_IN_BROKEN + 1);
    step(request->exchange);
}

enum status __wrap_refresh_start(struct refresh *refresh);
enum status __wrap_refresh_start(struct refresh *refresh) {
    require(refresh->token.len && validate_is_line(refresh->client_id, CLIENT_ID_MAX));
    memset(&refresh->pair, 'g', sizeof refresh->pair);
    refresh->result = refresh->token.len % 2 ? STATUS_OK : STATUS_UNAUTHENTICATED;
    if (refresh->token.len % 3 == 0)
        return STATUS_TOO_MANY;
    exchange_resume(((struct request *)refresh->owner)->exchange);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct app app = { .auth.token_lifetime_ms = 1000 };
    struct arena arena = { 0 };
    struct text body = { (const char *)bytes, size }, header = text_cut(&body, '\n');
    struct fake fake = {
        .exchange = { .arena = &arena, .app = &app, .method = METHOD_POST, .body = body },
        .headers = header,
    };
    struct request request = { .app = &app, .exchange = &fake.exchange, .arena = &arena };
    require(sem_init(&fake.resumed, 0, 0) == 0);
    token_post(&request);
    if (fake.is_suspended) {
        require(sem_trywait(&fake.resumed) == 0);
        fake.exchange.next(&fake.exchange);
    }
    const struct reply *reply = &fake.exchange.reply;
    yyjson_doc *json = yyjson_read(reply->body.at, reply->body.len, YYJSON_READ_NOFLAG);
    bool has_token = yyjson_obj_get(yyjson_doc_get_root(json), "access_token") != NULL;
    require(json && has_token == (reply->http_status == 200));
    yyjson_doc_free(json);
    (void)sem_destroy(&fake.resumed);
    arena_close(&arena);
    return 0;
}

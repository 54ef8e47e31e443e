/* Whole requests, as the handlers get them: any route, query, header and body, against a real store
 * with the demo's records. The input is a request as it is written, without a version:
 *
 *     GET /api/sys/users?size=3
 *     Prefer: handling=strict
 *
 *     body
 *
 * Who gives no Authorization is the administrator. The HTTP library, the network and the price of
 * passwords are left out: what this file defines takes their place. */
#include "exchange.h"

#include "api/api.h"
#include "api/dispatch.h"
#include "api/ops/history.h"
#include "api/ops/metrics.h"
#include "api/page_cursor.h"
#include "base/settings_read.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "http/head_check.h"
#include "service/seed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>
#include <yyjson.h>

enum { BODY_LIMIT = 1024 * 1024, REQUEST_MEMORY = 64 * 1024 * 1024, INPUTS_A_WORLD = 20000 };

/* ---- In place of libraries ---- */

static const char cheap_salt[] = "AAAAAAAAAAAAAAAAAAAAAA"; /* 16 zero bytes */

int crypto_pwhash(unsigned char *const out, unsigned long long outlen, const char *const passwd,
                  unsigned long long passwdlen, const unsigned char *const salt,
                  unsigned long long opslimit, size_t memlimit, int alg) {
    (void)opslimit;
    (void)memlimit;
    (void)alg;
    return crypto_generichash(out, (size_t)outlen, (const unsigned char *)passwd, passwdlen, salt,
                              crypto_pwhash_SALTBYTES);
}

int crypto_pwhash_str_alg(char out[crypto_pwhash_STRBYTES], const char *const passwd,
                          unsigned long long passwdlen, unsigned long long opslimit,
                          size_t memlimit, int alg) {
    unsigned char salt[crypto_pwhash_SALTBYTES] = { 0 }, digest[32];
    char text[64];
    (void)crypto_pwhash(digest, sizeof digest, passwd, passwdlen, salt, opslimit, memlimit, alg);
    (void)sodium_bin2base64(text, sizeof text, digest, sizeof digest,
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    (void)snprintf(out, crypto_pwhash_STRBYTES, "$argon2id$v=19$m=%zu,t=%llu,p=1$%s$%s",
                   memlimit / 1024, opslimit, cheap_salt, text);
    return 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai) {
    (void)name;
    (void)service;
    (void)req;
    (void)pai;
    return EAI_NONAME;
}

int connect(int fd, const struct sockaddr *addr, socklen_t len) {
    (void)fd;
    (void)addr;
    (void)len;
    errno = ENETUNREACH;
    return -1;
}

/* ---- A server without a listener ---- */

/* Each has an I/O thread of its own, for what belongs to such a thread ends with it. */
static struct world {
    struct app app;
    struct sign_in_counts counts;
    char directory[64];
    struct seal_key *key;
    pthread_t io;
    sem_t asked, answered;
    struct text input;
    bool is_over;
    char token[TOKEN_TEXT_SIZE + 1];
    unsigned inputs;
} * world;

static enum method method_of(struct text name) {
    static const char *const names[] = { "GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS" };
    static const enum method methods[] = { METHOD_GET,   METHOD_PUT,    METHOD_POST,
                                           METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_equal(name, text_of(names[i])))
            return methods[i];
    return METHOD_OTHER;
}

/* A signal may end a wait early. */
static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        require(errno == EINTR);
}

/* False for what the listener does not let through. */
static bool take_apart(struct text input, struct fake *fake) {
    struct exchange *exchange = &fake->exchange;
    struct head_check check = { 0 };
    const char *reason;
    const char *end = input.at ? memmem(input.at, input.len, "\n\n", 2) : NULL;
    struct text head = { input.at, end ? (size_t)(end - input.at) : input.len };
    struct text rest = head, line = text_cut(&rest, '\n');
    if (end)
        exchange->body = arena_text(
            exchange->arena, (struct text){ end + 2, input.len - (size_t)(end + 2 - input.at) });
    fake->headers = rest;
    while (rest.at) {
        struct text value = text_cut(&rest, '\n'), name = text_cut(&value, ':');
        head_check_add(&check, name, text_trim(value));
    }
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] < ' ' || line.at[i] >= 0x7F)
            return false;
    exchange->method = method_of(text_cut(&line, ' '));
    exchange->path = line;
    if (!line.at || memchr(line.at, ' ', line.len))
        return false;
    const char *query = memchr(line.at, '?', line.len);
    if (query) {
        exchange->path.len = (size_t)(query - line.at);
        fake->query = (struct text){ query + 1, line.len - exchange->path.len - 1 };
    }
    return head_check_result(&check, BODY_LIMIT, &reason) == STATUS_OK &&
           exchange->body.len <= BODY_LIMIT;
}

static void check_reply(const struct exchange *exchange) {
    const struct reply *reply = &exchange->reply;
    require(reply->http_status >= 200 && reply->http_status < 600 && reply->http_status != 500);
    if (!reply->body.len || strncmp(reply->content_type, "application/json", 16) != 0)
        return;
    /* A reply may repeat a number of any size as it came. */
    yyjson_doc *json = yyjson_read(reply->body.at, reply->body.len, YYJSON_READ_NUMBER_AS_RAW);
    require(json != NULL);
    yyjson_doc_free(json);
}

/* The reply's status; 0: it was no request. `into`, if given, gets the access_token of the reply.
 */
static unsigned ask(struct text input, const char *token, char *into) {
    struct arena arena;
    arena_init(&arena, REQUEST_MEMORY);
    struct fake fake = { .exchange = { .arena = &arena, .app = &world->app }, .token = token };
    unsigned status = 0;
    require(sem_init(&fake.resumed, 0, 0) == 0);
    if (take_apart(input, &fake)) {
        dispatch(&fake.exchange);
        while (fake.is_suspended) {
            wait_for(&fake.resumed);
            fake.is_suspended = false;
            fake.exchange.next(&fake.exchange);
        }
        check_reply(&fake.exchange);
        metrics_count(&fake.exchange);
        status = fake.exchange.reply.http_status;
    }
    const struct text body = fake.exchange.reply.body;
    const char *found = into ? memmem(body.at, body.len, "\"access_token\":\"", 16) : NULL;
    if (found)
        memcpy(into, found + 16, TOKEN_TEXT_SIZE);
    (void)sem_destroy(&fake.resumed);
    arena_close(&arena);
    return status;
}

static void *run_io(void *argument) {
    (void)argument;
    require(ask(TEXT("POST /api/token\n\ngrant_type=password&username=" DEMO_EMAIL
                     "&password=" DEMO_PASSWORD),
                NULL, world->token) == 200);
    for (wait_for(&world->asked); !world->is_over; wait_for(&world->asked)) {
        unsigned status = ask(world->input, world->token, NULL);
        /* The request may have taken away the caller's own rights. */
        bool has_done = status && status < 300 && !text_starts_nocase(world->input, TEXT("GET "));
        world->is_over = ++world->inputs >= INPUTS_A_WORLD ||
                         (has_done && ask(TEXT("GET /api/auth/me"), world->token, NULL) != 200);
        require(sem_post(&world->answered) == 0);
        if (world->is_over)
            break;
    }
    return NULL;
}

static struct shown_settings *default_settings(void) {
    static char name[] = "rosterd";
    struct settings settings;
    require(settings_read(&settings, 1, (char *[]){ name, NULL }) == EX_OK);
    struct shown_settings *shown = shown_settings_new(&settings);
    settings_free(&settings);
    return shown;
}

static void begin_world(void) {
    char why[512], path[128], hash[PASSWORD_HASH_MAX];
    int code;
    world = calloc(1, sizeof *world);
    require(world != NULL && crypto_start());
    (void)snprintf(world->directory, sizeof world->directory, "%s/roster-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    require(mkdtemp(world->directory) != NULL);
    struct app *app = &world->app;
    app->store = store_open(&(struct store_options){ .directory = world->directory }, why,
                            sizeof why, &code);
    (void)snprintf(path, sizeof path, "%s/roster.key", world->directory);
    world->key = seal_key_open(path, true, why, sizeof why);
    require(app->store && world->key && password_hash(TEXT(DEMO_PASSWORD), hash));
    const struct seed data = seed_of_start(TEXT(DEMO_EMAIL), text_of(hash), true);
    require(seed_write(app->store, &data) == STATUS_OK);
    app->accepts_basic = true;
    app->folder = world->directory;
    atomic_store(&app->shows_metrics, true);
    app->cors_origins = "https://a.example, https://b.example";
    app->page_cursors = page_cursors_new();
    app->history = history_new(0);
    app->shown_settings = default_settings();
    require(api_start(app));
    app->fetcher = fetcher_start(&(struct fetch_options){ .allowed_hosts = "" });
    app->pictures = pool_start(1, 16);
    static const struct lockout lockout = { 10, 900000 };
    app->auth = (struct auth){ .store = app->store,
                               .key = world->key,
                               .passwords = passwords_start(1, 16),
                               .token_lifetime_ms = 604799000,
                               .refresh_lifetime_ms = 1296000000,
                               .lockout = &lockout,
                               .counts = &world->counts };
    require(app->page_cursors && app->history && app->shown_settings && app->fetcher &&
            app->pictures && app->auth.passwords &&
            pthread_mutex_init(&app->workers_lock, NULL) == 0 &&
            sem_init(&world->asked, 0, 0) == 0 && sem_init(&world->answered, 0, 0) == 0 &&
            pthread_create(&world->io, NULL, run_io, NULL) == 0);
}

static void end_world(void) {
    static const char *const files[] = { "roster.db", "roster.db-wal", "roster.db-shm",
                                         "roster.key" };
    char path[128];
    if (!world)
        return;
    if (!world->is_over) {
        world->is_over = true;
        require(sem_post(&world->asked) == 0);
    }
    (void)pthread_join(world->io, NULL);
    struct app *app = &world->app;
    fetcher_stop(app->fetcher);
    passwords_stop(app->auth.passwords);
    pool_stop(app->pictures);
    app_free_workers(app);
    arena_close(&app->memory);
    page_cursors_free(app->page_cursors);
    history_free(app->history);
    shown_settings_free(app->shown_settings);
    store_close(app->store);
    seal_key_free(world->key);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", world->directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(world->directory);
    free(world);
    world = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!world) {
        begin_world();
        static bool is_registered;
        if (!is_registered)
            require(atexit(end_world) == 0);
        is_registered = true;
    }
    world->input = (struct text){ (const char *)bytes, size };
    require(sem_post(&world->asked) == 0);
    wait_for(&world->answered);
    if (world->is_over)
        end_world();
    return 0;
}

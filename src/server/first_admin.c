/* The first administrator of a new database: from --admin-email and --admin-password, from the
 * demo, or with a password that is generated here. Without any of these, whoever opens the link
 * that the start prints is the first administrator (api/ui/first_administrator.c). */
#include "server/first_admin.h"

#include "api/ui/files.h"
#include "base/log.h"
#include "base/settings_rows.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/password.h"
#include "service/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { GENERATED_PASSWORD_LENGTH = 20 };

static const char default_email[] = "admin@localhost";

/* The demo has an address of its own, unless the operator has set one. */
static const char *given_email(const struct settings *settings) {
    if (*settings->admin_email)
        return settings->admin_email;
    return settings->demo ? DEMO_EMAIL : default_email;
}

/* The address in the form in which requests' addresses are stored. `at` is NULL if it is not a
 * valid address, or if there is no memory. */
static struct text first_email(const struct settings *settings, struct arena *arena) {
    struct text email = email_normal(text_trim(text_of(given_email(settings))), arena);
    if (!email.at || email.len > EMAIL_MAX || !email_is_valid(email))
        return (struct text){ 0 };
    return arena_printf(arena, "%.*s", (int)email.len, email.at);
}

static bool has_valid_email(const struct settings *settings) {
    struct arena arena = { 0 };
    bool is_valid = first_email(settings, &arena).at;
    arena_close(&arena);
    return is_valid;
}

int first_admin_check(const struct settings *settings) {
    const bool has_email = has_valid_email(settings);
    const struct text password = text_of(settings->admin_password);
    const bool has_password =
        !password.len || password_check(password, text_of(given_email(settings)),
                                        TEXT(ADMINISTRATOR_NAME)) == PASSWORD_FINE;
    if (!has_email)
        settings_fault(settings, "--admin-email must be an e-mail address");
    if (!has_password)
        settings_fault(settings, "--admin-password must have 8 to 256 characters, and must not be a"
                                 " common password");
    return has_email && has_password ? EX_OK : EX_USAGE;
}

/* From the settings, else the demo's, else generated into `generated`. */
static struct text first_password(const struct settings *settings,
                                  char generated[TOKEN_TEXT_SIZE]) {
    if (*settings->admin_password)
        return text_of(settings->admin_password);
    if (settings->demo)
        return TEXT(DEMO_PASSWORD);
    token_generate(generated);
    return (struct text){ generated, GENERATED_PASSWORD_LENGTH };
}

static bool hash_password(struct text password, char hash[PASSWORD_HASH_MAX]) {
    char room[PASSWORD_NORMAL_MAX];
    struct text normal = password_normal(password, room);
    bool is_hashed = normal.at && password_hash(normal, hash);
    secret_wipe(room, sizeof room);
    return is_hashed;
}

/* Writes the seed. `*is_written`: no other server had done so. */
static int write_seed(struct store *store, const struct seed *seed, const char *database,
                      bool *is_written) {
    enum status status = seed_write(store, seed);
    *is_written = status == STATUS_OK;
    if (status != STATUS_OK && status != STATUS_CONFLICT) {
        report_error("%s: the first records cannot be written", database);
        return EX_IOERR;
    }
    if (*is_written)
        log_info("%s: created a new database", database);
    return EX_OK;
}

static int write_administrator(struct store *store, const struct settings *settings,
                               const char *database, struct text email) {
    char hash[PASSWORD_HASH_MAX], generated[TOKEN_TEXT_SIZE] = "";
    struct text password = first_password(settings, generated);
    bool is_written = false;
    if (!hash_password(password, hash)) {
        report_error("there is no memory to hash the first administrator's password");
        return EX_OSERR;
    }
    const struct seed seed = seed_of_start(email, text_of(hash), settings->demo);
    int code = write_seed(store, &seed, database, &is_written);
    if (is_written && password.at == generated)
        (void)printf("rosterd: first administrator %s, password %.*s (not shown again)\n", email.at,
                     GENERATED_PASSWORD_LENGTH, generated);
    secret_wipe(generated, sizeof generated);
    return code;
}

/* Settings that name the administrator, by address or password, get the one that they name. */
static bool is_by_link(const struct settings *settings) {
    return !settings->demo && !*settings->admin_email && !*settings->admin_password &&
           ui_is_built();
}

int first_admin_write(struct store *store, const struct settings *settings, const char *database,
                      bool *is_awaited) {
    struct arena arena = { 0 };
    const struct seed roles_alone = { 0 };
    if (is_by_link(settings))
        return write_seed(store, &roles_alone, database, is_awaited);
    struct text email = first_email(settings, &arena);
    int code = EX_OSERR;
    if (email.at)
        code = write_administrator(store, settings, database, email);
    else
        report_error("there is no memory for the first administrator's address");
    arena_close(&arena);
    return code;
}

/* The texts are in memory that can be written, although settings hand them out as const. */
static void wipe_text(const char *text) {
    if (text)
        secret_wipe((char *)(uintptr_t)text, strlen(text));
}

void first_admin_forget_password(const struct settings *settings) {
    wipe_text(settings->admin_password);
    wipe_text(getenv("ROSTER_ADMIN_PASSWORD"));
}

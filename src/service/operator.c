/* The operator's commands on users.
 *
 * The table `operator_commands`, at the end of the first part, has all of them. Most are a command
 * of service/commands.def on one user. The others make a mutation of their own. Both wait for the
 * writer as a request does, but with the thread that runs them: an operator runs one at a time. */
#include "service/operator.h"

#include "base/container_of.h"
#include "base/time.h"
#include "model/tables.h"
#include "rules/email.h"
#include "rules/validate.h"
#include "service/commands.h"
#include "service/mutation_run.h"
#include "service/operator_print.h"
#include "service/user_rules.h"

#include <semaphore.h>
#include <stdio.h>
#include <sysexits.h>

enum {
    PAGE_ROWS = 250,           /* of a list; fewer where they do not fit in the 8 MiB of a page */
    BATCH_USERS = 250,         /* whose tokens one transaction revokes */
    JSON_EXPECTED = 64 * 1024, /* bytes of a page */
    TEXT_EXPECTED = 16 * 1024,
};

/* A command while it runs. Its arena has what one user or one page needs. */
struct operation {
    const struct operator_command *command;
    const struct operator_request *request;
    struct operator_output *output;
    struct store *store;
    struct passwords *passwords;
    struct store_session *session;
    struct principal caller;
    struct mutation_context context;
    struct arena arena;
    int64_t user_id; /* the user that the words name, if they name one */
};

static int list_users(struct operation *operation);
static int show_user(struct operation *operation);
static int create_administrator(struct operation *operation);
static int set_password(struct operation *operation);
static int reset_second_factor(struct operation *operation);
static int run_command(struct operation *operation);
static int revoke_tokens(struct operation *operation);

enum argument { NO_ARGUMENT, A_USER, PERHAPS_A_USER, AN_ADDRESS };

struct operator_command {
    const char *group, *name;
    enum argument argument;
    bool takes_password;
    int (*run)(struct operation *operation);
    const char *key;  /* of the command in service/commands.def, for run_command */
    const char *done; /* what is printed after the user's Id and address */
};

static const struct operator_command operator_commands[] = {
    { "user", "list", NO_ARGUMENT, false, list_users, NULL, NULL },
    { "user", "show", A_USER, false, show_user, NULL, NULL },
    { "user", "create-admin", AN_ADDRESS, true, create_administrator, NULL,
      "is a new unrestricted administrator" },
    { "user", "set-password", A_USER, true, set_password, NULL, "has a new password" },
    { "user", "unlock", A_USER, false, run_command, "unlock", "is not locked" },
    { "user", "enable", A_USER, false, run_command, "activate", "is active" },
    { "user", "disable", A_USER, false, run_command, "deactivate", "is not active" },
    { "user", "reset-2fa", A_USER, false, reset_second_factor, NULL, "needs no second factor" },
    { "token", "revoke-all", PERHAPS_A_USER, false, revoke_tokens, "revoke-tokens",
      "has no tokens" },
};

enum { OPERATOR_COMMANDS = sizeof operator_commands / sizeof operator_commands[0] };

/* ---- Finding a command ---- */

static const char *argument_name(enum argument argument) {
    static const char *const names[] = { "", " USER", " [USER]", " EMAIL" };
    return names[argument];
}

/* "the commands are: user list, user show USER, ..." of one group. */
static void list_group(const char *group, char *why, size_t size) {
    size_t len = (size_t)snprintf(why, size, "the commands are");
    for (unsigned i = 0, named = 0; i < OPERATOR_COMMANDS && len < size; i++) {
        const struct operator_command *one = &operator_commands[i];
        if (strcmp(one->group, group) == 0)
            len += (size_t)snprintf(why + len, size - len, "%s %s %s%s", named++ ? "," : ":", group,
                                    one->name, argument_name(one->argument));
    }
}

const struct operator_command *operator_find(const char *const *words, char *why, size_t why_size) {
    const struct operator_command *found = NULL;
    for (unsigned i = 0; words[0] && words[1] && i < OPERATOR_COMMANDS; i++)
        if (strcmp(words[0], operator_commands[i].group) == 0 &&
            strcmp(words[1], operator_commands[i].name) == 0)
            found = &operator_commands[i];
    if (!found) {
        list_group(words[0] ? words[0] : "user", why, why_size);
        return NULL;
    }
    bool has_argument = words[2];
    if (has_argument ? found->argument != NO_ARGUMENT && !words[3]
                     : found->argument == NO_ARGUMENT || found->argument == PERHAPS_A_USER)
        return found;
    (void)snprintf(why, why_size, "the command is %s %s%s%s", found->group, found->name,
                   argument_name(found->argument),
                   found->argument == A_USER ? ", where USER is an Id or an e-mail address" : "");
    return NULL;
}

bool operator_takes_password(const struct operator_command *command) {
    return command->takes_password;
}

/* ---- Ends ---- */

static int say(struct operation *operation, int code, const char *line) {
    return operation->output->say(operation->output, text_of(line)) ? code : EX_IOERR;
}

/* Says all that the rules find wrong. */
static int say_errors(struct operation *operation, const struct mutation *mutation) {
    for (const struct error *error = mutation->errors.first; error; error = error->next) {
        struct text line =
            arena_printf(&operation->arena, "%.*s: %.*s", (int)error->property.len,
                         error->property.at, (int)error->message.len, error->message.at);
        if (!line.at || !operation->output->say(operation->output, line))
            return EX_IOERR;
    }
    return EX_DATAERR;
}

/* The exit code for the end of a mutation that was not made; NULL: it was something else. */
static int say_refusal(struct operation *operation, const struct mutation *mutation,
                       enum status status) {
    switch (status) {
    case STATUS_BAD_INPUT:
    case STATUS_FORBIDDEN_CHANGE:
        return mutation ? say_errors(operation, mutation)
                        : say(operation, EX_DATAERR, "the rules refuse this");
    case STATUS_NOT_FOUND: return say(operation, EX_NOUSER, "there is no such user any more");
    case STATUS_CONFLICT:
    case STATUS_PRECONDITION_FAILED:
        return say(operation, EX_TEMPFAIL, "the user was changed in the meantime; try again");
    case STATUS_TOO_MANY:
    case STATUS_UNAVAILABLE:
        return say(operation, EX_TEMPFAIL, "the server is too busy, or stopping; try again");
    default: return say(operation, EX_IOERR, "the database failed; the log says why");
    }
}

/* ---- Who ---- */

/* Finds the user by Id or e-mail address. */
static int find_user(struct operation *operation, const char *who) {
    int64_t *id = &operation->user_id;
    enum status status;
    if (text_to_int64(text_of(who), id)) {
        status = store_exists(operation->session, &user_table, *id);
    } else {
        struct text key = email_key(text_trim(text_of(who)), &operation->arena);
        status = key.at ? store_find_user(operation->session, key, id) : STATUS_INTERNAL;
    }
    if (status == STATUS_NOT_FOUND)
        return say(operation, EX_NOUSER, "there is no user with this Id or e-mail address");
    return status == STATUS_OK ? EX_OK : say_refusal(operation, NULL, status);
}

static int load_user(struct operation *operation, struct record *record) {
    enum status status =
        store_load(operation->session, &user_table, operation->user_id, &operation->arena, record);
    if (status == STATUS_OK)
        status = store_load_derived(operation->session, record, &operation->arena);
    return status == STATUS_OK ? EX_OK : say_refusal(operation, NULL, status);
}

/* Prints the outcome of a change: the record as JSON, or a line. */
static int print_done(struct operation *operation) {
    struct record record;
    struct buffer out;
    int code = load_user(operation, &record);
    if (code != EX_OK)
        return code;
    buffer_init(&out, &operation->arena, 4096);
    if (operation->request->json)
        operator_print_json(&out, &record);
    else
        operator_print_done(&out, &record, operation->command->done);
    return !out.failed && operation->output->print(operation->output, buffer_text(&out)) ? EX_OK
                                                                                         : EX_IOERR;
}

/* ---- Reading ---- */

static int show_user(struct operation *operation) {
    struct record record;
    struct buffer out;
    int code = load_user(operation, &record);
    if (code != EX_OK)
        return code;
    buffer_init(&out, &operation->arena, 8192);
    if (operation->request->json)
        operator_print_json(&out, &record);
    else
        operator_print_record(&out, &record);
    return !out.failed && operation->output->print(operation->output, buffer_text(&out)) ? EX_OK
                                                                                         : EX_IOERR;
}

/* Reads the next page behind `*last`, with fewer rows if they are too large. */
static enum status read_page(struct operation *operation, int64_t last,
                             struct search_result *found) {
    struct search search = {
        .table = &user_table, .order = USER_Id, .limit = PAGE_ROWS, .behind = last
    };
    enum status status = store_search(operation->session, &search, found);
    while (status == STATUS_TOO_LARGE && search.limit > 1) {
        search.limit /= 2;
        status = store_search(operation->session, &search, found);
    }
    return status;
}

/* Prints one page; `*last` becomes the Id of its last user, or 0 after the last page. */
static int print_page(struct operation *operation, int64_t *last) {
    struct buffer json, out;
    struct search_result found = { .json = &json };
    bool as_json = operation->request->json;
    buffer_init(&json, &operation->arena, JSON_EXPECTED);
    buffer_init(&out, &operation->arena, TEXT_EXPECTED);
    if (as_json)
        buffer_add_char(&json, *last ? ',' : '[');
    enum status status = read_page(operation, *last, &found);
    if (status != STATUS_OK)
        return say_refusal(operation, NULL, status);
    if (!as_json && !*last)
        operator_print_heading(&out);
    *last = found.has_more ? found.last_id : 0;
    if (as_json && !*last)
        buffer_add(&json, TEXT("]\n"));
    else if (!as_json)
        operator_print_rows(&out, (struct text){ json.at, json.len });
    const struct buffer *page = as_json ? &json : &out;
    return !json.failed && !out.failed &&
                   operation->output->print(operation->output, buffer_text(page))
               ? EX_OK
               : EX_IOERR;
}

/* Each page is a snapshot of its own, so the whole list is none. */
static int list_users(struct operation *operation) {
    int64_t last = 0;
    int code;
    do {
        code = print_page(operation, &last);
        arena_close(&operation->arena);
    } while (code == EX_OK && last);
    return code;
}

/* ---- Changes ---- */

/* A password that is hashed or compared while this thread waits. */
struct waiting_password {
    struct password_job job;
    sem_t finished;
};

static void wake(struct password_job *job) {
    (void)sem_post(&container_of(job, struct waiting_password, job)->finished);
}

/* `made` is room for the hash. */
static enum status wait_for_password(struct operation *operation,
                                     struct waiting_password *waiting) {
    waiting->job.done = wake;
    if (sem_init(&waiting->finished, 0, 0) != 0)
        return STATUS_INTERNAL;
    enum status status = password_submit(operation->passwords, &waiting->job);
    while (status == STATUS_OK && sem_wait(&waiting->finished) != 0)
        ; /* interrupted by a signal */
    (void)sem_destroy(&waiting->finished);
    return status == STATUS_OK && waiting->job.failed ? STATUS_INTERNAL : status;
}

/* A user who was asked for another password does not get the old one again. */
static enum status compare_password(struct operation *operation, struct user_mutation *user) {
    struct text stored = value_as_text(&user->mutation.before.values[USER_Password]);
    struct waiting_password waiting = { .job = { .password = user->new_password, .hash = stored } };
    if (!user_must_differ(user) || !stored.at)
        return STATUS_OK;
    enum status status = wait_for_password(operation, &waiting);
    user->compared = stored;
    if (status != STATUS_OK || waiting.job.match == PASSWORD_WRONG)
        return status;
    user_refuse_same_password(user);
    return STATUS_BAD_INPUT;
}

static enum status hash_password(struct operation *operation, struct user_mutation *user) {
    struct waiting_password waiting = { .job = { .password = user->new_password } };
    enum status status = wait_for_password(operation, &waiting);
    struct text hash = { 0 };
    if (status == STATUS_OK)
        hash = arena_text(&operation->arena, text_of(waiting.job.made));
    if (status == STATUS_OK && hash.at)
        user_set_hash(user, hash);
    return status == STATUS_OK && !hash.at ? STATUS_INTERNAL : status;
}

struct change_command {
    struct store_command command;
    struct mutation *mutation;
};

static enum status run_change(struct store_tx *tx, struct store_command *command) {
    return mutation_run(container_of(command, struct change_command, command)->mutation, tx);
}

/* Makes a change as a request does (api/nexudus/write_steps.c). */
static enum status make(struct operation *operation, struct mutation *mutation) {
    struct user_mutation *user = user_mutation_of(mutation);
    struct change_command change = {
        .command = { .on_behalf_of = &store_nobody, .run = run_change }, .mutation = mutation
    };
    enum status status = mutation_validate(mutation, operation->user_id);
    if (status == STATUS_OK)
        status = mutation_decide(mutation, operation->session);
    if (status == STATUS_OK)
        user_take_password(user);
    if (status == STATUS_OK && user->new_password.at)
        status = compare_password(operation, user);
    if (status == STATUS_OK && user->new_password.at)
        status = hash_password(operation, user);
    return status == STATUS_OK ? store_run(operation->store, &change.command) : status;
}

/* Makes the change and prints its outcome. `mutation` NULL: there was no memory for it. */
static int make_and_print(struct operation *operation, struct mutation *mutation) {
    enum status status = mutation ? make(operation, mutation) : STATUS_INTERNAL;
    if (status != STATUS_OK)
        return say_refusal(operation, mutation, status);
    operation->user_id = mutation->result.id;
    return print_done(operation);
}

static struct mutation *change_of_user(struct operation *operation) {
    return mutation_new_on(&operation->context, &user_resource, MUTATION_patch, operation->user_id);
}

static int set_password(struct operation *operation) {
    struct mutation *mutation = change_of_user(operation);
    if (mutation)
        mutation->change.values[USER_NewPassword] = value_text(operation->request->password);
    return make_and_print(operation, mutation);
}

static int reset_second_factor(struct operation *operation) {
    struct mutation *mutation = change_of_user(operation);
    if (mutation)
        mutation->change.values[USER_TwoFactorSecret] = value_text(TEXT(""));
    return make_and_print(operation, mutation);
}

static int create_administrator(struct operation *operation) {
    const struct operator_request *request = operation->request;
    const char *email = request->words[2];
    return make_and_print(operation,
                          user_new_administrator(&operation->context,
                                                 text_of(request->name ? request->name : email),
                                                 text_of(email), request->password));
}

/* ---- Commands of service/commands.def ---- */

struct batch_command {
    struct store_command command;
    struct command_batch batch;
};

static enum status run_batch(struct store_tx *tx, struct store_command *command) {
    return command_batch_run(&container_of(command, struct batch_command, command)->batch, tx);
}

/* Runs the command on these users in one transaction. */
static enum status run_on(struct operation *operation, const struct value *ids,
                          struct command_batch *batch) {
    struct batch_command running = {
        .command = { .on_behalf_of = &store_nobody, .run = run_batch },
        .batch = { .context = &operation->context,
                   .command = command_find(&user_resource, text_of(operation->command->key)),
                   .ids = ids },
    };
    enum status status = command_batch_prepare(&running.batch);
    if (status == STATUS_OK)
        status = store_run(operation->store, &running.command);
    *batch = running.batch;
    return status;
}

static int run_command(struct operation *operation) {
    struct command_batch batch;
    const struct value ids = value_ids(&operation->user_id, 1);
    enum status status = run_on(operation, &ids, &batch);
    if (status == STATUS_OK && batch.outcomes[0].status != STATUS_OK)
        return say_refusal(operation, batch.outcomes[0].mutation, batch.outcomes[0].status);
    return status == STATUS_OK ? print_done(operation) : say_refusal(operation, NULL, status);
}

/* Revokes the tokens of all these users in one transaction. */
static int revoke_batch(struct operation *operation, const struct value *ids) {
    struct command_batch batch;
    enum status status = run_on(operation, ids, &batch);
    for (uint32_t i = 0; status == STATUS_OK && i < ids->len; i++) {
        const struct command_outcome *outcome = &batch.outcomes[i];
        if (outcome->status != STATUS_OK &&
            outcome->status != STATUS_NOT_FOUND) /* who is gone has no tokens */
            return say_refusal(operation, outcome->mutation, outcome->status);
    }
    return status == STATUS_OK ? EX_OK : say_refusal(operation, NULL, status);
}

static int print_revoked(struct operation *operation, int64_t count) {
    struct text line = operation->request->json
                           ? arena_printf(&operation->arena, "{\"Users\":%lld}\n", (long long)count)
                           : arena_printf(&operation->arena, "revoked the tokens of %lld user%s\n",
                                          (long long)count, count == 1 ? "" : "s");
    return line.at && operation->output->print(operation->output, line) ? EX_OK : EX_IOERR;
}

/* Of all users, a batch in each transaction. The tokens of a sign-in during this may stay. */
static int revoke_all(struct operation *operation) {
    int64_t ids[BATCH_USERS], revoked = 0, last = 0;
    size_t count;
    do {
        enum status status = store_token_owners(operation->session, last, ids, BATCH_USERS, &count);
        if (status != STATUS_OK)
            return say_refusal(operation, NULL, status);
        const struct value batch = value_ids(ids, count);
        int code = count ? revoke_batch(operation, &batch) : EX_OK;
        arena_close(&operation->arena);
        if (code != EX_OK)
            return code;
        last = count ? ids[count - 1] : last;
        revoked += (int64_t)count;
        if (count && !operation->output->goes_on(operation->output))
            return say(operation, EX_TEMPFAIL, "not all tokens are revoked yet; try again");
    } while (count);
    return print_revoked(operation, revoked);
}

static int revoke_tokens(struct operation *operation) {
    return operation->request->words[2] ? run_command(operation) : revoke_all(operation);
}

/* ---- Running ---- */

static bool are_texts(const struct operator_request *request) {
    for (unsigned i = 0; request->words[i]; i++)
        if (!validate_is_utf8(text_of(request->words[i])))
            return false;
    return (!request->name || validate_is_utf8(text_of(request->name))) &&
           (!request->password.at || validate_is_utf8(request->password));
}

static int run(struct operation *operation) {
    char why[512], author[32];
    const struct operator_request *request = operation->request;
    operation->command = operator_find(request->words, why, sizeof why);
    if (!operation->command)
        return say(operation, EX_USAGE, why);
    if (!are_texts(request))
        return say(operation, EX_DATAERR, "what was typed is not UTF-8");
    (void)snprintf(author, sizeof author, "local:%u", request->user);
    operation->caller.email = text_of(author);
    operation->context.now_ms = time_now_ms();
    bool names_user = operation->command->argument == A_USER ||
                      (operation->command->argument == PERHAPS_A_USER && request->words[2]);
    int code = names_user ? find_user(operation, request->words[2]) : EX_OK;
    return code == EX_OK ? operation->command->run(operation) : code;
}

int operator_run(struct store *store, struct passwords *passwords,
                 const struct operator_request *request, struct operator_output *output) {
    struct operation operation = {
        .request = request,
        .output = output,
        .store = store,
        .passwords = passwords,
        .session = store_session_open(store),
        /* The rules take it for an unrestricted administrator's work. */
        .caller = { .is_admin = true, .permissions = UINT64_MAX },
        .context = { .arena = &operation.arena, .caller = &operation.caller },
    };
    int code = operation.session
                   ? run(&operation)
                   : say(&operation, EX_IOERR, "there is no memory or no descriptor left");
    store_session_close(operation.session);
    arena_close(&operation.arena);
    return code;
}

#ifndef ROSTER_STORE_STORE_H
#define ROSTER_STORE_STORE_H

#include "base/buffer.h"
#include "base/queue.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "crypto/token.h"
#include "model/record.h"
#include "model/search.h"

/*
 * The store keeps the records. A thread reads through a session, which it opens for itself. All
 * writing is done by commands, which the store runs one after the other: each takes effect
 * completely or not at all, and `done` is called only when its changes are durable.
 */

struct store;

/**
 * A connection for reading: a reader's own, or the writer's while a command runs. Only one thread
 * may use it at a time.
 */
struct store_session;

/** The transaction of the command that is running. It ends with the command's `run`. */
struct store_tx {
    struct store_session *session; /* for reading; it sees what the transaction wrote */
};

struct sqlite_options;

/* The begin of the URL of a database in PostgreSQL. */
#define STORE_POSTGRESQL "postgresql://"

struct store_options {
    /* The database: that of SQLite in the data folder, which must exist and be writable; or, if the
     * URL is not NULL, one of the engine that it names. */
    const char *directory, *url;
    bool must_exist;                     /* do not create it: fail when it is missing or empty */
    const struct sqlite_options *sqlite; /* store/sqlite/options.h; NULL: the defaults */
    bool is_unsafe;          /* accept a database server that may lose what it has confirmed */
    int64_t search_limit_ms; /* the time limit of a command of store_read; 0: 10 s */
    int64_t server_limit_ms; /* how long a command that writes waits for a database server that does
                                not answer, and the most for a read, which waits 5 s; 0: 20 s */
    int64_t user_tokens;     /* the most that a user may have of each kind; 0: 100 */
    /* Cleans a picture before it is stored; the result lies in the arena, and `at` is NULL when the
     * picture needs no cleaning. A schema migration passes the pictures through it that older
     * versions stored without cleaning. NULL: the migration leaves them unchanged. */
    struct text (*clean_picture)(struct text content, struct arena *arena);
};

/**
 * Opens the database, creating it or bringing its schema up to date, and starts the store's
 * threads. Returns NULL on failure, with one line in `why` that says what to do, and an exit code
 * from sysexits.h in `*exit_code`: EX_CANTCREAT, EX_IOERR, EX_NOINPUT (the database must exist),
 * EX_CONFIG (a newer version made it, or this program was built without the engine of the URL),
 * EX_TEMPFAIL (another process uses it), EX_UNAVAILABLE (the server of the URL does not answer).
 */
struct store *store_open(const struct store_options *options, char *why, size_t why_size,
                         int *exit_code) MUST_CHECK;

/**
 * Checks that this is the key that seals the database's fields. A database that has no key yet
 * adopts it, unless there are sealed values and the key opens none of them. For start-up.
 * FORBIDDEN: the database has another key. INTERNAL.
 */
enum status store_claim_key(struct store *store, const struct seal_key *key) MUST_CHECK;

/** The outcome of store_change_key. */
struct key_change {
    int64_t sealed; /* values that the new key seals */
    /* A value that the old key does not open; `table` NULL: there is none. */
    const struct table *table;
    int64_t id;
    unsigned field;
};

/**
 * Seals every sealed value of the database with another key, and records it as the database's key,
 * in one transaction. `from` must be the key of the database, which store_claim_key has checked.
 * For tools, while no server uses the database. FORBIDDEN: `from` does not open a value, and
 * nothing is changed. INTERNAL.
 */
enum status store_change_key(struct store *store, const struct seal_key *from,
                             const struct seal_key *to, struct key_change *change) MUST_CHECK;

/**
 * Sets `*had_key`: has the database ever had a key? If not, a new one may be made. For start-up.
 * INTERNAL.
 */
enum status store_had_key(struct store *store, bool *had_key) MUST_CHECK;

/**
 * Runs the commands that are queued, stops the threads and closes the database. No session may be
 * open. Takes NULL.
 */
void store_close(struct store *store);

/**
 * A number that grows by one whenever a commit changes who may do what (a field marked ACCESS, a
 * revoked token, a deleted user). It has grown before the command that made the change is answered.
 * A result that was derived from the store under an older number must be derived again. Any thread;
 * no lock.
 */
uint64_t store_access_epoch(const struct store *store);

/**
 * The access epoch of what a session reads from now on: a result that is derived from it has this
 * number. On the session's thread; no lock.
 */
uint64_t store_session_epoch(const struct store_session *session);

/**
 * Is a result that was derived under `epoch` still valid for this session? It is not when a later
 * commit changed who may do what, nor when an earlier command of the running transaction did. On
 * the session's thread; no lock.
 */
bool store_access_stands(const struct store_session *session, uint64_t epoch) MUST_CHECK;

/** Has the running transaction changed who may do what? Always false for a reader's session. */
bool store_access_changes(const struct store_session *session) MUST_CHECK;

/**
 * The classes of group sizes that are counted: 1, up to 2, up to 4 and so on up to 128, and larger
 * ones.
 */
enum { STORE_GROUP_SIZES = 9 };

/** A counter or gauge that only the store's engine has, as /metrics shows it. */
struct store_figure {
    const char *name, *type, *help;
    uint64_t value;
};

enum { STORE_FIGURES_MAX = 8 };

/** Counters for an operator. Any thread. */
struct store_stats {
    uint64_t commands, commits; /* since the start: commands run, transactions committed */
    uint64_t groups[STORE_GROUP_SIZES], grouped; /* commits by size, and the commands in them all */
    uint64_t readings;                           /* made through sessions of store_session_open */
    uint64_t waiting, refused;                   /* commands in the queue; refused as it was full */
    uint64_t reads_waiting, reads_refused;       /* the same for the queue of store_read */
    /* The disk refused a change, and has accepted none of that size since; or a sync failed. */
    bool refuses;
    /* A change met a page that makes no sense. It stays so until the database is opened again. */
    bool is_damaged;
    struct store_figure own[STORE_FIGURES_MAX];
    unsigned own_count;
};

struct store_stats store_stats(struct store *store);

/**
 * Did a sync or a rollback fail? The store then refuses every change until the database is opened
 * again, since the content of the disk is not known. Any thread.
 */
bool store_is_broken(const struct store *store);

/**
 * Has a newer version of Roster changed the database, so that this program must not write to it any
 * more? Every change is then refused. Any thread.
 */
bool store_is_outdated(const struct store *store);

/**
 * Has the database not answered for 15 seconds? This is longer than another machine takes to take
 * its place, during which all servers lack it alike. Any thread.
 */
bool store_is_away(const struct store *store);

/**
 * The office of a database is what only one of its processes may do at a time: deliver webhooks,
 * delete expired rows. A server seeks it; the store then takes it for this process when it is free,
 * and gives it up when the store is closed. Any thread.
 */
void store_seek_office(struct store *store);

/**
 * Does this process have the office now? It may lose it at any time: after some seconds in which it
 * stood still or the database did not answer. Another process takes it a second after that at the
 * earliest, so ask before each step, and at least four times a second while one takes time. Always
 * true where only one process at a time has the database open. Any thread; no lock.
 */
bool store_has_office(const struct store *store) MUST_CHECK;

/* ---- reading: by any session; it sees every change that was answered before ---- */

/**
 * Opens a session for the calling thread; the store sets no time limit on its reads. NULL when
 * there is no memory or descriptor left.
 */
struct store_session *store_session_open(struct store *store) MUST_CHECK;

/** Closes a session. Any thread, once no other one uses the session. Takes NULL. */
void store_session_close(struct store_session *session);

/**
 * Loads a complete record, with hidden and secret values as they are stored. STATUS_NOT_FOUND,
 * STATUS_INTERNAL.
 */
enum status store_load(struct store_session *session, const struct table *table, int64_t id,
                       struct arena *arena, struct record *record) MUST_CHECK;

/**
 * Fills in the fields whose values are stored in other rows: the record's backlinks (by Id), and
 * the names of the rows that it refers to (null where there is no such row). STATUS_INTERNAL.
 */
enum status store_load_derived(struct store_session *session, struct record *record,
                               struct arena *arena) MUST_CHECK;

/**
 * Appends a record to `json` as replies show it: the same text as json_add_record's, but faster,
 * without building the record. STATUS_NOT_FOUND, STATUS_INTERNAL.
 */
enum status store_load_json(struct store_session *session, const struct table *table, int64_t id,
                            struct buffer *json, int64_t *version) MUST_CHECK;

/** Finds the user with this EmailKey (rules/email.h). STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_find_user(struct store_session *session, struct text email_key,
                            int64_t *id) MUST_CHECK;

/**
 * Finds the business with this name, compared without regard to the case of ASCII letters; the
 * first one if there are several. If no business has the name, finds the first of all. Uses an
 * index. NOT_FOUND: there is no business.
 */
enum status store_find_business(struct store_session *session, struct text name,
                                int64_t *id) MUST_CHECK;

/** Does a row with this Id exist? OK: it does. STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_exists(struct store_session *session, const struct table *table,
                         int64_t id) MUST_CHECK;

/**
 * Is there an active unrestricted administrator besides `id`? OK: there is. STATUS_NOT_FOUND,
 * STATUS_INTERNAL.
 */
enum status store_other_administrator(struct store_session *session, int64_t id) MUST_CHECK;

/**
 * Counts the rows of a table. STATUS_NOT_FOUND for tables that the store derives from others (audit
 * trail entries, refresh tokens): count those by a search. STATUS_INTERNAL.
 */
enum status store_count(struct store_session *session, const struct table *table,
                        int64_t *count) MUST_CHECK;

struct search_result {
    struct buffer *json; /* the caller's: the search appends the records, separated by commas */
    size_t count;        /* records on the page */
    int64_t total;       /* records that match */
    bool has_more;       /* after the page */
    int64_t last_id;     /* the Id of the last record on the page */
    struct buffer row;   /* the store's: scratch memory, reused for each row */
};

/**
 * Runs a search and returns its page and total from one snapshot. It may take long: see store_read.
 * STATUS_TOO_LARGE when the page exceeds 8 MiB; STATUS_INTERNAL; inside a command of store_read
 * also TOO_SLOW, TOO_MANY and UNAVAILABLE.
 */
enum status store_search(struct store_session *session, const struct search *search,
                         struct search_result *found) MUST_CHECK;

/**
 * The same for an I/O thread: STATUS_TOO_SLOW unless an index answers the search within about a
 * millisecond. On failure nothing is appended to `found->json`.
 */
enum status store_search_quickly(struct store_session *session, const struct search *search,
                                 struct search_result *found) MUST_CHECK;

/** A record that points to another one. */
struct referrer {
    int64_t id;
    struct text name; /* the record's ToStringText; `at` NULL: it has none */
};

enum { REFERRERS_SHOWN = 3 };

/**
 * The records that point to a record by one field of one table. Other fields and tables may point
 * to it too.
 */
struct referrers {
    const struct table *table;
    int64_t count;                          /* 0: there are none */
    struct referrer shown[REFERRERS_SHOWN]; /* the first ones by Id; in the arena */
};

/**
 * Finds the records that point to a record, by the first link or reference field through which any
 * do. STATUS_INTERNAL.
 */
enum status store_referrers(struct store_session *session, const struct record *of,
                            struct arena *arena, struct referrers *referrers) MUST_CHECK;

/** The number of commits so far. As long as it stays the same, no data has changed. Any thread. */
uint64_t store_commits(const struct store *store);

struct avatar {
    struct text type; /* media type */
    struct text content;
};

/**
 * Calls `use` with a user's picture; the picture is valid until `use` returns. STATUS_NOT_FOUND
 * when the user has none, or does not exist.
 */
enum status store_avatar(struct store_session *session, int64_t user_id,
                         void (*use)(void *argument, const struct avatar *avatar),
                         void *argument) MUST_CHECK;

enum token_kind {
    TOKEN_ACCESS,
    TOKEN_REFRESH,
    TOKEN_SPENT,    /* a refresh token that was used: a second use shows that it was stolen */
    TOKEN_RESET,    /* its bearer may set a new password, once */
    TOKEN_ONE_TIME, /* its bearer may exchange it for a pair of tokens, once */
};

/** `ends_ms` of a token that ends only when it is revoked. */
#define TOKEN_ENDLESS INT64_MAX

struct token {
    struct token_hash hash;
    enum token_kind kind;
    int64_t user_id;
    struct text client_id;
    int64_t issued_ms, expires_ms;
    int64_t family;  /* the tokens of one sign-in, which end together; never 0 */
    int64_t parent;  /* the family that this one depends on, and ends with; minus a user's Id: it
                      * depends on that user's password; 0: on nothing */
    int64_t ends_ms; /* every token derived from this one, and it itself, expires by then */
    int64_t signed_in_ms; /* of a refresh token: when its client signed in; 0: not known, since the
                           * database was of version 5 then */
    struct text client_address; /* of a refresh token, for store_add_token only: where its client
                                 * was when it signed in or refreshed */
};

enum { TOKEN_AHEAD_MAX_MS = 5 * 60 * 1000 };

/**
 * Is the token valid at `now_ms`? Not after it expires, and not when it was issued more than five
 * minutes in the future: such a token was made while the clock was ahead, and would live too long
 * by as much.
 */
static inline bool token_is_current(const struct token *token, int64_t now_ms) {
    return now_ms < token->expires_ms && token->issued_ms <= now_ms + TOKEN_AHEAD_MAX_MS;
}

/** Loads a token, even an expired one. STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_token(struct store_session *session, const struct token_hash *hash,
                        struct arena *arena, struct token *token) MUST_CHECK;

/**
 * Finds the users who have tokens: up to `limit` Ids greater than `behind`, in ascending order.
 * STATUS_INTERNAL.
 */
enum status store_token_owners(struct store_session *session, int64_t behind, int64_t *ids,
                               size_t limit, size_t *count) MUST_CHECK;

/**
 * A number that grows whenever a commit changes the outbox of the webhooks: deliveries may then be
 * due. Any thread; no lock.
 */
uint64_t store_outbox_changes(const struct store *store);

/** The delivery of one event to one webhook. Its texts lie in the arena. */
struct delivery {
    int64_t id, webhook_id, entity_id;
    int64_t attempts; /* failed ones so far */
    struct text url;
    struct text secret; /* sealed; `at` NULL: none */
    struct text payload;
};

/** A failed attempt, and when the next one is due. */
struct delivery_attempt {
    int64_t now_ms;
    int64_t next_ms;   /* the time of the next attempt; 0: there is none */
    struct text error; /* the reason for the failure */
};

struct waiting_webhook {
    int64_t id;
    bool is_active;   /* false also when the webhook was deleted */
    int64_t maker_id; /* the user whose permission to read users it has; 0: unknown */
};

struct waiting_webhooks {
    const struct waiting_webhook *list; /* in the arena */
    size_t count;
};

/** Counts the pending deliveries of all webhooks. */
enum status store_count_pending(struct store_session *session, int64_t *count) MUST_CHECK;

/** Finds the webhooks that have pending deliveries, ordered by Id, including deleted ones. */
enum status store_waiting_webhooks(struct store_session *session, struct arena *arena,
                                   struct waiting_webhooks *waiting) MUST_CHECK;

/* A delivery that waits for longer than `longest_pause_ms` was noted while the clock was ahead, so
 * it is due. */
struct due_query {
    int64_t webhook_id, now_ms, longest_pause_ms;
};

/** The most deliveries that are sent to one webhook at the same time. */
enum { DUE_MAX = 8 };

struct due_deliveries {
    struct delivery list[DUE_MAX];
    unsigned count;
    int64_t next_ms; /* when the next one will be due; INT64_MAX: none is scheduled */
};

/**
 * Finds the deliveries to one webhook that have been due for longest, including those that are
 * being sent. Each user has a queue: only its oldest pending delivery can be due.
 */
enum status store_due_deliveries(struct store_session *session, const struct due_query *query,
                                 struct arena *arena, struct due_deliveries *due) MUST_CHECK;

/* ---- writing: only in a command's `run`, through its transaction ---- */

/**
 * The caller on whose behalf a command runs. The store calls `confirm` just before each call of the
 * command's `run` or `read`, on the same thread and session; for a command that writes inside its
 * transaction, where `confirm` sees the changes of the commands before it. Unless `confirm` returns
 * OK, the store calls neither, and the command's status is what `confirm` returned:
 * UNAUTHENTICATED, FORBIDDEN, INTERNAL. The store calls it once more after `read`, with the same
 * effect: what was read may be newer than a right that has ended since. `confirm` writes nothing.
 */
struct authority {
    enum status (*confirm)(struct store_session *session, struct authority *authority);
};

/**
 * For commands on nobody's behalf: the server's own, and those that check the credential of a
 * client that is not signed in yet.
 */
extern struct authority store_nobody;

/** A record, by its Id. */
struct store_target {
    const struct table *table; /* NULL: none */
    int64_t id;
};

struct store_command {
    struct queue_item item;
    struct authority *on_behalf_of; /* never NULL: an assertion ends the process */
    /* A hint: the record that `run` or `read` will load, if it is known. An engine may read it
     * together with those of other commands. `read` should then load nothing else. */
    struct store_target target;
    /* A hint: it has many statements, and hardly ever fails. An engine then waits for none of them,
     * even if `run` has to run a second time when one fails. */
    bool writes_much;
    /*
     * Of a command that writes (store_submit, store_run). Runs on the writer's thread, inside the
     * transaction. It must make all its checks before its first write: any status but OK and
     * INTERNAL means that it has written nothing. It may run a second time, when another command of
     * its group failed and the whole group was rolled back; it must then start from the beginning.
     */
    enum status (*run)(struct store_tx *tx, struct store_command *command);
    /* Of a command that only reads (store_read, store_ask). Runs once, on the thread that is named
     * there. If the command has a `target` and `read` loads more than that record, an engine may
     * fail its statement (INTERNAL) and run it a second time: the first run must leave nothing. */
    enum status (*read)(struct store_session *session, struct store_command *command);
    /* Called once, on the thread of `run` or `read`. Every change of `run` is then durable (or was
     * rolled back), and every session sees it. */
    void (*done)(struct store_command *command);
    /* The result of `run` or `read`. INTERNAL: its changes were rolled back. UNKNOWN: the
     * connection to the database broke during the commit, so the changes may have been kept. SQLite
     * never returns UNKNOWN. */
    enum status status;
    int64_t since_ms; /* the store's own: when it was queued, by time_monotonic_ms */
};

/**
 * Queues a command for the writer. The command stays the caller's and must live until `done`. Any
 * thread. STATUS_TOO_MANY when the queue is full, STATUS_UNAVAILABLE when the store is closing:
 * `done` is then not called.
 */
enum status store_submit(struct store *store, struct store_command *command) MUST_CHECK;

/**
 * Queues a command that only reads and may take long. It runs, and its `done` is called, on one of
 * the store's reader threads, with that thread's session; it does not wait for writers. Any thread.
 * STATUS_TOO_MANY when the queue is full, STATUS_UNAVAILABLE when the store is closing: `done` is
 * then not called. The store interrupts a running read with TOO_SLOW at the time limit, with
 * TOO_MANY when the read keeps the WAL from restarting, and with UNAVAILABLE when the store is
 * closing.
 */
enum status store_read(struct store *store, struct store_command *command) MUST_CHECK;

/**
 * Runs a short command that only reads. `read` may be called on any thread, with a session of that
 * thread, after `confirm` on the same; so neither may touch data that the calling thread uses in
 * the meantime. To be called on the session's own thread. The answer arrives in one of two ways:
 * - At once: the command's status is returned, and `done` is not called. SQLite always answers so,
 *   without a queue or a copy.
 * - Later: STATUS_PENDING is returned, and the store calls `done` once, on one of its own threads,
 *   perhaps before this call returns. Answers may arrive in another order than the questions.
 *
 * STATUS_TOO_MANY and STATUS_UNAVAILABLE as for store_submit: the store did not call `read`.
 */
enum status store_ask(struct store_session *session, struct store_command *command) MUST_CHECK;

/**
 * From now on every command of store_read ends early with STATUS_UNAVAILABLE: those that run, those
 * that wait, and those that are submitted later.
 */
void store_end_reading(struct store *store);

/**
 * Submits a command and waits for its end: for start-up and tools, never on an I/O thread. Returns
 * the command's status; does not call its `done` and does not set its `status`.
 */
enum status store_run(struct store *store, struct store_command *command) MUST_CHECK;

/** The author of a change, as UpdatedBy and the audit rows name it. */
struct author {
    struct text email;
    int64_t now_ms;
    struct text request_id; /* of the request that changes; `at` NULL: none does */
};

/**
 * Allocates an Id for a new record of `table`, which must have its own Ids. The Id is greater than
 * that of any record that was ever stored, whether the client chose that one or this function did.
 * A command that is rolled back gives its Ids back.
 */
enum status store_new_id(struct store_tx *tx, const struct table *table, int64_t *id) MUST_CHECK;

/**
 * Writes a new record with its links and an audit row. Tables whose rows the store makes itself
 * (audit trail, refresh tokens, deliveries) get no audit row. The record must have its Id, and
 * version 1. The store checks neither that the rows it refers to exist, nor that the values of
 * UNIQUE fields are free: the command must do so first, in the same transaction. STATUS_INTERNAL
 * when a record of the table already has the Id or such a value.
 */
enum status store_insert(struct store_tx *tx, const struct record *record,
                         const struct author *author) MUST_CHECK;

/**
 * Replaces `before`, which this transaction loaded, by `after`: the row, the links, and one audit
 * row for each changed field that is shown (for a secret only that it changed). `after->version`
 * must be greater by one. STATUS_PRECONDITION_FAILED, with nothing written, when the stored record
 * is gone or no longer has the version of `before`. STATUS_INTERNAL also when another record has
 * the value of a UNIQUE field.
 */
enum status store_update(struct store_tx *tx, const struct record *before,
                         const struct record *after, const struct author *author) MUST_CHECK;

/**
 * Deletes a record: its row and links, and adds an audit row. The command must take care of the
 * records that point to it, and of a user's avatar and tokens. STATUS_PRECONDITION_FAILED, with
 * nothing written, when the stored record is gone or no longer has this version.
 */
enum status store_delete(struct store_tx *tx, const struct record *record,
                         const struct author *author) MUST_CHECK;

/**
 * Like store_update, for the fields that a sign-in changes (counters, times, a re-hashed password).
 * No search looks into these fields and they have no links. It leaves no audit rows and no events
 * for webhooks, and does not change the access epoch. STATUS_PRECONDITION_FAILED as for
 * store_update.
 */
enum status store_update_login_state(struct store_tx *tx, const struct record *before,
                                     const struct record *after) MUST_CHECK;

/**
 * Increments the access epoch when this transaction is committed, so that everything derived from
 * it is derived again.
 */
void store_change_access(struct store_tx *tx);

/**
 * Adds an audit row for an event of a user that changes no field of the record: tokens, sign-ins,
 * lock-outs. STATUS_INTERNAL also when there is no such user.
 */
enum status store_audit_tokens(struct store_tx *tx, int64_t user_id, struct text property,
                               struct text value, const struct author *author) MUST_CHECK;

/** The same for an event of any record, which the transaction has loaded. STATUS_INTERNAL. */
enum status store_audit_event(struct store_tx *tx, const struct record *record,
                              struct text property, struct text value,
                              const struct author *author) MUST_CHECK;

/** A deleted user whose remaining data is to be erased. */
struct erased {
    int64_t id;
    struct text email; /* the record's address, if this transaction deleted the record; `at` NULL:
                        * it was deleted before */
    bool was_known;    /* set by store_erase: there was such a user */
};

/**
 * Erases what remains of deleted users. It blanks the values of audit rows about them and of
 * deliveries, and replaces their addresses wherever these name the author of a change (except
 * addresses that another user has taken since). It deletes the uses of their Idempotency-Keys, and
 * adds an audit row for each user. After the commit the WAL is emptied as soon as no reader needs
 * it; from then on no file contains the erased data. One call reads all users and all audit rows
 * once, for up to `count` users.
 */
enum status store_erase(struct store_tx *tx, struct erased *erased, size_t count,
                        struct arena *arena, const struct author *author) MUST_CHECK;

/**
 * Would the disk accept a change of the size that it refused? Tries it with a temporary file, at
 * most once a second; changes neither the database nor store_stats. OK also when no change was
 * refused. STATUS_UNAVAILABLE: it would not.
 */
enum status store_try_room(struct store_tx *tx) MUST_CHECK;

/** Stores a user's avatar in place of the previous one; NULL deletes it, if there is one. */
enum status store_set_avatar(struct store_tx *tx, int64_t user_id,
                             const struct avatar *avatar) MUST_CHECK;

/**
 * Stores a new token, and deletes the oldest one of its user and kind when there would be too many
 * (`user_tokens`). STATUS_INTERNAL also when a token has the same hash already.
 */
enum status store_add_token(struct store_tx *tx, const struct token *token) MUST_CHECK;

/**
 * Deletes a token, or turns a refresh token into a spent one. OK also when there is none: the
 * command must check that first. The number of spent tokens has no bound here (see
 * store_has_spent); they are deleted when their family has no refresh token of the same client any
 * more.
 */
enum status store_drop_token(struct store_tx *tx, const struct token_hash *hash) MUST_CHECK;
enum status store_spend_token(struct store_tx *tx, const struct token_hash *hash) MUST_CHECK;

/**
 * Are at least `count` (1 or more) tokens of the family spent? OK: they are. NOT_FOUND: fewer are.
 * INTERNAL.
 */
enum status store_has_spent(struct store_tx *tx, int64_t family, int64_t count) MUST_CHECK;

/**
 * Revokes all tokens of a family, and of the families that depend on it. The family is given
 * directly, or by the Id of one of its refresh tokens; store_revoke_all ends all families of a
 * user, including those that depend on the user's password.
 */
enum status store_end_family(struct store_tx *tx, int64_t family) MUST_CHECK;
enum status store_end_family_of(struct store_tx *tx, int64_t refresh_id) MUST_CHECK;
enum status store_revoke_all(struct store_tx *tx, int64_t user_id) MUST_CHECK;

/**
 * Is the client of `session` new to its user: does it have no token of these kinds (one bit for
 * each)? OK: it is new. NOT_FOUND: it is not, or the user has had 50 refresh tokens since
 * `since_ms`, so that no client counts as new. INTERNAL.
 */
enum status store_is_new_client(struct store_tx *tx, const struct token *session, unsigned kinds,
                                int64_t since_ms) MUST_CHECK;

/** Revokes the tokens of one kind of a user's client, but not the families that depend on them. */
enum status store_revoke_client(struct store_tx *tx, int64_t user_id, struct text client_id,
                                enum token_kind kind) MUST_CHECK;

/** The use of a caller's Idempotency-Key. */
struct idempotency_use {
    int64_t caller;
    struct text key;       /* begins with the table's entity: each resource has its own keys */
    struct token_hash mac; /* of the body */
    int64_t record_id, at_ms;
    struct text author; /* the caller's e-mail address at that time */
};

/**
 * Finds a use by its caller and key that is later than `since_ms`, and fills in its mac, record_id,
 * at_ms and author. By any session. STATUS_NOT_FOUND.
 */
enum status store_find_idempotency(struct store_session *session, struct idempotency_use *use,
                                   int64_t since_ms, struct arena *arena) MUST_CHECK;

/** The number of uses that are kept of each caller (more, if some have the same timestamp). */
enum { IDEMPOTENCY_MAX = 10000 };

/**
 * Stores a use, in place of an earlier one with the same caller and key, and deletes the oldest
 * ones of the caller beyond IDEMPOTENCY_MAX.
 */
enum status store_add_idempotency(struct store_tx *tx,
                                  const struct idempotency_use *use) MUST_CHECK;

/**
 * Records that a delivery arrived, even if its status has changed meanwhile. The next delivery of
 * its queue becomes due. STATUS_INTERNAL, as for all functions that write.
 */
enum status store_delivered(struct store_tx *tx, const struct delivery *delivery,
                            int64_t now_ms) MUST_CHECK;

/**
 * Records a failed attempt. If it was the last one, the delivery has failed: the next delivery of
 * its queue becomes due, and the webhook may be deactivated (rules/webhook.h). OK, with nothing
 * recorded, when the delivery is no longer pending.
 */
enum status store_not_delivered(struct store_tx *tx, const struct delivery *delivery,
                                const struct delivery_attempt *attempt) MUST_CHECK;

/**
 * Cancels at most `limit` pending deliveries of a webhook that is deleted or inactive, the youngest
 * of each queue first. Does nothing for an active one.
 */
enum status store_cancel_deliveries(struct store_tx *tx, int64_t webhook_id, int64_t now_ms,
                                    int limit) MUST_CHECK;

/** Deactivates a webhook and records the reason, if it is still the one that this user made. */
enum status store_stop_webhook(struct store_tx *tx, const struct waiting_webhook *webhook,
                               struct text why) MUST_CHECK;

/**
 * Makes a delivery pending again, whatever its status, with its attempts reset to 0. In its queue
 * it precedes the younger ones.
 */
enum status store_redeliver(struct store_tx *tx, const struct record *delivery,
                            int64_t now_ms) MUST_CHECK;

/** An attempt to sign in, which counts for a client in the period in which it begins. */
struct store_attempt {
    struct token_hash client;
    int64_t limit;     /* of failures and attempts in progress together; 1 or more */
    int64_t period_ms; /* begins with the first attempt */
    /* out */
    int64_t wait_ms;  /* 0: it may be made; otherwise how long the client has to wait */
    int64_t since_ms; /* internal: when the period began */
};

/**
 * Does the store count attempts to sign in? It does where several processes may have the database
 * open, so that a limit holds for all of them together. If not, the next two functions must not be
 * called. Any thread.
 */
bool store_counts_attempts(const struct store *store) MUST_CHECK;

/**
 * Begins an attempt, which counts like a failure until it has ended: of any number of attempts in
 * all processes no more than `limit` can fail in a period. With a `wait_ms` nothing has begun. One
 * that is never ended, as its process was killed, counts until the end of the period. INTERNAL.
 */
enum status store_begin_attempt(struct store_tx *tx, struct store_attempt *attempt) MUST_CHECK;

/** Ends an attempt, which has failed or gives its place back. INTERNAL. */
enum status store_end_attempt(struct store_tx *tx, const struct store_attempt *attempt,
                              bool has_failed) MUST_CHECK;

/**
 * Adds a delivery of a made-up user, whose Id is 0, to an active webhook. STATUS_CONFLICT, with
 * nothing written, while an earlier one is pending: a webhook has one test at a time. INTERNAL.
 */
enum status store_test_webhook(struct store_tx *tx, const struct record *webhook,
                               const struct record *made_up,
                               const struct author *author) MUST_CHECK;

/** For each kind of row, the time before which it may be deleted. */
struct expired {
    int64_t tokens_ms;      /* tokens that expired before */
    int64_t deliveries_ms;  /* deliveries that ended before, whatever their result */
    int64_t idempotency_ms; /* uses of Idempotency-Keys */
    int64_t audit_ms;       /* rows of the audit trail; INT64_MIN: keep all */
    int64_t now_ms;         /* a row with a later time was made while the clock was ahead */
};

/**
 * Deletes at most `limit` rows of each kind that are older than the time given for it (strictly).
 * Pending deliveries stay. `*more`: there may be others to delete.
 */
enum status store_purge_expired(struct store_tx *tx, const struct expired *expired, int limit,
                                bool *more) MUST_CHECK;

/**
 * Does as much work for a sign-in with an unknown address as counting a failed sign-in of a known
 * user takes, so that the time of a reply does not show whether an address is known.
 */
enum status store_count_unknown_login(struct store_tx *tx) MUST_CHECK;

#endif

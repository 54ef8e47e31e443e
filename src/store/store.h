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
 * Where records live. Reading needs a session, which each thread opens for itself. Writing is done
 * by commands: they run one after the other, each wholly or not at all, and are answered only when
 * they are durable.
 */

struct store;

/** A connection to read by: a reader's own, or the writer's while a command runs. One thread at a
 * time.
 */
struct store_session;

/** A transaction to write by: that of a command, for as long as it runs. */
struct store_tx {
    struct store_session *session; /* to read by: it sees what the transaction wrote */
};

struct sqlite_options;

struct store_options {
    const char *directory;               /* must exist and be writable */
    bool must_exist;                     /* the database, with something in it: none is made */
    const struct sqlite_options *sqlite; /* store/sqlite/options.h; NULL: the defaults */
    int64_t search_limit_ms;             /* how long a command of store_read may take; 0: 10 s */
    int64_t user_tokens;                 /* of each kind that a user may have; 0: 100 */
    /* A picture as it is to be kept, in memory of the arena; `at` NULL: as it is. Pictures that a
     * version stored which did not do so yet pass it when the schema is brought up to date. NULL:
     * they stay as they are. */
    struct text (*clean_picture)(struct text content, struct arena *arena);
};

/**
 * Opens the database, creating it or bringing its schema up to date, and starts the writer.
 * NULL on failure, with one line in `why` that says what to do, and `*exit_code` from sysexits.h:
 * EX_CANTCREAT, EX_IOERR, EX_NOINPUT (it must exist), EX_CONFIG (the database is of a newer
 * version), EX_TEMPFAIL (in use).
 */
struct store *store_open(const struct store_options *options, char *why, size_t why_size,
                         int *exit_code) MUST_CHECK;

/**
 * Is this the key that seals the database's fields? One that was told of no key yet takes it as its
 * own, if it opens a sealed value, or there is none. For start-up. FORBIDDEN: it is another one.
 * INTERNAL.
 */
enum status store_claim_key(struct store *store, const struct seal_key *key) MUST_CHECK;

/** Was there ever a key, or may one be made now? For start-up. INTERNAL. */
enum status store_had_key(struct store *store, bool *had_key) MUST_CHECK;

/** Finishes the commands that wait, stops the writer, closes. No session may be open. Takes NULL.
 */
void store_close(struct store *store);

/**
 * Grows by one whenever something committed that decides who may do what (a field marked ACCESS, a
 * token revoked, a user deleted), before the command that did it is answered. What was derived
 * from the store under an older number must be derived again. Any thread; no lock.
 */
uint64_t store_access_epoch(const struct store *store);

/**
 * Does what was found out under an epoch still hold for this session? Not when something that
 * decides who may do what was committed since, nor when the running transaction changed it: an
 * earlier command of the same group. On the session's thread; no lock.
 */
bool store_access_stands(const struct store_session *session, uint64_t epoch) MUST_CHECK;

/** Did the running transaction itself change who may do what? On a reader's session never. */
bool store_access_changes(const struct store_session *session) MUST_CHECK;

/** Groups are counted by size: 1, up to 2, up to 4 and so forth to 128, and above. */
enum { STORE_GROUP_SIZES = 9 };

/** Figures for those who watch over a server. Any thread. */
struct store_stats {
    uint64_t commands, commits;                  /* run and committed since the start */
    uint64_t groups[STORE_GROUP_SIZES], grouped; /* commits by size, and the commands in them */
    uint64_t readings;                           /* by sessions of store_session_open */
    uint64_t waiting, refused;                   /* commands in the queue, and what was full for */
    uint64_t reads_waiting, reads_refused;       /* the same of what was given to store_read */
    uint64_t log_bytes;                          /* the log's file */
    /* The disk refused a change, and has taken none of that size since; or it refused a sync. */
    bool refuses;
};

struct store_stats store_stats(struct store *store);

/**
 * Did the disk refuse a sync, or to roll back? Then no more changes are taken until the database is
 * opened again, since what is on the disk is not known. Any thread.
 */
bool store_is_broken(const struct store *store);

/* ---- reading: any session; sees all that was answered before ---- */

/**
 * A session for the calling thread, which no time limit of the store's ends. NULL when there is no
 * memory or descriptor left.
 */
struct store_session *store_session_open(struct store *store) MUST_CHECK;

/** Any thread that nobody else uses the session on. Takes NULL. */
void store_session_close(struct store_session *session);

/** Loads a record whole, hidden and secret values as stored. STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_load(struct store_session *session, const struct table *table, int64_t id,
                       struct arena *arena, struct record *record) MUST_CHECK;

/**
 * Fills in what a record shows but other rows keep: its backlinks by Id, and the names of rows that
 * it refers to (null where there is no such row). STATUS_INTERNAL.
 */
enum status store_load_derived(struct store_session *session, struct record *record,
                               struct arena *arena) MUST_CHECK;

/**
 * Adds a record as replies show it to `json`: what json_add_record would make of it, only faster.
 * STATUS_NOT_FOUND, STATUS_INTERNAL.
 */
enum status store_load_json(struct store_session *session, const struct table *table, int64_t id,
                            struct buffer *json, int64_t *version) MUST_CHECK;

/** The user whose EmailKey this is (rules/email.h). STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_find_user(struct store_session *session, struct text email_key,
                            int64_t *id) MUST_CHECK;

/**
 * The business of that name (without regard to the case of ASCII letters), of several the first;
 * where there is none, the first of all. NOT_FOUND: there is no business. By an index.
 */
enum status store_find_business(struct store_session *session, struct text name,
                                int64_t *id) MUST_CHECK;

/** OK: there is a row with this id. STATUS_NOT_FOUND, STATUS_INTERNAL. */
enum status store_exists(struct store_session *session, const struct table *table,
                         int64_t id) MUST_CHECK;

/** OK: there is an active unrestricted administrator besides `id`. STATUS_NOT_FOUND,
 * STATUS_INTERNAL.
 */
enum status store_other_administrator(struct store_session *session, int64_t id) MUST_CHECK;

/**
 * The number of rows of a table. STATUS_NOT_FOUND for those whose rows the store makes itself
 * (audit trail entries, refresh tokens): a search counts them. STATUS_INTERNAL.
 */
enum status store_count(struct store_session *session, const struct table *table,
                        int64_t *count) MUST_CHECK;

struct search_result {
    struct buffer *json; /* the caller's: the records are added to it, with commas between them */
    size_t count;        /* of records on the page */
    int64_t total;       /* of records that there are */
    bool has_more;       /* behind the page */
    int64_t last_id;     /* on the page */
    struct buffer row;   /* the store's: room for one after the other */
};

/**
 * Runs a search: the page and the total, as of one snapshot. May take long: see store_read.
 * STATUS_TOO_LARGE when the page would take more than 8 MiB, STATUS_INTERNAL, and where store_read
 * says so TOO_SLOW, TOO_MANY, UNAVAILABLE.
 */
enum status store_search(struct store_session *session, const struct search *search,
                         struct search_result *found) MUST_CHECK;

/**
 * The same for an I/O thread: STATUS_TOO_SLOW when the search is not one that an index answers
 * within a millisecond or so. When it fails, nothing is added to `found->json`.
 */
enum status store_search_quickly(struct store_session *session, const struct search *search,
                                 struct search_result *found) MUST_CHECK;

/** A record that points to another one. */
struct referrer {
    int64_t id;
    struct text name; /* its ToStringText; `at` NULL: it has none */
};

enum { REFERRERS_SHOWN = 3 };

/** The records that point to one: those of one table, though others may have some too. */
struct referrers {
    const struct table *table;
    int64_t count;                          /* 0: there are none */
    struct referrer shown[REFERRERS_SHOWN]; /* the first ones by Id; in the arena */
};

/** Finds who points to a record by a link or a reference. STATUS_INTERNAL. */
enum status store_referrers(struct store_session *session, const struct record *of,
                            struct arena *arena, struct referrers *referrers) MUST_CHECK;

/** How many groups were committed so far: as long as it stands, nothing has changed. Any thread. */
uint64_t store_commits(const struct store *store);

struct avatar {
    struct text type; /* media type */
    struct text content;
};

/**
 * Has `use` look at a user's picture, which is there until it returns. STATUS_NOT_FOUND when the
 * user has none, or does not exist.
 */
enum status store_avatar(struct store_session *session, int64_t user_id,
                         void (*use)(void *argument, const struct avatar *avatar),
                         void *argument) MUST_CHECK;

enum token_kind {
    TOKEN_ACCESS,
    TOKEN_REFRESH,
    TOKEN_SPENT,    /* a refresh token that was used: seen again, it was stolen */
    TOKEN_RESET,    /* lets its bearer set a new password, once */
    TOKEN_ONE_TIME, /* is traded for a pair of tokens, once */
};

/** The end of what ends only when somebody ends it. */
#define TOKEN_ENDLESS INT64_MAX

struct token {
    struct token_hash hash;
    enum token_kind kind;
    int64_t user_id;
    struct text client_id;
    int64_t issued_ms, expires_ms;
    int64_t family;  /* what came of one sign-in of one user, and ends together; never 0 */
    int64_t parent;  /* the family that this one rests on and ends with; minus a user's Id: it rests
                      * on that user's password; 0: on nothing else */
    int64_t ends_ms; /* what is derived from it expires by then too, as it does itself */
};

enum { TOKEN_AHEAD_MAX_MS = 5 * 60 * 1000 };

/**
 * Is it a token's time? Not after its end; nor when it was issued later than now, by more than
 * clocks are set: then it was made while the clock was ahead, and would live as much longer.
 */
static inline bool token_is_current(const struct token *token, int64_t now_ms) {
    return now_ms < token->expires_ms && token->issued_ms <= now_ms + TOKEN_AHEAD_MAX_MS;
}

/** STATUS_NOT_FOUND, STATUS_INTERNAL. Expired ones are found too. */
enum status store_token(struct store_session *session, const struct token_hash *hash,
                        struct arena *arena, struct token *token) MUST_CHECK;

/**
 * Grows whenever a commit left something in the outbox of the webhooks: then there may be due
 * deliveries. Any thread; no lock.
 */
uint64_t store_outbox_changes(const struct store *store);

/** One event on its way to one webhook. Texts in the arena. */
struct delivery {
    int64_t id, hook_id, entity_id;
    int64_t attempts; /* that failed so far */
    struct text url;
    struct text secret; /* sealed; `at` NULL: none */
    struct text payload;
};

/** An attempt that failed, and what follows. */
struct delivery_attempt {
    int64_t now_ms;
    int64_t next_ms;   /* when the next one is; 0: never */
    struct text error; /* why */
};

struct waiting_hook {
    int64_t id;
    bool is_active;   /* false also when it is gone */
    int64_t maker_id; /* whose right to read users it tells them by; 0: not known */
};

struct waiting_hooks {
    const struct waiting_hook *list; /* in the arena */
    size_t count;
};

/** Counts the deliveries that are pending, to whatever webhook. */
enum status store_count_pending(struct store_session *session, int64_t *count) MUST_CHECK;

/** Finds the webhooks that something is pending for, by Id, those among them that are gone. */
enum status store_waiting_hooks(struct store_session *session, struct arena *arena,
                                struct waiting_hooks *waiting) MUST_CHECK;

/* What is to wait for longer than any pause lasts was noted while the clock was ahead: it is due.
 */
struct due_query {
    int64_t hook_id, now_ms, longest_pause_ms;
};

/** As many as one webhook is ever sent at once. */
enum { DUE_MAX = 8 };

struct due_deliveries {
    struct delivery list[DUE_MAX];
    unsigned count;
    int64_t next_ms; /* when more will be due; INT64_MAX: not foreseen */
};

/**
 * Finds the deliveries to one webhook that are due for longest, those on their way among them. None
 * is due while an older one of the same user is pending.
 */
enum status store_due_deliveries(struct store_session *session, const struct due_query *query,
                                 struct arena *arena, struct due_deliveries *due) MUST_CHECK;

/* ---- writing: only in a command's `run`, by the transaction that it is given ---- */

/**
 * On whose behalf a command runs. `confirm` is asked each time just before the command's `run` or
 * `read`, on the same thread and session (for what writes: inside the transaction, where it sees
 * what the commands before it did). Unless it says OK, neither is called, and what it says becomes
 * the command's status: UNAUTHENTICATED, FORBIDDEN, INTERNAL. It writes nothing.
 */
struct authority {
    enum status (*confirm)(struct store_session *session, struct authority *authority);
};

/** Nobody's behalf: the server's own commands, and those that weigh a stranger's credential. */
extern struct authority store_nobody;

struct store_command {
    struct queue_item item;
    struct authority *on_behalf_of; /* never NULL, which ends the process */
    /*
     * Of a command that writes (store_submit, store_run). Runs on the writer's thread, inside the
     * transaction. Must decide before it writes: any status but OK and INTERNAL means that nothing
     * was written. May run a second time, when another command of its group failed and was rolled
     * back with it: it must then start afresh.
     */
    enum status (*run)(struct store_tx *tx, struct store_command *command);
    /* Of one that only reads (store_read, store_ask). Runs once, on the thread that is named
     * there. */
    enum status (*read)(struct store_session *session, struct store_command *command);
    /* Called once, on the thread of `run` or `read`. By then every change of `run` is durable
     * (or was not kept), and every session sees it. */
    void (*done)(struct store_command *command);
    /* The result of `run` or `read`; INTERNAL when nothing of it was kept; UNKNOWN when the
     * database went away during the commit: it may have been kept. SQLite always knows. */
    enum status status;
};

/**
 * Queues a command, which stays the caller's: it must live until `done`. Any thread.
 * STATUS_TOO_MANY when too many wait, STATUS_UNAVAILABLE when the store is closing: then `done` is
 * not called.
 */
enum status store_submit(struct store *store, struct store_command *command) MUST_CHECK;

/**
 * Queues a command that only reads, and may take long: it runs on one of a few threads of the
 * store's own, with a session of theirs, and is answered there; it waits for nobody who writes. Any
 * thread. STATUS_TOO_MANY when too many wait, STATUS_UNAVAILABLE when closing: then `done` is not
 * called. What it reads by ends early, as TOO_SLOW after the time limit,
 * as TOO_MANY when the WAL cannot restart for it, as UNAVAILABLE when closing.
 */
enum status store_read(struct store *store, struct store_command *command) MUST_CHECK;

/**
 * Asks a short question: a command that only reads. `read` may be called on any thread, with a
 * session of that thread, after `confirm` on the same; so neither may touch what the asking thread
 * touches meanwhile. To be called on the session's own thread. The answer comes in one of two ways:
 * - At once: the command's status is returned, and `done` is not called. SQLite always answers so,
 *   without a queue or a copy.
 * - Later: STATUS_PENDING is returned, and the store calls `done` once, on a thread of its own,
 *   perhaps before this call returns. Answers need not come in the order of the questions.
 * STATUS_TOO_MANY, STATUS_UNAVAILABLE as for store_submit: the store did not call `read`.
 */
enum status store_ask(struct store_session *session, struct store_command *command) MUST_CHECK;

/** From here on what store_read was given, or is given, ends early as STATUS_UNAVAILABLE. */
void store_end_reading(struct store *store);

/**
 * Submits and waits: for start-up and tools, never on an I/O thread. The command's status; its
 * `done` is not called, and its `status` not set.
 */
enum status store_run(struct store *store, struct store_command *command) MUST_CHECK;

/** The writer, as UpdatedBy and the audit rows name it. */
struct author {
    struct text email;
    int64_t now_ms;
};

/**
 * An id for a new record of `table`, which has Ids of its own: greater than that of any record that
 * was ever kept, whether it was given or made up. A command that is not kept gives its Ids back.
 */
enum status store_new_id(struct store_tx *tx, const struct table *table, int64_t *id) MUST_CHECK;

/**
 * Writes a new record with its links, and an audit row; of a table whose rows the store makes
 * itself (audit trail, refresh tokens, deliveries) there is none. The record has its Id, and
 * version 1. What it refers to is not looked at, nor whether anybody has the value of a UNIQUE
 * field: that is for the command to find out first, in the same transaction. STATUS_INTERNAL when a
 * record of the table has the Id or such a value.
 */
enum status store_insert(struct store_tx *tx, const struct record *record,
                         const struct author *author) MUST_CHECK;

/**
 * Replaces `before`, as this transaction loaded it, by `after`: row, links, one audit row for each
 * changed field that is shown (secrets as "changed"). `after->version` must be one more.
 * STATUS_PRECONDITION_FAILED, and nothing is written, when the stored record is not of before's
 * version, or gone. STATUS_INTERNAL also when another record has the value of a UNIQUE field.
 */
enum status store_update(struct store_tx *tx, const struct record *before,
                         const struct record *after, const struct author *author) MUST_CHECK;

/**
 * Takes a record away: row and links, and an audit row. What points to it, and a user's avatar and
 * tokens, are for the command to look at. STATUS_PRECONDITION_FAILED, and nothing is written, when
 * the stored record is not of its version (any more), or gone.
 */
enum status store_delete(struct store_tx *tx, const struct record *record,
                         const struct author *author) MUST_CHECK;

/**
 * Like store_update for what a sign-in notes down (counters, times, a re-hashed password), which no
 * search looks into and no link is made of: no audit rows, no events for webhooks, and no new
 * access epoch. STATUS_PRECONDITION_FAILED as there.
 */
enum status store_update_login_state(struct store_tx *tx, const struct record *before,
                                     const struct record *after) MUST_CHECK;

/** Has all that is remembered of who may do what be looked up again, once this is committed. */
void store_change_access(struct store_tx *tx);

/**
 * Leaves an audit row on what happened to a user that is no change of the record: tokens, sign-ins,
 * lock-outs. STATUS_INTERNAL also when there is no such user.
 */
enum status store_audit_tokens(struct store_tx *tx, int64_t user_id, struct text property,
                               struct text value, const struct author *author) MUST_CHECK;

/** A user of whom nothing is to be left. */
struct erased {
    int64_t id;
    struct text email; /* that the record had, which this transaction took away; `at` NULL: it was
                        * gone before */
    bool was_known;    /* out: there was such a user */
};

/**
 * Blanks what is left of users whose records are gone: the values of audit rows about them and of
 * deliveries, and their addresses wherever these say who did something (but for those that are
 * another user's by now). Drops what their Idempotency-Keys were used for. An audit row for each
 * says so. Once it is committed, the log begins anew, as soon as nobody reads from it, and then no
 * file has any of it. It looks at all users and all audit rows, once for up to `count` users.
 */
enum status store_erase(struct store_tx *tx, struct erased *erased, size_t count,
                        struct arena *arena, const struct author *author) MUST_CHECK;

/**
 * Would the disk take a change of the size that it refused? Looks at most once a second, by a file
 * of its own; changes nothing, store_stats neither. OK when it refused none. STATUS_UNAVAILABLE.
 */
enum status store_try_room(struct store_tx *tx) MUST_CHECK;

/** Keeps a user's avatar in the place of the one before; NULL removes it, if there is one. */
enum status store_set_avatar(struct store_tx *tx, int64_t user_id,
                             const struct avatar *avatar) MUST_CHECK;

/**
 * Keeps a new token; the oldest one of its user and kind goes where there are more than there may
 * be. STATUS_INTERNAL also when there is one of that hash.
 */
enum status store_add_token(struct store_tx *tx, const struct token *token) MUST_CHECK;

/**
 * Takes a token away, or turns a refresh token into a spent one. OK also when there is none: the
 * command finds that out first. Spent ones have no bound here, see store_has_spent; they go when
 * their family has no refresh token of that client any more.
 */
enum status store_drop_token(struct store_tx *tx, const struct token_hash *hash) MUST_CHECK;
enum status store_spend_token(struct store_tx *tx, const struct token_hash *hash) MUST_CHECK;

/** OK: so many tokens of the family, 1 or more, are spent. NOT_FOUND: fewer. INTERNAL. */
enum status store_has_spent(struct store_tx *tx, int64_t family, int64_t count) MUST_CHECK;

/**
 * Takes away all tokens of a family and of those that rest on it: of one, of that of a refresh
 * token (by its Id), or of all of a user, with what rests on his password.
 */
enum status store_end_family(struct store_tx *tx, int64_t family) MUST_CHECK;
enum status store_end_family_of(struct store_tx *tx, int64_t refresh_id) MUST_CHECK;
enum status store_revoke_all(struct store_tx *tx, int64_t user_id) MUST_CHECK;

/**
 * Is the client of `session` new to its user: has it no token of these kinds (a bit for each)?
 * NOT_FOUND: it is not; nor is any that comes when the user has had 50 refresh tokens since
 * `since_ms`. INTERNAL.
 */
enum status store_is_new_client(struct store_tx *tx, const struct token *session, unsigned kinds,
                                int64_t since_ms) MUST_CHECK;

/** Takes away the tokens of one kind of a user's client, and nothing that rests on them. */
enum status store_revoke_client(struct store_tx *tx, int64_t user_id, struct text client_id,
                                enum token_kind kind) MUST_CHECK;

/** The use of a caller's Idempotency-Key. */
struct idempotency_use {
    int64_t caller;
    struct text key;       /* begins with the table's entity: each resource has its own */
    struct token_hash mac; /* of the body */
    int64_t record_id, at_ms;
    struct text author; /* the caller's e-mail address then */
};

/**
 * Fills in mac, record_id, at_ms and author of a use after `since_ms`; in any session.
 * STATUS_NOT_FOUND.
 */
enum status store_find_idempotency(struct store_session *session, struct idempotency_use *use,
                                   int64_t since_ms, struct arena *arena) MUST_CHECK;

/** How many uses of keys are remembered of a caller (more, where some are of the same moment). */
enum { IDEMPOTENCY_MAX = 10000 };

/**
 * Remembers a use, in the place of an earlier one of the same caller and key; the oldest ones of
 * its caller go when there are more than IDEMPOTENCY_MAX.
 */
enum status store_add_idempotency(struct store_tx *tx,
                                  const struct idempotency_use *use) MUST_CHECK;

/**
 * Notes that a delivery arrived, whatever became of it meanwhile; the next one of its queue is due.
 * STATUS_INTERNAL, as all that writes.
 */
enum status store_delivered(struct store_tx *tx, const struct delivery *delivery,
                            int64_t now_ms) MUST_CHECK;

/**
 * Notes that an attempt failed; when it was the last one, that the delivery did: then the next one
 * of its queue is due, and the webhook may be made inactive (rules/webhook.h).
 * OK, and nothing is noted, of a delivery that is not pending any more.
 */
enum status store_not_delivered(struct store_tx *tx, const struct delivery *delivery,
                                const struct delivery_attempt *attempt) MUST_CHECK;

/**
 * Ends at most `limit` pending deliveries of a webhook as cancelled, the youngest of each queue
 * first, unless it is there and active.
 */
enum status store_cancel_deliveries(struct store_tx *tx, int64_t hook_id, int64_t now_ms,
                                    int limit) MUST_CHECK;

/** Makes a webhook inactive, if it still is the one that this user made, and says why. */
enum status store_stop_hook(struct store_tx *tx, const struct waiting_hook *hook,
                            struct text why) MUST_CHECK;

/**
 * Makes a delivery pending again, whatever became of it, with no attempts so far. In its queue it
 * comes before those that are younger.
 */
enum status store_redeliver(struct store_tx *tx, const struct record *delivery,
                            int64_t now_ms) MUST_CHECK;

/** What nobody needs any more: the moments before which each kind may go. */
struct expired {
    int64_t tokens_ms;      /* expired */
    int64_t deliveries_ms;  /* ended, one way or the other */
    int64_t idempotency_ms; /* uses of Idempotency-Keys */
    int64_t audit_ms;       /* rows of the audit trail; INT64_MIN: none may */
    int64_t now_ms;         /* what is of later was made while the clock was ahead */
};

/**
 * Takes away at most `limit` of each kind, before its moment and not at it; `*more`: there may be
 * others. Deliveries that are pending stay.
 */
enum status store_purge_expired(struct store_tx *tx, const struct expired *outdated, int limit,
                                bool *more) MUST_CHECK;

/** Counts a sign-in to an address that no user has: as much work as counting a known user's. */
enum status store_count_unknown_login(struct store_tx *tx) MUST_CHECK;

#endif

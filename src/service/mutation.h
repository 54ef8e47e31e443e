#ifndef ROSTER_SERVICE_MUTATION_H
#define ROSTER_SERVICE_MUTATION_H

#include "crypto/seal.h"
#include "model/change.h"
#include "model/permission.h"
#include "model/principal.h"
#include "rules/validate.h"
#include "store/store.h"

enum mutation_kind { MUTATION_create, MUTATION_replace, MUTATION_patch, MUTATION_delete };

/**
 * The request that mutations are made for: its caller, time and conditions. All mutations of one
 * request share it. The context, and all that it points to, must outlive them.
 */
struct mutation_context {
    struct arena *arena; /* of all that mutations make; used by one thread at a time */
    /* The caller with the permissions that the decision uses. In the transaction the store asks the
     * command's authority, which brings it up to date, before the mutation is run. */
    const struct principal *caller;
    const struct seal_key *key; /* of sealed fields; NULL: none has a value */
    int64_t now_ms;
    struct text request_id; /* for the audit rows; `at` NULL: no request */
    bool nexudus;           /* compatibility = nexudus */
    bool strict;            /* the client prefers handling=strict (RFC 7240 section 4.4) */
    struct text if_match, if_none_match; /* for each record; `at` NULL: no condition */
};

/** The outcome of a mutation, or of the first one with its Idempotency-Key. */
struct mutation_result {
    int64_t id;
    int64_t version;  /* 0: the record is gone */
    struct author by; /* the e-mail lives as long as the mutation */
};

/** A condition of a change: the field's value, as a text of the audit trail. */
struct expected_value {
    unsigned field;
    struct text text; /* `at` NULL: none */
};

/**
 * One change of one record, from a body to the durable row. The same way whatever the resource and
 * whoever asks: mutation_new, fill in `change`, mutation_validate, mutation_seal, mutation_run in a
 * command on behalf of the caller.
 */
struct mutation {
    const struct mutation_context *context;
    const struct resource *resource;
    enum mutation_kind kind;
    struct change change;
    int64_t new_id;       /* the Id of a new record; 0: the store makes one */
    struct errors errors; /* complete after a decision that is BAD_INPUT or FORBIDDEN_CHANGE */
    struct rules rules;
    struct idempotency_use
        idempotency; /* what the Idempotency-Key of a new record stands for; `key.at` NULL */
    const struct expected_value *expected; /* beside the conditions of the context; outlive it */
    unsigned expected_count;
    struct text conflict; /* why the decision is CONFLICT, or PRECONDITION_FAILED where that is not
                             If-Match */
    /* As the last decision saw them. `before` is empty (version 0) for a new record, `after` for
     * one that goes. */
    struct record before, after;
    struct mutation_result result; /* valid after a mutation_run that is OK */
};

/** The rules of one resource; everything else follows from its field table. */
struct resource {
    const struct table *table;
    /* The field that orders searches which name none; 0: Id. Rows are made in its order. */
    unsigned order;
    unsigned shows_users; /* a bit for each operation that gets users' records to the caller */
    /* Room for a mutation of this resource, which may have more behind it; zeroed. NULL: a plain
     * struct mutation. Runs once a mutation, on the thread that makes it. */
    struct mutation *(*allocate)(struct arena *arena);
    /*
     * Its own rules; NULL: none. Each decision runs them, in this order, so they run up to
     * three times for one request: early on the thread that serves the caller, then on the writer's
     * thread inside the transaction, and there again when its group of commands was rolled back.
     * `session` is that thread's. They start afresh each time, write nothing to the store, and add
     * errors to the mutation. OK, also with errors; INTERNAL; `check` also CONFLICT with
     * `conflict`. Any error of `permit` makes the decision FORBIDDEN_CHANGE.
     */
    enum status (*permit)(struct mutation *mutation, struct store_session *session);
    enum status (*check)(struct mutation *mutation, struct store_session *session);
    /* Sees `after`, which it may complete. */
    enum status (*check_merged)(struct mutation *mutation, struct store_session *session);
    /*
     * Both run on the writer's thread inside the transaction, after its decision, as often as that
     * is taken there. Anything but OK rolls the transaction back.
     */
    /* Takes the record away, where that is not to delete a row. */
    enum status (*erase)(const struct mutation *mutation, struct store_tx *tx);
    /* Writes what belongs to the row, which is written. */
    enum status (*write)(struct mutation *mutation, struct store_tx *tx);
    /* Does the change ask for slow work (a password to hash, a picture to fetch)? Then it is
     * decided on before that, too. Any thread, any number of times. NULL: none does. */
    bool (*is_slow)(const struct mutation *mutation);
};

/** A mutation whose change is to be filled in. NULL: no memory. */
struct mutation *mutation_new(const struct mutation_context *context,
                              const struct resource *resource, enum mutation_kind kind) MUST_CHECK;

/** A patch or a delete of the record with this Id that changes no field yet. NULL: no memory. */
struct mutation *mutation_new_on(const struct mutation_context *context,
                                 const struct resource *resource, enum mutation_kind kind,
                                 int64_t id) MUST_CHECK;

/**
 * Checks the change by all rules that need no stored record, and adds what is wrong to `errors`.
 * `id` is that of the record, where it does not stand in the change, or must be the same there; 0:
 * not known. A new record gets a UniqueId, unless it has one. Once, on the thread that made the
 * mutation. STATUS_OK, also with errors; BAD_INPUT: it is not known which record is meant;
 * INTERNAL.
 */
enum status mutation_validate(struct mutation *mutation, int64_t id) MUST_CHECK;

/** Are there errors so far? Also when memory was short for them. */
static inline bool mutation_is_wrong(const struct mutation *mutation) {
    return mutation->errors.first || mutation->errors.failed;
}

/**
 * Encrypts the sealed fields of a replacement or a patch, once, before it is run: those of a new
 * record are sealed in the transaction, where it gets its Id. STATUS_INTERNAL.
 */
enum status mutation_seal(struct mutation *mutation) MUST_CHECK;

/** The same in `values` of a row with this Id. False: no memory. */
bool mutation_seal_values(const struct mutation *mutation, int64_t id,
                          struct value *values) MUST_CHECK;

/**
 * Loads the record as `session` has it, and asks whether the caller may change it: the first part
 * of mutation_decide, on the same threads. STATUS_OK; NOT_FOUND, FORBIDDEN_CHANGE (with `errors`),
 * INTERNAL.
 */
enum status mutation_permit(struct mutation *mutation, struct store_session *session) MUST_CHECK;

/** The author of the change, for UpdatedBy and the audit rows. After mutation_permit. */
struct author mutation_author(const struct mutation *mutation);

/** Adds an error on a field. `message.at` NULL: memory was short. */
void mutation_add_error(struct mutation *mutation, unsigned field, struct text message);

/**
 * Calls `check` with each id that a links field, its Added or its Removed newly names, until it
 * finds one wrong (NOT_FOUND): one error a property is enough. STATUS_OK; else what `check` says.
 */
enum status mutation_each_new_id(struct mutation *mutation, unsigned field,
                                 struct store_session *session,
                                 enum status (*check)(struct mutation *, struct store_session *,
                                                      unsigned, int64_t)) MUST_CHECK;

#endif

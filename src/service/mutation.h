#ifndef ROSTER_API_WRITING_H
#define ROSTER_API_WRITING_H

#include "api/request.h"
#include "model/permission.h"
#include "rules/validate.h"

enum writing_kind { WRITING_create, WRITING_replace, WRITING_patch, WRITING_delete };

/**
 * One change of one record, from a checked body to the durable row. The same steps whatever the
 * resource and whoever asks: check what can be checked now, do the slow things (hash a password,
 * fetch a picture), then decide and write in one transaction.
 */
struct writing {
    struct store_command command; /* first */
    struct request *request;
    const struct resource *resource;
    enum writing_kind kind;
    struct change change;
    struct errors errors; /* of validation; complete when a decision said BAD_INPUT or DENIED */
    struct rules rules;
    struct text if_match, if_none_match; /* `at` NULL: no condition */
    struct repeat repeat; /* what the Idempotency-Key of a new record stands for; `key.at` NULL */
    struct text conflict; /* why the decision said CONFLICT, or STALE where that is not If-Match */
    /* As the decision sees them. `before` is empty (version 0) for a new record, `after` for one
     * that goes. */
    struct record before, after;
};

/** How long an Idempotency-Key is remembered. */
#define WRITING_REPEAT_MS (INT64_C(24) * 3600 * 1000)

/** What is particular about a resource; everything else follows from its field table. */
struct resource {
    const struct table *table;
    /* The field that searches go by which name none; 0: Id. Rows are made in its order. */
    unsigned order;
    unsigned shows_users; /* a bit for each operation that gets users' records to the caller */
    size_t
        writing_size; /* of what begins with a struct writing and has the resource's own behind */
    /*
     * The rules of its own, NULL: none. They look at the writing, add to its errors, and return OK,
     * or BROKEN; `permit` says DENIED when it added any.
     */
    enum status (*permit)(struct writing *writing, struct store_view *view);
    enum status (*check)(struct writing *writing, struct store_view *view);
    enum status (*check_merged)(struct writing *writing, struct store_view *view);
    /* Takes the record away, where that is not to delete a row. */
    enum status (*erase)(const struct writing *writing, struct store_view *tx);
    /* Writes what goes with the row. */
    enum status (*write)(struct writing *writing, struct store_view *tx);
    /* Does the slow things; calls writing_submit or writing_reply at the end. */
    void (*prepare)(struct writing *writing);
    /* Does the writing ask for slow things? Then it is decided on before them too. */
    bool (*is_slow)(const struct writing *writing);
};

/** A patch of a record that changes nothing yet, for the caller to fill in. NULL: no memory. */
struct writing *writing_new_patch(struct request *request, const struct resource *resource,
                                  int64_t id) MUST_CHECK;

/** Decides and writes, in a transaction: the writing's own outcome, or BROKEN. */
enum status writing_run(struct writing *writing, struct store_view *tx) MUST_CHECK;

/** Takes a request up: parses and checks its body, and goes on to the reply. */
void writing_start(struct request *request, enum writing_kind kind);

/**
 * Loads the record as `view` has it, and asks whether the caller may change it: the first part of
 * writing_decide.
 */
enum status writing_permit(struct writing *writing, struct store_view *view) MUST_CHECK;

/**
 * Decides by the rules whether the change may be made to the record as `view` has it: STATUS_OK;
 * NOT_FOUND, DENIED, BAD_INPUT (these two with `errors`),
 * CONFLICT, STALE, BROKEN. Writes nothing.
 */
enum status writing_decide(struct writing *writing, struct store_view *view) MUST_CHECK;

/** Who writes, and when. */
struct author writing_author(const struct writing *writing);

/** Has the writer decide, write, and resume the request, which then replies. */
void writing_submit(struct writing *writing);

/** Sends the reply that a status asks for. */
void writing_reply(struct writing *writing, enum status status);

/** Lets the request rest, then replies with the status: for who cannot go on. */
void writing_give_up(struct writing *writing, enum status status);

/** Adds an error on a field. `message.at` NULL: memory was short. */
void writing_complain(struct writing *writing, unsigned field, struct text message);

/**
 * Calls `judge` with each id that a links field, its Added or its Removed newly names, until it
 * finds one wrong (NOT_FOUND): one error a property is enough.
 */
enum status writing_each_new_id(struct writing *writing, unsigned field, struct store_view *view,
                                enum status (*judge)(struct writing *, struct store_view *,
                                                     unsigned, int64_t)) MUST_CHECK;

#endif

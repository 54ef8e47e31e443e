#ifndef ROSTER_API_UPDATE_H
#define ROSTER_API_UPDATE_H

#include "api/request.h"
#include "rules/validate.h"

/**
 * One update of one user, from a checked body to the durable record. The same steps whoever asks:
 * check what can be checked now, do the slow things (hash a password, fetch a picture), then decide
 * and write in one transaction.
 */
struct update {
    struct store_command command; /* first */
    struct request *request;
    struct change change;
    struct errors errors; /* of validation; complete when a decision said BAD_INPUT or DENIED */
    struct rules rules;
    struct text if_match;     /* `at` NULL: no condition */
    struct text new_password; /* in clear, to be hashed; `at` NULL: none */
    struct password_job job;
    struct fetch_job fetch;
    struct avatar avatar; /* the new one, when `content` is not NULL */
    struct text avatar_file_name;
    /* The outcome. */
    int64_t version;
    int64_t updated_on_ms;
};

/**
 * Decides by the rules whether the update may be made to the record as `view` has it: STATUS_OK
 * with both records; NOT_FOUND, UNAUTHENTICATED (the caller is gone), DENIED, BAD_INPUT (these two
 * with `errors`), STALE, BROKEN. Writes nothing.
 */
enum status update_decide(struct update *update, struct store_view *view, struct record *before,
                          struct record *after) MUST_CHECK;

/** A store command's `run`: decides again inside the transaction, and writes. */
enum status update_run(struct store_view *tx, struct store_command *command);

#endif

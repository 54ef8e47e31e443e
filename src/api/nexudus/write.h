#ifndef ROSTER_API_NEXUDUS_WRITE_H
#define ROSTER_API_NEXUDUS_WRITE_H

#include "api/request.h"
#include "fetch/fetch.h"
#include "service/user_rules.h"

/* A request that changes one record: its way in steps from the body to the reply. */

/** One on its way, which is the `state` of its exchange. */
struct write {
    struct store_command command;
    struct request *request;
    struct mutation *mutation;
    /* Of users alone: */
    struct fetch_job fetch;  /* of a new picture; `url.at` NULL: there is none */
    struct job check;        /* of the picture that was fetched */
    const char *avatar_type; /* what the check found; NULL: no picture */
    struct password_job password;
};

/** The context of a request's mutations. It lives as long as the request. NULL: no memory. */
const struct mutation_context *write_context(struct request *request) MUST_CHECK;

/** Changes a record of the route's resource as the request asks, and replies. */
void write_start(struct request *request, enum mutation_kind kind);

/** Runs a validated mutation of the request's own, and replies. NULL: there was no memory for it.
 */
void write_mutation(struct request *request, struct mutation *mutation);

/** Sets the password of the caller, who has a reset token, and replies. Revokes all tokens. */
void write_password(struct request *request, struct text password);

/*
 * The slow work of users' changes: `begin` and `end` of rows of the table in write_steps.c. For
 * what is not asked for, or another resource, `begin` returns OK.
 */
enum status user_take_password_step(struct request *request) MUST_CHECK;
enum status user_fetch_avatar(struct request *request) MUST_CHECK;
enum status user_avatar_fetched(struct request *request, enum status status) MUST_CHECK;
enum status user_check_avatar(struct request *request) MUST_CHECK;
enum status user_avatar_checked(struct request *request, enum status status) MUST_CHECK;
enum status user_compare_password(struct request *request) MUST_CHECK;
enum status user_password_compared(struct request *request, enum status status) MUST_CHECK;
enum status user_hash_password(struct request *request) MUST_CHECK;
enum status user_password_hashed(struct request *request, enum status status) MUST_CHECK;

#endif

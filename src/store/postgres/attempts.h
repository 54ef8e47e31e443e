#ifndef ROSTER_STORE_POSTGRES_ATTEMPTS_H
#define ROSTER_STORE_POSTGRES_ATTEMPTS_H

/* Attempts to sign in, counted for all processes of a database. */

#include "store/engine.h"

/** The functions of engine.h. */
enum status pg_begin_attempt(struct store_tx *tx, struct store_attempt *attempt) MUST_CHECK;
enum status pg_end_attempt(struct store_tx *tx, const struct store_attempt *attempt,
                           bool has_failed) MUST_CHECK;

#endif

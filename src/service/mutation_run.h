#ifndef ROSTER_SERVICE_MUTATION_RUN_H
#define ROSTER_SERVICE_MUTATION_RUN_H

#include "service/mutation.h"

/**
 * Decides by all rules whether the change may be made to the record as `session` has it, and what
 * the record becomes. Writes nothing. Runs inside the transaction as a part of mutation_run; may
 * also run before, once, on the thread that reads for the caller: to refuse the caller before slow
 * work, or to find every error of a change that is wrong already.
 * STATUS_OK; NOT_FOUND; FORBIDDEN_CHANGE or BAD_INPUT with `errors`; CONFLICT or
 * PRECONDITION_FAILED, some with `conflict`; INTERNAL.
 */
enum status mutation_decide(struct mutation *mutation, struct store_session *session) MUST_CHECK;

/**
 * Decides, and writes the record with all that belongs to it. Only in a command's `run` on the
 * writer's thread, as often as the command is run, with a mutation that was found to be valid.
 * STATUS_OK with `result`, also when the Idempotency-Key was used before for the same;
 * UNPROCESSABLE: for something else; what mutation_decide says, with nothing written; INTERNAL.
 */
enum status mutation_run(struct mutation *mutation, struct store_tx *tx) MUST_CHECK;

/**
 * Writes what was decided on: the second part of mutation_run, right after a mutation_decide that
 * was OK in the same transaction. STATUS_OK with `result`; INTERNAL.
 */
enum status mutation_write(struct mutation *mutation, struct store_tx *tx) MUST_CHECK;

/** The record that mutation_run loads, for its command; no table: none. */
struct store_target mutation_target(const struct mutation *mutation);

#endif

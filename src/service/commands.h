#ifndef ROSTER_SERVICE_COMMANDS_H
#define ROSTER_SERVICE_COMMANDS_H

#include "service/resources.h"

/* Commands: the same done to many records, by the rules of a change of each. */

struct command_batch;

struct command {
    const struct resource *resource;
    const char *key, *name;
    unsigned field; /* is set to `value`, where there is no `act` */
    int64_t value;
    /*
     * Both run on the writer's thread inside the transaction, and a second time when the group was
     * rolled back.
     */
    /* Does it to one record: the record's own outcome, or INTERNAL. NULL: sets the field. */
    enum status (*act)(struct mutation *mutation, struct store_tx *tx);
    /* Does something for all of them afterwards, and may change their outcomes. OK or INTERNAL.
     * NULL: nothing. */
    enum status (*finish)(struct command_batch *batch, struct store_tx *tx);
};

/** All commands, from commands.def. */
extern const struct command commands[];
extern const unsigned command_count;

/** The command of a resource by its key, whatever its case; NULL: there is none. Any thread. */
const struct command *command_find(const struct resource *resource, struct text key);

/** One run of a command on records. All of it lives until its transaction has ended. */
struct command_batch {
    const struct mutation_context *context;
    const struct command *command;
    const struct value *ids; /* of the records */
    struct command_outcome {
        struct mutation *mutation;
        enum status status;
    } * outcomes; /* one for each id; command_batch_prepare makes them */
};

/** Makes room for the outcomes. Once, on the thread that makes the run. STATUS_INTERNAL. */
enum status command_batch_prepare(struct command_batch *batch) MUST_CHECK;

/**
 * Does it to each record. In a command's `run` on the writer's thread, as often as that is run.
 * STATUS_OK, whatever the outcomes: those that failed wrote nothing; INTERNAL.
 */
enum status command_batch_run(struct command_batch *batch, struct store_tx *tx) MUST_CHECK;

/**
 * Why a record's outcome is not OK; `at` NULL: its status says all there is to say. Lives as long
 * as the run.
 */
struct text command_reason(const struct command_outcome *outcome);

#endif

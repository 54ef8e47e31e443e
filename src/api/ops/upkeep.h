#ifndef ROSTER_API_OPS_UPKEEP_H
#define ROSTER_API_OPS_UPKEEP_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * The backup and the check that a running server starts, each as the command of the same name in a
 * process of its own. A helper process (server/upkeep_helper.h) runs them, one at a time. The
 * server tells it the task and nothing else: neither a folder nor a word of a command.
 */
enum upkeep_task { UPKEEP_none, UPKEEP_backup, UPKEEP_check };

enum { UPKEEP_OUTPUT = 8192 };

/** How a task has ended: a message of the helper. */
struct upkeep_result {
    int code;                   /* of sysexits.h; 128 and more: a signal ended it */
    unsigned len;               /* of `output` */
    bool is_cut;                /* there was more */
    char output[UPKEEP_OUTPUT]; /* lines */
};

struct upkeep_state {
    enum upkeep_task task; /* the last one */
    bool is_running;
    int64_t started_ms, ended_ms;
    struct upkeep_result result; /* once it has ended */
};

struct upkeep;

/** Takes over the socket to the helper. `folder` of the backups has to stay. NULL: no memory. */
struct upkeep *upkeep_new(int socket, const char *folder) __attribute__((warn_unused_result));

/** Where the backups are. */
const char *upkeep_folder(const struct upkeep *upkeep);

/** Starts a task. CONFLICT: one is running; UNAVAILABLE: the helper has ended. Any thread. */
enum status upkeep_begin(struct upkeep *upkeep, enum upkeep_task task)
    __attribute__((warn_unused_result));

/** Copies the state. Never waits for the helper. Any thread. */
void upkeep_read(struct upkeep *upkeep, struct upkeep_state *state);

/** Ends the helper, and with it a task that runs. Accepts NULL. */
void upkeep_free(struct upkeep *upkeep);

#endif

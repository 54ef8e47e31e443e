#ifndef ROSTER_SERVICE_OPERATOR_H
#define ROSTER_SERVICE_OPERATOR_H

#include "auth/password_job.h"
#include "store/store.h"

/*
 * The operator's commands on users: `rosterd user ...` and `rosterd token ...`. They need no
 * credential, because the operator may read and write the database anyway. Their changes are
 * mutations like those of requests: by the same rules as an unrestricted administrator's, with
 * audit rows, webhooks and revocations. Their author is "local:" and the operator's user number.
 */

/** One of the commands: its words on the command line and its needs. */
struct operator_command;

/**
 * Finds the command that `words` begin with. NULL: there is none, or the words after it do not fit;
 * `why` then has a line that says what would. `words` end with NULL. Any thread.
 */
const struct operator_command *operator_find(const char *const *words, char *why,
                                             size_t why_size) MUST_CHECK;

/** Does the command set a password, which the operator has to type? */
bool operator_takes_password(const struct operator_command *command) MUST_CHECK;

/** One run of a command. */
struct operator_request {
    const char *const *words; /* as in operator_find; UTF-8 or not */
    const char *name;         /* of create-admin; NULL: not given */
    struct text password;     /* if the command takes one */
    bool json;
    unsigned user; /* the operator's user number (uid) */
};

/** Where its output goes. Both return false when it can go nowhere any more: the command ends. */
struct operator_output {
    bool (*print)(struct operator_output *output, struct text text); /* the result */
    bool (*say)(struct operator_output *output, struct text line);   /* what is wrong, no newline */
    /* May a command of many transactions begin the next one? */
    bool (*goes_on)(struct operator_output *output);
};

/**
 * Runs a command and returns the exit code of sysexits.h: EX_OK; EX_USAGE as operator_find;
 * EX_DATAERR: the rules refuse the change; EX_NOUSER: there is no such user; EX_TEMPFAIL: try
 * again; EX_IOERR: the database failed, which is logged. Waits for the writer and for the threads
 * that hash passwords, so it must not run on any of these or on an I/O thread. Any number of
 * commands may run at the same time.
 */
int operator_run(struct store *store, struct passwords *passwords,
                 const struct operator_request *request, struct operator_output *output) MUST_CHECK;

#endif

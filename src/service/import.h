#ifndef ROSTER_SERVICE_IMPORT_H
#define ROSTER_SERVICE_IMPORT_H

#include "service/mutation.h"

/* Rows of an import. Each one is a user's creation, a change of some members, or a deletion, by the
 * same rules as a request for it alone. */

enum import_outcome {
    IMPORT_created,
    IMPORT_updated,
    IMPORT_unchanged, /* the user is so already: nothing is written */
    IMPORT_deleted,
    IMPORT_refused,
    IMPORT_OUTCOMES
};

/** "created" and so on, as replies have them. */
extern const char *const import_outcome_names[IMPORT_OUTCOMES];

/** The users of the rows so far, by whom a second row for a user is found. */
struct import_seen {
    struct import_sight {
        uint64_t key; /* 0: free */
        int64_t line;
    } * sights;
    size_t room; /* a power of 2 */
};

/** Makes room for the users of `rows` rows. False: no memory. */
bool import_seen_init(struct import_seen *seen, size_t rows, struct arena *arena) MUST_CHECK;

enum { IMPORT_KEYS = 3 }; /* that a row may add to those seen */

/** A row: the JSON object that it stands for, and where it is in the file. */
struct import_row {
    struct text json; /* `at` NULL: `errors` say why there is none */
    int64_t line;     /* from 1 on */
    struct errors errors;
    /* The rest is for import_run_row, which may run several times. */
    enum import_outcome outcome;
    int64_t id;        /* of the user; 0: not known, or a dry run would create it */
    struct text email; /* `at` NULL: not known */
    enum status status;
    struct text reason;          /* where no error says it; `at` NULL: the status says all */
    uint64_t added[IMPORT_KEYS]; /* to those seen */
};

/** The state that the rows of one transaction share. */
struct import {
    const struct mutation_context *context;
    struct import_seen *seen;
    bool deletes;                  /* the users of the rows are deleted */
    struct store_session *session; /* to decide with */
    struct store_tx *tx;           /* to write with; NULL: nothing is written */
};

/**
 * Decides on a row, and writes what it asks for. The caller may do what the context's principal
 * says; who that is now must be asked before each row. The same thread and session as
 * mutation_decide. STATUS_OK, with the outcome in the row, also when it is refused; INTERNAL.
 */
enum status import_run_row(struct import *import, struct import_row *row) MUST_CHECK;

/**
 * Forgets what a row added to those seen. Before rows are run again, for each of them, the last one
 * first.
 */
void import_forget_row(struct import *import, struct import_row *row);

#endif

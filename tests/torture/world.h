#ifndef ROSTER_TESTS_TORTURE_WORLD_H
#define ROSTER_TESTS_TORTURE_WORLD_H

/*
 * A few users that are changed at random through store.h, and a journal of what the store answered,
 * so that what is stored can be held against what was promised, in both directions.
 */

#include "store/store.h"

enum { PEOPLE = 8 };

/** The expected state of a user, after the jobs that are known to be stored. */
struct person {
    bool exists;
    int64_t version;
    unsigned last;                          /* the last job */
    unsigned email, devices, avatar, token; /* the job that set it; 0: none */
    bool token_is_spent;
    unsigned links; /* a bit for each business */
};

struct job; /* one command */

struct world {
    char directory[64];
    struct store *store;
    int checkpoint_ms, log_pages; /* as in store_options, from the next opening on */
    struct person people[PEOPLE];
    struct job *journal, **last; /* not settled yet, in order */
    unsigned jobs;               /* so far */
    unsigned tokens[PEOPLE];     /* the last job that was to add one, kept or not */
    int64_t audit_rows;
    unsigned long acknowledged, refused, unknown, unknown_kept;
    char wrong[512]; /* the first difference found, or empty */
};

/** An empty world with a folder of its own, on the disk of disk.h. */
void world_begin(struct world *world);
void world_end(struct world *world);

/** Opens the store. False when it refuses. */
bool world_open(struct world *world);
void world_close(struct world *world);

/** How a group went: of its jobs that mean well, how many were done. */
struct world_group {
    unsigned well_meant, done;
};

/** Runs `count` random jobs as one group, and waits for the answers. */
struct world_group world_change(struct world *world, unsigned count);

/** The outcomes of commands that were answered with an error because of a fault. */
enum doubt {
    NOTHING_KEPT, /* they must have left no trace */
    PREFIX_KEPT,  /* the first of them may be there, and then whole: nobody knew any more */
};

/**
 * Compares the open store with the journal, which is settled by it. False with `wrong` when an
 * acknowledged job is missing, one that was refused or failed is there, or anything else differs.
 */
bool world_settle(struct world *world, enum doubt doubt);

#endif

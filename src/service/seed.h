#ifndef ROSTER_SERVICE_SEED_H
#define ROSTER_SERVICE_SEED_H

#include "store/store.h"

/** The demo's administrator, its password, and the user whose Id the reference's examples have
 * (docs/contract.md section 1.1). */
#define DEMO_EMAIL "admin@example.com"
#define DEMO_PASSWORD "demo-password"
#define DEMO_USER_ID 87654321

/** The choices about the records of a new database. */
struct seed {
    struct text email, password_hash; /* the first administrator */
    bool with_demo;                   /* also the made-up businesses, roles and users */
};

/** Is the database without users? Any thread. STATUS_INTERNAL. */
enum status seed_is_due(struct store *store, bool *is_due) MUST_CHECK;

/**
 * Fills an empty database with the system's roles and its first administrator, and the demo's
 * records if wanted: the same Ids and values every time. All of it or nothing. For start-up and
 * tools: waits for the writer. STATUS_CONFLICT: there are users, whom another server may have
 * written meanwhile. STATUS_INTERNAL, and the log says which record was refused and why.
 */
enum status seed_write(struct store *store, const struct seed *seed) MUST_CHECK;

#endif

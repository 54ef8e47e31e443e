#ifndef ROSTER_SERVICE_SEED_H
#define ROSTER_SERVICE_SEED_H

#include "service/mutation.h"

/** The demo's administrator, its password, and the user whose Id the reference's examples have
 * (docs/contract.md section 1.1). */
#define DEMO_EMAIL "admin@example.com"
#define DEMO_PASSWORD "demo-password"
#define DEMO_USER_ID 87654321

/** The name of an administrator whom a start makes. */
#define ADMINISTRATOR_NAME "Administrator"

/** The choices about the records of a new database. */
struct seed {
    /* The first administrator; `email.at` NULL: there is none yet, and the system's roles are all
     * that is written. */
    struct text email, name, password_hash;
    struct text staff_hash; /* of the demo's staff's password; `at` NULL: they cannot sign in */
    bool with_demo;         /* also the made-up businesses, roles and users */
    bool is_repeatable;     /* the demo's GUIDs and times are the same in every database */
};

/**
 * The seed of a start that makes the administrator: alone, or with the demo, whose staff then have
 * the same password. Borrows the texts.
 */
struct seed seed_of_start(struct text email, struct text password_hash, bool with_demo);

/** The records that tell how far a new database has come. */
struct seed_state {
    bool has_users, has_roles; /* roles alone: it waits for its first administrator */
};

/** Any thread. STATUS_INTERNAL. */
enum status seed_find(struct store_session *session, struct seed_state *state) MUST_CHECK;

/** A seed on its way into the database, in one command. It has to outlive the command. */
struct seeding {
    struct store_command command; /* `done` is the caller's to set */
    struct seed seed;
    struct store_tx *tx; /* this and the rest are internal */
    struct principal caller;
    struct mutation_context context;
};

/**
 * Makes the command that fills a database without users: with the system's roles, unless they are
 * there, the first administrator, and the demo's records if wanted. The Ids are the same every
 * time. All of it or nothing. `request_id` is for the audit rows; `at` NULL: no request. `arena`
 * has what the command makes. The command ends with STATUS_CONFLICT when there are users, whom
 * another server or request may have written meanwhile; or with INTERNAL, and the log says which
 * record was refused and why. Any thread.
 */
void seeding_prepare(struct seeding *seeding, const struct seed *seed, struct text request_id,
                     struct arena *arena);

/** Runs such a command and waits for it. For start-up and tools. */
enum status seed_write(struct store *store, const struct seed *seed) MUST_CHECK;

#endif

#ifndef ROSTER_FIRST_DATA_H
#define ROSTER_FIRST_DATA_H

#include "store/store.h"

/** The demo's administrator, its password, and the user whose Id the reference's examples have
 * (docs/contract.md section 1.1). */
#define DEMO_EMAIL "admin@example.com"
#define DEMO_PASSWORD "demo-password"
#define DEMO_USER_ID 87654321

/** What a new database begins with. */
struct first_data {
    struct text email, password_hash; /* the first administrator */
    bool with_demo;                   /* also the made-up businesses, roles and users */
};

/** Is the database without users? */
enum status first_data_is_due(struct store *store, bool *is_due) MUST_CHECK;

/**
 * Fills an empty database with the system's roles and its first administrator, and the demo's
 * users if wanted: the same ids and values every time. All of it or nothing.
 */
enum status first_data_write(struct store *store, const struct first_data *data) MUST_CHECK;

#endif

#ifndef ROSTER_API_UI_FIRST_RUN_H
#define ROSTER_API_UI_FIRST_RUN_H

#include "crypto/token.h"

#include <stdatomic.h>
#include <stdint.h>

enum { FIRST_RUN_MINUTES = 60 };

/**
 * The link by which the first administrator of this server's database is made. Each process has one
 * of its own, in memory alone. Zeroed: there is none.
 */
struct first_run {
    atomic_bool is_due; /* there was no user when somebody looked last */
    int64_t until_ms;
    char secret[TOKEN_TEXT_SIZE];
};

/** Makes the secret, which is valid for FIRST_RUN_MINUTES. Main thread, before requests come. */
void first_run_begin(struct first_run *first_run);

/** Is this the secret, and does it count now? In constant time. Any thread. */
bool first_run_is_right(const struct first_run *first_run, struct text secret)
    __attribute__((warn_unused_result));

#endif

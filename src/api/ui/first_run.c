#include "api/ui/first_run.h"

#include "base/time.h"
#include "crypto/secret.h"

void first_run_begin(struct first_run *first_run) {
    token_generate(first_run->secret);
    first_run->until_ms = time_now_ms() + FIRST_RUN_MINUTES * INT64_C(60000);
    first_run->is_due = true;
}

bool first_run_is_right(const struct first_run *first_run, struct text secret) {
    return first_run->is_due && time_now_ms() < first_run->until_ms &&
           secret_equal(secret, (struct text){ first_run->secret, TOKEN_TEXT_SIZE });
}

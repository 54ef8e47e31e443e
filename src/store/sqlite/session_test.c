/* Tests a reader whose snapshot cannot be ended because memory ran out, which no test through the
 * socket can bring about for certain. */
#include "store/sqlite/options.h"
#include "store/sqlite/session.h"

#include "model/tables.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* NOLINTBEGIN(bugprone-reserved-identifier) ld --wrap names them */
enum status __real_connection_execute(struct connection *connection,
                                      enum connection_statement which);
enum status __wrap_connection_execute(struct connection *connection,
                                      enum connection_statement which);
/* NOLINTEND(bugprone-reserved-identifier) */

static atomic_uint refused, refuses;

enum status __wrap_connection_execute(struct connection *connection,
                                      enum connection_statement which) {
    if (which != CONNECTION_COMMIT || !atomic_load(&refuses))
        return __real_connection_execute(connection, which);
    atomic_fetch_add(&refused, 1);
    return STATUS_INTERNAL;
}

static void a_snapshot_that_cannot_be_ended_is_ended_later(void **state) {
    char directory[] = "/tmp/roster-session-XXXXXX", why[256], file[64];
    int exit_code;
    (void)state;
    assert_non_null(mkdtemp(directory));
    const struct sqlite_options sqlite = { .poll_ms = 3600000 }; /* nobody else ends it */
    const struct store_options options = { .directory = directory, .sqlite = &sqlite };
    struct store *store = store_open(&options, why, sizeof why, &exit_code);
    assert_non_null(store);
    struct store_session *session = session_open_limited(state_of(store));
    assert_non_null(session);
    assert_int_equal(store_exists(session, &user_table, 1), STATUS_NOT_FOUND);
    atomic_store(&refuses, true);
    assert_false(sessions_end_snapshots(state_of(store)));
    assert_int_equal(atomic_load(&refused), 1);
    atomic_store(&refuses, false);
    assert_int_equal(store_exists(session, &user_table, 1), STATUS_NOT_FOUND);
    assert_true(sessions_end_snapshots(state_of(store)));
    assert_int_equal(store_exists(session, &user_table, 1), STATUS_NOT_FOUND);
    store_session_close(session);
    store_close(store);
    (void)snprintf(file, sizeof file, "%s/roster.db", directory);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_that_cannot_be_ended_is_ended_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

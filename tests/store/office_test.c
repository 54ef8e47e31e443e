/* The office: of the processes that have a database open, at most one has it, and one that ends
 * leaves it to another. */
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void wait_for_office(const struct store *store) {
    while (!store_has_office(store)) /* the deadline of the whole program ends a hang */
        (void)usleep(10000);
}

static void a_store_that_does_not_seek_it_has_it_only_where_there_is_no_other(void **state) {
    const struct suite *suite = *state;
    assert_int_equal(store_has_office(suite->store), !suite_is_on_postgres());
}

static void a_store_that_seeks_it_gets_it_if_it_is_free(void **state) {
    const struct suite *suite = *state;
    store_seek_office(suite->store);
    wait_for_office(suite->store);
}

static void the_next_store_gets_it_when_one_is_closed(void **state) {
    struct suite *suite = *state;
    char why[256] = "";
    int exit_code = 0;
    if (!suite_is_on_postgres()) /* a folder is open in one process at a time */
        return;
    store_seek_office(suite->store);
    wait_for_office(suite->store);
    struct store *second =
        suite_open(suite->directory, (struct store_options){ 0 }, why, sizeof why, &exit_code);
    assert_string_equal(why, second ? why : "the store opens");
    store_seek_office(second);
    assert_false(store_has_office(second));
    suite_reopen(suite, (struct store_options){ 0 }); /* which does not seek it */
    wait_for_office(second);
    assert_false(store_has_office(suite->store));
    store_close(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        suite_test(a_store_that_does_not_seek_it_has_it_only_where_there_is_no_other),
        suite_test(a_store_that_seeks_it_gets_it_if_it_is_free),
        suite_test(the_next_store_gets_it_when_one_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

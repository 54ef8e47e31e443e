#include "base/database_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_password_is_found_wherever_libpq_finds_one(void **state) {
    (void)state;
    static const char *const urls[] = {
        "postgresql://roster:secret@h/roster",
        "postgresql://roster:@h",
        "postgresql://:secret@h",
        "postgres://roster:secret@h1,h2:5433/roster?sslmode=require",
        "postgresql://h/roster?password=secret",
        "postgresql://h/roster?sslmode=require&password=secret",
        "postgresql://h/roster?pass%77ord=secret",
        "postgresql://h/roster?p%61ssword",
        "postgresql:///?sslpassword=secret",
        "postgresql://roster:sec?ret@h",
        "postgresql://roster:sec/ret@h",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_true(database_url_has_password(urls[i]));
}

static void other_urls_have_none(void **state) {
    (void)state;
    static const char *const urls[] = {
        "sqlite",
        "",
        "postgresql://",
        "postgresql://h",
        "postgresql://roster@h1:5432,h2:5432/roster",
        "postgresql://[::1]:5432/roster",
        "postgresql://h/a@b",
        "postgresql://h:5432/roster?user=a@b",
        "postgresql://h/roster?passfile=/etc/roster/pgpass&options=-c%20search_path%3Dpassword",
        "postgresql://h/roster?user=password",
        "postgresql://h/roster?%",
        "postgresql://h/roster?passwor%6",
        "postgresql:///roster?host=/run/postgresql&service=roster",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_false(database_url_has_password(urls[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_found_wherever_libpq_finds_one),
        cmocka_unit_test(other_urls_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

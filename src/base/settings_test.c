/* Which of several sources counts, what adds up, and what is refused. */
#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { OPTIONS_MAX = 8 };

static char file[64];

/* What was said of a setting by each source; all may be missing. */
struct said {
    const char *options[OPTIONS_MAX], *environment, *file;
};

static int read_all(struct settings *settings, const char *variable, const struct said *said) {
    char copies[OPTIONS_MAX + 2][128] = { "rosterd" };
    char *argv[OPTIONS_MAX + 3] = { copies[0] };
    int argc = 1;
    for (; argc <= OPTIONS_MAX && said->options[argc - 1]; argc++) {
        argv[argc] = copies[argc];
        (void)snprintf(copies[argc], sizeof copies[0], "%s", said->options[argc - 1]);
    }
    if (said->file) {
        FILE *stream = fopen(file, "w");
        assert_non_null(stream);
        assert_true(fputs(said->file, stream) >= 0);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(setenv("ROSTER_CONFIG", file, 1), 0);
    }
    if (said->environment)
        assert_int_equal(setenv(variable, said->environment, 1), 0);
    int code = settings_read(settings, argc, argv);
    assert_int_equal(unsetenv("ROSTER_CONFIG"), 0);
    assert_int_equal(unsetenv(variable), 0);
    return code;
}

static int set_up(void **state) {
    static const char *const variables[] = { "ROSTER_ALLOW_ROOT", "ROSTER_SANDBOX",
                                             "ROSTER_CONFIG" };
    (void)state;
    for (size_t i = 0; i < LENGTH(variables); i++)
        if (unsetenv(variables[i]) != 0)
            return -1;
    (void)snprintf(file, sizeof file, "/tmp/roster-settings-XXXXXX");
    int fd = mkstemp(file);
    return fd >= 0 ? close(fd) : -1;
}

static int tear_down(void **state) {
    (void)state;
    return unlink(file);
}

static void a_list_adds_up_within_a_source_and_is_replaced_by_a_higher_one(void **state) {
    static const struct {
        struct said said;
        const char *listen;
    } rows[] = {
        { { .file = NULL }, "127.0.0.1:8080" },
        { { .options = { "--listen", "a:1" } }, "a:1" },
        { { .options = { "--listen", "a:1,b:2" } }, "a:1,b:2" },
        { { .options = { "--listen", "a:1", "--listen", "b:2" } }, "a:1,b:2" },
        { { .options = { "--listen=a:1", "--listen=b:2", "--listen=c:3,d:4" } },
          "a:1,b:2,c:3,d:4" },
        { { .options = { "--listen=", "--listen=a:1", "--listen=" } }, "a:1" },
        { { .options = { "--listen=" } }, "" },
        { { .environment = "a:1,b:2" }, "a:1,b:2" },
        { { .environment = "" }, "" },
        { { .file = "listen = a:1\n" }, "a:1" },
        { { .file = "listen = a:1\nlisten = b:2, c:3\n" }, "a:1,b:2, c:3" },
        { { .file = "listen = a:1\nlog-level = error\nlisten = b:2\n" }, "a:1,b:2" },
        { { .environment = "b:2", .file = "listen = c:3\nlisten = d:4\n" }, "b:2" },
        { { { "--listen=a:1" }, "b:2", "listen = c:3\nlisten = d:4\n" }, "a:1" },
        { { { "--listen=a:1", "--listen=x:9" }, "b:2", "listen = c:3\n" }, "a:1,x:9" },
        { { { "--listen=" }, "b:2", "listen = c:3\n" }, "" },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct settings settings;
        assert_int_equal(read_all(&settings, "ROSTER_LISTEN", &rows[i].said), 0);
        assert_string_equal(settings.listen, rows[i].listen);
        settings_free(&settings);
    }
}

static void what_is_no_list_has_its_last_value_and_stands_once_in_a_file(void **state) {
    static const struct {
        struct said said;
        int code;
        const char *group;
    } rows[] = {
        { { .options = { "--unix-group=a", "--unix-group=b" } }, 0, "b" },
        { { { "--unix-group=a" }, "b", "unix-group = c\n" }, 0, "a" },
        { { .environment = "b", .file = "unix-group = c\n" }, 0, "b" },
        { { .file = "unix-group = c\n" }, 0, "c" },
        { { .file = "unix-group = a\nunix-group = b\n" }, EX_CONFIG, NULL },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct settings settings;
        assert_int_equal(read_all(&settings, "ROSTER_UNIX_GROUP", &rows[i].said), rows[i].code);
        if (rows[i].group)
            assert_string_equal(settings.unix_group, rows[i].group);
        settings_free(&settings);
    }
}

static void a_mode_is_octal(void **state) {
    static const struct {
        const char *text;
        long mode; /* -1: refused */
    } rows[] = {
        { "0660", 0660 }, { "660", 0660 },  { "0000", 0 },  { "777", 0777 }, { "0777", 0777 },
        { "1777", -1 },   { "0888", -1 },   { "66", -1 },   { "", -1 },      { "00660", -1 },
        { "0x1b0", -1 },  { "u=rw,g", -1 }, { " 660", -1 }, { "-660", -1 },  { "+660", -1 },
        { "660 ", -1 },   { "06.0", -1 },
    };
    struct settings settings;
    (void)state;
    assert_int_equal(read_all(&settings, "ROSTER_UNIX_MODE", &(struct said){ .file = NULL }), 0);
    assert_int_equal(settings.unix_mode, 0660);
    settings_free(&settings);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const struct said said = { .environment = rows[i].text };
        int code = read_all(&settings, "ROSTER_UNIX_MODE", &said);
        if (code != (rows[i].mode < 0 ? EX_USAGE : 0))
            fail_msg("%s: %d", rows[i].text, code);
        if (rows[i].mode >= 0)
            assert_int_equal(settings.unix_mode, rows[i].mode);
        settings_free(&settings);
    }
}

static void without_a_source_the_defaults_count(void **state) {
    struct settings settings;
    (void)state;
    assert_int_equal(read_all(&settings, "ROSTER_HTTP2", &(struct said){ .file = NULL }), 0);
    assert_string_equal(settings.unix_group, "");
    assert_string_equal(settings.proxy_protocol, "");
    assert_string_equal(settings.tls_cert, "");
    assert_string_equal(settings.tls_key, "");
    assert_string_equal(settings.redirect_listen, "");
    assert_string_equal(settings.http2, "tls");
    settings_free(&settings);
    assert_int_equal(read_all(&settings, "ROSTER_HTTP2", &(struct said){ .environment = "on" }),
                     EX_USAGE);
    settings_free(&settings);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_list_adds_up_within_a_source_and_is_replaced_by_a_higher_one),
        TEST(what_is_no_list_has_its_last_value_and_stands_once_in_a_file),
        TEST(a_mode_is_octal),
        TEST(without_a_source_the_defaults_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

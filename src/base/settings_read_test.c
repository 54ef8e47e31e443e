/* Which source wins, which settings add up, and which mistakes are refused. */
#include "base/settings_read.h"

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

/* The value that each source gives a setting; any of them may be missing. */
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
    static const char *const variables[] = { "ROSTER_ALLOW_ROOT", "ROSTER_SECCOMP",
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
    assert_string_equal(settings.trusted_proxies, "");
    assert_string_equal(settings.tls_cert, "");
    assert_string_equal(settings.tls_key, "");
    assert_string_equal(settings.redirect_listen, "");
    assert_string_equal(settings.http2, "tls");
    settings_free(&settings);
    assert_int_equal(read_all(&settings, "ROSTER_HTTP2", &(struct said){ .environment = "on" }),
                     EX_USAGE);
    settings_free(&settings);
}

/* Each number, set by its variable. `least` and `most` are those of settings.def. */
static void numbers_are_taken_from_their_least_to_their_most(void **state) {
    static const struct {
        const char *option;
        size_t offset;
        long least, most;
    } rows[] = {
#define ROW_string(...)
#define ROW_url(...)
#define ROW_secret(...)
#define ROW_list(...)
#define ROW_choice(...)
#define ROW_flag(...)
#define ROW_mode(...)
#define ROW_number(member, option, least, most)                                                    \
    { option, offsetof(struct settings, member), least, most },
#define SETTING(member, type, option, initial, least, most, argument, help)                        \
    ROW_##type(member, option, least, most)
#include "base/settings.def"
#undef SETTING
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const struct {
            long number;
            int code;
        } tries[] = { { rows[i].least, 0 },
                      { rows[i].most, 0 },
                      { rows[i].least - 1, EX_USAGE },
                      { rows[i].most + 1, EX_USAGE } };
        for (size_t j = 0; j < LENGTH(tries); j++) {
            struct settings settings;
            char option[96];
            (void)snprintf(option, sizeof option, "--%s=%ld", rows[i].option, tries[j].number);
            int code =
                read_all(&settings, "ROSTER_LISTEN", &(struct said){ .options = { option } });
            if (code != tries[j].code)
                fail_msg("%s: %d", option, code);
            long taken;
            memcpy(&taken, (const char *)&settings + rows[i].offset, sizeof taken);
            if (!code)
                assert_int_equal(taken, tries[j].number);
            settings_free(&settings);
        }
    }
    assert_true(LENGTH(rows) > 10);
}

/* Each flag, from the file and as an option. */
static void flags_are_on_or_off_in_three_words_each(void **state) {
    static const struct {
        const char *option;
        size_t offset;
    } rows[] = {
#undef ROW_number
#undef ROW_flag
#define ROW_number(...)
#define ROW_flag(member, option) { option, offsetof(struct settings, member) },
#define SETTING(member, type, option, initial, least, most, argument, help)                        \
    ROW_##type(member, option)
#include "base/settings.def"
#undef SETTING
    };
    static const struct {
        const char *text, *before; /* after the option's name, and before it; NULL: in the file */
        int code;
        bool is_on;
    } tries[] = {
        { " = 1\n", NULL, 0, true },
        { " = true\n", NULL, 0, true },
        { " = yes\n", NULL, 0, true },
        { " = 0\n", NULL, 0, false },
        { " = false\n", NULL, 0, false },
        { " = no\n", NULL, 0, false },
        { " = on\n", NULL, EX_CONFIG, false },
        { " = 2\n", NULL, EX_CONFIG, false },
        { " = \n", NULL, EX_CONFIG, false },
        { " = TRUE\n", NULL, EX_CONFIG, false },
        { "", "--", 0, true },
        { "", "--no-", 0, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        for (size_t j = 0; j < LENGTH(tries); j++) {
            struct settings settings;
            char text[96];
            (void)snprintf(text, sizeof text, "%s%s%s", tries[j].before ? tries[j].before : "",
                           rows[i].option, tries[j].text);
            const struct said said = { .options = { tries[j].before ? text : NULL },
                                       .file = tries[j].before ? NULL : text };
            int code = read_all(&settings, "ROSTER_LISTEN", &said);
            if (code != tries[j].code)
                fail_msg("%s: %d", text, code);
            if (!code)
                assert_int_equal(*(const bool *)((const char *)&settings + rows[i].offset),
                                 tries[j].is_on);
            settings_free(&settings);
        }
    assert_true(LENGTH(rows) > 5);
}

static void what_is_no_list_stands_once_in_a_file_whatever_its_type(void **state) {
    enum { IS_string, IS_url, IS_secret, IS_list, IS_choice, IS_flag, IS_number, IS_mode };
    static const struct {
        const char *option, *value;
        int type;
    } rows[] = {
#define VALUE_string(initial) "x"
#define VALUE_secret(initial) "x"
#define VALUE_url(initial) "x"
#define VALUE_list(initial) "null" /* a host and an origin, too */
#define VALUE_choice(initial) initial
#define VALUE_flag(initial) "yes"
#define VALUE_number(initial) #initial
#define VALUE_mode(initial) "600"
#define SETTING(member, type, option, initial, ...) { option, VALUE_##type(initial), IS_##type },
#include "base/settings.def"
#undef SETTING
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        for (int times = 1; times <= 2; times++) {
            struct settings settings;
            char once[128], text[256];
            (void)snprintf(once, sizeof once, "%s = %s\n", rows[i].option, rows[i].value);
            (void)snprintf(text, sizeof text, "%s%s", once, times == 2 ? once : "");
            int code = read_all(&settings, "ROSTER_LISTEN", &(struct said){ .file = text });
            if (code != (times == 2 && rows[i].type != IS_list ? EX_CONFIG : 0))
                fail_msg("%s: %d", text, code);
            settings_free(&settings);
        }
}

static void variables_of_services_are_no_settings_and_unknown_ones_end_the_start(void **state) {
    static const struct {
        const char *name, *value;
        int code;
    } rows[] = {
        { "ROSTER_PORT", "tcp://10.0.0.1:8080", 0 },
        { "ROSTER_PORT_8080_TCP", "tcp://10.0.0.1:8080", 0 },
        { "ROSTER_PORT_8080_TCP_PROTO", "tcp", 0 },
        { "ROSTER_PORT_8080_TCP_PORT", "8080", 0 },
        { "ROSTER_PORT_8080_TCP_ADDR", "10.0.0.1", 0 },
        { "ROSTER_SERVICE_HOST", "10.0.0.1", 0 },
        { "ROSTER_SERVICE_PORT", "8080", 0 },
        { "ROSTER_SERVICE_PORT_HTTP", "8080", 0 },
        { "ROSTER_NAME", "/web/roster", 0 },
        { "ROSTER_ENV_PATH", "/usr/bin", 0 },
        { "ROSTER_METRICS_SERVICE_HOST", "10.0.0.1", 0 },
        { "ROSTER_METRICS_SERVICE_PORT_HTTP", "80", 0 },
        { "ROSTER_METRICS_PORT", "tcp://10.0.0.1:80", 0 },
        { "ROSTER_METRICS_PORT_80_TCP_ADDR", "10.0.0.1", 0 },
        { "ROSTER_PORT", "8080", EX_USAGE },
        { "ROSTER_PORT", "", EX_USAGE },
        { "ROSTER_METRICS_PORT", "80", EX_USAGE },
        { "ROSTER_SERVICE", "x", EX_USAGE },
        { "ROSTER_NAME", "roster", EX_USAGE },
        { "ROSTER_LISEN", "127.0.0.1:1", EX_USAGE },
        { "ROSTER_VERSION", "1", EX_USAGE },
        { "ROSTER_", "", EX_USAGE },
        { "ROSTER_ADMIN_PASSWORD_FILE", "/nowhere/secret", EX_NOINPUT },
        { "ROSTER_LISTEN_FILE", "/nowhere/listen", EX_USAGE },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct settings settings;
        int code =
            read_all(&settings, rows[i].name, &(struct said){ .environment = rows[i].value });
        if (code != rows[i].code)
            fail_msg("%s=%s: %d", rows[i].name, rows[i].value, code);
        settings_free(&settings);
    }
}

static void a_value_in_a_file_is_whole(void **state) {
    static char longest[8192 - 2], beyond[8192 + 64];
    static const struct {
        const char *text, *password; /* NULL: refused */
    } rows[] = {
        { "admin-password = Correct horse ;battery staple\n", "Correct horse ;battery staple" },
        { "admin-password = Correct horse; battery\n", "Correct horse; battery" },
        { "admin-password = a ; b # c = d : e\n", "a ; b # c = d : e" },
        { "admin-password = ;all of it\n", ";all of it" },
        { "; admin-password = none\nadmin-password = x\n# admin-password = none\n", "x" },
        { "admin-password = without an end", "without an end" },
        { "\xEF\xBB\xBF"
          "admin-password = behind a mark\n",
          "behind a mark" },
        { longest, longest + sizeof "admin-password=" - 1 },
        { beyond, NULL },
    };
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    memset(beyond, 'x', sizeof beyond - 1);
    memcpy(longest, "admin-password=", strlen("admin-password="));
    memcpy(beyond, "admin-password=", strlen("admin-password="));
    /* The rest of the line would be taken for another setting. */
    memcpy(beyond + 8192 - 1, "log-level=error", strlen("log-level=error") + 1);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct settings settings;
        int code = read_all(&settings, "ROSTER_LISTEN", &(struct said){ .file = rows[i].text });
        assert_int_equal(code, rows[i].password ? 0 : EX_CONFIG);
        if (rows[i].password)
            assert_string_equal(settings.admin_password, rows[i].password);
        settings_free(&settings);
    }
}

static void what_is_no_file_of_settings_is_refused(void **state) {
    struct settings settings;
    (void)state;
    assert_int_equal(
        read_all(&settings, "ROSTER_LISTEN", &(struct said){ .options = { "--config=/tmp" } }),
        EX_NOINPUT);
    settings_free(&settings);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_list_adds_up_within_a_source_and_is_replaced_by_a_higher_one),
        TEST(what_is_no_list_has_its_last_value_and_stands_once_in_a_file),
        TEST(a_mode_is_octal),
        TEST(without_a_source_the_defaults_count),
        TEST(numbers_are_taken_from_their_least_to_their_most),
        TEST(flags_are_on_or_off_in_three_words_each),
        TEST(what_is_no_list_stands_once_in_a_file_whatever_its_type),
        TEST(variables_of_services_are_no_settings_and_unknown_ones_end_the_start),
        TEST(a_value_in_a_file_is_whole),
        TEST(what_is_no_file_of_settings_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

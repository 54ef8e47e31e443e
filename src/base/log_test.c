#include "base/log.h"

#include "base/log_text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static char text[256 * 1024];

/* Reads what is logged while `work` runs. */
static void read_log(void (*work)(void)) {
    char path[] = "/tmp/roster-log-XXXXXX";
    int file = mkstemp(path), error = dup(STDERR_FILENO);
    assert_true(file >= 0 && error >= 0 && unlink(path) == 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    work();
    assert_int_equal(dup2(error, STDERR_FILENO), STDERR_FILENO);
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    assert_true(len >= 0 && len < (ssize_t)sizeof text - 1);
    text[len] = '\0';
    (void)close(file);
    (void)close(error);
}

static const struct {
    const char *from, *plain, *quoted;
} escapes[] = {
    { "", "", "" },
    { "plain text, 1 < 2", "plain text, 1 < 2", "plain text, 1 < 2" },
    { "a\nb\r\tc\x7F\x1B[31m", "a\\x0ab\\x0d\\x09c\\x7f\\x1b[31m",
      "a\\\\x0ab\\\\x0d\\\\x09c\\\\x7f\\\\x1b[31m" },
    { "\"\\", "\"\\", "\\\"\\\\" },
    { "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80",
      "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80",
      "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80" },
    /* control characters of Latin 1; ends of lines; characters that turn the line */
    { "\xC2\x9B", "\\xc2\\x9b", "\\\\xc2\\\\x9b" },
    { "\xE2\x80\xA8", "\\xe2\\x80\\xa8", "\\\\xe2\\\\x80\\\\xa8" },
    { "\xE2\x80\xAE", "\\xe2\\x80\\xae", "\\\\xe2\\\\x80\\\\xae" },
    { "\xE2\x81\xA6", "\\xe2\\x81\\xa6", "\\\\xe2\\\\x81\\\\xa6" },
    /* no UTF-8: alone, cut off, too long a form, a surrogate, above U+10FFFF */
    { "\xFF", "\\xff", "\\\\xff" },
    { "\xE2\x82", "\\xe2\\x82", "\\\\xe2\\\\x82" },
    { "\xC0\x8A", "\\xc0\\x8a", "\\\\xc0\\\\x8a" },
    { "\xED\xA0\x80", "\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80" },
    { "\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80" },
};

static void what_could_break_or_turn_a_line_is_escaped(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(escapes); i++)
        for (int quoted = 0; quoted < 2; quoted++) {
            static struct log_text line;
            const char *wanted = quoted ? escapes[i].quoted : escapes[i].plain;
            line.len = 0;
            log_text_add_escaped(&line, text_of(escapes[i].from), quoted);
            assert_int_equal(line.len, strlen(wanted));
            assert_memory_equal(line.at, wanted, line.len);
        }
}

static void text_that_is_too_long_leaves_room_for_the_end_of_the_line(void **state) {
    static struct log_text line;
    static char bytes[10000];
    (void)state;
    memset(bytes, '\n', sizeof bytes);
    line.len = 0;
    log_text_add_escaped(&line, (struct text){ bytes, sizeof bytes }, true);
    assert_true(line.len > LOG_TEXT_MAX / 2 && line.len <= LOG_TEXT_MAX - 512);
    assert_int_equal(line.len % strlen("\\\\x0a"), 0);
    for (int i = 0; i < 1000; i++)
        log_text_add(&line, TEXT("0123456789"));
    assert_int_equal(line.len, LOG_TEXT_MAX);
}

static void milliseconds_have_three_digits_behind_the_point(void **state) {
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = { { 0, "0.000" }, { 7, "0.007" }, { 1234, "1.234" }, { 60000050, "60000.050" } };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        static struct log_text line;
        line.len = 0;
        log_text_add_ms(&line, rows[i].us);
        assert_int_equal(line.len, strlen(rows[i].text));
        assert_memory_equal(line.at, rows[i].text, line.len);
    }
}

static void log_each_level(void) {
    log_set_level(LOG_LEVEL_warning);
    log_error("one");
    log_warning("two");
    log_info("three");
    log_debug("four");
    log_set_level(LOG_LEVEL_info);
}

static void only_lines_of_the_level_are_logged(void **state) {
    (void)state;
    read_log(log_each_level);
    assert_non_null(strstr(text, "Z error: one\n"));
    assert_non_null(strstr(text, "Z warning: two\n"));
    assert_null(strstr(text, "three"));
    assert_null(strstr(text, "four"));
}

enum { TIMES = 5000 };

static void repeat(void) {
    assert_true(log_start());
    for (int i = 0; i < TIMES; i++) {
        log_error("the disk is full");
        if (i % 1000 == 0)
            log_info("an event");
    }
    log_stop();
}

static void the_same_error_is_one_line_a_second_with_a_count(void **state) {
    unsigned long errors = 0, events = 0, lines = 0;
    (void)state;
    read_log(repeat);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        const char *more = strstr(line, ", and ");
        if (strstr(line, "the disk is full"))
            errors += 1 + (more ? strtoul(more + strlen(", and "), NULL, 10) : 0);
        events += strstr(line, "an event") != NULL;
    }
    assert_int_equal(errors, TIMES);
    assert_int_equal(events, TIMES / 1000);
    assert_true(lines < TIMES / 10);
}

static void log_fields_of_each_kind(void) {
    const struct log_field fields[] = {
        { "path", LOG_text, .text = text_of("/a\nb") },
        { "status", LOG_number, .number = -7 },
        { "ms", LOG_ms, .number = 1500 },
        { "user", LOG_none, .number = 1 },
    };
    log_event(LOG_LEVEL_info, "request", NULL, fields, LENGTH(fields));
    log_event(LOG_LEVEL_info, "sign-in", "refused\n", fields, LENGTH(fields));
}

static void an_event_is_its_fields_or_its_text(void **state) {
    (void)state;
    read_log(log_fields_of_each_kind);
    assert_non_null(strstr(text, "Z info: request: path=/a\\x0ab status=-7 ms=1.500\n"));
    assert_non_null(strstr(text, "Z info: sign-in: refused\\x0a\n"));
}

/* The last test: the format stays. */
static void an_event_in_json_has_members(void **state) {
    (void)state;
    log_use_json();
    read_log(log_fields_of_each_kind);
    assert_non_null(strstr(text,
                           "\",\"level\":\"info\",\"event\":\"request\",\"path\":\"/a\\\\x0ab\","
                           "\"status\":-7,\"ms\":1.500}\n"));
    read_log(log_each_level);
    assert_non_null(strstr(text, "\",\"level\":\"warning\",\"message\":\"two\"}\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_break_or_turn_a_line_is_escaped),
        cmocka_unit_test(text_that_is_too_long_leaves_room_for_the_end_of_the_line),
        cmocka_unit_test(milliseconds_have_three_digits_behind_the_point),
        cmocka_unit_test(only_lines_of_the_level_are_logged),
        cmocka_unit_test(an_event_is_its_fields_or_its_text),
        cmocka_unit_test(the_same_error_is_one_line_a_second_with_a_count),
        cmocka_unit_test(an_event_in_json_has_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

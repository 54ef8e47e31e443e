#include "auth/sign_in_log.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { EVENTS = 20000, TEXT_MAX = 1024 * 1024 };

static char text[TEXT_MAX];

/* Reads the lines that are logged while `work` runs. */
static void read_log(void (*work)(struct sign_in_log *log)) {
    char path[] = "/tmp/roster-log-XXXXXX";
    int file = mkstemp(path), error = dup(STDERR_FILENO);
    assert_true(file >= 0 && error >= 0 && unlink(path) == 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    struct sign_in_log *log = sign_in_log_new();
    assert_non_null(log);
    work(log);
    sign_in_log_free(log);
    assert_int_equal(dup2(error, STDERR_FILENO), STDERR_FILENO);
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    assert_true(len >= 0 && len < (ssize_t)sizeof text - 1);
    text[len] = '\0';
    (void)close(file);
    (void)close(error);
}

/* How many lines there are, and how many events they tell of. */
static unsigned long count(unsigned long *lines) {
    unsigned long events = 0;
    char *rest = NULL;
    *lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), (*lines)++) {
        const char *more = strstr(line, ", and "), *untold = strstr(line, "sign-in: ");
        assert_non_null(untold);
        if (strstr(line, "more events"))
            events += strtoul(untold + strlen("sign-in: "), NULL, 10);
        else
            events += 1 + (more ? strtoul(more + strlen(", and "), NULL, 10) : 0);
    }
    return events;
}

static void repeat_one(struct sign_in_log *log) {
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000207) };
    for (int i = 0; i < EVENTS; i++)
        sign_in_log_add(log, SIGN_IN_EVENT_password, 7,
                        &(struct log_origin){ (const struct sockaddr *)&from, NULL });
}

static void what_repeats_itself_is_one_line_a_second_with_a_count(void **state) {
    unsigned long lines;
    (void)state;
    read_log(repeat_one);
    assert_non_null(
        strstr(text, " info: sign-in: refused, wrong password; user 7, from 192.0.2.7"));
    assert_int_equal(count(&lines), EVENTS);
    assert_true(lines < EVENTS / 100);
}

/* IPv6 addresses of one /64 are one. */
static void wander(struct sign_in_log *log) {
    struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
    from.sin6_addr.s6_addr[0] = 0x20;
    for (int i = 0; i < EVENTS; i++) {
        from.sin6_addr.s6_addr[14] = (unsigned char)(i >> 8);
        from.sin6_addr.s6_addr[15] = (unsigned char)i;
        sign_in_log_add(log, SIGN_IN_EVENT_unknown, 0,
                        &(struct log_origin){ (const struct sockaddr *)&from, NULL });
    }
}

static void addresses_of_one_network_are_one(void **state) {
    unsigned long lines;
    (void)state;
    read_log(wander);
    assert_non_null(strstr(text, "there is no such user; no user, from 2000::"));
    assert_int_equal(count(&lines), EVENTS);
    assert_true(lines < EVENTS / 100);
}

static void crowd(struct sign_in_log *log) {
    struct sockaddr_in from = { .sin_family = AF_INET };
    for (int i = 0; i < EVENTS; i++) {
        from.sin_addr.s_addr = htonl((uint32_t)i + 1);
        sign_in_log_add(log, (enum sign_in_event)(i % SIGN_IN_EVENTS), i,
                        &(struct log_origin){ (const struct sockaddr *)&from, NULL });
    }
}

static void all_together_are_no_more_than_somebody_reads(void **state) {
    unsigned long lines;
    (void)state;
    read_log(crowd);
    assert_int_equal(count(&lines), EVENTS);
    assert_true(lines < EVENTS / 10);
}

static void say_nothing_at_all(struct sign_in_log *log) {
    sign_in_log_flush(log);
    sign_in_log_add(NULL, SIGN_IN_EVENT_busy, 1, &(struct log_origin){ 0 });
}

static void no_event_is_no_line(void **state) {
    (void)state;
    read_log(say_nothing_at_all);
    assert_string_equal(text, "");
}

static void others_have_a_name_too(struct sign_in_log *log) {
    struct sockaddr local = { .sa_family = AF_UNIX };
    sign_in_log_add(log, SIGN_IN_EVENT_reset, 9, &(struct log_origin){ &local, "abc-1" });
    sign_in_log_add(log, SIGN_IN_EVENT_reset, 8, &(struct log_origin){ 0 });
}

static void an_event_without_an_address_says_so(void **state) {
    (void)state;
    read_log(others_have_a_name_too);
    assert_non_null(strstr(text, "reset token; user 9, from a UNIX socket, request abc-1\n"));
    assert_non_null(strstr(text, "reset token; user 8, from nowhere\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_repeats_itself_is_one_line_a_second_with_a_count),
        cmocka_unit_test(addresses_of_one_network_are_one),
        cmocka_unit_test(all_together_are_no_more_than_somebody_reads),
        cmocka_unit_test(no_event_is_no_line),
        cmocka_unit_test(an_event_without_an_address_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Requests of the operator as packets: what is written is read again, and nothing else is. */
#include "server/operator_wire.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void a_request_is_read_as_it_was_written(void **state) {
    (void)state;
    static const char *const words[][OPERATOR_WORDS] = {
        { "user", "list" },
        { "user", "set-password", "ada@example.com" },
        { "token", "revoke-all", "" },
        { "user" },
    };
    for (size_t i = 0; i < 4 * LENGTH(words); i++) {
        char packet[OPERATOR_REQUEST_MAX];
        const char *read_words[OPERATOR_WORDS];
        struct operator_request read;
        const struct operator_request request = {
            .words = words[i / 4],
            .name = i & 1 ? "Ada Lovelace" : NULL,
            .password = i & 1 ? TEXT("a password") : (struct text){ 0 },
            .json = i & 2,
        };
        size_t len = operator_pack(&request, packet);
        assert_true(len);
        assert_true(operator_unpack(packet, len, read_words, &read));
        for (unsigned word = 0; word < OPERATOR_WORDS; word++)
            assert_true(text_equal(text_of(read.words[word]), text_of(request.words[word])));
        assert_true(text_equal(text_of(read.name), text_of(request.name)));
        assert_true(text_equal(read.password, request.password));
        assert_int_equal(read.json, request.json);
    }
}

static void a_request_that_does_not_fit_is_not_written(void **state) {
    (void)state;
    static char longest[OPERATOR_REQUEST_MAX], packet[OPERATOR_REQUEST_MAX];
    memset(longest, 'x', sizeof longest - 1);
    const char *words[OPERATOR_WORDS] = { "user", "show", longest };
    const struct operator_request request = { .words = words };
    assert_int_equal(operator_pack(&request, packet), 0);
    longest[OPERATOR_REQUEST_MAX - 3 - 5 - 5 - 1] = '\0'; /* the other texts and NULs */
    assert_int_equal(operator_pack(&request, packet), OPERATOR_REQUEST_MAX);
    longest[OPERATOR_REQUEST_MAX - 3 - 5 - 5 - 1] = 'x';
    longest[OPERATOR_REQUEST_MAX - 3 - 5 - 5] = '\0';
    assert_int_equal(operator_pack(&request, packet), 0);
}

static void what_is_no_request_is_refused(void **state) {
    (void)state;
    static const struct text packets[] = {
        { "", 0 },
        { "json", 4 },                                 /* no NUL */
        { "json\0", 5 },                               /* no name */
        { "json\0\0", 6 },                             /* no password */
        { "\0\0\0user\0list", 12 },                    /* no NUL at the end */
        { "\0\0\0one\0two\0three\0four\0five\0", 26 }, /* too many words */
        { "\0\0\0one\0two\0three\0four\0", 21 },       /* no room for the NULL behind them */
    };
    for (size_t i = 0; i < LENGTH(packets); i++) {
        const char *words[OPERATOR_WORDS];
        struct operator_request request;
        if (operator_unpack(packets[i].at, packets[i].len, words, &request))
            fail_msg("packet %zu is read", i);
    }
}

static void a_folder_has_an_address_however_long_its_path_is(void **state) {
    (void)state;
    char folder[512] = "/tmp/roster-wire-XXXXXX";
    struct sockaddr_un address;
    int opened;
    assert_non_null(mkdtemp(folder));
    assert_true(operator_address(folder, &address, &opened));
    assert_int_equal(opened, -1);
    assert_true(strcmp(address.sun_path + strlen(folder), "/roster.sock") == 0);
    assert_false(operator_is_served(folder));
    size_t len = strlen(folder);
    memset(folder + len, 'x', 200);
    folder[len] = '/';
    assert_false(operator_address(folder, &address, &opened));
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_true(operator_address(folder, &address, &opened));
    assert_true(opened >= 0);
    int file = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlinkat(opened, OPERATOR_SOCKET, 0), 0);
    assert_int_equal(close(opened), 0);
    assert_int_equal(rmdir(folder), 0);
    folder[len] = '\0';
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_as_it_was_written),
        cmocka_unit_test(a_request_that_does_not_fit_is_not_written),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_folder_has_an_address_however_long_its_path_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

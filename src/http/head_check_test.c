/* Heads that mean one thing, and heads that could mean two. */
#include "http/head_check.h"
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LIMIT = 100 };

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Headers as name, value, name, value ..., NULL. */
static struct head_check see(const char *const *headers) {
    struct head_check check = { .minor = 1 };
    for (; headers[0]; headers += 2)
        head_check_add(&check, text_of(headers[0]), text_of(headers[1]));
    return check;
}

static enum status check_result(const struct head_check *check) {
    const char *reason = "";
    enum status status = head_check_result(check, LIMIT, &reason);
    assert_int_equal(reason != NULL,
                     status == STATUS_BAD_INPUT || status == STATUS_NOT_IMPLEMENTED);
    return status;
}

/* As judge, of a request that is right but for these headers. */
static enum status judge_with_host(const char *const *headers) {
    struct head_check check = see(headers);
    head_check_add(&check, TEXT("Host"), TEXT("x"));
    return check_result(&check);
}

static void names_are_tokens_and_values_have_no_control_characters(void **state) {
    static const struct {
        const char *headers[9];
        enum status status;
    } cases[] = {
        { { "X", "a\tb \xc3\xa9 \xff" }, STATUS_OK },
        { { "!#$%&'*+-.^_`|~09azAZ", "" }, STATUS_OK },
        { { "X ", "a" }, STATUS_BAD_INPUT },
        { { "X\t", "a" }, STATUS_BAD_INPUT },
        { { " X", "a" }, STATUS_BAD_INPUT },
        { { "", "a" }, STATUS_BAD_INPUT },
        { { "X(y)", "a" }, STATUS_BAD_INPUT },
        { { "X,y", "a" }, STATUS_BAD_INPUT },
        { { "X\xff", "a" }, STATUS_BAD_INPUT },
        { { "X\x7f", "a" }, STATUS_BAD_INPUT },
        { { "Content-Length ", "1" }, STATUS_BAD_INPUT },
        { { "X", "a\rb" }, STATUS_BAD_INPUT },
        { { "X", "a\nb" }, STATUS_BAD_INPUT },
        { { "X", "a\x01" }, STATUS_BAD_INPUT },
        { { "X", "a\x7f" }, STATUS_BAD_INPUT },
        { { "X", "a\vb" }, STATUS_BAD_INPUT },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(judge_with_host(cases[i].headers), cases[i].status);
    struct head_check check = see((const char *const[]){ "Host", "x", NULL });
    head_check_add(&check, TEXT("X"), TEXT("a\0b"));
    assert_int_equal(check_result(&check), STATUS_BAD_INPUT);
    struct head_check other = see((const char *const[]){ "Host", "x", NULL });
    head_check_add(&other, TEXT("X\0"), TEXT("a"));
    assert_int_equal(check_result(&other), STATUS_BAD_INPUT);
}

static const struct {
    const char *headers[9];
    enum status status;
    uint64_t length;
    bool is_chunked;
} bodies[] = {
    { { NULL }, STATUS_OK, 0, false },
    { { "Content-Length", "100" }, STATUS_OK, 100, false },
    { { "Content-Length", "0" }, STATUS_OK, 0, false },
    { { "Content-Length", "000" }, STATUS_OK, 0, false },
    { { "Content-Length", "007" }, STATUS_OK, 7, false },
    { { "Transfer-Encoding", "Chunked" }, STATUS_OK, 0, true },
    { { "transfer-encoding", "chunked" }, STATUS_OK, 0, true },
    { { "content-length", "101" }, STATUS_TOO_LARGE, 101, false },
    { { "Content-Length", "9223372036854775807" }, STATUS_TOO_LARGE, INT64_MAX, false },
    { { "Content-Length", "9223372036854775808" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "18446744073709551617" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "1", "CONTENT-LENGTH", "1" }, STATUS_BAD_INPUT, 1, false },
    { { "Content-Length", "1, 1" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "1 1" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "-1" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "-0" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "+1" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "0x1" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "1.0" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "" }, STATUS_BAD_INPUT, 0, false },
    { { "Content-Length", "1", "Transfer-Encoding", "chunked" }, STATUS_BAD_INPUT, 1, true },
    { { "Transfer-Encoding", "gzip", "Content-Length", "1" }, STATUS_BAD_INPUT, 1, false },
    { { "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked" },
      STATUS_BAD_INPUT,
      0,
      true },
    { { "Transfer-Encoding", "gzip", "Transfer-Encoding", "chunked" }, STATUS_BAD_INPUT, 0, true },
    { { "Transfer-Encoding", "" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "," }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "chunked," }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", ", chunked" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "chunked, chunked" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "chunked, gzip" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "chunked;a=b" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "chun ked" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "\"chunked\"" }, STATUS_BAD_INPUT, 0, false },
    { { "Transfer-Encoding", "gzip, chunked" }, STATUS_NOT_IMPLEMENTED, 0, false },
    { { "Transfer-Encoding", "gzip;q=1, chunked" }, STATUS_NOT_IMPLEMENTED, 0, false },
    { { "Transfer-Encoding", "xchunked" }, STATUS_NOT_IMPLEMENTED, 0, false },
    { { "Transfer-Encoding", "identity" }, STATUS_NOT_IMPLEMENTED, 0, false },
};

static void a_body_has_one_length_or_one_coding_that_is_chunked(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(bodies); i++) {
        struct head_check check = see(bodies[i].headers);
        enum status status = judge_with_host(bodies[i].headers);
        if (status != bodies[i].status)
            fail_msg("case %zu: %d", i, (int)status);
        assert_int_equal(check.length, bodies[i].length);
        assert_int_equal(check.is_chunked, bodies[i].is_chunked);
    }
}

static void http_1_0_has_no_transfer_codings_and_needs_no_host(void **state) {
    struct head_check plain = { 0 }, chunked = { 0 }, unknown = { 0 };
    (void)state;
    assert_int_equal(check_result(&plain), STATUS_OK);
    head_check_add(&chunked, TEXT("Transfer-Encoding"), TEXT("chunked"));
    assert_int_equal(check_result(&chunked), STATUS_BAD_INPUT);
    head_check_add(&unknown, TEXT("Transfer-Encoding"), TEXT("gzip"));
    assert_int_equal(check_result(&unknown), STATUS_BAD_INPUT);
}

static void a_host_is_named_once(void **state) {
    static const struct {
        const char *headers[9];
        enum status status;
    } cases[] = {
        { { NULL }, STATUS_BAD_INPUT },         { { "Host", "x" }, STATUS_OK },
        { { "Host", "" }, STATUS_OK },          { { "Host", "x", "host", "x" }, STATUS_BAD_INPUT },
        { { "Hosts", "x" }, STATUS_BAD_INPUT }, { { "Host", "a b" }, STATUS_BAD_INPUT },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct head_check check = see(cases[i].headers);
        assert_int_equal(check_result(&check), cases[i].status);
    }
}

static const char *const good_hosts[] = {
    "",
    "a",
    "a.example",
    "A-b_c.~",
    "127.0.0.1",
    "a:",
    "a:0",
    "a:80",
    "a:65535",
    "a:0000080",
    "%41",
    "a%2fb",
    "a!$&'()*+,;=",
    "[::]",
    "[::1]",
    "[::1]:",
    "[2001:db8::1]:8080",
    "[::ffff:1.2.3.4]",
    "[1:2:3:4:5:6:7:8]",
    "xn--bcher-kva.example",
};

static const char *const bad_hosts[] = {
    "a b",
    "a/b",
    "user@a",
    "a:b",
    "a:80:80",
    "::1",
    "a:65536",
    "a:99999999999",
    "a:-1",
    "a:+1",
    "a: 80",
    "a?",
    "a#",
    "a\\b",
    "a\"b",
    "<a>",
    "a^",
    "a`",
    "{a}",
    "a|b",
    "%",
    "%4",
    "%4g",
    "%g4",
    "a%",
    "a\xc3\xbc",
    "a\x7f",
    "a\t",
    "[",
    "[]",
    "[::1",
    "::1]",
    "[::1]a",
    "[::1]80",
    "[::1]:a",
    "[::1]:65536",
    "[[::1]]",
    "[::1]:8]",
    "[1:2]",
    "[::g]",
    "[127.0.0.1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[v1.a]",
    "[ ::1]",
    "[::1 ]",
    "[:::]",
    "[1:2:3:4:5:6:7:8:9]",
    "[00000000000000000000000000000000000000000000000001::]",
};

/* RFC 3986 section 3.2, without a user. */
static void hosts_are_names_or_addresses_and_at_most_a_port(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good_hosts); i++)
        if (!head_check_is_host(text_of(good_hosts[i])))
            fail_msg("`%s` is refused", good_hosts[i]);
    for (size_t i = 0; i < LENGTH(bad_hosts); i++)
        if (head_check_is_host(text_of(bad_hosts[i])))
            fail_msg("`%s` is taken", bad_hosts[i]);
    assert_false(head_check_is_host(TEXT("a\0")));
    assert_false(head_check_is_host(TEXT("[::1\0]")));
}

static void connection_options_are_listed_in_any_case_and_place(void **state) {
    static const struct {
        const char *headers[9];
        bool closes, keeps;
    } cases[] = {
        { { NULL }, false, false },
        { { "Connection", "close" }, true, false },
        { { "connection", "CLOSE" }, true, false },
        { { "Connection", "Keep-Alive" }, false, true },
        { { "Connection", "upgrade , close,x" }, true, false },
        { { "Connection", ",,close" }, true, false },
        { { "Connection", "x", "Connection", "close" }, true, false },
        { { "Connection", "close", "Connection", "keep-alive" }, true, true },
        { { "Connection", "" }, false, false },
        { { "Connection", "closed" }, false, false },
        { { "Connection", "not close" }, false, false },
        { { "Connection", "close;x" }, false, false },
        { { "Connections", "close" }, false, false },
        { { "Proxy-Connection", "close" }, false, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct head_check check = see(cases[i].headers);
        assert_int_equal(check.says_close, cases[i].closes);
        assert_int_equal(check.says_keep_alive, cases[i].keeps);
        assert_int_equal(judge_with_host(cases[i].headers), STATUS_OK);
    }
}

/* RFC 9110 section 10.1.1. */
static void expectations_but_100_continue_are_refused_and_http_1_0_has_none(void **state) {
    static const struct {
        const char *headers[9];
        enum status status;
        bool expects_continue;
    } cases[] = {
        { { "Expect", "100-continue" }, STATUS_OK, true },
        { { "expect", "100-Continue" }, STATUS_OK, true },
        { { "Expect", "100-continue", "Expect", "100-continue" }, STATUS_OK, true },
        { { "Expect", "" }, STATUS_EXPECTATION, false },
        { { "Expect", "x" }, STATUS_EXPECTATION, false },
        { { "Expect", "100-continue, x" }, STATUS_EXPECTATION, false },
        { { "Expect", "100-continue;a" }, STATUS_EXPECTATION, false },
        { { "Expect", "100-continue", "Expect", "x" }, STATUS_EXPECTATION, true },
        { { "Expect", "x", "Content-Length", "101" }, STATUS_TOO_LARGE, false },
        { { "Expect", "x", "Content-Length", "a" }, STATUS_BAD_INPUT, false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct head_check check = see(cases[i].headers);
        assert_int_equal(check.expects_continue, cases[i].expects_continue);
        assert_int_equal(judge_with_host(cases[i].headers), cases[i].status);
        check.minor = 0;
        enum status status = cases[i].status;
        assert_int_equal(check_result(&check), status == STATUS_EXPECTATION ? STATUS_OK : status);
    }
}

static void what_the_parser_frames_otherwise_is_refused(void **state) {
    static const char *const headers[][3] = { { NULL },
                                              { "Content-Length", "5", NULL },
                                              { "Transfer-Encoding", "chunked", NULL } };
    (void)state;
    for (size_t i = 0; i < LENGTH(headers); i++) {
        struct head_check check = see(headers[i]);
        head_check_add(&check, TEXT("Host"), TEXT("x"));
        assert_int_equal(check_result(&check), STATUS_OK);
        check.is_misread = true;
        assert_int_equal(check_result(&check), STATUS_BAD_INPUT);
    }
    /* The parser has another opinion of codings that are refused anyway: the better reason counts.
     */
    struct head_check check =
        see((const char *const[]){ "Transfer-Encoding", "gzip", "Host", "x", NULL });
    check.is_misread = true;
    assert_int_equal(check_result(&check), STATUS_NOT_IMPLEMENTED);
}

static void assert_pair(struct text *rest, struct arena *arena, const char *name,
                        const char *value) {
    struct text got_name, got_value;
    assert_true(form_next(rest, arena, &got_name, &got_value));
    assert_true(text_equal(got_name, text_of(name)));
    if (value)
        assert_true(got_value.at && text_equal(got_value, text_of(value)));
    else
        assert_null(got_value.at);
}

static void forms_are_decoded(void **state) {
    struct arena arena = { 0 };
    struct text name, value, rest = TEXT("a=1&&b=x+y%26%C3%BC&c&d=&e=%2&f=%zz&%41=%2B+&=v");
    (void)state;
    assert_pair(&rest, &arena, "a", "1");
    assert_pair(&rest, &arena, "b", "x y&ü");
    assert_pair(&rest, &arena, "c", "");
    assert_pair(&rest, &arena, "d", "");
    assert_pair(&rest, &arena, "e", NULL);
    assert_pair(&rest, &arena, "f", NULL);
    assert_pair(&rest, &arena, "A", "+ ");
    assert_pair(&rest, &arena, "", "v");
    assert_false(form_next(&rest, &arena, &name, &value));
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens_and_values_have_no_control_characters),
        cmocka_unit_test(a_body_has_one_length_or_one_coding_that_is_chunked),
        cmocka_unit_test(http_1_0_has_no_transfer_codings_and_needs_no_host),
        cmocka_unit_test(a_host_is_named_once),
        cmocka_unit_test(hosts_are_names_or_addresses_and_at_most_a_port),
        cmocka_unit_test(connection_options_are_listed_in_any_case_and_place),
        cmocka_unit_test(expectations_but_100_continue_are_refused_and_http_1_0_has_none),
        cmocka_unit_test(what_the_parser_frames_otherwise_is_refused),
        cmocka_unit_test(forms_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

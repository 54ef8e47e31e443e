/* Heads that mean one thing, and heads that could mean two. */
#include "http/guard.h"
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LIMIT = 100 };

/* Judges up to four headers, given as name, value, name, value ..., NULL. */
static enum status judge(const char *const *headers) {
    struct guard guard = { 0 };
    const char *reason;
    for (; headers[0]; headers += 2)
        guard_see(&guard, text_of(headers[0]), text_of(headers[1]));
    enum status status = guard_judge(&guard, LIMIT, &reason);
    assert_int_equal(reason != NULL, status == STATUS_BAD_INPUT);
    return status;
}

static void heads_are_judged(void **state) {
    static const struct {
        const char *headers[9];
        enum status status;
    } cases[] = {
        { { "Host", "x" }, STATUS_OK },
        { { "Host", "x", "Content-Length", "100" }, STATUS_OK },
        { { "Host", "x", "Content-Length", "0" }, STATUS_OK },
        { { "Host", "x", "Content-Length", "007" }, STATUS_OK },
        { { "Host", "x", "Transfer-Encoding", "Chunked" }, STATUS_OK },
        { { "Host", "x", "content-length", "101" }, STATUS_TOO_LARGE },
        { { "Host", "x", "host", "x" }, STATUS_BAD_INPUT },
        { { "Host", "" }, STATUS_OK },
        { { "Host", "[2001:db8::1]:8080" }, STATUS_OK },
        { { "Host", "a b" }, STATUS_BAD_INPUT },
        { { "Host", "a/b" }, STATUS_BAD_INPUT },
        { { "Host", "user@a" }, STATUS_BAD_INPUT },
        { { "X ", "a" }, STATUS_BAD_INPUT },
        { { "X\t", "a" }, STATUS_BAD_INPUT },
        { { "", "a" }, STATUS_BAD_INPUT },
        { { "X(y)", "a" }, STATUS_BAD_INPUT },
        { { "X\xff", "a" }, STATUS_BAD_INPUT },
        { { "X", "a\tb \xc3\xa9" }, STATUS_OK },
        { { "X", "a\rb" }, STATUS_BAD_INPUT },
        { { "X", "a\nb" }, STATUS_BAD_INPUT },
        { { "X", "a\x01" }, STATUS_BAD_INPUT },
        { { "X", "a\x7f" }, STATUS_BAD_INPUT },
        { { "Content-Length", "1", "CONTENT-LENGTH", "1" }, STATUS_BAD_INPUT },
        { { "Content-Length", "1, 1" }, STATUS_BAD_INPUT },
        { { "Content-Length", "-1" }, STATUS_BAD_INPUT },
        { { "Content-Length", "+1" }, STATUS_BAD_INPUT },
        { { "Content-Length", "0x1" }, STATUS_BAD_INPUT },
        { { "Content-Length", "" }, STATUS_BAD_INPUT },
        { { "Content-Length", "99999999999999999999" }, STATUS_BAD_INPUT },
        { { "Content-Length", "1", "Transfer-Encoding", "chunked" }, STATUS_BAD_INPUT },
        { { "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked" }, STATUS_BAD_INPUT },
        { { "Transfer-Encoding", "gzip, chunked" }, STATUS_BAD_INPUT },
        { { "Transfer-Encoding", "identity" }, STATUS_BAD_INPUT },
        { { "Transfer-Encoding", "" }, STATUS_BAD_INPUT },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(judge(cases[i].headers), cases[i].status);
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
        cmocka_unit_test(heads_are_judged),
        cmocka_unit_test(forms_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lists of fields that make a head, and lists that nghttp2 would not let through. */
#include "http/h2_head.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { FIELDS_MAX = 12 };

struct list {
    const char *fields[2 * FIELDS_MAX + 1]; /* name, value, name, value ..., NULL */
};

struct result {
    enum status status;
    struct head head;
    struct head_check check;
};

static struct result read_list(const struct list *list, struct arena *arena) {
    struct field_list fields = { 0 };
    struct result result = { 0 };
    for (const char *const *field = list->fields; *field; field += 2)
        assert_true(fields_add(&fields, text_of(field[0]), text_of(field[1])));
    result.head.arena = arena;
    result.status = fields_read(&fields, &result.head, &result.check);
    fields_drop(&fields);
    assert_null(fields.bytes);
    return result;
}

static void assert_text(struct text text, const char *wanted) {
    assert_non_null(text.at);
    assert_int_equal(text.len, strlen(wanted));
    assert_memory_equal(text.at, wanted, text.len);
}

#define REQUEST ":method", "PUT", ":scheme", "https", ":path", "/a/b?c=d", ":authority", "x:80"

static void a_list_makes_the_head_that_http_1_1_would(void **state) {
    static const struct list list = { { REQUEST, "x-a", "b", "content-length", "7", "cookie", "a=b",
                                        "cookie", "c=d", NULL } };
    struct arena arena = { 0 };
    (void)state;
    struct result result = read_list(&list, &arena);
    const struct head *head = &result.head;
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(head->method, METHOD_PUT);
    assert_false(head->is_head);
    assert_text(head->path, "/a/b");
    assert_text(head->query, "c=d");
    assert_int_equal(head->count, 5);
    assert_text(head_value(head, TEXT("Host")), "x:80");
    assert_text(head_value(head, TEXT("X-A")), "b");
    assert_text(head_value(head, TEXT("Cookie")), "a=b");
    for (unsigned i = 0; i < head->count; i++) {
        assert_int_equal(head->headers[i].name.at[head->headers[i].name.len], '\0');
        assert_int_equal(head->headers[i].value.at[head->headers[i].value.len], '\0');
    }
    assert_int_equal(result.check.hosts, 1);
    assert_int_equal(result.check.minor, 1);
    assert_int_equal(result.check.length, 7);
    arena_close(&arena);
}

static void what_is_malformed_is_told_apart_from_what_is_not_served(void **state) {
    static const struct {
        struct list list;
        enum status status;
    } cases[] = {
        { { { REQUEST, NULL } }, STATUS_OK },
        { { { REQUEST, "host", "x:80", NULL } }, STATUS_OK },
        { { { REQUEST, "te", "Trailers", NULL } }, STATUS_OK },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", "host", "x", NULL } }, STATUS_OK },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", NULL } }, STATUS_OK },
        { { { ":method", "OPTIONS", ":scheme", "http", ":path", "*", NULL } }, STATUS_OK },
        { { { ":method", "BREW", ":scheme", "http", ":path", "/", NULL } },
          STATUS_NOT_IMPLEMENTED },
        { { { ":method", "CONNECT", ":authority", "x:80", NULL } }, STATUS_NOT_IMPLEMENTED },
        { { { NULL } }, STATUS_BAD_INPUT },
        { { { ":scheme", "http", ":path", "/", ":authority", "x", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":path", "/", ":authority", "x", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":authority", "x", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "", ":scheme", "http", ":path", "/", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "G T", ":scheme", "http", ":path", "/", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "ftp", ":path", "/", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "a", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "*", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "/#a", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "/ ", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "http://x/", NULL } },
          STATUS_BAD_INPUT },
        { { { REQUEST, ":path", "/", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, ":status", "200", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, ":", "x", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", "x-a", "b", ":path", "/", NULL } },
          STATUS_BAD_INPUT },
        { { { REQUEST, "host", "y", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "host", "", NULL } }, STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a@x", NULL } },
          STATUS_BAD_INPUT },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", "host", "a@x", NULL } },
          STATUS_BAD_INPUT },
        { { { REQUEST, "X-a", "b", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "x-a", " b", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "x-a", "b\t", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "connection", "close", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "keep-alive", "x", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "proxy-connection", "x", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "transfer-encoding", "chunked", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "upgrade", "h2c", NULL } }, STATUS_BAD_INPUT },
        { { { REQUEST, "te", "gzip", NULL } }, STATUS_BAD_INPUT },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct arena arena = { 0 };
        enum status status = read_list(&cases[i].list, &arena).status;
        if (status != cases[i].status)
            fail_msg("case %zu: %d", i, (int)status);
        arena_close(&arena);
    }
}

static void the_check_sees_what_else_is_wrong(void **state) {
    static const struct {
        struct list list;
        bool is_ok;
    } cases[] = {
        { { { REQUEST, NULL } }, true },
        { { { REQUEST, "x-a", "b\nc", NULL } }, false },
        { { { REQUEST, "x a", "b", NULL } }, false },
        { { { REQUEST, "", "b", NULL } }, false },
        { { { REQUEST, "content-length", "5", "content-length", "5", NULL } }, false },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", NULL } }, false },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a:b:c", NULL } },
          false },
        { { { ":method", "GET", ":scheme", "http", ":path", "/", "host", "x", "host", "x", NULL } },
          false },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct arena arena = { 0 };
        const char *reason;
        struct result result = read_list(&cases[i].list, &arena);
        assert_int_equal(result.status, STATUS_OK);
        assert_int_equal(head_check_result(&result.check, 100, &reason) == STATUS_OK,
                         cases[i].is_ok);
        arena_close(&arena);
    }
}

static void the_method_of_a_list_that_is_too_large_is_known(void **state) {
    struct field_list fields = { 0 };
    struct arena arena = { 0 };
    struct head head = { .arena = &arena };
    struct head_check check = { 0 };
    (void)state;
    assert_true(fields_add(&fields, TEXT(":method"), TEXT("HEAD")));
    unsigned kept = 1;
    while (fields.listed + 33 <= HEAD_MAX) {
        assert_true(fields_add(&fields, TEXT("a"), TEXT("")));
        kept++;
    }
    assert_false(fields_are_too_many(&fields));
    assert_int_equal(fields.count, kept);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(fields_add(&fields, TEXT("a"), TEXT("")));
    assert_true(fields_are_too_many(&fields));
    assert_int_equal(fields.count, kept);
    assert_int_equal(fields_read(&fields, &head, &check), STATUS_BAD_INPUT);
    assert_true(head.is_head);
    fields_drop(&fields);
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_makes_the_head_that_http_1_1_would),
        cmocka_unit_test(what_is_malformed_is_told_apart_from_what_is_not_served),
        cmocka_unit_test(the_check_sees_what_else_is_wrong),
        cmocka_unit_test(the_method_of_a_list_that_is_too_large_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

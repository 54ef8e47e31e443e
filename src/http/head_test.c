/* Where heads end, what is refused of them however they come, and what they say. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define LINE "GET / HTTP/1.1\r\n"
#define BYTES(literal)                                                                             \
    { "" literal, sizeof(literal) - 1 }

enum { HEADS_MAX = 8 };

/* The results for bytes that hold one head after the other. */
struct outcome {
    unsigned heads;
    size_t ends[HEADS_MAX];
    size_t skipped[HEADS_MAX];
    enum status status; /* of the last one */
    const char *reason;
    bool is_whole;
};

/* Looks at a head as its bytes come: up to one cut, up to the other, and all. */
static struct head_scan scan_grown(struct text bytes, const size_t *ends, struct outcome *outcome) {
    struct head_scan scan = { 0 };
    for (unsigned i = 0; i < 3 && outcome->status == STATUS_OK && !scan.is_whole; i++)
        if (ends[i] <= bytes.len)
            outcome->status = head_scan(&scan, bytes.at, ends[i], &outcome->reason);
    return scan;
}

static struct outcome scan_all(struct text bytes, size_t cut, size_t second_cut) {
    struct outcome outcome = { .status = STATUS_OK };
    size_t at = 0;
    while (at < bytes.len && outcome.status == STATUS_OK) {
        struct text rest = { bytes.at + at, bytes.len - at };
        const size_t ends[] = { cut > at ? cut - at : 0, second_cut > at ? second_cut - at : 0,
                                rest.len };
        struct head_scan scan = scan_grown(rest, ends, &outcome);
        outcome.is_whole = scan.is_whole;
        if (outcome.status != STATUS_OK || !scan.is_whole)
            break;
        assert_in_range(outcome.heads, 0, HEADS_MAX - 1);
        outcome.skipped[outcome.heads] = scan.skipped;
        outcome.ends[outcome.heads++] = at += scan.scanned;
    }
    return outcome;
}

static void assert_same(const struct outcome *one, const struct outcome *other) {
    assert_int_equal(one->status, other->status);
    assert_ptr_equal(one->reason, other->reason);
    assert_int_equal(one->heads, other->heads);
    assert_int_equal(one->is_whole, other->is_whole);
    assert_memory_equal(one->ends, other->ends, sizeof one->ends);
    assert_memory_equal(one->skipped, other->skipped, sizeof one->skipped);
}

/* The bytes stand at the end of an allocation, so that whoever looks past them is caught. */
static struct outcome scan_however_split(struct text text) {
    char *copy = malloc(text.len);
    assert_non_null(copy);
    memcpy(copy, text.at, text.len);
    const struct text bytes = { copy, text.len };
    struct outcome whole = scan_all(bytes, 0, 0);
    for (size_t cut = 0; cut <= bytes.len; cut++)
        for (size_t second = cut; second <= bytes.len; second++) {
            struct outcome split = scan_all(bytes, cut, second);
            assert_same(&whole, &split);
        }
    free(copy);
    return whole;
}

static const struct {
    struct text bytes;
    enum status status;
} refusals[] = {
    { BYTES("GET / HTTP/2.0\r\n"), STATUS_VERSION },
    { BYTES("GET / HTTP/0.9\r\n"), STATUS_VERSION },
    { BYTES("BREW / HTTP/1.1\r\n"), STATUS_NOT_IMPLEMENTED },
    { BYTES("get / HTTP/1.1\r\n"), STATUS_NOT_IMPLEMENTED },
    { BYTES("CONNECT a:1 HTTP/1.1\r\n"), STATUS_NOT_IMPLEMENTED },
    { BYTES("PRI * HTTP/2.0\r\n"), STATUS_VERSION },
    { BYTES("GET /\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / \r\n"), STATUS_BAD_INPUT },
    { BYTES("GET\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET  / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET /  HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES(" GET / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/1.1 \r\n"), STATUS_BAD_INPUT },
    { BYTES("GET\t/ HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET /a b HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET /a#b HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET /\xc3\xbc HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/1.1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/11\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / http/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/1.x\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/x.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / RTSP/1.0\r\n"), STATUS_BAD_INPUT },
    { BYTES("G(T / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET / HTTP/1.1\n"), STATUS_BAD_INPUT },
    { BYTES("\nGET / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("\rGET / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("\r\n\r\rGET"), STATUS_BAD_INPUT },
    { BYTES("\0GET / HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES("GET /\0 HTTP/1.1\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\n\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\r\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\rb\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "X: a\0b\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "X: a\x01\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "X: a\x7f\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "X: a\vb\r\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\r\n\n"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\r\n\rX"), STATUS_BAD_INPUT },
    { BYTES(LINE "Host: a\r\n\r\rX"), STATUS_BAD_INPUT },
};

static void what_is_wrong_is_refused_however_it_is_split(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        struct outcome outcome = scan_however_split(refusals[i].bytes);
        if (outcome.status != refusals[i].status)
            fail_msg("%s: %d", refusals[i].bytes.at, (int)outcome.status);
        assert_int_equal(outcome.heads, 0);
        assert_int_equal(outcome.reason != NULL, outcome.status == STATUS_BAD_INPUT);
    }
}

static void heads_in_a_row_end_at_the_same_places_however_they_are_split(void **state) {
    const char *const heads[] = { LINE "Host: a\r\n\r\n", "\r\n\r\nPUT /a?b HTTP/1.0\r\n\r\n",
                                  LINE "A:\t \xe9\r\nB: \r\n\r\n", "\r\nOPTIONS * HTTP/1.9\r\n" };
    static const size_t skipped[] = { 0, 4, 0 };
    char all[200] = "";
    size_t end = 0;
    (void)state;
    for (size_t i = 0; i < LENGTH(heads); i++)
        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s", heads[i]);
    struct outcome outcome = scan_however_split(text_of(all));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.heads, 3);
    assert_false(outcome.is_whole); /* the last one is not whole */
    for (size_t i = 0; i < 3; i++) {
        end += strlen(heads[i]);
        assert_int_equal(outcome.ends[i], end);
        assert_int_equal(outcome.skipped[i], skipped[i]);
    }
}

static void nothing_behind_a_head_is_looked_at(void **state) {
    const struct text text = TEXT(LINE "\r\n\n\0\r");
    struct head_scan scan = { 0 };
    const char *reason;
    (void)state;
    assert_int_equal(head_scan(&scan, text.at, text.len, &reason), STATUS_OK);
    assert_true(scan.is_whole);
    assert_int_equal(scan.scanned, sizeof LINE - 1 + 2);
    assert_int_equal(scan.lines, 1);
}

/* A head of `size` bytes: `before`, as many `filler` as fit, and `after`. */
static enum status scan_filled(size_t size, const char *before, char filler, const char *after,
                               bool byte_by_byte) {
    static char bytes[HEAD_MAX + 100];
    size_t at = strlen(before), end = size - strlen(after);
    struct head_scan scan = { 0 };
    const char *reason;
    enum status status = STATUS_OK;
    memcpy(bytes, before, at);
    memset(bytes + at, filler, end - at);
    memcpy(bytes + end, after, size - end);
    for (size_t got = byte_by_byte ? 1 : size; got <= size && status == STATUS_OK; got++)
        status = head_scan(&scan, bytes, got, &reason);
    assert_int_equal(scan.is_whole, status == STATUS_OK);
    return status;
}

static void a_head_has_16_kilobytes_and_no_byte_more(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        assert_int_equal(scan_filled(HEAD_MAX, LINE "X: ", 'x', "\r\n\r\n", way), STATUS_OK);
        for (size_t over = 1; over <= 4; over++) /* wherever in the last line breaks it is */
            assert_int_equal(scan_filled(HEAD_MAX + over, LINE "X: ", 'x', "\r\n\r\n", way),
                             STATUS_HEAD_TOO_LARGE);
        assert_int_equal(scan_filled(HEAD_MAX, "GET /", 'x', " HTTP/1.1\r\n\r\n", way), STATUS_OK);
        assert_int_equal(scan_filled(HEAD_MAX + 1, "GET /", 'x', " HTTP/1.1\r\n\r\n", way),
                         STATUS_HEAD_TOO_LARGE);
        assert_int_equal(scan_filled(HEAD_MAX + 3, "GET /", 'x', " HTTP/1.1\r\n\r\n", way),
                         STATUS_TARGET_TOO_LONG);
    }
}

static void empty_lines_before_a_head_count_as_its_bytes(void **state) {
    static char bytes[HEAD_MAX + 100];
    struct head_scan scan = { 0 }, longer = { 0 };
    const char *const head = LINE "\r\n", *reason;
    size_t at = 0;
    (void)state;
    for (; at < HEAD_MAX - strlen(head); at += 2)
        memcpy(bytes + at, "\r\n", 2);
    memcpy(bytes + at, head, strlen(head) + 1);
    assert_int_equal(head_scan(&scan, bytes, HEAD_MAX, &reason), STATUS_OK);
    assert_true(scan.is_whole);
    assert_int_equal(scan.skipped, at);
    assert_int_equal(scan.scanned, HEAD_MAX);
    memcpy(bytes + at, "\r\n", 2);
    memcpy(bytes + at + 2, head, strlen(head) + 1);
    assert_int_equal(head_scan(&longer, bytes, HEAD_MAX + 2, &reason), STATUS_HEAD_TOO_LARGE);
}

/* ---- what a head says ---- */

struct parsed {
    struct arena arena;
    struct head head;
    struct head_check check;
    enum status status;
    const char *reason;
};

static void parse(struct parsed *parsed, const char *text) {
    struct head_scan scan = { 0 };
    *parsed = (struct parsed){ 0 };
    assert_int_equal(head_scan(&scan, text, strlen(text), &parsed->reason), STATUS_OK);
    assert_true(scan.is_whole);
    struct text bytes = arena_text(
        &parsed->arena, (struct text){ text + scan.skipped, scan.scanned - scan.skipped });
    parsed->head.arena = &parsed->arena;
    parsed->status = head_parse(&parsed->head, &scan, bytes, &parsed->check, &parsed->reason);
    assert_int_equal(parsed->status == STATUS_BAD_INPUT, parsed->reason != NULL);
}

static void assert_text(struct text text, const char *expected) {
    assert_int_equal(text.at != NULL, expected != NULL);
    if (!expected)
        return;
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.at, expected, text.len);
}

static void targets_are_split_whatever_their_form(void **state) {
    static const struct {
        const char *target, *path, *query, *host;
    } good[] = {
        { "/", "/", NULL, "a" },
        { "/a/b%20c", "/a/b%20c", NULL, "a" },
        { "/a?", "/a", "", "a" },
        { "/a?b=c?d", "/a", "b=c?d", "a" },
        { "//b/c", "//b/c", NULL, "a" },
        { "/http://b/", "/http://b/", NULL, "a" },
        { "*", "*", NULL, "a" },
        { "http://b/c?d", "/c", "d", "b" },
        { "HTTP://b:80", "/", NULL, "b:80" },
        { "https://b?c", "/", "c", "b" },
        { "https://[::1]:8/c", "/c", NULL, "[::1]:8" },
    };
    static const char *const bad[] = {
        "a",
        "a/b",
        "?a",
        "*",
        "*a",
        "*?",
        "http:/a",
        "http://",
        "http:///a",
        "http://?a",
        "ftp://a/",
        "http://u@a/",
        "http://:80/",
        "http://a:b/",
        "http://a:65536/",
        "http://[::1/",
        "a:80",
        "http://a%/",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        char text[200];
        struct parsed parsed;
        (void)snprintf(text, sizeof text, "OPTIONS %s HTTP/1.1\r\nHost: a\r\n\r\n", good[i].target);
        parse(&parsed, text);
        assert_int_equal(parsed.status, STATUS_OK);
        assert_text(parsed.head.path, good[i].path);
        assert_text(parsed.head.query, good[i].query);
        assert_text(head_value(&parsed.head, TEXT("host")), good[i].host);
        assert_int_equal(parsed.check.hosts, 1);
        arena_close(&parsed.arena);
    }
    for (size_t i = 0; i < LENGTH(bad); i++) {
        char text[200];
        struct parsed parsed;
        (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", bad[i]);
        parse(&parsed, text);
        if (parsed.status != STATUS_BAD_INPUT)
            fail_msg("%s is taken", bad[i]);
        arena_close(&parsed.arena);
    }
}

static void an_authority_in_the_target_replaces_every_host_but_adds_none(void **state) {
    struct parsed parsed;
    (void)state;
    parse(&parsed, "GET http://b/ HTTP/1.1\r\nX: y\r\nhOsT: a\r\n\r\n");
    assert_text(head_value(&parsed.head, TEXT("Host")), "b");
    assert_text(head_value(&parsed.head, TEXT("X")), "y");
    arena_close(&parsed.arena);
    parse(&parsed, "GET http://b/ HTTP/1.1\r\n\r\n");
    assert_int_equal(parsed.status, STATUS_OK);
    assert_text(head_value(&parsed.head, TEXT("Host")), NULL);
    assert_int_equal(parsed.check.hosts, 0); /* which the head check refuses */
    arena_close(&parsed.arena);
}

static void names_and_values_lose_their_blanks_and_end_in_nul(void **state) {
    struct parsed parsed;
    (void)state;
    parse(&parsed,
          "\r\n" LINE "A:b\r\nC: \t d\t e \t\r\nEmpty:\r\nBlank: \t \r\nColon:: f:g\r\n\r\n");
    static const char *const expected[][2] = {
        { "A", "b" }, { "C", "d\t e" }, { "Empty", "" }, { "Blank", "" }, { "Colon", ": f:g" },
    };
    assert_int_equal(parsed.status, STATUS_OK);
    assert_int_equal(parsed.head.count, LENGTH(expected));
    for (size_t i = 0; i < LENGTH(expected); i++) {
        assert_string_equal(parsed.head.headers[i].name.at, expected[i][0]);
        assert_string_equal(parsed.head.headers[i].value.at, expected[i][1]);
        assert_text(parsed.head.headers[i].name, expected[i][0]);
        assert_text(parsed.head.headers[i].value, expected[i][1]);
    }
    arena_close(&parsed.arena);
}

static void a_header_is_found_by_its_name_alone_and_the_first_counts(void **state) {
    struct parsed parsed;
    (void)state;
    parse(&parsed, LINE "Ab: 1\r\nA: 2\r\na: 3\r\n\r\n");
    assert_text(head_value(&parsed.head, TEXT("A")), "2");
    assert_text(head_value(&parsed.head, TEXT("aB")), "1");
    assert_text(head_value(&parsed.head, TEXT("")), NULL);
    assert_text(head_value(&parsed.head, TEXT("Abc")), NULL);
    arena_close(&parsed.arena);
}

static void lines_that_are_no_header_are_refused(void **state) {
    static const char *const lines[] = { " A: b", "\tA: b", "A", " ", "A b c" };
    (void)state;
    for (size_t i = 0; i < LENGTH(lines); i++) {
        char text[100];
        struct parsed parsed;
        (void)snprintf(text, sizeof text, LINE "Host: a\r\n%s\r\n\r\n", lines[i]);
        parse(&parsed, text);
        assert_int_equal(parsed.status, STATUS_BAD_INPUT);
        arena_close(&parsed.arena);
    }
}

static void methods_are_told_apart(void **state) {
    static const struct {
        const char *name;
        enum method method;
    } methods[] = {
        { "GET", METHOD_GET },         { "HEAD", METHOD_GET },    { "POST", METHOD_POST },
        { "PUT", METHOD_PUT },         { "PATCH", METHOD_PATCH }, { "DELETE", METHOD_DELETE },
        { "OPTIONS", METHOD_OPTIONS },
    };
    struct head head;
    (void)state;
    for (size_t i = 0; i < LENGTH(methods); i++) {
        char text[100];
        struct parsed parsed;
        (void)snprintf(text, sizeof text, "%s / HTTP/1.%zu\r\n\r\n", methods[i].name, i);
        parse(&parsed, text);
        assert_int_equal(parsed.head.method, methods[i].method);
        assert_int_equal(parsed.head.is_head, strcmp(methods[i].name, "HEAD") == 0);
        assert_int_equal(parsed.check.minor, i);
        arena_close(&parsed.arena);
    }
    head_set_method(&head, TEXT("GETS"));
    assert_int_equal(head.method, METHOD_OTHER);
    head_set_method(&head, TEXT(""));
    assert_int_equal(head.method, METHOD_OTHER);
}

static void without_memory_it_says_so(void **state) {
    const char *reason, *const text = "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    /* The first arena has no room at all, the second none for the new host. */
    for (int i = 0; i < 2; i++) {
        struct head_scan scan = { 0 };
        struct head_check check = { 0 };
        struct arena arena = { .limit = 1 };
        struct head head = { .arena = &arena };
        char bytes[100];
        (void)snprintf(bytes, sizeof bytes, "%s", text);
        assert_int_equal(head_scan(&scan, bytes, strlen(bytes), &reason), STATUS_OK);
        _Alignas(max_align_t) char room[2 * sizeof(struct header)];
        if (i == 1) {
            arena.at = room;
            arena.end = room + sizeof room;
        }
        assert_int_equal(head_parse(&head, &scan, text_of(bytes), &check, &reason),
                         STATUS_INTERNAL);
        assert_null(reason);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_refused_however_it_is_split),
        cmocka_unit_test(heads_in_a_row_end_at_the_same_places_however_they_are_split),
        cmocka_unit_test(nothing_behind_a_head_is_looked_at),
        cmocka_unit_test(a_head_has_16_kilobytes_and_no_byte_more),
        cmocka_unit_test(empty_lines_before_a_head_count_as_its_bytes),
        cmocka_unit_test(targets_are_split_whatever_their_form),
        cmocka_unit_test(an_authority_in_the_target_replaces_every_host_but_adds_none),
        cmocka_unit_test(names_and_values_lose_their_blanks_and_end_in_nul),
        cmocka_unit_test(a_header_is_found_by_its_name_alone_and_the_first_counts),
        cmocka_unit_test(lines_that_are_no_header_are_refused),
        cmocka_unit_test(methods_are_told_apart),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

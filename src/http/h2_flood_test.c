/* How many frames of each kind a client may send, however they are split. */
#include "http/h2_flood.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PING = 6,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { PREFACE = 24, END_STREAM = 1, END_HEADERS = 4, MINUTE_MS = 60000 };

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct floods begin(void) {
    struct floods floods;
    char preface[PREFACE] = { 0 };
    floods_begin(&floods, 0);
    assert_true(floods_see(&floods, preface, sizeof preface, 0));
    return floods;
}

/* A frame of up to 100 bytes, in pieces of `piece`. */
static bool see(struct floods *floods, unsigned type, unsigned flags, size_t size, size_t piece) {
    char frame[H2_FRAME_HEAD + 100] = { 0, 0, (char)size, (char)type, (char)flags };
    bool is_right = true;
    for (size_t at = 0; at < H2_FRAME_HEAD + size && is_right; at += piece) {
        size_t left = H2_FRAME_HEAD + size - at;
        is_right = floods_see(floods, frame + at, left < piece ? left : piece, 0);
        assert_int_equal(floods_is_within_frame(floods), left > piece);
    }
    return is_right;
}

static void so_many_of_a_kind_are_taken_and_more_for_what_was_sent(void **state) {
    static const struct {
        unsigned type, flags, base, each;
        size_t size;
    } kinds[] = {
        { DATA, 0, 200, 1, 0 },     { HEADERS, END_HEADERS, 500, 2, 30 },
        { PRIORITY, 0, 200, 4, 5 }, { RST_STREAM, 0, 200, 1, 4 },
        { SETTINGS, 0, 20, 0, 6 },  { SETTINGS, 1, 20, 0, 0 },
        { PING, 0, 200, 1, 8 },     { PING, 1, 200, 1, 8 },
        { GOAWAY, 0, 200, 2, 8 },   { WINDOW_UPDATE, 0, 1000, 8, 4 },
        { 0x42, 0, 200, 2, 0 },     { CONTINUATION, END_HEADERS, 500, 2, 100 },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(kinds); i++)
        for (unsigned earned = 0; earned < 20; earned += 10) {
            struct floods floods = begin();
            for (unsigned j = 0; j < earned; j++)
                floods_earn(&floods);
            unsigned taken = 0;
            while (see(&floods, kinds[i].type, kinds[i].flags, kinds[i].size, 1 + taken % 20))
                taken++;
            assert_int_equal(taken, kinds[i].base + earned * kinds[i].each);
        }
}

static void data_is_no_flood(void **state) {
    struct floods floods = begin();
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(see(&floods, DATA, 0, 1, 200));
        assert_true(see(&floods, DATA, END_STREAM, 0, 200));
    }
}

static void each_minute_half_is_forgotten(void **state) {
    struct floods floods = begin();
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        assert_true(see(&floods, PING, 0, 8, 200));
    assert_true(floods_see(&floods, "", 0, MINUTE_MS - 1));
    assert_int_equal(floods.counts[FLOOD_ping], 200);
    assert_true(floods_see(&floods, "", 0, MINUTE_MS));
    assert_int_equal(floods.counts[FLOOD_ping], 100);
    assert_true(floods_see(&floods, "", 0, MINUTE_MS + 1));
    assert_int_equal(floods.counts[FLOOD_ping], 100);
}

static void a_list_of_fields_is_open_until_its_last_frame(void **state) {
    struct floods floods;
    (void)state;
    floods_begin(&floods, 0);
    assert_true(floods_is_within_frame(&floods));
    floods = begin();
    assert_false(floods_is_within_frame(&floods));
    const char headers[H2_FRAME_HEAD] = { 0, 0, 0, HEADERS, END_STREAM };
    const char more[H2_FRAME_HEAD] = { 0, 0, 0, CONTINUATION, 0 };
    const char last[H2_FRAME_HEAD] = { 0, 0, 0, CONTINUATION, END_HEADERS };
    assert_true(floods_see(&floods, headers, sizeof headers, 0));
    assert_true(floods_is_within_frame(&floods));
    assert_true(floods_see(&floods, more, sizeof more, 0));
    assert_true(floods_is_within_frame(&floods));
    assert_true(floods_see(&floods, last, sizeof last, 0));
    assert_false(floods_is_within_frame(&floods));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_of_a_kind_are_taken_and_more_for_what_was_sent),
        cmocka_unit_test(data_is_no_flood),
        cmocka_unit_test(each_minute_half_is_forgotten),
        cmocka_unit_test(a_list_of_fields_is_open_until_its_last_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

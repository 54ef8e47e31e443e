/* The promises of arena.h. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state) {
    (void)state;
    struct arena arena = { 0 };
    enum { COUNT = 3000 };
    unsigned char *all[COUNT];
    for (size_t i = 0; i < COUNT; i++) { /* of 1 to 97 bytes, over many chunks */
        all[i] = arena_alloc(&arena, 1 + i % 97);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
        memset(all[i], (int)(i % 251), 1 + i % 97);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t at = 0; at < 1 + i % 97; at++)
            assert_int_equal(all[i][at], i % 251);
    arena_close(&arena);
}

static void large_allocations_are_whole(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (size_t size = 1; size < (size_t)8 << 20; size = size * 3 + 1) {
        char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        memset(memory, 'x', size);
    }
    assert_true(arena.used > (size_t)8 << 20);
    arena_close(&arena);
}

static void nothing_asked_for_is_no_failure(void **state) {
    (void)state;
    struct arena arena = { 0 };
    assert_non_null(arena_alloc(&arena, 0));
    arena_close(&arena);
    assert_non_null(arena_calloc(&arena, 0, 8));
    arena_close(&arena);
    assert_non_null(arena_grow(&arena, NULL, 0, 0));
    arena_close(&arena);
}

static void a_refusal_is_remembered(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64 * (size_t)1024);
    assert_non_null(arena_alloc(&arena, 100));
    assert_false(arena.failed);
    assert_null(arena_alloc(&arena, 100 * (size_t)1024));
    assert_true(arena.failed);
    assert_non_null(arena_alloc(&arena, 100));
    assert_true(arena.failed);
    arena_close(&arena);
    assert_false(arena.failed);
}

static void what_is_reserved_cannot_be_refused(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64 * (size_t)1024);
    assert_false(arena_reserve(&arena, 100 * (size_t)1024));
    assert_true(arena.failed);
    arena_close(&arena);
    assert_true(arena_reserve(&arena, 40 * (size_t)1024));
    arena.limit = 1; /* every further allocation fails */
    for (int i = 0; i < 40; i++)
        assert_non_null(arena_alloc(&arena, 1024));
    assert_null(arena_alloc(&arena, 40 * (size_t)1024));
    arena_close(&arena);
}

static void sizes_that_overflow_are_refused(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20); /* keeps such sizes from malloc */
    volatile size_t most = SIZE_MAX;     /* volatile: the compiler warns of a constant */
    for (size_t less = 0; less < 40; less++)
        assert_null(arena_alloc(&arena, most - less));
    assert_null(arena_calloc(&arena, most, 2));
    assert_null(arena_calloc(&arena, most / 2 + 1, 2));
    assert_null(arena_calloc(&arena, most / 7, most / 7));
    char *memory = arena_alloc(&arena, 16);
    assert_non_null(memory);
    memset(memory, 'x', 16);
    assert_null(arena_grow(&arena, memory, 16, most));
    assert_memory_equal(memory, "xxxxxxxxxxxxxxxx", 16);
    arena_close(&arena);
}

static void zeroed_memory_is_zero_even_where_others_wrote(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (int round = 0; round < 3; round++) {
        unsigned char *bytes = arena_calloc(&arena, 100, 7);
        assert_non_null(bytes);
        for (size_t i = 0; i < 700; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xFF, 700);
        arena_close(&arena);
    }
}

static void the_limit_holds_and_what_was_given_stays(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    size_t got = 0;
    char *first = arena_alloc(&arena, 1000), *memory = first;
    assert_non_null(first);
    memset(first, 'x', 1000);
    for (; memory; got += 1000)
        memory = arena_alloc(&arena, 1000);
    assert_true(got > 50000 && got <= 100000);
    assert_true(arena.used <= arena.limit);
    assert_int_equal(first[999], 'x');
    arena_close(&arena);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.limit, 100000);
    assert_null(
        arena_alloc(&arena, 100000)); /* the limit leaves no room for the header of the chunk */
    assert_non_null(arena_alloc(&arena, 50000));
    arena_close(&arena);
}

static void growing_keeps_the_bytes_in_place_or_elsewhere(void **state) {
    (void)state;
    struct arena arena = { 0 };
    char *memory = arena_alloc(&arena, 10);
    assert_non_null(memory);
    memcpy(memory, "0123456789", 10);
    char *grown = arena_grow(&arena, memory, 10, 1000);
    assert_ptr_equal(grown, memory); /* in place: it was the last allocation */
    assert_non_null(arena_alloc(&arena, 1));
    memset(grown + 10, 'x', 990);
    char *moved = arena_grow(&arena, grown, 1000, 2000);
    assert_non_null(moved);
    assert_ptr_not_equal(moved, grown);
    memset(moved + 1000, 'y', 1000);
    assert_memory_equal(moved, "0123456789x", 11);
    char *large = arena_grow(&arena, moved, 2000, 1000000); /* more than the chunk has */
    assert_non_null(large);
    memset(large + 2000, 'z', 998000);
    assert_memory_equal(large, "0123456789x", 11);
    assert_int_equal(large[1999], 'y');
    char *from_nothing = arena_grow(&arena, NULL, 0, 100);
    assert_non_null(from_nothing);
    memset(from_nothing, 'w', 100);
    assert_int_equal(large[999999], 'z');
    arena_close(&arena);
}

static void growing_does_not_touch_a_neighbour(void **state) {
    (void)state;
    struct arena arena = { 0 };
    char *first = arena_alloc(&arena, 1);
    assert_non_null(first);
    first = arena_grow(&arena, first, 1, 17); /* more than the 16 bytes it was rounded up to */
    char *second = arena_alloc(&arena, 16);
    assert_non_null(first);
    assert_non_null(second);
    memset(second, '2', 16);
    memset(first, '1', 17);
    assert_int_equal(second[0], '2');
    first = arena_grow(&arena, first, 17, 8); /* growing to less keeps it */
    assert_non_null(first);
    assert_memory_equal(first, "11111111", 8);
    arena_close(&arena);
}

static void texts_are_copied_with_a_nul_behind(void **state) {
    (void)state;
    struct arena arena = { 0 };
    char bytes[] = { 'a', '\0', 'b' };
    struct text copy = arena_text(&arena, (struct text){ bytes, 3 });
    bytes[0] = 'x';
    assert_true(text_equal(copy, TEXT("a\0b")));
    assert_int_equal(copy.at[3], '\0');
    struct text empty = arena_text(&arena, (struct text){ 0 });
    assert_non_null(empty.at);
    assert_int_equal(empty.len, 0);
    assert_int_equal(empty.at[0], '\0');
    assert_null(arena_text(&arena, (struct text){ bytes, SIZE_MAX }).at);
    arena_close(&arena);
}

static void formatted_texts_are_whole_whatever_their_length(void **state) {
    (void)state;
    struct arena arena = { 0 };
    assert_true(text_equal(arena_printf(&arena, "%s-%d", "a", 7), TEXT("a-7")));
    struct text empty = arena_printf(&arena, "%s", "");
    assert_non_null(empty.at);
    assert_int_equal(empty.len, 0);
    struct text wide = arena_printf(&arena, "%100000d|", 1);
    assert_int_equal(wide.len, 100001);
    assert_memory_equal(wide.at + 99999, "1|", 3);
    arena_close(&arena);
    arena_init(&arena, 8);
    assert_null(arena_printf(&arena, "%s", "no room").at);
    assert_null(arena_text(&arena, TEXT("no room")).at);
    assert_null(arena_calloc(&arena, 1, 1));
    assert_null(arena_grow(&arena, NULL, 0, 1));
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(large_allocations_are_whole),
        cmocka_unit_test(nothing_asked_for_is_no_failure),
        cmocka_unit_test(a_refusal_is_remembered),
        cmocka_unit_test(what_is_reserved_cannot_be_refused),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(zeroed_memory_is_zero_even_where_others_wrote),
        cmocka_unit_test(the_limit_holds_and_what_was_given_stays),
        cmocka_unit_test(growing_keeps_the_bytes_in_place_or_elsewhere),
        cmocka_unit_test(growing_does_not_touch_a_neighbour),
        cmocka_unit_test(texts_are_copied_with_a_nul_behind),
        cmocka_unit_test(formatted_texts_are_whole_whatever_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

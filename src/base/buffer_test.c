/* The promises of buffer.h. */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void additions_stand_one_after_the_other(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < 40; capacity += 13) {
        struct arena arena = { 0 };
        struct buffer buffer;
        buffer_init(&buffer, &arena, capacity);
        assert_int_equal(buffer_text(&buffer).len, 0);
        buffer_add(&buffer, TEXT("a\0b"));
        buffer_add(&buffer, (struct text){ 0 });
        buffer_add_char(&buffer, ',');
        buffer_add_int64(&buffer, INT64_MIN);
        buffer_add_char(&buffer, '\0');
        buffer_printf(&buffer, "%s=%03d", "c", 7);
        buffer_printf(&buffer, "%s", "");
        buffer_add_int64(&buffer, 0);
        assert_false(buffer.failed);
        assert_true(text_equal(buffer_text(&buffer), TEXT("a\0b,-9223372036854775808\0c=0070")));
        arena_close(&arena);
    }
}

static void it_grows_past_what_was_reserved_even_when_others_allocate(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct buffer buffer;
    buffer_init(&buffer, &arena, 10);
    for (int i = 0; i < 20000; i++) {
        buffer_add_int64(&buffer, i % 10);
        if (i % 1000 == 0)
            assert_non_null(arena_alloc(&arena, 3));
    }
    struct text text = buffer_text(&buffer);
    assert_int_equal(text.len, 20000);
    for (size_t i = 0; i < text.len; i++)
        assert_int_equal(text.at[i], '0' + (int)(i % 10));
    arena_close(&arena);
}

static void reserved_room_can_be_filled_without_moving(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct buffer buffer;
    buffer_init(&buffer, &arena, 0);
    assert_true(buffer_reserve(&buffer, 0));
    assert_true(buffer_reserve(&buffer, 5000));
    const char *at = buffer.at;
    for (int i = 0; i < 5000; i++)
        buffer_add_char(&buffer, 'x');
    assert_ptr_equal(buffer_text(&buffer).at, at);
    assert_int_equal(buffer.len, 5000);
    arena_close(&arena);
}

static void a_long_formatted_text_is_whole(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct buffer buffer;
    buffer_init(&buffer, &arena, 1);
    buffer_add_char(&buffer, '<');
    buffer_printf(&buffer, "%70000d", 42);
    buffer_add_char(&buffer, '>');
    struct text text = buffer_text(&buffer);
    assert_int_equal(text.len, 70002);
    assert_memory_equal(text.at + 69998, " 42>", 4);
    arena_close(&arena);
}

static void a_failure_is_remembered_and_what_was_there_stays(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 40000);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 0);
    buffer_add(&buffer, TEXT("kept"));
    assert_false(buffer_reserve(&buffer, 50000));
    assert_true(buffer.failed);
    assert_false(buffer_reserve(&buffer, 1));
    buffer_add(&buffer, TEXT("lost"));
    buffer_add_char(&buffer, 'x');
    buffer_add_int64(&buffer, 1);
    buffer_printf(&buffer, "%d", 1);
    assert_true(text_equal(buffer_text(&buffer), TEXT("kept")));
    arena_close(&arena);
}

static void sizes_that_overflow_are_a_failure(void **state) {
    (void)state;
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64, SIZE_MAX / 2 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arena arena = { 0 };
        struct buffer buffer;
        buffer_init(&buffer, &arena, 100);
        buffer_add(&buffer, TEXT("kept"));
        assert_false(buffer_reserve(&buffer, sizes[i]));
        assert_true(buffer.failed);
        assert_true(text_equal(buffer_text(&buffer), TEXT("kept")));
        arena_close(&arena);
    }
}

static void a_first_reservation_that_fails_is_remembered_too(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 100);
    struct buffer buffer;
    buffer_init(&buffer, &arena, 1000);
    assert_true(buffer.failed);
    buffer_add(&buffer, TEXT("lost"));
    assert_int_equal(buffer_text(&buffer).len, 0);
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_stand_one_after_the_other),
        cmocka_unit_test(it_grows_past_what_was_reserved_even_when_others_allocate),
        cmocka_unit_test(reserved_room_can_be_filled_without_moving),
        cmocka_unit_test(a_long_formatted_text_is_whole),
        cmocka_unit_test(a_failure_is_remembered_and_what_was_there_stays),
        cmocka_unit_test(sizes_that_overflow_are_a_failure),
        cmocka_unit_test(a_first_reservation_that_fails_is_remembered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

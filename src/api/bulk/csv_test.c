/* Every text comes back from a cell as it was, no cell begins like a formula, and lines are counted
 * as an editor counts them. */
#include "api/bulk/csv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_text(struct text text, const char *expected) {
    assert_non_null(text.at);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.at, expected, text.len);
}

static void texts_come_back(void **state) {
    static const char *const texts[] = { "",     "a",      "a,b",  "\"",     "a \"b\" c", " a ",
                                         "a\nb", "a\r\nb", "=1",   "+1",     "-1",        "@a",
                                         "\tx",  "\rx",    "'=1",  "''''@a", "'",         "O'Brien",
                                         "'a'",  "=\"a\"", "\r\n", "1 2 3",  "\xc3\xa9" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena = { 0 };
        struct buffer out;
        struct text cell;
        buffer_init(&out, &arena, 0);
        csv_add_cell(&out, text_of(texts[i]));
        buffer_add(&out, TEXT(",end\r\n"));
        assert_false(out.failed);
        size_t begin = out.at[0] == '"';
        assert_null(memchr("=+-@\t\r", out.at[begin], 6));
        struct csv_reader reader = { buffer_text(&out), 1, ',' };
        assert_int_equal(csv_next(&reader, &arena, &cell), CSV_cell);
        assert_text(cell, texts[i]);
        assert_int_equal(csv_next(&reader, &arena, &cell), CSV_last);
        assert_text(cell, "end");
        assert_false(csv_next_row(&reader));
        arena_close(&arena);
    }
}

static void lines_are_counted(void **state) {
    static const struct {
        const char *cell;
        int64_t line;
        enum csv_result result;
    } cells[] = { { "a", 1, CSV_cell }, { "b", 1, CSV_last },    { "c\r\nx\n", 2, CSV_cell },
                  { "", 2, CSV_last },  { "e\"f", 6, CSV_last }, { "g", 7, CSV_cell },
                  { "", 7, CSV_last } };
    struct csv_reader reader = { TEXT("a,b\r\n\"c\r\nx\n\",\r\n\n\"e\"\"f\"\rg,"), 1, ',' };
    struct arena arena = { 0 };
    bool is_begin = true;
    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct text cell;
        if (is_begin) {
            assert_true(csv_next_row(&reader));
            assert_int_equal(reader.line, cells[i].line);
        }
        assert_int_equal(csv_next(&reader, &arena, &cell), cells[i].result);
        assert_text(cell, cells[i].cell);
        is_begin = cells[i].result == CSV_last;
    }
    assert_false(csv_next_row(&reader));
    arena_close(&arena);
}

static void an_open_quote_is_an_error(void **state) {
    struct csv_reader reader = { TEXT("a,\"b\nc,d\n"), 1, ',' };
    struct arena arena = { 0 };
    struct text cell;
    (void)state;
    assert_int_equal(csv_next(&reader, &arena, &cell), CSV_cell);
    assert_int_equal(csv_next(&reader, &arena, &cell), CSV_unclosed);
    arena_close(&arena);
}

static void the_first_line_shows_the_separator(void **state) {
    static const struct {
        const char *file;
        char separator;
    } files[] = { { "", ',' },
                  { "Email\na;b;c", ',' },
                  { "Email,FullName;\n;;;", ',' },
                  { "Email;FullName\r\na,b,c", ';' },
                  { "\"a,b,c\";\"d\ne,\";f\n,", ';' },
                  { "\"a\"\"b;;\",c\n", ',' },
                  { "Email\tFullName\n", '\t' },
                  { "a,b;c", ',' } };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_int_equal(csv_separator(text_of(files[i].file)), files[i].separator);
}

static void cells_end_at_the_separator(void **state) {
    static const char *const cells[] = { "a,b", "c;d", "", "e" };
    struct csv_reader reader = { TEXT("a,b;\"c;d\";;e\n"), 1, ';' };
    struct arena arena = { 0 };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct text cell;
        assert_int_equal(csv_next(&reader, &arena, &cell), i < 3 ? CSV_cell : CSV_last);
        assert_text(cell, cells[i]);
    }
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(the_first_line_shows_the_separator),
        cmocka_unit_test(cells_end_at_the_separator),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(an_open_quote_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The sets of bytes are those of the grammar, wherever in a text a byte stands. */
#include "http/bytes.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BYTES = 256, LONGEST = 20 };

static bool is_one_of(unsigned byte, const char *list) {
    return byte && byte < 0x80 && strchr(list, (int)byte);
}

/* The sets as RFC 9110 and RFC 3986 spell them. */
static bool is_in(unsigned byte, enum byte_set set) {
    bool is_alphanumeric = byte < 0x80 && isalnum((int)byte);
    switch (set) {
    case BYTES_token: return is_alphanumeric || is_one_of(byte, "!#$%&'*+-.^_`|~");
    case BYTES_value: return byte == '\t' || (byte >= ' ' && byte != 0x7F);
    case BYTES_target: return byte > ' ' && byte < 0x7F && byte != '#';
    case BYTES_host: return is_alphanumeric || is_one_of(byte, "-._~!$&'()*+,;=");
    }
    return false;
}

static const enum byte_set all_sets[] = { BYTES_token, BYTES_value, BYTES_target, BYTES_host };

static void every_byte_is_in_the_sets_of_the_grammar_at_every_place(void **state) {
    (void)state;
    for (size_t set = 0; set < sizeof all_sets / sizeof all_sets[0]; set++)
        for (unsigned byte = 0; byte < BYTES; byte++)
            for (size_t len = 1; len <= LONGEST; len++)
                for (size_t at = 0; at < len; at++) {
                    char bytes[LONGEST];
                    memset(bytes, 'a', sizeof bytes);
                    bytes[at] = (char)byte;
                    assert_true(bytes_are((struct text){ bytes, len }, all_sets[set]) ==
                                is_in(byte, all_sets[set]));
                }
}

static void a_forbidden_byte_is_seen_among_any_others(void **state) {
    (void)state;
    for (unsigned others = ' '; others < BYTES; others++)
        for (unsigned byte = 0; byte < BYTES; byte++) {
            char bytes[LONGEST];
            memset(bytes, (int)others, sizeof bytes);
            bytes[9] = (char)byte;
            assert_true(bytes_are((struct text){ bytes, sizeof bytes }, BYTES_value) ==
                        (is_in(others, BYTES_value) && is_in(byte, BYTES_value)));
        }
}

static void the_empty_text_is_of_every_set(void **state) {
    (void)state;
    for (size_t set = 0; set < sizeof all_sets / sizeof all_sets[0]; set++)
        assert_true(bytes_are(TEXT(""), all_sets[set]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_in_the_sets_of_the_grammar_at_every_place),
        cmocka_unit_test(a_forbidden_byte_is_seen_among_any_others),
        cmocka_unit_test(the_empty_text_is_of_every_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

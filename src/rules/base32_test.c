/* The promises of base32.h. The vectors are those of RFC 4648 section 10. */
#include "rules/base32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }

static const struct {
    const char *text;
    const char *bytes;
} good[] = {
    { "MY======", "f" },
    { "MZXQ====", "fo" },
    { "MZXW6===", "foo" },
    { "MZXW6YQ=", "foob" },
    { "MZXW6YTB", "fooba" },
    { "MZXW6YTBOI======", "foobar" },
    { "MZXW6YTBOI", "foobar" },
    { "MY", "f" },
    { "mzxw6ytboi", "foobar" },
    { "MzXw6yTbOi======", "foobar" },
    { "MZXW 6YTB OI", "foobar" },
    { "MZXW 6YTB OI ======", "foobar" },
    { "\tMZXW\xC2\xA0"
      "6YTB\xE2\x80\x89OI======\r\n",
      "foobar" },
    { "MZXW6\nYTBOI", "foobar" },
    { "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "12345678901234567890" },
};

static const struct text bad[] = {
    SPELLING(""),
    SPELLING("="),
    SPELLING("========"),
    SPELLING(" "),
    SPELLING("M"),
    SPELLING("MZX"),
    SPELLING("MZXW6Y"),
    SPELLING("MZXW6YTBO"),
    SPELLING("MZXW6YT1"),
    SPELLING("MZXW6YT0"),
    SPELLING("MZXW6YT8"),
    SPELLING("MZXW-6YTB"),
    SPELLING("MZXW6\xE2\x80\x8BYTB"),
    SPELLING("MZXW6YT\0"),
    SPELLING("MZ=W6YTB"),
    SPELLING("=MZXW6YTB"),
    SPELLING("MZXW6YTBOI=== ==="),
    SPELLING("MZXW6YT\xC3\x84"),
    SPELLING("MZXW6YT@"),
    SPELLING("MZXW6YT["),
    SPELLING("MZXW6YT`"),
    SPELLING("MZXW6YT{"),
};

static void texts_become_their_bytes(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct text text = text_of(good[i].text), bytes = text_of(good[i].bytes);
        unsigned char *out = malloc(text.len * 5 / 8 + 1); /* the promised size, and a NUL */
        assert_non_null(out);
        assert_int_equal(base32_decode(text, NULL), bytes.len);
        assert_int_equal(base32_decode(text, out), bytes.len);
        assert_memory_equal(out, bytes.at, bytes.len);
        free(out);
    }
}

static void all_else_holds_no_bytes(void **state) {
    (void)state;
    unsigned char out[16];
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (base32_decode(bad[i], NULL) || base32_decode(bad[i], out))
            fail_msg("[%zu] %.*s was taken", i, (int)bad[i].len, bad[i].at);
    assert_int_equal(base32_decode((struct text){ 0 }, out), 0);
}

static void bytes_are_never_more_than_the_room_promised(void **state) {
    (void)state;
    static const char letters[] = "ABCXYZabcxyz234567 =";
    uint64_t random = 88172645463325252;
    for (int round = 0; round < 50000; round++) {
        char text[40];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t len = random % sizeof text;
        for (size_t i = 0; i < len; i++)
            text[i] = letters[(random >> i % 50) % (sizeof letters - 1)];
        unsigned char *out = malloc(len * 5 / 8 ? len * 5 / 8 : 1);
        assert_non_null(out);
        size_t written = base32_decode((struct text){ text, len }, out);
        assert_true(written <= len * 5 / 8);
        assert_int_equal(written, base32_decode((struct text){ text, len }, NULL));
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_their_bytes),
        cmocka_unit_test(all_else_holds_no_bytes),
        cmocka_unit_test(bytes_are_never_more_than_the_room_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The promises of email.h: which addresses are valid, and which are the same. Most tables come from
 * RFC 5321 sections 4.1.2 and 4.1.3, RFC 6531 section 3.3, and UTS 46. */
#include "rules/email.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }
#define OF_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz1"

static const struct text good[] = {
    SPELLING("a@b"),
    SPELLING("admin@localhost"),
    SPELLING("jane.doe@example.com"),
    SPELLING("Jane.Doe+tag@EXAMPLE.com"),
    SPELLING("!#$%&'*+-/=?^_`{|}~@example.com"),
    SPELLING("0@1"),
    SPELLING("a@123.456"),
    SPELLING("a@b-c--d.example"),
    SPELLING(OF_63 "4@example.com"),
    SPELLING("a@" OF_63 ".example"),
    SPELLING("a@" OF_63 "." OF_63 "." OF_63 "." OF_63), /* 255 octets */
    /* quoted strings */
    SPELLING("\"\"@example.com"),
    SPELLING("\"jane doe\"@example.com"),
    SPELLING("\"jane@home\"@example.com"),
    SPELLING("\"a..b\"@example.com"),
    SPELLING("\"a\\\"b\"@example.com"),
    SPELLING("\"a\\\\\"@example.com"),
    SPELLING("\"\\a\"@example.com"),
    SPELLING("\"j\xC3\xBCrgen\"@example.com"),
    /* address literals */
    SPELLING("a@[192.0.2.1]"),
    SPELLING("a@[IPv6:2001:db8::1]"),
    SPELLING("a@[ipv6:::1]"),
    SPELLING("a@[IPv6:::ffff:192.0.2.1]"),
    /* beyond ASCII */
    SPELLING("j\xC3\xBCrgen@example.com"),
    SPELLING("j\xC3\xBCrgen@b\xC3\xBC"
             "cher.example"),
    SPELLING("a@B\xC3\x9C"
             "CHER.example"),
    SPELLING("a@xn--bcher-kva.example"),
    SPELLING("a@XN--BCHER-KVA.example"),
    SPELLING("a@fa\xC3\x9F.example"),
    SPELLING("\xE7\x94\xA8\xE6\x88\xB7@\xE4\xBE\x8B\xE5\xAD\x90.\xE5\xB9\xBF\xE5\x91\x8A"),
    SPELLING("a@\xE4\xBE\x8B\xE5\xAD\x90\xE3\x80\x82"
             "example"), /* an ideographic full stop */
    /* letters, digits and marks that user names may have (RFC 8264) */
    SPELLING("\u0906\u0930\u0940@example.com"),
    SPELLING("\u0661\u0662@example.com"),
    SPELLING("\u5C71\u7530.\u592A\u90CE+\u03B1@example.com"),
    SPELLING("ma\u00DF@example.com"),
    SPELLING("\uD55C\uAD6D@example.com"),
};

static const struct text bad[] = {
    /* missing parts */
    SPELLING(""), SPELLING("@"), SPELLING("a"), SPELLING("a@"), SPELLING("@example.com"),
    SPELLING("example.com"), SPELLING("@@"), SPELLING("a@@example.com"),
    SPELLING("a@b@example.com"),
    /* what stands around addresses elsewhere */
    SPELLING(" a@example.com"), SPELLING("a@example.com "), SPELLING("a@example.com\n"),
    SPELLING("a@example.com\r\nBcc: b@example.com"), SPELLING("<a@example.com>"),
    SPELLING("Jane <a@example.com>"), SPELLING("mailto:a@example.com>"),
    SPELLING("a(comment)@example.com"), SPELLING("a@(comment)example.com"),
    SPELLING("a@example.com,b@example.com"), SPELLING("a@example.com;b@example.com"),
    /* local parts */
    SPELLING(".a@example.com"), SPELLING("a.@example.com"), SPELLING("a..b@example.com"),
    SPELLING("a b@example.com"), SPELLING("a:b@example.com"), SPELLING("a\\b@example.com"),
    SPELLING("a[b]@example.com"), SPELLING("a\tb@example.com"),
    SPELLING("a\x7F"
             "b@example.com"),
    SPELLING(OF_63 "45@example.com"), SPELLING("\"" OF_63 "\"@example.com"),
    SPELLING("\"@example.com"), SPELLING("\"a@example.com"), SPELLING("a\"@example.com"),
    SPELLING("\"a\"b@example.com"), SPELLING("a\"b\"@example.com"), SPELLING("\"a\".b@example.com"),
    SPELLING("\"a\"b\"@example.com"), SPELLING("\"a\\\"@example.com"),
    SPELLING("\"a\\\\\"b\"@example.com"), SPELLING("\"a\nb\"@example.com"),
    SPELLING("\"a\\\nb\"@example.com"), SPELLING("\"a\\\xC3\xBC\"@example.com"),
    /* domains */
    SPELLING("a@."), SPELLING("a@.example.com"), SPELLING("a@example.com."),
    SPELLING("a@example..com"), SPELLING("a@-example.com"), SPELLING("a@example-.com"),
    SPELLING("a@example.-com"), SPELLING("a@example.com-"), SPELLING("a@-"),
    SPELLING("a@exa_mple.com"), SPELLING("a@exa mple.com"), SPELLING("a@exa!mple.com"),
    SPELLING("a@example.com:25"), SPELLING("a@example.com/"), SPELLING("a@*.example.com"),
    SPELLING("a@" OF_63 "2.example"), SPELLING("a@" OF_63 "." OF_63 "." OF_63 "." OF_63 ".a"),
    /* address literals */
    SPELLING("a@192.0.2.1]"), SPELLING("a@[192.0.2.1"), SPELLING("a@[]"), SPELLING("a@[192.0.2]"),
    SPELLING("a@[192.0.2.256]"), SPELLING("a@[192.0.2.1 ]"), SPELLING("a@[192.0.2.1].example"),
    SPELLING("a@[::1]"), SPELLING("a@[IPv6:]"), SPELLING("a@[IPv6:::1%eth0]"),
    SPELLING("a@[IPv6:192.0.2.1]"), SPELLING("a@[IPv6:1:2:3:4:5:6:7:8:9]"),
    SPELLING("a@[IPv6:0000000000000000000000000000000000000000000000001::]"),
    SPELLING("a@[example.com]"), SPELLING("a@[192.0.2.1\0]"),
    /* beyond ASCII: what IDNA refuses, or maps to what no label has */
    SPELLING("a@\xC3\xBC_.example"), SPELLING("a@-\xC3\xBC.example"),
    SPELLING("a@\xC3\xBC-.example"), SPELLING("a@\xC3\xBC..example"),
    SPELLING("a@\xC3\xBC.example."), SPELLING("a@\xC3\xBC.example\xE3\x80\x82"),
    SPELLING("a@b\xC3\xBC"
             "cher .example"),
    SPELLING("a@\xE2\x84\x80.example"), /* a/c */
    SPELLING("a@\xE2\x80\xAE"
             "b.example"),       /* right-to-left override */
    SPELLING("a@xn--a.example"), /* punycode of nothing */
    SPELLING("a@XN--A.example"), SPELLING("a@b.Xn--\x7F"), SPELLING("a@xn--.example"),
    SPELLING("a\xEF\xBC\xA0"
             "example.com"), /* a full-width @ */
    /* characters that user names must not have (RFC 8264 section 9) */
    SPELLING("a\u200B@example.com"), SPELLING("\uFEFFa@example.com"),
    SPELLING("\u202Ea@example.com"), SPELLING("\u2066a@example.com"),
    SPELLING("a\u200E@example.com"), SPELLING("a\u00AD@example.com"),
    SPELLING("a\u2060@example.com"), SPELLING("a\u034F@example.com"),
    SPELLING("a\u180E@example.com"), SPELLING("a\u200D@example.com"),
    SPELLING("a\u200C@example.com"), SPELLING("a\u3164@example.com"),
    SPELLING("a\uFE0F@example.com"), SPELLING("a\U000E0041@example.com"),
    SPELLING("\"a\u200B\"@example.com"), SPELLING("a\u00A0@example.com"),
    SPELLING("a\u3000@example.com"), SPELLING("\"a\u2003\"@example.com"),
    SPELLING("\U0001F600@example.com"), SPELLING("a\u2019s@example.com"),
    SPELLING("a\u20AC@example.com"), SPELLING("\uFF41@example.com"), SPELLING("\uFB01@example.com"),
    SPELLING("a\u00B2@example.com"), SPELLING("\u1112\u1161\u11AB@example.com"),
    SPELLING("\u0661\u06F2@example.com"), SPELLING("\uE000@example.com"),
    SPELLING("\uFFFF@example.com"), SPELLING("a\xC2\x85@example.com"),
    /* no text */
    SPELLING("a\0@example.com"), SPELLING("a@example.com\0"), SPELLING("a@exam\0ple.com"),
    SPELLING("\"a\0\"@example.com"), SPELLING("a\xFF@example.com"), SPELLING("a\xC3@example.com"),
    SPELLING("a@\xC3.example"), SPELLING("a@b\xC3"), SPELLING("\xC0\xAF@example.com"),
    SPELLING("\xED\xA0\x80@example.com"),     /* a surrogate */
    SPELLING("\xF4\x90\x80\x80@example.com"), /* past U+10FFFF */
};

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static struct text exact_copy(struct text text) {
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.at, text.len);
    return (struct text){ copy, text.len };
}

static bool is_taken(struct text text) {
    struct text copy = exact_copy(text);
    bool taken = email_is_valid(copy);
    free((void *)(uintptr_t)copy.at);
    return taken;
}

static struct text key_of(struct text text, struct arena *arena) {
    struct text copy = exact_copy(text);
    struct text key = email_key(copy, arena);
    free((void *)(uintptr_t)copy.at);
    assert_non_null(key.at);
    return key;
}

static void mailboxes_are_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++)
        if (!is_taken(good[i]))
            fail_msg("[%zu] %.*s was refused", i, (int)good[i].len, good[i].at);
}

static void all_else_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (is_taken(bad[i]))
            fail_msg("[%zu] %.*s was taken", i, (int)bad[i].len, bad[i].at);
    assert_false(email_is_valid((struct text){ 0 }));
}

static void a_domain_that_would_never_end_is_refused(void **state) {
    (void)state;
    enum { SIZE = 100000 };
    char *email = malloc(SIZE);
    assert_non_null(email);
    for (size_t i = 2; i + 1 < SIZE; i += 2)
        memcpy(email + i, "\xC3\xBC", 2);
    memcpy(email, "a@", 2);
    assert_false(email_is_valid((struct text){ email, SIZE }));
    memset(email + 2, 'a', SIZE - 2);
    assert_false(email_is_valid((struct text){ email, SIZE }));
    free(email);
}

static const struct {
    struct text one, other;
} pairs[] = {
    { SPELLING("jane@example.com"), SPELLING("JANE@Example.COM") },
    { SPELLING("j\xC3\xBCrgen@b\xC3\xBC"
               "cher.example"), /* an IDN, and its ASCII spelling */
      SPELLING("J\xC3\x9CRGEN@xn--bcher-kva.example") },
    { SPELLING("jane@b\xC3\xBC"
               "cher.example"),
      SPELLING("JANE@XN--BCHER-KVA.EXAMPLE") },
    { SPELLING("j\xC3\xBCrgen@example.com"), SPELLING("ju\xCC\x88rgen@EXAMPLE.com") },
    { SPELLING("stra\xC3\x9F"
               "e@example.com"),
      SPELLING("STRASSE@example.com") },
    { SPELLING("\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82@a"),
      SPELLING("\xCE\xA3\xCE\x8A\xCE\xA3\xCE\xA5\xCE\xA6\xCE\x9F\xCE\xA3@A") },
    { SPELLING("a@\xEF\xBD\x81\xEF\xBC\x8E\xEF\xBD\x82"), SPELLING("A@a.b") }, /* full-width */
    { SPELLING("a@[192.0.2.1]"), SPELLING("A@[192.0.2.1]") },
    { SPELLING("a@[IPv6:::1]"), SPELLING("a@[ipv6:0:0:0:0:0:0:0:1]") },
    { SPELLING("ada@example.org"), SPELLING("\"ada\"@example.org") }, /* RFC 5321 section 4.1.2 */
    { SPELLING("ada.king+x@a"), SPELLING("\"ad\\a.king+\\x\"@a") },
    { SPELLING("\"q u\"@a"), SPELLING("\"q\\ u\"@a") },
    { SPELLING("\"a\\\\b\\\"\"@a"), SPELLING("\"\\a\\\\\\b\\\"\"@a") },
    { SPELLING("j\u00FCrgen@a"), SPELLING("\"j\u00FCrgen\"@a") },
    { SPELLING("a@example.com"), SPELLING("a@exam\u200Bple.com\u200B") },
    { SPELLING("a@b\u00FCcher.example"), SPELLING("a@b\u00FC\u00ADcher.example\uFEFF") },
    { SPELLING("\"j\xC3\xBC@x\"@A"), SPELLING("\"J\xC3\x9C@X\"@a") },
};

static void two_spellings_of_one_address_have_one_key(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(pairs); i++) {
        assert_true(email_is_valid(email_normal(pairs[i].one, &arena)));
        assert_true(email_is_valid(email_normal(pairs[i].other, &arena)));
        struct text one = key_of(pairs[i].one, &arena), other = key_of(pairs[i].other, &arena);
        if (!text_equal(one, other))
            fail_msg("%.*s is not %.*s", (int)one.len, one.at, (int)other.len, other.at);
    }
    arena_close(&arena);
}

static const struct {
    struct text email, normal;
} normals[] = {
    { SPELLING("Jane@Example.COM"), SPELLING("Jane@Example.COM") },
    { SPELLING("ju\u0308rgen@bu\u0308cher.example"), SPELLING("j\u00FCrgen@b\u00FCcher.example") },
    { SPELLING("\"Jane.Doe\"@a"), SPELLING("Jane.Doe@a") },
    { SPELLING("\"\"@a"), SPELLING("\"\"@a") },
    { SPELLING("\"a\\.\\.b\"@a"), SPELLING("\"a..b\"@a") },
    { SPELLING("\"a\\@b\"@a"), SPELLING("\"a@b\"@a") },
    { SPELLING("\"a\\\"b\"@a"), SPELLING("\"a\\\"b\"@a") },
    { SPELLING("a@b\u200B.example"), SPELLING("a@b.example") },
    { SPELLING("a\u200B@b.example"), SPELLING("a\u200B@b.example") },
    { SPELLING("me.\u037E.x@a"), SPELLING("me.;.x@a") }, /* a semicolon in every normal form */
    { SPELLING("\"a"), SPELLING("\"a") },
    { SPELLING("\xFF\"@a"), SPELLING("\xFF\"@a") },
};

static void an_address_is_kept_in_one_spelling(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(normals); i++) {
        struct text normal = email_normal(normals[i].email, &arena);
        if (!text_equal(normal, normals[i].normal))
            fail_msg("[%zu] %.*s", i, (int)normal.len, normal.at);
        assert_true(text_equal(email_normal(normal, &arena), normal));
    }
    assert_false(email_is_valid(email_normal(TEXT("me.\u037E.x@a"), &arena)));
    arena_close(&arena);
}

static const struct {
    struct text email, key;
} keys[] = {
    { SPELLING("Jane.Doe+Tag@Example.com"), SPELLING("jane.doe+tag@example.com") },
    { SPELLING("J\xC3\x9CRGEN@B\xC3\x9C"
               "CHER.Example"),
      SPELLING("j\xC3\xBCrgen@xn--bcher-kva.example") },
    { SPELLING("a@FA\xC3\x9F.de"), SPELLING("a@xn--fa-hia.de") }, /* not fass.de */
    /* no addresses: a sign-in may try anything */
    { SPELLING(""), SPELLING("") },
    { SPELLING("@"), SPELLING("@") },
    { SPELLING("Admin"), SPELLING("admin") },
    { SPELLING("J\xC3\x9CRGEN"), SPELLING("j\xC3\xBCrgen") },
    { SPELLING("A\0B@C"), SPELLING("a\0b@c") },
    { SPELLING("J\xC3\x9C\0X@A"), SPELLING("j\xC3\xBC\0x@a") },
    { SPELLING("A@\xC3\x9C\0.X"), SPELLING("a@\xC3\xBC\0.x") },
    { SPELLING("A\xFF@B.C"), SPELLING("a\xFF@b.c") },
    { SPELLING("A@\xFF.C"), SPELLING("a@\xFF.c") },
    { SPELLING("\xC3\x9C@_.."), SPELLING("\xC3\xBC@_..") },
    { SPELLING("\xC3\x9C@"), SPELLING("\xC3\xBC@") },
    { SPELLING("@\xC3\x9C"), SPELLING("@xn--tda") },
};

static void keys_are_folded_and_hold_every_byte(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(keys); i++) {
        struct text key = key_of(keys[i].email, &arena);
        if (!text_equal(key, keys[i].key))
            fail_msg("[%zu] %.*s", i, (int)key.len, key.at);
    }
    assert_int_equal(email_key((struct text){ 0 }, &arena).len, 0);
    arena_close(&arena);
}

static void different_addresses_have_different_keys(void **state) {
    (void)state;
    struct arena arena = { 0 };
    struct text all[LENGTH(good)];
    for (size_t i = 0; i < LENGTH(good); i++)
        all[i] = key_of(good[i], &arena);
    size_t same = 0;
    for (size_t i = 0; i < LENGTH(good); i++)
        for (size_t j = 0; j < i; j++)
            same += text_equal(all[i], all[j]);
    /* Unnecessary quotes; three spellings of one domain. */
    assert_int_equal(same, 1 + 3);
    arena_close(&arena);
}

static void a_key_is_its_own_key(void **state) {
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct text key = key_of(good[i], &arena);
        assert_true(text_equal(key, key_of(key, &arena)));
    }
    arena_close(&arena);
}

static void a_short_arena_gives_no_key(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 8);
    assert_null(email_key(TEXT("jane@example.com"), &arena).at);
    assert_null(email_key(TEXT("j\xC3\xBC@b\xC3\xBC.example"), &arena).at);
    arena_close(&arena);
}

static void random_bytes_do_no_harm(void **state) {
    (void)state;
    static const char letters[] = "aA.@-\"\\[]\xC3\xBC\xCC\x88\xE2\x84\x80xn--_ \xFF:1";
    uint64_t random = 88172645463325252;
    struct arena arena = { 0 };
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        struct text email = { bytes, random % sizeof bytes };
        for (size_t i = 0; i < email.len; i++) /* the literal's NUL is one of the letters */
            bytes[i] = letters[(random >> i * 2) % sizeof letters];
        struct text key = key_of(email, &arena);
        if (is_taken(email))
            assert_non_null(memrchr(key.at, '@', key.len));
        arena_close(&arena);
    }
}

/* A sign-in may try anything, so the length is checked before all expensive steps: each of them
 * would allocate in the arena, and nothing is allocated. */
static void the_key_of_what_is_too_long_is_nobodys_and_costs_nothing(void **state) {
    (void)state;
    static const char *const letters[] = { "a", "\xCE\xB1", "\xE1\xBE\xB3", "\xF0\x9F\x98\x80" };
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        size_t len = strlen(letters[i]);
        for (size_t at = 0; at + len <= SIZE; at += len)
            memcpy(text + at, letters[i], len);
        for (size_t count = 255; count * len <= SIZE; count *= 2) {
            struct arena arena = { 0 };
            struct text key = email_key((struct text){ text, count * len }, &arena);
            assert_non_null(key.at);
            assert_int_equal(key.len, 0);
            assert_int_equal(arena.used, 0);
        }
        struct arena arena = { 0 };
        assert_true(email_key((struct text){ text, 254 * len }, &arena).len > 0);
        arena_close(&arena);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_taken),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(a_domain_that_would_never_end_is_refused),
        cmocka_unit_test(two_spellings_of_one_address_have_one_key),
        cmocka_unit_test(an_address_is_kept_in_one_spelling),
        cmocka_unit_test(keys_are_folded_and_hold_every_byte),
        cmocka_unit_test(different_addresses_have_different_keys),
        cmocka_unit_test(a_key_is_its_own_key),
        cmocka_unit_test(a_short_arena_gives_no_key),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(the_key_of_what_is_too_long_is_nobodys_and_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

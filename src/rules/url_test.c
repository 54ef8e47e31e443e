/* The promises of url.h. */
#include "rules/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SPELLING(literal)                                                                          \
    { "" literal, sizeof(literal) - 1 }
#define LABEL_OF_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz1"

static const struct text good[] = {
    SPELLING("http://example.com"),
    SPELLING("https://example.com/"),
    SPELLING("HTTPS://EXAMPLE.COM/Avatar.PNG"),
    SPELLING("http://a"),
    SPELLING("http://localhost:8080/avatar"),
    SPELLING("https://example.com./with-the-root"),
    SPELLING("https://example.com:1"),
    SPELLING("https://example.com:65535/"),
    SPELLING("https://example.com?size=64"),
    SPELLING("https://example.com#top"),
    SPELLING("https://example.com/a/b;c=1/../d?e=f&g[]=h#i"),
    SPELLING("https://example.com/who@where:80"),
    SPELLING("https://example.com/J%C3%BCrgen%20M.png"),
    SPELLING("https://my_container/avatar.png"),
    SPELLING("https://xn--bcher-kva.example/"),
    SPELLING("https://" LABEL_OF_63 ".example/"),
    SPELLING("http://192.0.2.1/"),
    SPELLING("http://192.0.2.1:8080"),
    SPELLING("http://[2001:db8::1]/"),
    SPELLING("http://[::1]:8080/?a"),
    SPELLING("http://[::ffff:192.0.2.1]"),
};

static const struct text bad[] = {
    /* no scheme, or another */
    SPELLING(""),
    SPELLING("http"),
    SPELLING("http:"),
    SPELLING("http:/"),
    SPELLING("http:/example.com"),
    SPELLING("http:example.com"),
    SPELLING("example.com"),
    SPELLING("www.example.com/avatar.png"),
    SPELLING("//example.com/avatar.png"),
    SPELLING("/avatar.png"),
    SPELLING("ftp://example.com/"),
    SPELLING("file:///etc/passwd"),
    SPELLING("file://example.com/"),
    SPELLING("gopher://example.com/"),
    SPELLING("javascript:alert(1)"),
    SPELLING("data:image/png;base64,AAAA"),
    SPELLING("httpss://example.com/"),
    SPELLING("xhttp://example.com/"),
    SPELLING(" http://example.com/"),
    SPELLING("http ://example.com/"),
    /* no host, or an invalid one */
    SPELLING("http://"),
    SPELLING("https:///avatar.png"),
    SPELLING("https://?a"),
    SPELLING("https://#a"),
    SPELLING("https://:80/"),
    SPELLING("https://."),
    SPELLING("https://.example.com/"),
    SPELLING("https://example..com/"),
    SPELLING("https://example.com../"),
    SPELLING("https://exa%6Dple.com/"),
    SPELLING("https://example,com/"),
    SPELLING("https://exa~mple.com/"),
    SPELLING("https://ex*mple.com/"),
    SPELLING("https://(example.com)/"),
    SPELLING("https://b\xC3\xBC"
             "cher.example/"),
    SPELLING("https://" LABEL_OF_63 "2.example/"),
    /* user info, also to disguise the host */
    SPELLING("https://user@example.com/"),
    SPELLING("https://user:password@example.com/"),
    SPELLING("https://@example.com/"),
    SPELLING("https://example.com@192.0.2.1/"),
    SPELLING("https://example.com:80@192.0.2.1/"),
    SPELLING("https://example.com\\@192.0.2.1/"),
    /* ports */
    SPELLING("https://example.com:"),
    SPELLING("https://example.com:/"),
    SPELLING("https://example.com:0/"),
    SPELLING("https://example.com:65536/"),
    SPELLING("https://example.com:99999999999999999999/"),
    SPELLING("https://example.com:-1/"),
    SPELLING("https://example.com:+80/"),
    SPELLING("https://example.com:8o/"),
    SPELLING("https://example.com:80:80/"),
    SPELLING("https://2001:db8::1/"),
    /* brackets */
    SPELLING("http://["),
    SPELLING("http://[]"),
    SPELLING("http://[]/"),
    SPELLING("http://[::1"),
    SPELLING("http://[::1/"),
    SPELLING("http://::1]/"),
    SPELLING("http://[::1]a/"),
    SPELLING("http://[::1]:/"),
    SPELLING("http://[::1]:0/"),
    SPELLING("http://[::1][::1]/"),
    SPELLING("http://[:::]/"),
    SPELLING("http://[1:2:3:4:5:6:7:8:9]/"),
    SPELLING("http://[fe80::1%25eth0]/"),
    SPELLING("http://[fe80::1%eth0]/"),
    SPELLING("http://[192.0.2.1]/"),
    SPELLING("http://[v1.a]/"),
    SPELLING("http://[example.com]/"),
    SPELLING("http://a[::1]/"),
    SPELLING("http://[0000000000000000000000000000000000000000000000000001::]/"),
    /* bytes that URLs must not contain */
    SPELLING("https://example.com/a b"),
    SPELLING("https://example.com/a\tb"),
    SPELLING("https://example.com/a\r\nHost: evil"),
    SPELLING("https://example.com/\0"),
    SPELLING("https://example.com\0.evil.example/"),
    SPELLING("https://example.com/\x7F"),
    SPELLING("https://example.com/\x1B[0m"),
    SPELLING("https://example.com/J\xC3\xBCrgen.png"),
    SPELLING("https://example.com/\xFF"),
    SPELLING("https://example.com/?q=\xE2\x80\xAE"),
    SPELLING("https://example.com/\"onload"),
    SPELLING("https://example.com/<script>"),
    SPELLING("https://example.com/a\\b"),
    SPELLING("https://example.com/{id}"),
    SPELLING("https://example.com/ "),
};

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static bool is_taken(struct text text) {
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.at, text.len);
    bool taken = url_is_http((struct text){ copy, text.len });
    free(copy);
    return taken;
}

static void what_could_be_fetched_is_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(good); i++)
        if (!is_taken(good[i]))
            fail_msg("%.*s was refused", (int)good[i].len, good[i].at);
}

static void all_else_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++)
        if (is_taken(bad[i]))
            fail_msg("[%zu] %.*s was taken", i, (int)bad[i].len, bad[i].at);
    assert_false(url_is_http((struct text){ 0 }));
}

static void a_host_has_at_most_253_characters(void **state) {
    (void)state;
    char url[8 + 255];
    memcpy(url, "https://", 8);
    for (size_t i = 8; i < sizeof url; i++)
        url[i] = i % 4 ? 'a' : '.';
    url[8] = 'a';
    assert_true(is_taken((struct text){ url, 8 + 253 }));
    assert_false(is_taken((struct text){ url, 8 + 254 }));
}

static void no_byte_outside_printable_ascii_passes_anywhere(void **state) {
    (void)state;
    char url[] = "https://example.com:80/a?b#c";
    for (size_t i = 0; i < sizeof url - 1; i++) {
        char was = url[i];
        for (int byte = 0; byte < 256; byte++) {
            url[i] = (char)byte;
            if (byte <= ' ' || byte >= 0x7F)
                assert_false(url_is_http((struct text){ url, sizeof url - 1 }));
        }
        url[i] = was;
    }
}

static void an_iri_is_a_url(void **state) {
    static const struct {
        const char *iri, *url;
    } pairs[] = {
        { "https://example.com/a", "https://example.com/a" },
        { "https://example.com/\u00FC.png?q=\u00E4&b#\u00F6",
          "https://example.com/%C3%BC.png?q=%C3%A4&b#%C3%B6" },
        { "HTTPS://B\u00DCcher.example:8443/x", "HTTPS://xn--bcher-kva.example:8443/x" },
        { "http://\u4F8B\u5B50.\u6D4B\u8BD5", "http://xn--fsqu00a.xn--0zwm56d" },
        { "http://[::1]:80/\u00FC", "http://[::1]:80/%C3%BC" },
        { "https://example.com/%C3%BC\u00FC", "https://example.com/%C3%BC%C3%BC" },
    };
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(pairs); i++) {
        struct text url = url_of_iri(text_of(pairs[i].iri), &arena);
        if (!text_equal(url, text_of(pairs[i].url)) || !url_is_http(url))
            fail_msg("%s: %.*s", pairs[i].iri, (int)url.len, url.at);
    }
    arena_close(&arena);
}

static void what_is_no_iri_is_no_url(void **state) {
    static const struct text wrong[] = {
        SPELLING("https://\u2100.example/"), /* IDNA maps it to a/c */
        SPELLING("https://b\u00FC\uFF0Fx/"),
        SPELLING("https://b\u00FC\uFF20x/"),
        SPELLING("https://b\u00FC\uFF1A80/"),
        SPELLING("https://\u202Eb.example/"),
        SPELLING("https://us\u00FCr@example.com/"),
        SPELLING("https://example.com:8\u0660/"),
        SPELLING("https://b\u00FC_c.example/\xFF "),
        SPELLING("ftp://b\u00FCcher.example/"),
        SPELLING("https://[\u00FC]/"),
        SPELLING("https://b\u00FC\0.example/"),
        SPELLING("https://b\u00FC:/"),
        SPELLING("/\u00FC"),
    };
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < LENGTH(wrong); i++)
        if (url_is_http(url_of_iri(wrong[i], &arena)))
            fail_msg("[%zu] %.*s", i, (int)wrong[i].len, wrong[i].at);
    arena_close(&arena);
}

static void a_picture_is_behind_the_comma_of_a_data_url(void **state) {
    (void)state;
    assert_string_equal(url_picture(TEXT("data:image/png;base64,AA==")).at, "AA==");
    assert_int_equal(url_picture(TEXT("DATA:image/x;a=b;BASE64,")).len, 0);
    assert_non_null(url_picture(TEXT("data:image/;base64,")).at);
    static const struct text others[] = {
        SPELLING(""),
        SPELLING("data:image/png;base64"),
        SPELLING("data:image/png,AA"),
        SPELLING("data:text/html;base64,AA"),
        SPELLING("data:image/base64,AA"),
        SPELLING("https://example.com/data:image/png;base64,AA"),
        SPELLING("data:,image/png;base64,AA"),
    };
    for (size_t i = 0; i < LENGTH(others); i++)
        assert_null(url_picture(others[i]).at);
    assert_null(url_picture((struct text){ 0 }).at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_be_fetched_is_taken),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(an_iri_is_a_url),
        cmocka_unit_test(what_is_no_iri_is_no_url),
        cmocka_unit_test(a_host_has_at_most_253_characters),
        cmocka_unit_test(a_picture_is_behind_the_comma_of_a_data_url),
        cmocka_unit_test(no_byte_outside_printable_ascii_passes_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

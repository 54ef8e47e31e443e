/* The client of a request that came through trusted proxies, by Forwarded and X-Forwarded-For. */
#include "http/forwarded.h"

#include "http/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { LINES = 5 };

static const char trusted[] = "10.0.0.0/8, fd00::/8, unix", peer[] = "10.0.0.1";

struct row {
    const char *lines[LINES]; /* "F: ..." is Forwarded, "X: ..." is X-Forwarded-For */
    const char *from;         /* whose request it is; NULL: the headers disagree */
};

static const struct row rows[] = {
    /* no header, or none with an entry: the peer itself */
    { { NULL }, peer },
    { { "X:" }, peer },
    { { "X: , ,\t," }, peer },
    { { "F:" }, peer },
    { { "F: ,, ," }, peer },
    { { "Via: 192.0.2.1", "X-Real-IP: 192.0.2.1", "X_Forwarded_For: 192.0.2.1" }, peer },
    /* X-Forwarded-For: the forms of an address */
    { { "X: 192.0.2.1" }, "192.0.2.1" },
    { { "X:   192.0.2.1\t" }, "192.0.2.1" },
    { { "X: 192.0.2.1:8080" }, "192.0.2.1" },
    { { "X: 192.0.2.1:0" }, "192.0.2.1" },
    { { "X: 2001:db8::1" }, "2001:db8::1" },
    { { "X: 2001:DB8:0:0:0:0:0:1" }, "2001:db8::1" },
    { { "X: [2001:db8::1]" }, "2001:db8::1" },
    { { "X: [2001:db8::1]:443" }, "2001:db8::1" },
    { { "X: ::ffff:192.0.2.1" }, "::ffff:192.0.2.1" },
    { { "X: ::1" }, "::1" },
    { { "X: 255.255.255.255" }, "255.255.255.255" },
    /* the first from the right that is not trusted, whatever is on its left */
    { { "X: 198.51.100.7, 192.0.2.1" }, "192.0.2.1" },
    { { "X: 198.51.100.7,192.0.2.1,10.0.0.9" }, "192.0.2.1" },
    { { "X: 198.51.100.7, 192.0.2.1, fd00::1, 10.0.0.9, ::ffff:10.1.1.1" }, "192.0.2.1" },
    { { "X: 10.9.9.9, 192.0.2.1" }, "192.0.2.1" },
    { { "X: \"\\\"junk, 192.0.2.1" }, "192.0.2.1" },
    { { "X: \"198.51.100.7, 192.0.2.1" }, "192.0.2.1" },
    { { "X: \x80\xFF, 192.0.2.1,," }, "192.0.2.1" },
    { { "X: ,, 192.0.2.1 , ," }, "192.0.2.1" },
    /* all are trusted: the client is within, at the left end */
    { { "X: 10.0.0.9" }, "10.0.0.9" },
    { { "X: 10.7.7.7, 10.0.0.9" }, "10.7.7.7" },
    /* what is no address ends the walk at the proxy that wrote it */
    { { "X: unknown" }, peer },
    { { "X: _hidden" }, peer },
    { { "X: 192.0.2.1, unknown" }, peer },
    { { "X: 192.0.2.1, unknown, 10.0.0.9" }, "10.0.0.9" },
    { { "X: 192.0.2.1, junk, fd00::2" }, "fd00::2" },
    { { "X: 192.0.2" }, peer },
    { { "X: 192.0.2.256" }, peer },
    { { "X: 192.0.2.01" }, peer },
    { { "X: 0xC0000201" }, peer },
    { { "X: 192.0.2.1:" }, peer },
    { { "X: 192.0.2.1:123456" }, peer },
    { { "X: 192.0.2.1:80a" }, peer },
    { { "X: 192.0.2.1:80:80" }, peer },
    { { "X: 192.0.2.1 198.51.100.7" }, peer },
    { { "X: 192.0.2.1; 198.51.100.7" }, peer },
    { { "X: 192.0.2.0/24" }, peer },
    { { "X: \"192.0.2.1\"" }, peer },
    { { "X: for=192.0.2.1" }, peer },
    { { "X: [192.0.2.1]" }, peer },
    { { "X: [2001:db8::1" }, peer },
    { { "X: 2001:db8::1]" }, peer },
    { { "X: [2001:db8::1]443" }, peer },
    { { "X: [2001:db8::1]:" }, peer },
    { { "X: []" }, peer },
    { { "X: [" }, peer },
    { { "X: :" }, peer },
    { { "X: :80" }, peer },
    { { "X: fe80::1%eth0" }, peer },
    { { "X: unix:" }, peer },
    { { "X: unix" }, peer },
    { { "X: client.example.com" }, peer },
    { { "X: 192.0.2.111111111111111111111111111111111111111111111111111111111111111" }, peer },
    /* several lines are one list */
    { { "X: 198.51.100.7", "X: 192.0.2.1" }, "192.0.2.1" },
    { { "X: 192.0.2.1", "Via: a", "X: 10.0.0.8,", "X: ,10.0.0.9" }, "192.0.2.1" },
    { { "X: 192.0.2.1", "X: junk", "X: 10.0.0.9" }, "10.0.0.9" },
    { { "X: 192.0.2.1", "X:" }, "192.0.2.1" },
    { { "F: for=198.51.100.7", "F: for=192.0.2.1", "F: for=10.0.0.9" }, "192.0.2.1" },
    /* Forwarded: its grammar, RFC 7239 section 4 */
    { { "F: for=192.0.2.1" }, "192.0.2.1" },
    { { "F: For=192.0.2.1" }, "192.0.2.1" },
    { { "F: for=\"192.0.2.1\"" }, "192.0.2.1" },
    { { "F: for=\"192.0.2.1:8080\"" }, "192.0.2.1" },
    { { "F: for=\"192.0.2.1:_x-y.z_1\"" }, "192.0.2.1" },
    { { "F: for=\"[2001:db8:cafe::17]\"" }, "2001:db8:cafe::17" },
    { { "F: FOR=\"[2001:db8:cafe::17]:4711\"" }, "2001:db8:cafe::17" },
    { { "F: for=192.0.2.60;proto=http;by=203.0.113.43" }, "192.0.2.60" },
    { { "F: by=203.0.113.43;for=192.0.2.60; host=\"a;b,\\\"c\\\\\" ;proto=http" }, "192.0.2.60" },
    { { "F: ;;for=192.0.2.1; ;" }, "192.0.2.1" },
    { { "F: for=192.0.2.43, for=198.51.100.17;by=10.0.0.9" }, "198.51.100.17" },
    { { "F: for=198.51.100.7,for=192.0.2.43,for=\"[fd00::1]\",for=10.0.0.9" }, "192.0.2.43" },
    { { "F: for=192.0.2.1;ext=\"a, for=198.51.100.7\"" }, "192.0.2.1" },
    { { "F: for=192.0.2.1, ext=\", for=\\\"x\\\", \";for=10.0.0.9" }, "192.0.2.1" },
    { { "F: , for=192.0.2.1 ,," }, "192.0.2.1" },
    /* a quotation mark that the client left open swallows nothing */
    { { "F: for=\", for=192.0.2.1" }, "192.0.2.1" },
    { { "F: for=\"198.51.100.7, for=192.0.2.1, for=10.0.0.9" }, "192.0.2.1" },
    { { "F: for=x;ext=\"\\, for=192.0.2.1;proto=http" }, "192.0.2.1" },
    { { "F: \", for=\"[2001:db8::1]:1\"" }, "2001:db8::1" },
    { { "F: \\\\\\\", for=\"192.0.2.1\"" }, "192.0.2.1" },
    { { "F: for=\"x", "F: for=192.0.2.1" }, "192.0.2.1" },
    /* what names no address ends the walk */
    { { "F: for=unknown" }, peer },
    { { "F: for=_hidden" }, peer },
    { { "F: for=\"_SEVKISEK:80\"" }, peer },
    { { "F: for=192.0.2.1, for=unknown, for=10.0.0.9" }, "10.0.0.9" },
    { { "F: for=192.0.2.1, for=_a, for=\"[fd00::5]\"" }, "fd00::5" },
    { { "F: proto=https;by=10.0.0.1" }, peer },
    { { "F: for=192.0.2.1, proto=https" }, peer },
    { { "F: for=192.0.2.1, ;, for=10.0.0.9" }, "10.0.0.9" },
    { { "F: 192.0.2.1" }, peer },
    { { "F: for" }, peer },
    { { "F: for=" }, peer },
    { { "F: =192.0.2.1" }, peer },
    { { "F: for=\"\"" }, peer },
    { { "F: for =192.0.2.1" }, peer },
    { { "F: for= 192.0.2.1" }, peer },
    { { "F: for=192.0.2.1;for=192.0.2.2" }, peer },
    { { "F: for=192.0.2.1;FOR=192.0.2.1" }, peer },
    { { "F: for=192.0.2.1 proto=http" }, peer },
    { { "F: for=\"192.0.2.1\"x" }, peer },
    { { "F: for=192.0.2.1;proto" }, peer },
    { { "F: for=192.0.2.1;proto=" }, peer },
    { { "F: for=192.0.2.1;a b=c" }, peer },
    { { "F: for=192.0.2.1;host=\"a" }, peer },
    { { "F: for=192.0.2.1;host=\"a\\\"" }, peer },
    { { "F: for=192.0.2.1;host=a\"b\"" }, peer },
    { { "F: for=192.0.2.1:8080" }, peer },
    { { "F: for=2001:db8::1" }, peer },
    { { "F: for=\"2001:db8::1\"" }, peer },
    { { "F: for=[2001:db8::1]" }, peer },
    { { "F: for=\"[2001:db8::1]:_\"" }, peer },
    { { "F: for=\"192.0.2.1:_a b\"" }, peer },
    { { "F: for=\"192.0.2\\.1\"" }, peer },
    { { "F: for='192.0.2.1'" }, peer },
    /* both headers */
    { { "F: for=192.0.2.1", "X: 192.0.2.1" }, "192.0.2.1" },
    { { "X: 198.51.100.7, 192.0.2.1, 10.0.0.9", "F: for=\"192.0.2.1:80\"" }, "192.0.2.1" },
    { { "F: for=192.0.2.1", "X:" }, "192.0.2.1" },
    { { "F: ,", "X: 192.0.2.1" }, "192.0.2.1" },
    { { "F: for=unknown", "X: unknown" }, peer },
    { { "F: for=192.0.2.1", "X: 192.0.2.2" }, NULL },
    { { "X: 192.0.2.1, 192.0.2.2", "F: for=192.0.2.1" }, NULL },
    { { "F: for=unknown", "X: 192.0.2.1" }, NULL },
    { { "F: for=192.0.2.1", "X: junk" }, NULL },
    { { "F: for=10.0.0.9", "X: 192.0.2.1, 10.0.0.9" }, NULL },
};

static struct head head_of(const char *const *lines, struct header *headers) {
    struct head head = { .headers = headers };
    for (; head.count < LINES && lines[head.count]; head.count++) {
        struct text value = text_of(lines[head.count]), name = text_cut(&value, ':');
        if (text_equal(name, TEXT("X")))
            name = TEXT("x-forwarded-FOR");
        if (text_equal(name, TEXT("F")))
            name = TEXT("Forwarded");
        headers[head.count] = (struct header){ name, text_trim(value) };
    }
    return head;
}

static struct sockaddr_storage address_of(const char *text) {
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = 4711 };
    struct sockaddr_storage address = { 0 };
    assert_int_equal(inet_pton(AF_INET, text, &ipv4.sin_addr), 1);
    memcpy(&address, &ipv4, sizeof ipv4);
    return address;
}

static const char *text_of_address(const struct sockaddr_storage *address, char *out) {
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    memcpy(&ipv4, address, sizeof ipv4);
    memcpy(&ipv6, address, sizeof ipv6);
    const void *bytes = address->ss_family == AF_INET ? (void *)&ipv4.sin_addr : &ipv6.sin6_addr;
    return inet_ntop(address->ss_family, bytes, out, INET6_ADDRSTRLEN);
}

/* Each text in a piece of memory of its own size, so that a sanitizer sees a read beyond it. */
static enum forwarded find(const struct head *head, const struct peers *peers,
                           struct sockaddr_storage *hop) {
    struct header headers[LINES];
    struct head copy = { .headers = headers, .count = head->count };
    for (unsigned i = 0; i < head->count; i++) {
        headers[i] = head->headers[i];
        char *value = malloc(headers[i].value.len);
        assert_true(value || !headers[i].value.len);
        if (headers[i].value.len)
            memcpy(value, headers[i].value.at, headers[i].value.len);
        headers[i].value.at = value;
    }
    enum forwarded result = forwarded_find(&copy, peers, hop);
    for (unsigned i = 0; i < head->count; i++)
        free((void *)(uintptr_t)headers[i].value.at);
    return result;
}

static void each_row_names_its_client(void **state) {
    const struct peers *peers = *state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct header headers[LINES];
        struct head head = head_of(rows[i].lines, headers);
        struct sockaddr_storage hop = address_of(peer);
        char found[INET6_ADDRSTRLEN];
        enum forwarded result = find(&head, peers, &hop);
        const char *first = rows[i].lines[0] ? rows[i].lines[0] : "no header";
        if (!rows[i].from) {
            if (result != FORWARDED_conflict)
                fail_msg("%s and what follows do not disagree", first);
            continue;
        }
        bool is_trusted = peers_include(peers, (const struct sockaddr *)&hop);
        if (result != (is_trusted ? FORWARDED_proxy : FORWARDED_client))
            fail_msg("%s: result %d", first, result);
        if (strcmp(text_of_address(&hop, found), rows[i].from) != 0)
            fail_msg("%s: %s instead of %s", first, found, rows[i].from);
    }
}

static void the_peer_keeps_its_address_where_no_other_is_named(void **state) {
    static const char *const lines[LINES] = { "X: unknown" };
    struct header headers[LINES];
    struct head head = head_of(lines, headers);
    struct sockaddr_storage before = address_of(peer), hop = before;
    struct sockaddr_storage local = { .ss_family = AF_UNIX };
    assert_int_equal(find(&head, *state, &hop), FORWARDED_proxy);
    assert_memory_equal(&hop, &before, sizeof hop);
    assert_int_equal(find(&head, *state, &local), FORWARDED_proxy);
    assert_int_equal(local.ss_family, AF_UNIX);
}

/* As long as a head may be, of each kind of entry. */
static void long_lists_are_read(void **state) {
    static const char *const entries[] = { "10.0.0.9,", "for=10.0.0.9,", "\\,", "\",", ",", "x" };
    for (size_t kind = 0; kind < LENGTH(entries); kind++)
        for (int has_quotes = 0; has_quotes < 2; has_quotes++) {
            char value[HEAD_MAX + 1] = "";
            size_t len = 0, size = strlen(entries[kind]);
            const char *last = has_quotes ? ",for=192.0.2.1" : ",192.0.2.1";
            for (; len + size + strlen(last) < HEAD_MAX; len += size)
                memcpy(value + len, entries[kind], size);
            memcpy(value + len, last, strlen(last));
            struct header header = { TEXT("X-Forwarded-For"), text_of(value) };
            if (has_quotes)
                header.name = TEXT("Forwarded");
            struct head head = { .headers = &header, .count = 1 };
            struct sockaddr_storage hop = address_of(peer);
            char found[INET6_ADDRSTRLEN];
            assert_int_equal(find(&head, *state, &hop), FORWARDED_client);
            assert_string_equal(text_of_address(&hop, found), "192.0.2.1");
        }
}

static int read_trusted(void **state) {
    char why[200];
    *state = peers_parse(trusted, why, sizeof why);
    return *state ? 0 : -1;
}

static int free_trusted(void **state) {
    peers_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_names_its_client),
        cmocka_unit_test(the_peer_keeps_its_address_where_no_other_is_named),
        cmocka_unit_test(long_lists_are_read),
    };
    return cmocka_run_group_tests(tests, read_trusted, free_trusted);
}

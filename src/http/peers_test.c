/* Lists of addresses and networks: who is among them, and what is refused how. */
#include "http/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool includes(const struct peers *peers, const char *text) {
    const struct sockaddr local = { .sa_family = AF_UNIX };
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = 80 };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = 80 };
    if (strcmp(text, "unix") == 0)
        return peers_include(peers, &local);
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return peers_include(peers, (const struct sockaddr *)&ipv4);
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return peers_include(peers, (const struct sockaddr *)&ipv6);
}

static const struct {
    const char *list;
    const char *in[6], *out[6];
} rows[] = {
    { "", { NULL }, { "127.0.0.1", "::1", "::", "0.0.0.0", "unix" } },
    { " , ,", { NULL }, { "127.0.0.1", "::1", "unix" } },
    { "unix", { "unix" }, { "127.0.0.1", "::1", "0.0.0.0", "::" } },
    { "192.0.2.1", { "192.0.2.1", "::ffff:192.0.2.1" }, { "192.0.2.0", "192.0.2.2", "unix" } },
    { "192.0.2.1/32", { "192.0.2.1" }, { "192.0.2.0", "192.0.2.3" } },
    { "10.0.0.0/8",
      { "10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3" },
      { "9.255.255.255", "11.0.0.0", "::ffff:11.0.0.0", "::10.1.2.3", "a00::", "unix" } },
    { "172.16.0.0/12",
      { "172.16.0.0", "172.31.255.255" },
      { "172.15.255.255", "172.32.0.0", "::1" } },
    { "192.0.2.2/31", { "192.0.2.2", "192.0.2.3" }, { "192.0.2.1", "192.0.2.4" } },
    { "0.0.0.0/0", { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" }, { "::1", "::", "unix" } },
    { "::/0", { "::", "2001:db8::1" }, { "1.2.3.4", "::ffff:1.2.3.4", "unix" } },
    { "::1", { "::1" }, { "::", "::2", "127.0.0.1", "0.0.0.1" } },
    { "fd00::/8", { "fd00::", "fdff:ffff::1" }, { "fc00::1", "fe00::", "253.0.0.0" } },
    { "2001:DB8::/33", { "2001:db8:7fff::1" }, { "2001:db8:8000::", "2001:db9::" } },
    { "2001:db8::4/127", { "2001:db8::5" }, { "2001:db8::3", "2001:db8::6" } },
    { "::ffff:192.0.2.1", { "192.0.2.1", "::ffff:192.0.2.1" }, { "192.0.2.2", "::192.0.2.1" } },
    { "::ffff:10.0.0.0/104", { "10.1.2.3" }, { "11.0.0.0" } },
    { "::ffff:0.0.0.0/96", { "10.1.2.3", "::ffff:1.1.1.1" }, { "::1", "unix" } },
    { "10.0.0.0/8, ::1,unix ,,\t192.0.2.1",
      { "10.1.1.1", "::1", "unix", "192.0.2.1" },
      { "::2", "192.0.2.2" } },
};

static void those_of_the_list_are_included_and_nobody_else(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char why[200] = "";
        struct peers *peers = peers_parse(rows[i].list, why, sizeof why);
        if (!peers)
            fail_msg("%s: %s", rows[i].list, why);
        for (size_t at = 0; at < 6 && rows[i].in[at]; at++)
            if (!includes(peers, rows[i].in[at]))
                fail_msg("%s lacks %s", rows[i].list, rows[i].in[at]);
        for (size_t at = 0; at < 6 && rows[i].out[at]; at++)
            if (includes(peers, rows[i].out[at]))
                fail_msg("%s has %s", rows[i].list, rows[i].out[at]);
        peers_free(peers);
    }
}

static void a_network_with_an_address_in_it_is_asked_about(void **state) {
    static const char *const cases[][2] = {
        { "10.1.2.3/8", "10.1.2.3/8: did you mean 10.0.0.0/8?" },
        { "10.0.0.1/31", "10.0.0.1/31: did you mean 10.0.0.0/31?" },
        { "1.2.3.4/0", "1.2.3.4/0: did you mean 0.0.0.0/0?" },
        { "172.24.0.0/12", "172.24.0.0/12: did you mean 172.16.0.0/12?" },
        { "unix, 192.0.2.255/24", "192.0.2.255/24: did you mean 192.0.2.0/24?" },
        { "2001:db8::1/32", "2001:db8::1/32: did you mean 2001:db8::/32?" },
        { "::1/127", "::1/127: did you mean ::/127?" },
        { "::ffff:10.1.2.3/104", "::ffff:10.1.2.3/104: did you mean ::ffff:10.0.0.0/104?" },
        { "::ffff:10.0.0.0/95", "::ffff:10.0.0.0/95: did you mean ::fffe:0:0/95?" },
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char why[200] = "";
        assert_null(peers_parse(cases[i][0], why, sizeof why));
        assert_string_equal(why, cases[i][1]);
    }
}

static void what_is_no_address_is_refused(void **state) {
    static const char *const lists[] = {
        "x",
        "localhost",
        "UNIX",
        "unix:/run/x",
        "*",
        "10",
        "10.0.0",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0 /8",
        "10.0.0.0/ 8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0-10.0.0.9",
        "010.0.0.0",
        "192.0.2.1:80",
        "[::1]",
        "[::1]:80",
        "::/129",
        ":::",
        "fe80::1%lo",
        "10.0.0.0/8 ::1",
        "::1, x, ::2",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(lists); i++) {
        char why[200] = "", tiny[8];
        if (peers_parse(lists[i], why, sizeof why))
            fail_msg("%s is taken", lists[i]);
        assert_non_null(strstr(why, ": must be an address ("));
        assert_null(peers_parse(lists[i], tiny, sizeof tiny));
        assert_int_equal(tiny[7], '\0');
    }
}

static void of_no_list_nobody_is(void **state) {
    (void)state;
    assert_false(includes(NULL, "127.0.0.1"));
    assert_false(includes(NULL, "unix"));
    peers_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_the_list_are_included_and_nobody_else),
        cmocka_unit_test(a_network_with_an_address_in_it_is_asked_about),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(of_no_list_nobody_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

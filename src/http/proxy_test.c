/* Headers of the PROXY protocol, right ones and each kind of wrong one. */
#include "http/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal)                                                                             \
    { "" literal, sizeof(literal) - 1 }

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES_4 "\xC0\0\x02\x01\xC6\x33\x64\x02\xE6\x0C\x01\xBB" /* 12 bytes */
#define ADDRESSES_6                                                                                \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                   \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02"                                                   \
    "\xE6\x0C\x01\xBB" /* 36 */
#define ZEROS_9 "\0\0\0\0\0\0\0\0\0"
#define ZEROS_36 ZEROS_9 ZEROS_9 ZEROS_9 ZEROS_9
#define ZEROS_99 ZEROS_36 ZEROS_36 ZEROS_9 ZEROS_9 ZEROS_9
#define ADDRESSES_UNIX "/run/a" ZEROS_99 "\0\0\0/run/b" ZEROS_99 "\0\0\0" /* 216 */

struct row {
    struct text bytes;
    const char *from; /* as `write_from` has it; "local"; NULL: refused */
};

static const struct row rows[] = {
    /* version 1, section 2.1 */
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 58892 443\r\n"), "192.0.2.1 58892" },
    { BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
      "255.255.255.255 65535" },
    { BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0 0" },
    { BYTES("PROXY TCP6 2001:db8::1 2001:DB8::2 58892 443\r\n"), "2001:db8::1 58892" },
    { BYTES("PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
      "2001:db8::1 65535" },
    { BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "::ffff:192.0.2.1 1" },
    { BYTES("PROXY UNKNOWN\r\n"), "local" },
    { BYTES("PROXY UNKNOWN \r\n"), "local" },
    { BYTES("PROXY UNKNOWN any \r thing \n at all \0\r\n"), "local" },
    { BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), /* 107 */
      "local" },
    { BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"), /* 108 */
      NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 58892 443 and so on until the line is longer than "
            "any that the specification allows"),
      NULL },
    { BYTES("GET / HTTP/1.1\r\n"), NULL },
    { BYTES("\x16\x03\x01\x02\0\x01"), NULL }, /* TLS */
    { BYTES("proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY\r\n"), NULL },
    { BYTES("PROXY \r\n"), NULL },
    { BYTES("PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES(" PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4\r\n"), NULL },
    { BYTES("PROXY UNKNOWNS\r\n"), NULL },
    { BYTES("PROXY unknown\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"), NULL },
    { BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1\t198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1\t2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\0\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\nGET / HTTP/1.1\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\rGET / HTTP/1.1\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 0xC0.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 -1.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 3221225985 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 example.com 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 2001:db8::1 198.51.100.2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 fe80::1%lo 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 2001::db8::1 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 2001:db8:0:0:0:0:0 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 20010:db8::1 2001:db8::2 1 2\r\n"), NULL },
    { BYTES("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:0000 ::1 1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 99999999999999999999 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 00\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -0 2\r\n"), NULL },
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 0x1 2\r\n"), NULL },

    /* version 2, section 2.2 */
    { BYTES(V2 "\x21\x11\0\x0C" ADDRESSES_4), "192.0.2.1 58892" },
    { BYTES(V2 "\x21\x21\0\x24" ADDRESSES_6), "2001:db8::1 58892" },
    { BYTES(V2 "\x21\x31\0\xD8" ADDRESSES_UNIX), "unix /run/a" },
    { BYTES(V2 "\x21\0\0\0"), "local" },
    { BYTES(V2 "\x21\0\0\x03xyz"), "local" },
    { BYTES(V2 "\x20\0\0\0"), "local" },
    { BYTES(V2 "\x20\x11\0\x0C" ADDRESSES_4), "local" },
    { BYTES(V2 "\x20\x11\0\0"), "local" },
    { BYTES(V2 "\x20\x12\0\x01x"), "local" },
    { BYTES(V2 "\x20\xFF\0\x04\x03\0\x09x"), "local" },
    { BYTES("\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0C" ADDRESSES_4), NULL },
    { BYTES("\r\n\r\n\r\nQUIT\n\x21\x11\0\x0C" ADDRESSES_4), NULL },
    { BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), NULL },
    { BYTES(V2 "\x11\x11\0\x0C" ADDRESSES_4), NULL }, /* version */
    { BYTES(V2 "\x31\x11\0\x0C" ADDRESSES_4), NULL },
    { BYTES(V2 "\x01\x11\0\x0C" ADDRESSES_4), NULL },
    { BYTES(V2 "\x22\x11\0\x0C" ADDRESSES_4), NULL }, /* command */
    { BYTES(V2 "\x2F\x11\0\x0C" ADDRESSES_4), NULL },
    { BYTES(V2 "\x21\x12\0\x0C" ADDRESSES_4), NULL }, /* datagrams */
    { BYTES(V2 "\x21\x22\0\x24" ADDRESSES_6), NULL },
    { BYTES(V2 "\x21\x32\0\xD8" ADDRESSES_UNIX), NULL },
    { BYTES(V2 "\x21\x10\0\x0C" ADDRESSES_4), NULL }, /* a family of no transport, and turned */
    { BYTES(V2 "\x21\x01\0\x0C" ADDRESSES_4), NULL },
    { BYTES(V2 "\x21\x13\0\x0C" ADDRESSES_4), NULL },    /* transport */
    { BYTES(V2 "\x21\x41\0\xD8" ADDRESSES_UNIX), NULL }, /* family */
    { BYTES(V2 "\x21\xF1\0\xD8" ADDRESSES_UNIX), NULL },
    { BYTES(V2 "\x21\x11\0\0" ADDRESSES_4), NULL }, /* too short for the addresses */
    { BYTES(V2 "\x21\x11\0\x0B" ADDRESSES_4), NULL },
    { BYTES(V2 "\x21\x21\0\x23" ADDRESSES_6), NULL },
    { BYTES(V2 "\x21\x31\0\xD7" ADDRESSES_UNIX), NULL },
    { BYTES(V2 "\x21\x11\x08\x01"), NULL }, /* too long */
    { BYTES(V2 "\x20\0\x08\x01"), NULL },
    { BYTES(V2 "\x20\0\xFF\xFF"), NULL },

    /* the values behind the addresses, sections 2.2.1 to 2.2.8 */
    { BYTES(V2 "\x21\x11\0\x0F" ADDRESSES_4 "\x04\0\0"), "192.0.2.1 58892" },
    { BYTES(V2 "\x21\x11\0\x17" ADDRESSES_4 "\x04\0\x01x\xEA\0\0\x01\0\x01h"), "192.0.2.1 58892" },
    { BYTES(V2 "\x21\x31\0\xDC" ADDRESSES_UNIX "\x04\0\x01x"), "unix /run/a" },
    { BYTES(V2 "\x21\x11\0\x0D" ADDRESSES_4 "\x04"), NULL },
    { BYTES(V2 "\x21\x11\0\x0E" ADDRESSES_4 "\x04\0"), NULL },
    { BYTES(V2 "\x21\x11\0\x0F" ADDRESSES_4 "\x04\0\x01"), NULL },
    { BYTES(V2 "\x21\x11\0\x10" ADDRESSES_4 "\x04\0\x02x"), NULL },
    { BYTES(V2 "\x21\x11\0\x10" ADDRESSES_4 "\x04\x01\0x"), NULL },
    { BYTES(V2 "\x21\x11\0\x10" ADDRESSES_4 "\x04\xFF\xFFx"), NULL },
    { BYTES(V2 "\x21\x11\0\x10" ADDRESSES_4 "\x04\0\0x"), NULL },

    /* the checksum, section 2.2.3; the first is one that a load balancer sent */
    { BYTES(V2 "\x21\x11\0\x54\xAC\x1F\x07\x71\xAC\x1F\x0A\x1F\xC8\xF2\0\x50"
               "\x03\0\x04\xE8\xD6\x89\x2D\xEA\0\x17\x01vpce-08d2bf15fac5001c9\x04\0\x24" ZEROS_36),
      "172.31.7.113 51442" },
    { BYTES(V2 "\x21\x11\0\x13" ADDRESSES_4 "\x03\0\x04\x07\xB6\x45\x43"), "192.0.2.1 58892" },
    { BYTES(V2 "\x21\x11\0\x13" ADDRESSES_4 "\x03\0\x04\x07\xB6\x45\x42"), NULL },
    { BYTES(V2 "\x21\x11\0\x13" ADDRESSES_4 "\x03\0\x04\x43\x45\xB6\x07"), NULL },
    { BYTES(V2 "\x21\x11\0\x13" ADDRESSES_4 "\x03\0\x04\0\0\0\0"), NULL },
    { BYTES(V2 "\x21\x11\0\x0F" ADDRESSES_4 "\x03\0\0"), NULL },
    { BYTES(V2 "\x21\x11\0\x12" ADDRESSES_4 "\x03\0\x03\x07\xB6\x45"), NULL },
    { BYTES(V2 "\x21\x11\0\x14" ADDRESSES_4 "\x03\0\x05\xCC\x56\x11\xC6\0"), NULL },
    { BYTES(V2 "\x21\x11\0\x1A" ADDRESSES_4
               "\x03\0\x04\xA5\x50\xE6\x9A\x03\0\x04\0\0\0\0"), /* right for the first */
      NULL },
    { BYTES(V2 "\x21\x11\0\x1A" ADDRESSES_4
               "\x03\0\x04\0\0\0\0\x03\0\x04\xA5\x50\xE6\x9A"), /* and for the second */
      NULL },
};

static void write_from(const struct proxy_header *header, char out[160]) {
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
    char address[INET6_ADDRSTRLEN];
    if (header->is_local) {
        assert_int_equal(header->from_size, 0);
        (void)snprintf(out, 160, "local");
    } else if (header->from.ss_family == AF_INET) {
        assert_int_equal(header->from_size, sizeof ipv4);
        memcpy(&ipv4, &header->from, sizeof ipv4);
        (void)snprintf(out, 160, "%s %u",
                       inet_ntop(AF_INET, &ipv4.sin_addr, address, sizeof address),
                       ntohs(ipv4.sin_port));
    } else if (header->from.ss_family == AF_INET6) {
        assert_int_equal(header->from_size, sizeof ipv6);
        memcpy(&ipv6, &header->from, sizeof ipv6);
        (void)snprintf(out, 160, "%s %u",
                       inet_ntop(AF_INET6, &ipv6.sin6_addr, address, sizeof address),
                       ntohs(ipv6.sin6_port));
    } else {
        assert_int_equal(header->from.ss_family, AF_UNIX);
        assert_int_equal(header->from_size, sizeof local);
        memcpy(&local, &header->from, sizeof local);
        (void)snprintf(out, 160, "unix %.108s", local.sun_path);
    }
}

static void headers_are_read_or_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct proxy_header header;
        char from[160];
        enum proxy_result result = proxy_read(rows[i].bytes, &header);
        if (result != (rows[i].from ? PROXY_DONE : PROXY_WRONG))
            fail_msg("row %zu: result %d", i, (int)result);
        if (!rows[i].from)
            continue;
        write_from(&header, from);
        assert_string_equal(from, rows[i].from);
        assert_int_equal(header.size, rows[i].bytes.len);
    }
}

/* The bytes have a place of just their size, so that a sanitizer sees a look beyond. */
static enum proxy_result read_copy(const char *bytes, size_t size, struct proxy_header *header) {
    char *copy = malloc(size + !size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum proxy_result result = proxy_read((struct text){ copy, size }, header);
    free(copy);
    return result;
}

static void a_header_is_whole_at_its_last_byte_and_no_sooner(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct proxy_header header;
        for (size_t size = 0; rows[i].from && size < rows[i].bytes.len; size++)
            if (read_copy(rows[i].bytes.at, size, &header) != PROXY_MORE)
                fail_msg("row %zu, %zu bytes", i, size);
    }
}

static void what_is_wrong_stays_wrong(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct proxy_header header;
        bool is_wrong = false;
        for (size_t size = 0; !rows[i].from && size <= rows[i].bytes.len; size++) {
            enum proxy_result result = read_copy(rows[i].bytes.at, size, &header);
            if (result == PROXY_DONE || (is_wrong && result != PROXY_WRONG))
                fail_msg("row %zu, %zu bytes", i, size);
            is_wrong = result == PROXY_WRONG;
        }
    }
}

static void what_follows_a_header_is_left_alone(void **state) {
    static const char next[] = "\r\nPROXY UNKNOWN\r\n" V2 "GET / HTTP/1.1\r\n\r\n";
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char bytes[512], from[160];
        struct proxy_header header;
        size_t size = rows[i].bytes.len;
        assert_true(size + sizeof next <= sizeof bytes);
        memcpy(bytes, rows[i].bytes.at, size);
        memcpy(bytes + size, next, sizeof next);
        enum proxy_result result = read_copy(bytes, size + sizeof next, &header);
        assert_int_equal(result, rows[i].from ? PROXY_DONE : PROXY_WRONG);
        if (!rows[i].from)
            continue;
        write_from(&header, from);
        assert_string_equal(from, rows[i].from);
        assert_int_equal(header.size, size);
    }
}

static void other_protocols_are_refused_at_their_first_byte(void **state) {
    struct proxy_header header;
    (void)state;
    assert_int_equal(proxy_read((struct text){ NULL, 0 }, &header), PROXY_MORE);
    for (int first = 0; first < 256; first++) {
        char byte = (char)first;
        assert_int_equal(proxy_read((struct text){ &byte, 1 }, &header),
                         byte == 'P' || byte == '\r' ? PROXY_MORE : PROXY_WRONG);
    }
}

/* As section 2.1 asks: "abort the connection as soon as possible". */
static void a_wrong_byte_is_refused_at_once(void **state) {
    struct proxy_header header;
    (void)state;
    assert_int_equal(read_copy(V2 "\x31", 13, &header), PROXY_WRONG);
    assert_int_equal(read_copy(V2 "\x21\x12", 14, &header), PROXY_WRONG);
    assert_int_equal(read_copy(V2 "\x21\x11\x08\x01", 16, &header), PROXY_WRONG);
    assert_int_equal(read_copy("PROXZ", 5, &header), PROXY_WRONG);
}

/* The longest header that is read: addresses, and one value up to the limit. */
static void a_header_may_be_as_long_as_the_limit(void **state) {
    static char bytes[PROXY_HEADER_MAX] = V2 "\x21\x11\x08\0" ADDRESSES_4 "\x04\x07\xF1";
    struct proxy_header header;
    (void)state;
    assert_int_equal(proxy_read((struct text){ bytes, sizeof bytes - 1 }, &header), PROXY_MORE);
    assert_int_equal(proxy_read((struct text){ bytes, sizeof bytes }, &header), PROXY_DONE);
    assert_int_equal(header.size, PROXY_HEADER_MAX);
}

static void a_path_may_fill_its_place(void **state) {
    static char bytes[16 + 216] = V2 "\x21\x31\0\xD8";
    struct proxy_header header;
    struct sockaddr_un from;
    (void)state;
    memset(bytes + 16, 'x', 108);
    assert_int_equal(proxy_read((struct text){ bytes, sizeof bytes }, &header), PROXY_DONE);
    memcpy(&from, &header.from, sizeof from);
    assert_memory_equal(from.sun_path, bytes + 16, sizeof from.sun_path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read_or_refused),
        cmocka_unit_test(a_header_is_whole_at_its_last_byte_and_no_sooner),
        cmocka_unit_test(what_is_wrong_stays_wrong),
        cmocka_unit_test(what_follows_a_header_is_left_alone),
        cmocka_unit_test(other_protocols_are_refused_at_their_first_byte),
        cmocka_unit_test(a_wrong_byte_is_refused_at_once),
        cmocka_unit_test(a_header_may_be_as_long_as_the_limit),
        cmocka_unit_test(a_path_may_fill_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "auth/login_throttle.h"

#include "crypto/secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include <cmocka.h>

enum { LIMIT = 3, PERIOD_MS = 60000, NOW_MS = 1000000 };

static struct sockaddr_storage address(const char *text) {
    struct sockaddr_storage storage = { .ss_family = AF_INET };
    struct sockaddr_in *four = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        return storage;
    storage.ss_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
    return storage;
}

static int64_t begin(struct login_throttle *throttle, const char *text, int64_t now_ms) {
    struct sockaddr_storage from = address(text);
    return login_throttle_begin(throttle, (const struct sockaddr *)&from, now_ms);
}

static void end(struct login_throttle *throttle, const char *text, bool has_failed,
                int64_t now_ms) {
    struct sockaddr_storage from = address(text);
    login_throttle_end(throttle, (const struct sockaddr *)&from, has_failed, now_ms);
}

/* How long one more attempt, which is right, would have to wait. */
static int64_t wait_of(struct login_throttle *throttle, const char *text, int64_t now_ms) {
    int64_t wait_s = begin(throttle, text, now_ms);
    if (!wait_s)
        end(throttle, text, false, now_ms);
    return wait_s;
}

static void note_failure(struct login_throttle *throttle, const char *text, int64_t now_ms) {
    if (!begin(throttle, text, now_ms))
        end(throttle, text, true, now_ms);
}

static struct login_throttle *started(void) {
    struct login_throttle *throttle = login_throttle_new(LIMIT, PERIOD_MS);
    assert_non_null(throttle);
    return throttle;
}

static void who_fails_too_often_waits_for_the_period_to_end(void **state) {
    (void)state;
    struct login_throttle *throttle = started();
    for (int i = 0; i < LIMIT; i++) {
        assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS), 0);
        note_failure(throttle, "192.0.2.7", NOW_MS);
    }
    assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS), PERIOD_MS / 1000);
    assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS + PERIOD_MS - 1), 1);
    assert_int_equal(wait_of(throttle, "192.0.2.8", NOW_MS), 0);
    assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS + PERIOD_MS), 0);
    note_failure(throttle, "192.0.2.7", NOW_MS + PERIOD_MS);
    assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS + PERIOD_MS), 0);
    for (int i = 1; i < LIMIT; i++)
        note_failure(throttle, "192.0.2.7", NOW_MS + PERIOD_MS);
    assert_int_equal(wait_of(throttle, "192.0.2.7", NOW_MS + PERIOD_MS), PERIOD_MS / 1000);
    login_throttle_free(throttle);
}

static void those_under_way_count_until_they_end(void **state) {
    (void)state;
    struct login_throttle *throttle = started();
    for (int i = 0; i < LIMIT; i++)
        assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS), 0);
    assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS), 1);
    end(throttle, "192.0.2.7", false, NOW_MS);
    assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS), 0);
    for (int i = 0; i < LIMIT; i++)
        end(throttle, "192.0.2.7", true, NOW_MS);
    assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS), PERIOD_MS / 1000);
    login_throttle_free(throttle);
}

static void those_under_way_outlast_the_period_that_they_began_in(void **state) {
    (void)state;
    struct login_throttle *throttle = started();
    for (int i = 0; i < LIMIT; i++)
        assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS), 0);
    assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS + PERIOD_MS), 1);
    for (int i = 0; i < LIMIT; i++)
        end(throttle, "192.0.2.7", false, NOW_MS + PERIOD_MS);
    assert_int_equal(begin(throttle, "192.0.2.7", NOW_MS + PERIOD_MS), 0);
    login_throttle_free(throttle);
}

static void ipv6_counts_by_64_bits_and_mapped_ipv4_as_itself(void **state) {
    (void)state;
    struct login_throttle *throttle = started();
    note_failure(throttle, "2001:db8::1", NOW_MS);
    note_failure(throttle, "2001:db8::2", NOW_MS);
    note_failure(throttle, "2001:db8::ffff:1", NOW_MS);
    assert_true(wait_of(throttle, "2001:db8::3", NOW_MS) > 0);
    assert_int_equal(wait_of(throttle, "2001:db8:0:1::3", NOW_MS), 0);
    for (int i = 0; i < LIMIT; i++)
        note_failure(throttle, "::ffff:192.0.2.9", NOW_MS);
    assert_true(wait_of(throttle, "192.0.2.9", NOW_MS) > 0);
    login_throttle_free(throttle);
}

static void the_own_machine_is_never_counted(void **state) {
    (void)state;
    static const char *const own[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct login_throttle *throttle = started();
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        for (int j = 0; j < 10 * LIMIT; j++)
            note_failure(throttle, own[i], NOW_MS);
        assert_int_equal(wait_of(throttle, own[i], NOW_MS), 0);
    }
    for (int j = 0; j < 10 * LIMIT; j++) {
        assert_int_equal(login_throttle_begin(throttle, (const struct sockaddr *)&local, NOW_MS),
                         0);
        login_throttle_end(throttle, (const struct sockaddr *)&local, true, NOW_MS);
    }
    assert_int_equal(login_throttle_begin(throttle, NULL, NOW_MS), 0);
    assert_int_equal(login_throttle_begin(NULL, (const struct sockaddr *)&local, NOW_MS), 0);
    login_throttle_free(throttle);
}

/* More addresses than there are places push out each other, but not who failed often. */
static void a_flood_of_addresses_does_not_free_who_waits(void **state) {
    (void)state;
    char text[32];
    struct login_throttle *throttle = started();
    for (int i = 0; i < LIMIT; i++)
        note_failure(throttle, "192.0.2.7", NOW_MS);
    for (unsigned i = 0; i < 200000; i++) {
        (void)snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        note_failure(throttle, text, NOW_MS);
    }
    assert_true(wait_of(throttle, "192.0.2.7", NOW_MS) > 0);
    login_throttle_free(throttle);
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_fails_too_often_waits_for_the_period_to_end),
        cmocka_unit_test(those_under_way_count_until_they_end),
        cmocka_unit_test(those_under_way_outlast_the_period_that_they_began_in),
        cmocka_unit_test(ipv6_counts_by_64_bits_and_mapped_ipv4_as_itself),
        cmocka_unit_test(the_own_machine_is_never_counted),
        cmocka_unit_test(a_flood_of_addresses_does_not_free_who_waits),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}

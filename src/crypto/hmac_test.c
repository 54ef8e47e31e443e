/* Compared with the test vectors of RFC 4231. */
#include "crypto/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void it_gives_what_rfc_4231_says(void **state) {
    (void)state;
    char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    const struct {
        struct text key, message;
        const char *hex;
    } cases[] = {
        { TEXT("Jefe"), TEXT("what do ya want for nothing?"),
          "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843" },
        { { long_key, 20 },
          { "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
            "\xdd"
            "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
            "\xdd"
            "\xdd\xdd\xdd\xdd\xdd\xdd",
            50 },
          "773EA91E36800E46854DB8EBD09181A72959098B3EF8C122D9635514CED565FE" },
        { { long_key, sizeof long_key },
          TEXT("Test Using Larger Than Block-Size Key - Hash Key First"),
          "60E431591EE0B67F0D8A26AACBF5B77F8E0BC6213728C5140546040F0EE37F54" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[HMAC_HEX_SIZE + 1];
        hmac_sha256_hex(cases[i].key, cases[i].message, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(it_gives_what_rfc_4231_says) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

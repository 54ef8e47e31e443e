#ifndef ROSTER_TESTS_FUZZ_FUZZ_H
#define ROSTER_TESTS_FUZZ_FUZZ_H

/* One file a parser: libFuzzer calls it with bytes, the sanitizers judge, and what must hold of
 * each result is required. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void require(int holds) {
    if (!holds)
        abort();
}

#endif

#ifndef ROSTER_TESTS_TORTURE_TORTURE_H
#define ROSTER_TESTS_TORTURE_TORTURE_H

/* Shared by the programs of this folder besides disk and world. Include cmocka.h first. */

/** A number of the environment, or `otherwise`. */
unsigned long torture_number(const char *name, unsigned long otherwise);

/**
 * A group's setup: installs the disk with SEED, and silences standard error, where
 * the store says what goes wrong, which here is nearly everything.
 */
int torture_begin(void **state);

/** Fails the running test and says why, where it is seen although standard error is silent. */
__attribute__((format(printf, 1, 2), noreturn)) void torture_fail(const char *format, ...);

#endif

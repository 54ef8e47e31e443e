#ifndef ROSTER_BASE_TIME_H
#define ROSTER_BASE_TIME_H

#include "base/text.h"

/** Room for a formatted time, without NUL. */
enum { TIME_TEXT_MAX = 24 };

/** The limits of what can be stored: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z, in ms. */
#define TIME_MIN_MS INT64_C(-62135596800000)
#define TIME_MAX_MS INT64_C(253402300799999)

/** Milliseconds since 1970-01-01T00:00:00Z by the wall clock. */
int64_t time_now_ms(void);

/** The same, as of the last tick of the kernel's timer (at most 10 ms ago). Cheaper. */
int64_t time_coarse_ms(void);

/** Milliseconds since an arbitrary point in the past, by a clock that is never set back. */
int64_t time_monotonic_ms(void);

/** As time_monotonic_ms, by a clock that also goes on while the machine is suspended. */
int64_t time_boot_ms(void);

/** time_monotonic_ms in microseconds. */
int64_t time_monotonic_us(void);

/** Days since 1970-01-01 of a date in the proleptic Gregorian calendar; month 1 to 12. */
int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day);

/**
 * Writes `ms` (between TIME_MIN_MS and TIME_MAX_MS) as `2025-01-15T10:30:00Z`, with `.123` before
 * the Z only when it is not .000 (RFC 3339). `out` has TIME_TEXT_MAX bytes; returns the length.
 */
size_t time_format(int64_t ms, char *out);

/** Reads a time in the form that time_format writes. False if it has another form. */
bool time_read(struct text text, int64_t *ms);

#endif

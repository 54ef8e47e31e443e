/* The clocks, and times as text. A time is a number of milliseconds since 1970-01-01, UTC. The
 * conversions are plain arithmetic, which no time zone or locale of the system can change. */
#include "base/time.h"

#include <assert.h>
#include <time.h>

static struct timespec read_clock(clockid_t clock) {
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    assert(!failed);
    (void)failed;
    return now;
}

int64_t time_now_ms(void) {
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_coarse_ms(void) {
    struct timespec now = read_clock(CLOCK_REALTIME_COARSE);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_monotonic_us(void) {
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t time_monotonic_ms(void) {
    return time_monotonic_us() / 1000;
}

int64_t time_boot_ms(void) {
    struct timespec now = read_clock(CLOCK_BOOTTIME);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Both conversions shift the year to begin on 1 March, so that the leap day is its last day, and
 * count in eras of 400 years, which always have 146097 days. Day 0 is 1 March of year 0. */
enum { DAYS_TO_1970 = 719468, DAYS_OF_ERA = 146097 };

int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400; /* rounded down */
    int64_t year_of_era = year - era * 400;
    /* From March on, five months always have 153 days: 31, 30, 31, 30, 31. */
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_OF_ERA + day_of_era - DAYS_TO_1970;
}

static void put_digits(char *out, int64_t number, int digits) {
    while (digits--) {
        out[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

size_t time_format(int64_t ms, char *out) {
    assert(ms >= TIME_MIN_MS && ms <= TIME_MAX_MS);
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) { /* before 1970: `/` rounds towards 0 */
        rest += 86400000;
        days--;
    }
    days += DAYS_TO_1970;
    /* Takes the leap days of the era out, one for each 4 years but the 100th, 200th and 300th. */
    int64_t era = days / DAYS_OF_ERA, day_of_era = days % DAYS_OF_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;

    memcpy(out, "0000-00-00T00:00:00Z", 20);
    put_digits(out, era * 400 + year_of_era + (month <= 2), 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day_of_year - (153 * shifted + 2) / 5 + 1, 2);
    put_digits(out + 11, rest / 3600000, 2);
    put_digits(out + 14, rest / 60000 % 60, 2);
    put_digits(out + 17, rest / 1000 % 60, 2);
    if (rest % 1000 == 0)
        return 20;
    memcpy(out + 19, ".000Z", 5);
    put_digits(out + 20, rest % 1000, 3);
    return 24;
}

static bool read_digits(const char *at, int digits, unsigned *number) {
    *number = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned)at[i] - '0';
        if (digit > 9)
            return false;
        *number = *number * 10 + digit;
    }
    return true;
}

bool time_read(struct text text, int64_t *ms) {
    unsigned year, month, day, hour, minute, second, rest = 0;
    const char *at = text.at;
    if ((text.len != 20 && text.len != 24) || at[4] != '-' || at[7] != '-' || at[10] != 'T' ||
        at[13] != ':' || at[16] != ':' || at[19] != (text.len == 20 ? 'Z' : '.') ||
        at[text.len - 1] != 'Z')
        return false;
    if (!read_digits(at, 4, &year) || !read_digits(at + 5, 2, &month) ||
        !read_digits(at + 8, 2, &day) || !read_digits(at + 11, 2, &hour) ||
        !read_digits(at + 14, 2, &minute) || !read_digits(at + 17, 2, &second) ||
        (text.len == 24 && !read_digits(at + 20, 3, &rest)))
        return false;
    *ms = time_days_from_civil(year, month, day) * 86400000 + hour * INT64_C(3600000) +
          minute * INT64_C(60000) + second * INT64_C(1000) + rest;
    return *ms >= TIME_MIN_MS && *ms <= TIME_MAX_MS;
}

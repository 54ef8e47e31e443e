#ifndef ROSTER_RULES_DATE_H
#define ROSTER_RULES_DATE_H

#include "base/arena.h"
#include "base/time.h"

/**
 * Reads a date and time in the forms of RFC 3339 and ISO 8601, such as `2025-01-15T10:30:00Z`, as
 * milliseconds since 1970 (UTC).
 *  - The separator is `T`, `t` or a blank.
 *  - Seconds may be missing (`2025-01-15T10:30`). A fraction of 1 to 9 digits is cut to
 * milliseconds.
 *  - The zone is `Z`, `z`, `+hh:mm`, `+hhmm`, `+hh` (or `-`). Without a zone it is UTC.
 *  - A date alone is midnight, UTC.
 *  - Second 60 counts as second 0 of the next minute (RFC 3339 section 5.7).
 * False for everything else: dates that do not exist, hour 24, years outside 1 to 9999 (also after
 * the zone is applied), and other text around it.
 */
bool date_parse(struct text text, int64_t *ms) __attribute__((warn_unused_result));

/**
 * Restores the plus before a zone's offset, which arrives as a blank when a form or a query does
 * not escape it. Other texts stay as they are. `at` is NULL only if there is no memory.
 */
struct text date_with_plus(struct text text, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * Like date_parse, and also tells the unit of what is written: a day, a minute, a second, or a
 * millisecond if there is a fraction.
 */
bool date_parse_unit(struct text text, int64_t *ms, int64_t *unit_ms)
    __attribute__((warn_unused_result));

#endif

#ifndef ROSTER_RULES_DATE_H
#define ROSTER_RULES_DATE_H

#include "base/arena.h"
#include "base/time.h"

/**
 * Reads a date-time as RFC 3339 or ISO 8601 writes it in JSON: `2025-01-15T10:30:00Z`. The
 * separator may be `T`, `t` or a blank; seconds may be missing (`2025-01-15T10:30`); a fraction of
 * 1 to 9 digits is cut to milliseconds; the zone is `Z`, `z`, `+hh:mm`, `+hhmm`, `+hh` (or `-`), or
 * missing, which means UTC. A date alone is midnight UTC. Second 60 is taken as the next minute's
 * 0 (RFC 3339 section 5.7). False for all else: impossible dates, hour 24, years outside 1 to 9999
 * (also after the zone is applied), text around it.
 */
bool date_parse(struct text text, int64_t *ms) __attribute__((warn_unused_result));

/**
 * A date-time as a form or a query has it: an unescaped plus before the zone's offset comes as a
 * blank. `at` NULL only when memory is short.
 */
struct text date_with_plus(struct text text, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * The same, with the length of what it names: a day, a minute or a second where nothing finer is
 * written, else a millisecond.
 */
bool date_parse_unit(struct text text, int64_t *ms, int64_t *unit_ms)
    __attribute__((warn_unused_result));

#endif

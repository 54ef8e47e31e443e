/* Dates and times of clients. The take_ functions move the cursor over what they accept, and return
 * false otherwise. */
#include "rules/date.h"

struct cursor {
    const char *at, *end;
    int64_t unit_ms; /* of the smallest part that was read */
};

static bool take(struct cursor *cursor, char wanted) {
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

static bool take_number(struct cursor *cursor, int digits, int *number) {
    *number = 0;
    for (; digits; digits--) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
            return false;
        *number = *number * 10 + (*cursor->at++ - '0');
    }
    return true;
}

static int days_of_month(int year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

static bool take_date(struct cursor *cursor, int64_t *ms) {
    int year, month, day;
    if (!take_number(cursor, 4, &year) || !take(cursor, '-') || !take_number(cursor, 2, &month) ||
        !take(cursor, '-') || !take_number(cursor, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *ms = time_days_from_civil(year, (unsigned)month, (unsigned)day) * 86400000;
    cursor->unit_ms = 86400000;
    return true;
}

/* 1 to 9 digits, of which the first three count. */
static bool take_fraction(struct cursor *cursor, int64_t *ms) {
    int weight = 100, digits = 0, digit;
    while (digits < 9 && take_number(cursor, 1, &digit)) {
        *ms += (int64_t)digit * weight;
        weight /= 10;
        digits++;
    }
    cursor->unit_ms = 1;
    return digits > 0;
}

static bool take_time(struct cursor *cursor, int64_t *ms) {
    int hour, minute, second = 0;
    if (!take_number(cursor, 2, &hour) || !take(cursor, ':') || !take_number(cursor, 2, &minute))
        return false;
    bool has_seconds = take(cursor, ':');
    if (has_seconds && !take_number(cursor, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ms += ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    cursor->unit_ms = has_seconds ? 1000 : 60000;
    if (has_seconds && (take(cursor, '.') || take(cursor, ',')))
        return take_fraction(cursor, ms);
    return true;
}

static bool take_zone(struct cursor *cursor, int64_t *ms) {
    int hours, minutes = 0;
    if (cursor->at == cursor->end || take(cursor, 'Z') || take(cursor, 'z'))
        return true;
    bool is_east = take(cursor, '+');
    if ((!is_east && !take(cursor, '-')) || !take_number(cursor, 2, &hours))
        return false;
    bool has_colon = take(cursor, ':');
    if ((has_colon || cursor->at != cursor->end) && !take_number(cursor, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    int64_t offset = (hours * 60 + minutes) * INT64_C(60000);
    *ms += is_east ? -offset : offset;
    return true;
}

bool date_parse_unit(struct text text, int64_t *ms, int64_t *unit_ms) {
    if (!text.len)
        return false;
    struct cursor cursor = { text.at, text.at + text.len, 0 };
    if (!take_date(&cursor, ms))
        return false;
    if (cursor.at != cursor.end) {
        if (!take(&cursor, 'T') && !take(&cursor, 't') && !take(&cursor, ' '))
            return false;
        if (!take_time(&cursor, ms) || !take_zone(&cursor, ms))
            return false;
    }
    *unit_ms = cursor.unit_ms;
    return cursor.at == cursor.end && *ms >= TIME_MIN_MS && *ms <= TIME_MAX_MS;
}

bool date_parse(struct text text, int64_t *ms) {
    int64_t unit_ms;
    return date_parse_unit(text, ms, &unit_ms);
}

struct text date_with_plus(struct text text, struct arena *arena) {
    const size_t time = sizeof "2025-01-15T" - 1; /* a blank before it is no offset's */
    const char *blank = text.len > time ? memrchr(text.at + time, ' ', text.len - time) : NULL;
    if (!blank)
        return text;
    char *copy = arena_alloc(arena, text.len);
    if (copy) {
        memcpy(copy, text.at, text.len);
        copy[blank - text.at] = '+';
    }
    return (struct text){ copy, text.len };
}

#ifndef ROSTER_HTTP_HEAD_H
#define ROSTER_HTTP_HEAD_H

#include "http/head_check.h"
#include "http/http.h"

enum {
    HEAD_MAX = 16 * 1024, /* bytes of a whole head, whatever it is made of */
};

/** A header; both are NUL-terminated besides. */
struct header {
    struct text name, value;
};

/** The contents of a head. The texts are in the exchange's arena. */
struct head {
    struct arena *arena; /* set before head_parse */
    struct header *headers;
    unsigned count;
    enum method method;
    bool is_head;            /* HEAD; `method` is METHOD_GET */
    struct text path, query; /* as sent, still percent-encoded; query `at` NULL: none */
};

/** How far the bytes of a head are known. Zeroed at its begin. */
struct head_scan {
    uint32_t scanned; /* bytes that were looked at */
    uint32_t skipped; /* of empty lines before the request line */
    uint32_t line;    /* where the line that is looked at begins */
    uint32_t lines;   /* whole ones, without the empty ones before */
    bool is_whole;    /* the head ends at `scanned` */
};

/**
 * Scans a head as it grows: `bytes` are all of it that came so far, and may go on behind its end.
 * STATUS_OK: no error so far; `is_whole` is set when the end was found. An error does not depend on
 * how the bytes were split: BAD_INPUT with a sentence in `reason`, NOT_IMPLEMENTED (method),
 * VERSION, TARGET_TOO_LONG or HEAD_TOO_LARGE. RFC 9112 sections 2 to 5.
 */
enum status head_scan(struct head_scan *scan, const char *bytes, size_t size,
                      const char **reason) MUST_CHECK;

/**
 * Takes a whole head apart, which head_scan found nothing wrong with, and shows it to the check.
 * `bytes` (`size` of them, from the request line to the empty line) are written to, for the NULs,
 * and must live as long as the head. BAD_INPUT with a sentence in `reason`, or BROKEN: no memory.
 */
enum status head_parse(struct head *head, const struct head_scan *scan, struct text bytes,
                       struct head_check *check, const char **reason) MUST_CHECK;

/** Sets method and is_head; METHOD_OTHER for one that is not served. */
void head_set_method(struct head *head, struct text method);

/**
 * Splits a request target into path and query (RFC 9112 section 3.2); `*authority` gets that of the
 * absolute form, `at` NULL: none. False when it is no target of the head's method.
 */
bool head_set_target(struct head *head, struct text target, struct text *authority) MUST_CHECK;

/** The value of the first header of that name (case aside); `at` NULL when there is none. */
struct text head_value(const struct head *head, struct text name) MUST_CHECK;

#endif

#ifndef ROSTER_HTTP_HEAD_H
#define ROSTER_HTTP_HEAD_H

#include "http/head_check.h"
#include "http/http.h"

enum {
    HEAD_MAX = 16 * 1024, /* bytes of a whole head */
};

/** A header. Both texts are also NUL-terminated. */
struct header {
    struct text name, value;
};

/** A parsed head. Its texts lie in the exchange's arena. */
struct head {
    struct arena *arena; /* to be set before head_parse */
    struct header *headers;
    unsigned count;
    enum method method;
    bool is_head;            /* HEAD; `method` is METHOD_GET */
    struct text path, query; /* as sent, still percent-encoded; query `at` NULL: none */
};

/** How far the bytes of a head have been scanned. Zeroed at the beginning. */
struct head_scan {
    uint32_t scanned; /* bytes that were scanned */
    uint32_t skipped; /* bytes of empty lines before the request line */
    uint32_t line;    /* where the current line begins */
    uint32_t lines;   /* complete lines, without the empty ones before the request line */
    bool is_whole;    /* the head ends at `scanned` */
};

/**
 * Scans a head as it arrives. `bytes` are all bytes of it so far, and may go beyond its end.
 * STATUS_OK: nothing is wrong so far, and `is_whole` tells whether the end was found. Otherwise
 * BAD_INPUT with a sentence in `reason`, NOT_IMPLEMENTED (method), VERSION, TARGET_TOO_LONG or
 * HEAD_TOO_LARGE. The result does not depend on how the network split the bytes. RFC 9112 sections
 * 2 to 5.
 */
enum status head_scan(struct head_scan *scan, const char *bytes, size_t size,
                      const char **reason) MUST_CHECK;

/**
 * Parses a complete head that head_scan has accepted, and adds its headers to `check`. `bytes` go
 * from the request line to the empty line; they are written to (NULs) and must live as long as the
 * head. BAD_INPUT with a sentence in `reason`, or INTERNAL: no memory.
 */
enum status head_parse(struct head *head, const struct head_scan *scan, struct text bytes,
                       struct head_check *check, const char **reason) MUST_CHECK;

/** Sets method and is_head. METHOD_OTHER: the method is not served. */
void head_set_method(struct head *head, struct text method);

/**
 * Splits a request target into path and query (RFC 9112 section 3.2). `*authority` gets the
 * authority of the absolute form; `at` NULL: the target has another form. False if it is no target
 * for the head's method.
 */
bool head_set_target(struct head *head, struct text target, struct text *authority) MUST_CHECK;

/**
 * The value of the first header of that name, compared without case; `at` NULL if there is none.
 */
struct text head_value(const struct head *head, struct text name) MUST_CHECK;

#endif

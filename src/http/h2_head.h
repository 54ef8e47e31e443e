#ifndef ROSTER_HTTP_H2_HEAD_H
#define ROSTER_HTTP_H2_HEAD_H

#include "http/head.h"

/* The head of an HTTP/2 request: a list of fields, which nghttp2 decompresses one after the
 * other. */

/** The fields that have arrived so far. Zeroed at the beginning; `bytes` is allocated by malloc. */
struct field_list {
    char *bytes; /* each field: its two lengths, its name, NUL, its value, NUL */
    uint32_t size, capacity;
    uint32_t count;
    size_t listed; /* bytes of all fields as RFC 9113 section 6.5.2 counts them */
};

/**
 * Adds a field. A field that makes the list larger than HEAD_MAX is counted but not kept, nor is
 * any after it. False: no memory.
 */
bool fields_add(struct field_list *list, struct text name, struct text value) MUST_CHECK;

/** True if the list is larger than HEAD_MAX. */
bool fields_are_too_many(const struct field_list *list) MUST_CHECK;

/** Frees the fields; the list is empty afterwards. */
void fields_drop(struct field_list *list);

/**
 * Makes a head of the list and adds its fields to `check`. :authority becomes the Host header. The
 * texts are copied into the head's arena. BAD_INPUT: malformed (RFC 9113 section 8.1.1);
 * NOT_IMPLEMENTED (method); INTERNAL: no memory. `method` and `is_head` are set in any case.
 */
enum status fields_read(const struct field_list *list, struct head *head,
                        struct head_check *check) MUST_CHECK;

#endif

#ifndef ROSTER_SERVICE_OPERATOR_PRINT_H
#define ROSTER_SERVICE_OPERATOR_PRINT_H

#include "base/buffer.h"
#include "model/record.h"

/*
 * Users as the operator's commands print them. Texts for the terminal contain no control
 * characters. All functions set the buffer's `failed` if there is no memory. Any thread.
 */

/** Adds the record as replies show it, and a line break. */
void operator_print_json(struct buffer *out, const struct record *user);

/** Adds a line for each field that is shown and has a value; of secrets only that they have one. */
void operator_print_record(struct buffer *out, const struct record *user);

/** Adds a line with the user's Id and e-mail address, and `done`. */
void operator_print_done(struct buffer *out, const struct record *user, const char *done);

/** Adds the heading of a list, and a line for each record of a page of JSON (store_search). */
void operator_print_heading(struct buffer *out);
void operator_print_rows(struct buffer *out, struct text page);

#endif

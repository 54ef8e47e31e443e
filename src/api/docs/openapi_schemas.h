#ifndef ROSTER_API_OPENAPI_SCHEMAS_H
#define ROSTER_API_OPENAPI_SCHEMAS_H

/* Schemas of the OpenAPI description (openapi.c), written once, at the start. Each function writes
 * one or more members of the object `schemas`, after a comma; `out` fails when there is no memory.
 */

#include "base/buffer.h"
#include "model/field.h"

/** The use of a schema: a field looks different in a body and in a record. */
enum openapi_place { IN_RECORD, IN_LIST, IN_CREATE, IN_UPDATE, IN_REPLACE, IN_PATCH };
struct openapi_use {
    enum openapi_place place;
    bool nexudus; /* compatibility = nexudus */
};

/** The schema of a table's rows, or of a body that is read by the table. Its name is that of the
 * entity, and then `suffix`. */
void openapi_add_schema(struct buffer *out, const struct table *table, const char *suffix,
                        struct openapi_use use);

/** Account: the caller's record with the members that GET /api/auth/me adds to it. */
void openapi_add_account_schema(struct buffer *out, bool nexudus);

/** A page that a search replies, and its records: those of lists leave out some members. */
void openapi_add_page_schema(struct buffer *out, const struct table *table, bool nexudus);

#endif

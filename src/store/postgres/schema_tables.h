#ifndef ROSTER_STORE_POSTGRES_SCHEMA_TABLES_H
#define ROSTER_STORE_POSTGRES_SCHEMA_TABLES_H

/* The SQL that creates the schema. */

#include "base/buffer.h"
#include "model/field.h"

/** Creates the table `turn` and its row, if they are not there. */
extern const char pg_turn_sql[];

/** The type of a field's column, as PostgreSQL's format_type names it. */
struct text pg_column_type(const struct field *field);

/** Appends the definition of the column of a field, without its name. */
void pg_add_column_type(struct buffer *sql, const struct field *field);

/** Appends the SQL that creates the table of a resource, its indexes and what is counted for it. */
void pg_add_resource(struct buffer *sql, const struct table *table);

/** Appends the SQL that creates the index of a field; nothing for a field that has none. */
void pg_add_index(struct buffer *sql, const struct table *table, const struct field *field);

/** Appends the SQL that makes room for the texts of a searched field, and for its addresses. */
void pg_add_texts(struct buffer *sql, const struct table *table, const struct field *field);

/** Appends the SQL that creates the views. */
void pg_add_views(struct buffer *sql);

/** Appends the SQL that creates everything, in an empty schema that has the table `turn`. */
void pg_add_everything(struct buffer *sql);

#endif

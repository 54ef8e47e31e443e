#ifndef ROSTER_STORE_POSTGRES_DIALECT_H
#define ROSTER_STORE_POSTGRES_DIALECT_H

/* PostgreSQL's definitions of the words that statements.def explains. The functions are made with
 * the schema (schema_tables.c). */

#define ANY_OF(list) " = ANY (" list ")"
#define BY_INDEX(name) ""
#define SAME_WITHOUT_CASE(a, b) "lower(" a ") = lower(" b " COLLATE \"C\")"
#define FROM_ROW(number) " OFFSET " number
#define IS_SOUND(table, id, columns) "1" /* its pages have sums */
#define RANDOM_ID "floor(random() * 9007199254740991)::bigint + 1"
#define DERIVED_GUID(kind, id) "derived_guid(" kind ", " id ")"
#define JSON_AUTHOR(text) "json_author(" text ")"
#define JSON_WITH_AUTHOR(text, author) "json_with_author(" text ", " author ")"

#endif

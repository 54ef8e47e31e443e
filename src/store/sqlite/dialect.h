#ifndef ROSTER_STORE_SQLITE_DIALECT_H
#define ROSTER_STORE_SQLITE_DIALECT_H

/* SQLite's definitions of the words that statements.def explains. */

#define ANY_OF(list) " IN (SELECT value FROM json_each(" list "))"
#define BY_INDEX(name) " INDEXED BY " name
#define WITHOUT_CASE " COLLATE NOCASE"
#define SAME_WITHOUT_CASE(a, b) a " = " b WITHOUT_CASE
#define FROM_ROW(number) " LIMIT -1 OFFSET " number
#define IS_SOUND(table, id, columns) "row_is_sound('" table "', " id ", row_sum, " columns ")"
#define RANDOM_ID "abs(random() % 9007199254740991) + 1"

/* A version 8 UUID (RFC 9562 section 5.8): 48 bits of the database, the kind of row, the row's Id.
 */
#define DERIVED_GUID(kind, id)                                                                     \
    "(SELECT printf('%s-8%03x-%04x-%012x', prefix, " kind ", 0x8000 | (" id " >> 48), " id         \
    " & 0xffffffffffff) FROM database_guid)"

#define JSON_AUTHOR(text) "CASE WHEN json_valid(" text ") THEN " text " ->> '$[0].UpdatedBy' END"
#define JSON_WITH_AUTHOR(text, author) "json_set(" text ", '$[0].UpdatedBy', " author ")"

#endif

/* SQLite's spelling of the SQL that record keeping composes; see store/engine.h. */
#include "store/engine.h"
#include "store/sqlite/dialect.h"

const struct engine_spelling engine_any_of = { " IN (SELECT value FROM json_each(", "))" };
const struct engine_spelling engine_without_case = { "", WITHOUT_CASE };
const struct engine_spelling engine_elements = { "json_each(", ")" };
const char engine_join_in_order[] = " CROSS JOIN ";

/* instr searches blobs in place; of a text it makes a copy first, to end it with NUL. */
void engine_add_has_bytes(struct buffer *sql, const char *column, int parameter) {
    buffer_printf(sql, "instr(CAST(%s AS BLOB), CAST(?%d AS BLOB)) > 0", column, parameter);
}

/* How SQLite spells what record keeping puts together; see store/engine.h. */
#include "store/engine.h"
#include "store/sqlite/dialect.h"

const struct engine_spelling engine_any_of = { " IN (SELECT value FROM json_each(", "))" };
const struct engine_spelling engine_without_case = { "", WITHOUT_CASE };
const struct engine_spelling engine_elements = { "json_each(", ")" };
const char engine_join_in_order[] = " CROSS JOIN ";

/* As blobs they are searched where they lie; a text would be copied for the sake of its end. */
void engine_add_has_bytes(struct buffer *sql, const char *column, int parameter) {
    buffer_printf(sql, "instr(CAST(%s AS BLOB), CAST(?%d AS BLOB)) > 0", column, parameter);
}

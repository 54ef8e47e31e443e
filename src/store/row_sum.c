#include "store/row_sum.h"

#include "base/log.h"

#include <assert.h>

/* A row has many short values and Members is one long one. XXH3 is the faster of the two up to some
 * 240 bytes, and XXH64 behind that (docs/adr/0016-row-sums.md). */

void row_sum_add_value(struct row_sum *sum, struct sql_value value) {
    if (value.type == SQL_NULL)
        row_sum_add_null(sum);
    else if (value.type == SQL_INTEGER)
        row_sum_add_integer(sum, value.integer);
    else
        row_sum_add_bytes(sum, value.type, value.bytes);
}

int64_t row_sum_of_values(const struct row_sum *sum) {
    assert(sum->used <= 2 * ROW_SUM_VALUES_MAX);
    return (int64_t)XXH3_64bits(sum->words, sum->used * sizeof sum->words[0]);
}

int64_t row_sum_of_members(int64_t id, int64_t version, struct sql_value members) {
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15); /* odd: no two Ids have one product */
    uint64_t seed = ((uint64_t)id * factor + (uint64_t)version) ^ (uint64_t)members.type << 62;
    return (int64_t)XXH64(members.bytes.at, members.bytes.len, seed);
}

/* A copy for an index is not covered: it may be written only when an index changes, and is compared
 * with Members. */
static bool is_covered(const struct table *table, const struct field *field) {
    return field_has_column(table, field) && field->type != TYPE_id &&
           !(table->is_kept_as_json && field_is_kept_in_json(field));
}

void row_sum_add_columns(struct buffer *sql, const struct table *table, const char *prefix) {
    buffer_printf(sql, "%sId", prefix);
    if (!table->is_kept_as_json)
        buffer_printf(sql, ", %sVersion", prefix);
    for (unsigned i = 0; i < table->count; i++)
        if (is_covered(table, &table->fields[i]))
            buffer_printf(sql, ", %s%s", prefix, table->fields[i].name.at);
}

void row_sum_add_test(struct buffer *sql, const struct table *table) {
    buffer_printf(sql, "row_is_sound('%s', Id, row_sum, ", table->name);
    row_sum_add_columns(sql, table, "");
    buffer_add_char(sql, ')');
}

void row_sum_log(struct text table, struct text row) {
    log_error("database: %.*s: the row of %.*s is damaged, its sum is wrong: it is neither shown"
              " nor changed; rosterd check names all such rows",
              (int)table.len, table.at, (int)row.len, row.at);
}

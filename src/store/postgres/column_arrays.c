#include "store/postgres/column_arrays.h"

#include "store/postgres/parameters.h"

#include <assert.h>

/* The head of an array: its dimensions, whether it may have nulls, the type of its elements, their
 * number, and the index of the first. */
enum { HEAD_WORDS = 5, HEAD_SIZE = 4 * HEAD_WORDS, COLUMN_EXPECTED = 4096 };

/* Is there no value? */
static const uint32_t null_length = UINT32_MAX;

static void put_word(char *at, uint32_t word) {
    for (int i = 0; i < 4; i++)
        at[i] = (char)(word >> (24 - 8 * i));
}

static void add_word(struct buffer *array, uint32_t word) {
    char bytes[4];
    put_word(bytes, word);
    buffer_add(array, (struct text){ bytes, sizeof bytes });
}

static bool add_element(struct buffer *array, Oid type, const struct pg_parameter *value) {
    char integer[8];
    struct text bytes = value->bytes;
    switch (value->kind) {
    case PG_NULL: add_word(array, null_length); return true;
    case PG_INTEGER:
        bytes = (struct text){ integer, pg_integer_write(integer, type, value->integer) };
        break;
    case PG_BYTES:
        if ((type != PG_TYPE_TEXT && type != PG_TYPE_BYTEA) || bytes.len > INT32_MAX)
            return false;
        break;
    default: return false;
    }
    add_word(array, (uint32_t)bytes.len);
    buffer_add(array, bytes);
    return bytes.len || value->kind == PG_BYTES;
}

static void begin_column(struct pg_column_arrays *arrays, int at, Oid type) {
    static const char head[HEAD_SIZE];
    buffer_init(&arrays->columns[at], &arrays->arena, COLUMN_EXPECTED);
    buffer_add(&arrays->columns[at], (struct text){ head, sizeof head });
    arrays->types[at] = type;
}

bool pg_column_arrays_add(struct pg_column_arrays *arrays, const struct pg_statement *row) {
    bool added = true;
    assert(row->parameter_count <= PG_COLUMNS_MAX);
    for (int i = 0; i < row->parameter_count; i++) {
        if (!arrays->rows)
            begin_column(arrays, i, row->types[i]);
        assert(arrays->types[i] == row->types[i]);
        added &= add_element(&arrays->columns[i], row->types[i], &row->parameters[row->order[i]]) &&
                 !arrays->columns[i].failed;
    }
    arrays->count = row->parameter_count;
    arrays->rows++;
    return added;
}

void pg_column_arrays_bind(struct pg_column_arrays *arrays, struct pg_statement *statement) {
    for (int i = 0; i < arrays->count; i++) {
        char *head = arrays->columns[i].at;
        const uint32_t words[HEAD_WORDS] = { 1, 1, arrays->types[i], arrays->rows, 1 };
        for (int j = 0; j < HEAD_WORDS; j++)
            put_word(head + (ptrdiff_t)4 * j, words[j]);
        statement->parameters[i] =
            (struct pg_parameter){ .kind = PG_BINARY, .bytes = buffer_text(&arrays->columns[i]) };
    }
}

static const char *array_type(Oid type) {
    switch (type) {
    case PG_TYPE_INT2: return "smallint[]";
    case PG_TYPE_INT8: return "bigint[]";
    case PG_TYPE_BYTEA: return "bytea[]";
    default: assert(type == PG_TYPE_TEXT); return "text[]";
    }
}

void pg_column_arrays_add_sql(struct buffer *sql, const struct pg_statement *row) {
    for (int i = 0; i < row->parameter_count; i++)
        buffer_printf(sql, "%sCAST(?%d AS %s)", i ? ", " : "", i + 1, array_type(row->types[i]));
}

void pg_column_arrays_mark(const struct pg_column_arrays *arrays, struct pg_column_mark *mark) {
    mark->rows = arrays->rows;
    for (int i = 0; arrays->rows && i < arrays->count; i++)
        mark->lengths[i] = arrays->columns[i].len;
}

/* Without rows, the next one that is added begins the columns. */
void pg_column_arrays_cut(struct pg_column_arrays *arrays, const struct pg_column_mark *mark) {
    arrays->rows = mark->rows;
    for (int i = 0; arrays->rows && i < arrays->count; i++)
        arrays->columns[i].len = mark->lengths[i];
}

void pg_column_arrays_forget(struct pg_column_arrays *arrays) {
    arrays->rows = 0;
    arena_close(&arrays->arena);
}

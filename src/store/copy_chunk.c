/* Writes the rows of a copy. The texts that searches look into are not copied, since each engine
 * keeps them in a form of its own: they are made of the rows. */
#include "store/copy_chunk.h"

#include "base/buffer.h"
#include "base/container_of.h"
#include "rules/fold.h"
#include "store/engine.h"

#include <stdlib.h>

enum { CHUNK_ROWS = 1000, CHUNK_BYTES = 4 * 1024 * 1024 };

bool chunk_open(struct chunk *chunk, struct store *to) {
    *chunk = (struct chunk){ .to = to };
    chunk->values = calloc((size_t)CHUNK_ROWS * COPIED_COLUMNS_MAX, sizeof *chunk->values);
    return chunk->values;
}

void chunk_close(struct chunk *chunk) {
    arena_close(&chunk->arena);
    free(chunk->values);
}

void chunk_begin_table(struct chunk *chunk, const struct copied *copied) {
    chunk->copied = copied;
    chunk->columns = copied_count_columns(copied);
    chunk->is_first = true;
}

/* ---- Writing ---- */

/* Makes a field's texts of the rows, each after the Id of its record. */
static size_t fold_texts(const struct chunk *chunk, unsigned column, struct arena *arena,
                         struct sql_value *texts) {
    size_t count = 0;
    for (size_t i = 0; i < chunk->rows; i++) {
        const struct sql_value *row = chunk->values + i * chunk->columns;
        if (row[column].type == SQL_NULL)
            continue;
        texts[2 * count] = row[0];
        texts[2 * count + 1] =
            (struct sql_value){ .type = SQL_TEXT, .bytes = fold(row[column].bytes, arena) };
        count++;
    }
    return count;
}

static enum status index_texts(struct store_tx *tx, const struct chunk *chunk) {
    const struct table *table = chunk->copied->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; table && status == STATUS_OK && i < table->count; i++) {
        const struct text_index index = { tx->session, table, &table->fields[i] };
        struct arena arena = { 0 };
        if (!(index.field->flags & SEARCHED))
            continue;
        struct sql_value *texts = arena_calloc(&arena, 2 * chunk->rows, sizeof *texts);
        const size_t count =
            texts ? fold_texts(chunk, copied_column_of(table, i), &arena, texts) : 0;
        status = arena.failed ? STATUS_INTERNAL : text_index_set_all(&index, texts, count);
        arena_close(&arena);
    }
    return status;
}

static void add_insert_sql(struct buffer *sql, const struct chunk *chunk) {
    buffer_printf(sql, "INSERT INTO %s (%s) VALUES (?1", chunk->copied->name,
                  chunk->copied->columns);
    for (unsigned i = 1; i < chunk->columns; i++)
        buffer_printf(sql, ", ?%u", i + 1);
    buffer_add_char(sql, ')');
    buffer_add_char(sql, '\0');
}

static enum status clear(struct store_tx *tx, const struct copied *copied, struct arena *arena) {
    struct text sql = arena_printf(arena, "DELETE FROM %s WHERE %s", copied->name,
                                   copied->where ? copied->where : "1 = 1");
    return sql.at ? sql_run(tx->session, sql.at) : STATUS_INTERNAL;
}

/* Its target may run this again. */
static enum status write_chunk(struct store_tx *tx, struct store_command *command) {
    const struct chunk *chunk = container_of(command, struct chunk, writing);
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    add_insert_sql(&sql, chunk);
    enum status status = sql.failed ? STATUS_INTERNAL : STATUS_OK;
    if (status == STATUS_OK && chunk->is_first)
        status = clear(tx, chunk->copied, &arena);
    if (status == STATUS_OK && chunk->rows) {
        struct sql_statement *statement = sql_prepare(tx->session, sql.at);
        status = sql_execute_rows(statement, chunk->values, chunk->columns, chunk->rows);
        sql_free(statement);
        if (status == STATUS_OK)
            status = index_texts(tx, chunk);
    }
    arena_close(&arena);
    return status;
}

enum status chunk_flush(struct chunk *chunk) {
    chunk->writing = (struct store_command){ .on_behalf_of = &store_nobody,
                                             .writes_much = true,
                                             .run = write_chunk };
    enum status status = store_run(chunk->to, &chunk->writing);
    chunk->rows = chunk->bytes = 0;
    chunk->is_first = false;
    arena_close(&chunk->arena);
    chunk->arena = (struct arena){ 0 };
    return status;
}

/* ---- Collecting ---- */

static bool keep(struct chunk *chunk, unsigned column, struct sql_value *kept) {
    if (kept->type != SQL_TEXT && kept->type != SQL_BYTES)
        return true;
    if (column < 32 && chunk->copied->texts >> column & 1)
        kept->type = SQL_TEXT;
    chunk->bytes += kept->bytes.len;
    kept->bytes = arena_text(&chunk->arena, kept->bytes);
    return kept->bytes.at;
}

enum status chunk_add(struct chunk *chunk, const struct sql_value *values) {
    struct sql_value *row = chunk->values + chunk->rows++ * chunk->columns;
    for (unsigned i = 0; i < chunk->columns; i++) {
        row[i] = values[i];
        if (!keep(chunk, i, &row[i]))
            return STATUS_INTERNAL;
    }
    return chunk->rows == CHUNK_ROWS || chunk->bytes >= CHUNK_BYTES ? chunk_flush(chunk)
                                                                    : STATUS_OK;
}

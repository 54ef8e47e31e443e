/* Packed rows: four bytes of head (which dictionary; a bit that says whether there are members that
 * are not in it; how long the JSON is), then an LZ4 block. */
#include "store/row_compression.h"

#include "base/log.h"
#include "json/json.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>

enum { HEAD_SIZE = 4, DICTIONARIES_MAX = 255, HAS_MORE = 1 << 7, JSON_MAX = (1 << 23) - 1 };

/* What a connection knows of the dictionaries. The first is number 1. */
struct packing {
    struct arena arena;
    struct text dictionaries[DICTIONARIES_MAX + 1];
    struct text typical[TABLES]; /* what those of this version's fields are, `at` NULL: has none */
    unsigned own[TABLES];        /* and which they are; 0: not there */
    LZ4_stream_t *stream;        /* to pack with; made by the first who packs */
};

void packing_free(struct packing *packing) {
    if (!packing)
        return;
    (void)LZ4_freeStream(packing->stream); /* it always says 0, and takes NULL */
    arena_close(&packing->arena);
    free(packing);
}

static unsigned table_called(struct text name) {
    unsigned number = 0;
    while (number < TABLES && !text_equal(text_of(tables[number]->name), name))
        number++;
    return number;
}

/* The JSON of a record with nothing in it but what most have. */
static bool make_typical(struct packing *packing, const struct table *table) {
    struct record record = record_new(table, &packing->arena);
    struct buffer json;
    if (!table->is_kept_as_json)
        return true;
    buffer_init(&json, &packing->arena, 4096);
    if (record.values)
        json_add_record(&json, &record);
    packing->typical[table->number] = buffer_text(&json);
    return record.values && !json.failed;
}

static enum status load(struct store_view *view, struct packing *packing) {
    enum status status;
    for (unsigned i = 0; i < TABLES; i++)
        if (!make_typical(packing, tables[i]))
            return STATUS_BROKEN;
    sqlite3_stmt *statement = view_statement(view, SQL_dictionaries);
    while ((status = view_step(view, statement)) == STATUS_OK) {
        int64_t number = sqlite3_column_int64(statement, 0);
        unsigned table = table_called(column_text(statement, 1, &packing->arena));
        struct text text = column_text(statement, 2, &packing->arena);
        if (number < 1 || number > DICTIONARIES_MAX || !text.at || text.len > INT_MAX) {
            status = STATUS_BROKEN;
            break;
        }
        packing->dictionaries[number] = text;
        if (table < TABLES &&
            text_equal(text, packing->typical[table])) /* else of another version */
            packing->own[table] = (unsigned)number;
    }
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct packing *packing_of(struct store_view *view) {
    if (view->packing)
        return view->packing;
    struct packing *packing = calloc(1, sizeof *packing);
    if (packing && load(view, packing) == STATUS_OK)
        return view->packing = packing;
    log_error("database: the dictionaries cannot be read");
    packing_free(packing);
    return NULL;
}

static enum status add_dictionary(struct store_view *view, const struct table *table,
                                  struct text text) {
    sqlite3_stmt *statement = view_statement(view, SQL_add_dictionary);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, text_of(table->name));
    bind_text(statement, 2, text);
    bind_integer(statement, 3, DICTIONARIES_MAX);
    enum status status = view_execute(view, statement);
    if (status != STATUS_OK || sqlite3_changes(view->db) == 1)
        return status;
    log_error("database: it has %d dictionaries already, and there can be no more",
              DICTIONARIES_MAX);
    return STATUS_BROKEN;
}

static void forget(struct store_view *view) {
    packing_free(view->packing); /* to be read anew, with what is new */
    view->packing = NULL;
}

enum status pack_keep_dictionaries(struct store_view *view) {
    struct packing *packing = packing_of(view);
    enum status status = packing ? STATUS_OK : STATUS_BROKEN;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (tables[i]->is_kept_as_json && !packing->own[i])
            status = add_dictionary(view, tables[i], packing->typical[i]);
    forget(view);
    return status;
}

static int compress(struct packing *packing, struct text dictionary, struct text json,
                    struct text room) {
    LZ4_resetStream_fast(packing->stream);
    (void)LZ4_loadDict(packing->stream, dictionary.at, (int)dictionary.len);
    return LZ4_compress_fast_continue(packing->stream, json.at, (char *)(uintptr_t)room.at,
                                      (int)json.len, (int)room.len, 1);
}

enum { JSON_EXPECTED = 3072 }; /* bytes; there may be more */

enum status pack(struct store_view *view, const struct record *record, struct arena *arena,
                 struct text *packed) {
    struct packing *packing = packing_of(view);
    unsigned number = packing ? packing->own[record->table->number] : 0;
    struct buffer json;
    buffer_init(&json, arena, JSON_EXPECTED);
    json_add_row(&json, record);
    if (!number || json.failed || json.len > JSON_MAX)
        return STATUS_BROKEN;
    if (!packing->stream)
        packing->stream = LZ4_createStream();
    size_t room = (size_t)LZ4_compressBound((int)json.len);
    unsigned char *out = arena_alloc(arena, HEAD_SIZE + room);
    if (!packing->stream || !out)
        return STATUS_BROKEN;
    int size = compress(packing, packing->dictionaries[number], buffer_text(&json),
                        (struct text){ (char *)out + HEAD_SIZE, room });
    if (size <= 0)
        return STATUS_BROKEN;
    out[0] = (unsigned char)number;
    out[1] = (unsigned char)(json.len >> 16 | (record->unknown.len ? HAS_MORE : 0));
    out[2] = (unsigned char)(json.len >> 8);
    out[3] = (unsigned char)json.len;
    *packed = (struct text){ (char *)out, HEAD_SIZE + (size_t)size };
    return STATUS_OK;
}

/* Another version may have added one since they were loaded. */
static struct text dictionary_called(struct store_view *view, unsigned number) {
    struct packing *packing = packing_of(view);
    if (packing && !packing->dictionaries[number].at) {
        forget(view);
        packing = packing_of(view);
    }
    return packing ? packing->dictionaries[number] : (struct text){ 0 };
}

static bool decompress(struct store_view *view, struct text packed, struct buffer *json) {
    const unsigned char *head = (const unsigned char *)packed.at;
    if (packed.len < HEAD_SIZE || packed.len > INT_MAX)
        return false;
    struct text dictionary = dictionary_called(view, head[0]);
    int len = (head[1] & ~HAS_MORE) << 16 | head[2] << 8 | head[3];
    if (!dictionary.at)
        return false;
    if (!buffer_reserve(json, (size_t)len))
        return false;
    int got = LZ4_decompress_safe_usingDict(packed.at + HEAD_SIZE, json->at + json->len,
                                            (int)packed.len - HEAD_SIZE, len, dictionary.at,
                                            (int)dictionary.len);
    if (got != len)
        return false;
    json->len += (size_t)len;
    return true;
}

enum status unpack(struct store_view *view, sqlite3_value *members, struct buffer *json) {
    struct text stored = { sqlite3_value_blob(members), 0 };
    stored.len = (size_t)sqlite3_value_bytes(members);
    if (!stored.at)
        return STATUS_BROKEN;
    if (sqlite3_value_type(members) == SQLITE_TEXT) {
        buffer_add(json, stored);
        return json->failed ? STATUS_BROKEN : STATUS_OK;
    }
    if (decompress(view, stored, json))
        return STATUS_OK;
    log_error("database: a row cannot be unpacked");
    return STATUS_BROKEN;
}

bool pack_is_as_shown(struct store_view *view, const struct table *table, sqlite3_value *members) {
    const struct packing *packing = packing_of(view);
    const unsigned char *head = sqlite3_value_blob(members);
    return packing && head && sqlite3_value_type(members) == SQLITE_BLOB &&
           sqlite3_value_bytes(members) >= HEAD_SIZE && head[0] == packing->own[table->number] &&
           !(head[1] & HAS_MORE);
}
